"""App Home: first what waits for you, then what you can do, what is going on, and your own requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chatops.kernel.action import Button
from chatops.slack.mrkdwn import bold, escape, said
from chatops.slack.views.blocks import Block, actions, context, divider, header, line_buttons, section
from chatops.slack.views.rows import Row, request_row

SHOWN = 10


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
) -> dict[str, Any]:
    """The view for views.publish; rows have ``id``, ``title``, ``state``, ``by``, ``at`` and ``link``.

    ``paused`` says why nothing is written at the moment; ``incidents``, ``oncall`` and ``held`` are lines, as an answer
    has them.
    """
    blocks: list[Block] = []
    if paused:
        blocks.append(section(f"⏸ {bold('Paused:')} {escape(paused, 500)}"))
    blocks += _list("Waiting for you", waiting, now, "Nothing waits for you.")
    blocks += actions(line_buttons((one.label, one.line, one.form, one.style) for one in buttons))
    blocks += _lines("Incidents", incidents, "`/platform incidents`")
    blocks += _lines("Locked and frozen", held, "`/platform locks`, `/platform freezes`")
    blocks += _lines("On call", oncall, "`/platform oncall`")
    blocks.append(divider())
    blocks += _list("Your requests", mine, now, "You have asked for nothing yet. `/platform help` tells what there is.")
    return {"type": "home", "blocks": blocks}


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
