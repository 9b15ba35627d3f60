"""The few blocks our messages are made of, inside Slack's limits by construction.

Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chatops.kernel.plan import canonical
from chatops.slack import ids
from chatops.slack.mrkdwn import plain

Block = dict[str, Any]

BLOCKS = 50
CHARACTERS = 12_000  # Slack takes about 13,000 over all blocks of a message
SECTION = 3000
HEADER = 150
FALLBACK = 3500  # of `text`; Slack cuts notifications much earlier


@dataclass(frozen=True)
class Message:
    """What a post says: blocks, and ``text`` saying the same.

    ``moment`` names what must be seen at once when it differs from what was shown last (a state, a vote); while it
    stays the same, updates are mere progress and are sent calmly. Empty: the lane alone decides.
    """

    text: str
    blocks: list[Block]
    moment: str = ""

    @cached_property
    def hash(self) -> str:
        """What it says, as a short hash; asked for several times on its way to Slack."""
        said = canonical({"text": self.text, "blocks": self.blocks})
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def header(text: str) -> Block:
    """A headline of plain text."""
    return {"type": "header", "text": {"type": "plain_text", "text": plain(text, HEADER) or "…", "emoji": False}}


def section(text: str) -> Block:
    """Mrkdwn, already escaped; ``verbatim`` keeps Slack from making links and mentions of what a person typed."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": _within(text, SECTION), "verbatim": True}}


def context(*texts: str) -> Block:
    """Small print; at most ten pieces of mrkdwn."""
    elements = [{"type": "mrkdwn", "text": _within(text, 2000), "verbatim": True} for text in texts[:10] if text]
    return {"type": "context", "elements": elements or [{"type": "mrkdwn", "text": "…"}]}


def image(file: str, alt: str) -> Block:
    """A picture that was given to Slack before, by its file's id; ``alt`` says what is on it."""
    return {"type": "image", "slack_file": {"id": file}, "alt_text": plain(alt, 2000) or "…"}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def button(
    label: str, action_id: str, value: str, *, style: str = "", confirm: Mapping[str, str] | None = None
) -> Block:
    """A button; ``confirm`` (title, text, yes, no) asks once more before it counts."""
    made: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": plain(label, 75) or "…", "emoji": False},
        "action_id": action_id,
        "value": value,
    }
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = {
            "title": _plain(confirm["title"], 100),
            "text": _plain(confirm["text"], 300),
            "confirm": _plain(confirm["yes"], 30),
            "deny": _plain(confirm["no"], 30),
            "style": "danger",
        }
    return made


def link_button(label: str, number: int, url: str) -> Block:
    """A button that leads somewhere."""
    text = {"type": "plain_text", "text": plain(label, 75) or "…", "emoji": False}
    return {"type": "button", "text": text, "action_id": f"link:{number}", "url": url[:3000]}


def line_buttons(buttons: Iterable[tuple[str, str, bool, str]], first: int = 0) -> list[Block]:
    """Buttons (label, line, form, style) that stand for a line as somebody would type it; at most 25."""
    made = []
    for number, (label, line, form, style) in enumerate(list(buttons)[:25], start=first):
        action_id = ids.form_button(number) if form else ids.line_button(number)
        sendable = line.encode(errors="replace").decode()  # half a surrogate pair would make the call fail
        made.append(button(label, action_id, ids.line_value(sendable), style=style))
    return made


def actions(buttons: Sequence[Block]) -> list[Block]:
    """A row of buttons, or nothing when there are none."""
    return [{"type": "actions", "elements": list(buttons[:25])}] if buttons else []


def sections(lines: Iterable[str], limit: int = CHARACTERS) -> list[Block]:
    """Lines, already escaped, spread over as many sections as they need; what is beyond ``limit`` is counted."""
    every = list(lines)
    texts: list[str] = []
    used = 0
    for number, line in enumerate(every):
        line = _within(line, SECTION)
        if used + len(line) + 1 > limit:
            texts.append(f"… and {len(every) - number} more lines")
            break
        used += len(line) + 1
        if texts and len(texts[-1]) + len(line) + 1 <= SECTION:
            texts[-1] += "\n" + line
        else:
            texts.append(line)
    return [section(text) for text in texts if text.strip()]


def fallback(lines: Iterable[str]) -> str:
    """The ``text`` beside the blocks, which notifications and screen readers use."""
    kept: list[str] = []
    room = FALLBACK
    for line in lines:
        if not line:
            continue
        if len(line) + 1 > room:
            kept.append("…")
            break
        kept.append(line)
        room -= len(line) + 1
    return "\n".join(kept) or "…"


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": plain(text, limit) or "…"}


def _within(text: str, limit: int) -> str:
    """Last resort for a text that nobody cut before: whole lines first, so that no entity or mention is broken."""
    if len(text) <= limit:
        return text or " "
    lines = text.split("\n")
    while len(lines) > 1 and len("\n".join(lines)) > limit - 2:
        lines.pop()
    shown = "\n".join(lines)
    if len(shown) <= limit - 2:
        return shown + "\n…"
    cut = shown[: limit - 1]
    # An opened entity or mention would otherwise swallow the "…" or show as garbage.
    return cut[: min((at for at in (_open(cut, "&", ";"), _open(cut, "<", ">")) if at >= 0), default=len(cut))] + "…"


def _open(text: str, opening: str, closing: str) -> int:
    at = text.rfind(opening)
    return at if at >= 0 and closing not in text[at:] else -1
