"""App Home: first what waits for you, then what you can do, what is going on, and your own requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chatops.kernel.action import Button
from chatops.slack import ids
from chatops.slack.mrkdwn import bold, escape, quoted, said
from chatops.slack.views.blocks import Block, actions, button, context, divider, header, line_buttons, section
from chatops.slack.views.rows import Row, request_row

SHOWN = 10
CHANGE = 30  # the number of its button; those above have smaller ones
WARNINGS = 3  # the rest is in the full diff
WELCOME = (
    "Three things to try first:",
    "1. `/platform status` shows what runs where, and whether it is healthy.",
    "2. `/platform deploy` opens a form, and says what will be asked for before you send it.",
    "3. In a thread, mention me with the same line; `/platform help` tells everything else.",
)


def home(
    *,
    waiting: Sequence[Row],
    mine: Sequence[Row],
    buttons: Sequence[Button],
    now: float,
    paused: str = "",
    incidents: Sequence[str] = (),
    oncall: Sequence[str] = (),
    held: Sequence[str] = (),
    services: Sequence[str] = (),
    scheduled: Sequence[str] = (),
    current: Sequence[Row] = (),
    wishes: Sequence[str] = (),
    change: Button | None = None,
) -> dict[str, Any]:
    """The view for views.publish; rows have ``id``, ``title``, ``state``, ``by``, ``at`` and ``link``.

    ``paused`` says why nothing is written at the moment; ``incidents`` and those after it are lines, as an answer has
    them. Who has asked for nothing yet is told what to try first.
    """
    blocks: list[Block] = []
    if not mine and not waiting:
        blocks += [header("Welcome"), section("\n".join(said(line, 250) for line in WELCOME))]
    if paused:
        blocks.append(section(f"⏸ {bold('Paused:')} {escape(paused, 500)}"))
    blocks += _waiting(waiting, now)
    if current:
        blocks += _list("Yours, under way or failed", current, now, "")
    blocks += _lines("Incidents", incidents, "`/platform incidents`")
    blocks += actions(line_buttons((one.label, one.line, one.form, one.style) for one in buttons))
    blocks += _lines("Locked and frozen", held, "`/platform locks`, `/platform freezes`")
    blocks += _lines("On call", oncall, "`/platform oncall`")
    blocks += _lines("Your services", services, "`/platform services`")
    blocks += _lines("Scheduled", scheduled, "`/platform schedules`")
    blocks.append(divider())
    blocks += _preferences(wishes, change)
    blocks += _list("Your requests", mine, now, "You have asked for nothing yet. `/platform help` tells what there is.")
    return {"type": "home", "blocks": blocks}


def _waiting(rows: Sequence[Row], now: float) -> Iterator[Block]:
    """What waits for this person, with what they need to decide, and the buttons to do so."""
    yield header(f"Waiting for you ({len(rows)})" if rows else "Waiting for you")
    if not rows:
        yield section("Nothing waits for you.")
    for one in rows[:SHOWN]:
        lines = [request_row(one, now)]
        about = [quoted(str(one["reason"]))] if str(one.get("reason") or "").strip() else ["no reason given"]
        about += [escape(str(one["impact"]), 300)] if one.get("impact") else []
        lines.append(" · ".join(about))
        lines += [f"⚠ {bold('Marked as dangerous')}"] if one.get("danger") else []
        lines += [f"⚠ {escape(str(warning), 200)}" for warning in list(one.get("warnings") or ())[:WARNINGS]]
        yield section("\n".join(lines))
        if one.get("digest"):
            yield from actions(_decisions(one))
    if len(rows) > SHOWN:
        yield context(f"… and {len(rows) - SHOWN} more: `/platform requests waiting`")


def _decisions(one: Row) -> list[Block]:
    value = ids.value(int(one["number"]), str(one["digest"]))
    text = f"{one.get('title')}. This is marked as dangerous: read the full diff first."
    sure = {"title": f"Approve {one['id']}?", "text": text, "yes": "Approve", "no": "Not yet"}
    return [
        button("Approve", ids.APPROVE, value, style="primary", confirm=sure if one.get("danger") else None),
        button("Reject", ids.REJECT, value, style="danger"),
        button("Full diff", ids.FULL_DIFF, value),
    ]


def _preferences(wishes: Sequence[str], change: Button | None) -> Iterator[Block]:
    if wishes:
        yield header("Preferences")
        yield section("\n".join(said(line, 250) for line in wishes))
    if change is not None:
        yield from actions(line_buttons([(change.label, change.line, change.form, change.style)], first=CHANGE))


def _lines(heading: str, lines: Sequence[str], more: str) -> Iterator[Block]:
    if lines:
        yield header(heading)
        yield section("\n".join(said(line, 250) for line in lines[:SHOWN]))
    if len(lines) > SHOWN:
        yield context(f"… and {len(lines) - SHOWN} more: {more}")


def _list(heading: str, rows: Sequence[Row], now: float, nothing: str) -> Iterator[Block]:
    yield header(f"{heading} ({len(rows)})" if rows else heading)
    if not rows:
        yield section(nothing)
    for one in rows[:SHOWN]:
        yield section(request_row(one, now))
    if len(rows) > SHOWN:
        yield context(f"… and {len(rows) - SHOWN} more: `/platform requests`")
