"""Words into Slack's mrkdwn. Escaping happens here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

# Directional marks and the like let a value read differently from what it is ("gnp.exe"); they are no part of a name.
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
# Control characters, the two line breaks that are none of them (Zl and Zp), and halves of surrogate pairs.
_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Ids as Slack gives them: anything else inside <@…> could close the mark and open another.
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,30}")
_USER_ID = re.compile(r"[UW][A-Z0-9]{2,30}")


def plain(text: str, limit: int = 3000) -> str:
    """One line for a plain_text object: no control characters, at most ``limit`` characters, cut with "…"."""
    line = one_line(text)
    return line if len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def one_line(text: str) -> str:
    """Text as one line; a line break in a reason could otherwise pretend to be another line of the card."""
    return " ".join(_visible(text).split())


def escape(text: str, limit: int = 3000) -> str:
    """``text`` safe in mrkdwn, on one line; at most ``limit`` characters after escaping, cut with "…"."""
    return _cut(one_line(text), limit)


def paragraph(text: str, limit: int = 3000) -> str:
    """Like ``escape``, but line breaks stay; for text that stands by itself."""
    return _cut("\n".join(one_line(line) for line in text.splitlines()), limit)


def code(text: str, limit: int = 3000) -> str:
    """``text`` as inline code; backticks, which would end it, become apostrophes."""
    return f"`{escape(text.replace('`', chr(39)), limit - 2) or ' '}`"


def preformatted(lines: Iterable[str], limit: int = 2900) -> str:
    """Lines as a code block with their spaces kept; the last ones win when there is not room for all."""
    shown = [_escaped(_visible(line)) for text in lines for line in text.replace("`", "'").splitlines() or [""]]
    kept: list[str] = []
    room = limit - 10
    for line in reversed(shown):
        if len(line) + 1 > room:
            kept.append("…")
            break
        kept.append(line)
        room -= len(line) + 1
    return "```\n" + "\n".join(reversed(kept)) + "\n```"


def said(text: str, limit: int = 3000) -> str:
    """A line written by the program: ``*bold*`` and `` `code` `` work, mentions and links don't."""
    return paragraph(text, limit)


def bold(text: str) -> str:
    """``text``, already escaped, in bold."""
    return f"*{text}*"


def quoted(text: str, limit: int = 600) -> str:
    """What a person typed, in quotation marks."""
    return f"“{escape(text, limit - 2)}”"


def mention(user_id: str) -> str:
    """Rings a person; an id that is none is shown as text."""
    return f"<@{user_id}>" if _USER_ID.fullmatch(user_id) else escape(user_id, 80)


def channel_link(channel_id: str) -> str:
    """A link to a channel under its present name; an id that is none is shown as text."""
    return f"<#{channel_id}>" if _CHANNEL_ID.fullmatch(channel_id) else escape(channel_id, 80)


def link(url: str, label: str) -> str:
    """A link; the label alone when the address is no plain http(s) one."""
    shown = escape(label, 200).replace("|", "¦")
    usable = re.fullmatch(r"https?://[^\s<>|]+", url) and len(url) <= 2000
    return f"<{_escaped(url)}|{shown}>" if usable else shown


def when(at: float, now: float) -> str:
    """A moment in the reader's own time zone, with the day when it is far; UTC where Slack can't tell.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    far = abs(at - now) > 18 * 3600
    moment = datetime.fromtimestamp(at, UTC)
    fallback = moment.strftime("%-d %b %H:%M UTC" if far else "%H:%M UTC")
    return f"<!date^{int(at)}^{'{date_short_pretty} {time}' if far else '{time}'}|{fallback}>"


def enumerated(items: Iterable[str], last: str = "and") -> str:
    """Lee, Sam and Olu."""
    found = list(items)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} {last} {found[-1]}" if found else ""


def _visible(text: str) -> str:
    """Without what no font shows; half a surrogate pair could not even be sent."""
    return _INVISIBLE.sub("", _BREAKING.sub(" ", text))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    """Escapes and cuts between characters, never inside an entity."""
    escaped = _escaped(text)
    if len(escaped) <= limit:
        return escaped
    kept: list[str] = []
    room = limit - 1
    for char in text:
        piece = _escaped(char)
        if len(piece) > room:
            break
        kept.append(piece)
        room -= len(piece)
    return "".join(kept).rstrip() + "…"
