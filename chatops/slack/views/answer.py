"""What a read action answers: a title, lines, a table in fixed width, buttons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chatops.kernel.action import Answer, Button, RequestList
from chatops.slack.mrkdwn import bold, channel_link, escape, one_line, preformatted, said
from chatops.slack.views.blocks import (
    Block,
    Message,
    actions,
    context,
    fallback,
    image,
    line_buttons,
    section,
    sections,
)
from chatops.slack.views.rows import request_row

CELL = 40  # characters; a phone shows about as many on a line
COLUMNS = 8
ROWS = 60
# Characters of each part: Slack takes 13,000 over all blocks, of which the buttons may need 2,000.
LINES, LISTS, TABLE, CONTEXT, LEAST = 4500, 4000, 6000, 1000, 500


def answer(given: Answer, now: float = 0.0) -> Message:
    """The answer as blocks; what does not fit is counted, never dropped silently. ``now`` is for its dates."""
    lines = [said(line, 2000) for line in given.lines]
    lines += [f"Room: {channel_link(given.channel)}"] if given.channel else []
    heading = bold(escape(given.title, 200)) if given.title.strip() else ""
    rows = list(_rows(given.table))
    alone = not (given.lists or given.table or given.code)  # then the lines may have the others' room, too
    blocks = sections([heading, *lines] if heading else lines, limit=LINES + LISTS if alone else LINES)
    requests = [list(_list(one, now)) for one in given.lists]
    code = given.code.splitlines()
    coded = [section(preformatted(code))] if given.code.strip() else []
    room = LINES + LISTS - _size([*blocks, *coded])
    for place, listed in enumerate(requests):
        shown = sections(listed, limit=max(LEAST, min(LISTS, room) // (len(requests) - place)))
        blocks, room = blocks + shown, room - _size(shown)
    table_of = max(LEAST, min(TABLE, room + LEAST))
    blocks += [image(*given.image)] if given.image else []
    blocks += [section(preformatted(part)) for part in _parts(rows, table_of)]
    blocks += coded
    blocks += actions(line_buttons((one.label, one.line, one.form, one.style) for one in given.buttons))
    if given.context:
        blocks.append(context(said(given.context, CONTEXT)))
    table = [escape(row, 500) for row in rows]
    listed = [line for one in requests for line in one]
    text = fallback(
        [heading, *lines, *listed, *table, *(escape(line, 300) for line in code[-10:]), said(given.context, CONTEXT)]
    )
    return Message(text, blocks or [section("There is nothing to say.")])


def answer_from(content: Mapping[str, Any], now: float = 0.0) -> Message:
    """The same from a post's content, which has been through JSON."""
    table = tuple(tuple(str(cell) for cell in row) for row in content.get("table") or ())
    buttons = tuple(
        Button(str(one["label"]), str(one["line"]), bool(one.get("form")), one.get("style") or "")
        for one in content.get("buttons") or ()
    )
    lines = tuple(str(line) for line in content.get("lines") or ())
    lists = tuple(
        RequestList(str(one.get("heading") or ""), tuple(one.get("rows") or ())) for one in content.get("lists") or ()
    )
    title, context = str(content.get("title") or ""), str(content.get("context") or "")
    code, channel = str(content.get("code") or ""), str(content.get("channel") or "")
    picture = tuple(str(one) for one in content.get("image") or ())
    return answer(Answer(title, lines, lists, table, buttons, context, code, channel=channel, image=picture), now)


def _list(given: RequestList, now: float) -> Iterator[str]:
    if given.heading:
        yield bold(escape(given.heading, 200))
    for one in given.rows:
        yield request_row(one, now, between=" · ")


def _rows(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Cells padded to their column's width."""
    shown = [[_cell(cell) for cell in row[:COLUMNS]] for row in table[:ROWS]]
    columns = max((len(row) for row in shown), default=0)
    widths = [max((len(row[n]) for row in shown if n < len(row)), default=0) for n in range(columns)]
    for row in shown:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
    if len(table) > ROWS:
        yield f"… and {len(table) - ROWS} more rows"


def _cell(text: str) -> str:
    line = one_line(str(text))
    return line if len(line) <= CELL else line[: CELL - 1] + "…"


def _size(blocks: Sequence[Block]) -> int:
    return sum(len(one["text"]["text"]) for one in blocks)


def _parts(rows: Sequence[str], most: int) -> Iterator[list[str]]:
    """Rows in blocks that fit a section each, counted as they are after escaping."""
    part: list[str] = []
    used = total = 0
    for number, row in enumerate(rows):
        size = len(row.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) + 1
        if total + size > most:
            yield [*part, f"… and {len(rows) - number} more rows"]
            return
        if used + size > 2700:
            yield part
            part, used = [], 0
        part.append(row)
        used += size
        total += size
    if part:
        yield part
