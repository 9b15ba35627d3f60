"""App Home: first what waits for you, then your own requests, then what you can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chatops.kernel.action import Button
from chatops.slack.mrkdwn import bold, escape
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
    held: Sequence[str] = (),
) -> dict[str, Any]:
    """The view for views.publish; rows have ``id``, ``title``, ``state``, ``by``, ``at`` and ``link``.

    ``paused`` says why nothing is written at the moment, ``held`` what is locked or frozen.
    """
    blocks: list[Block] = []
    if paused:
        blocks.append(section(f"⏸ {bold('Paused:')} {escape(paused, 500)}"))
    blocks += _list("Waiting for you", waiting, now, "Nothing waits for you.")
    blocks += actions(line_buttons((one.label, one.line, one.form, one.style) for one in buttons))
    if held:
        blocks += [header("Locked and frozen"), section("\n".join(escape(line, 300) for line in held[:SHOWN]))]
        if len(held) > SHOWN:
            blocks.append(context(f"… and {len(held) - SHOWN} more: `/platform locks`, `/platform freezes`"))
    blocks.append(divider())
    blocks += _list("Your requests", mine, now, "You have asked for nothing yet. `/platform help` tells what there is.")
    return {"type": "home", "blocks": blocks}


def _list(heading: str, rows: Sequence[Row], now: float, nothing: str) -> Iterator[Block]:
    yield header(f"{heading} ({len(rows)})" if rows else heading)
    if not rows:
        yield section(nothing)
    for one in rows[:SHOWN]:
        yield section(request_row(one, now))
    if len(rows) > SHOWN:
        yield context(f"… and {len(rows) - SHOWN} more: `/platform requests`")
