"""What people type, and what Slack makes of it: escapes, mentions, links, and the rich text beside the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]

_TYPED = re.compile(
    r"(?P<url>https?://[^\s<>|]*[^\s<>|.,;:!?)'\"])"
    r"|(?<![\w.+-])(?P<mail>[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+)"  # 64: RFC 5321, 4.5.3.1.1; keeps long words cheap
    r"|(?<![\w@])@(?P<name>[\w][\w.-]*\w|\w)"
    r"|(?<![\w#&])#(?P<channel>[a-z0-9][a-z0-9_-]*)"
)


def escape(text: str) -> str:
    """Slack's escaping of the three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class Names:
    """Finds who or what a typed @name or #name means; `found` answers an element of rich text or None."""

    def __init__(self, at: Callable[[str], Json | None], channel: Callable[[str], Json | None]) -> None:
        self.at = at
        self.channel = channel


def tokens(text: str, names: Names) -> Iterator[Json]:
    """The text as elements of a rich_text_section: text, user, usergroup, broadcast, channel and link."""
    end = 0
    for match in _TYPED.finditer(text):
        found = _meaning(match, names)
        if found is None:
            continue
        if match.start() > end:
            yield {"type": "text", "text": text[end : match.start()]}
        yield found
        end = match.end()
    if end < len(text):
        yield {"type": "text", "text": text[end:]}


def _meaning(match: re.Match[str], names: Names) -> Json | None:
    if match["url"]:
        return {"type": "link", "url": match["url"]}
    if match["mail"]:
        return {"type": "link", "url": f"mailto:{match['mail']}", "text": match["mail"]}
    return names.at(match["name"]) if match["name"] else names.channel(match["channel"])


def message_text(elements: list[Json]) -> str:
    """Elements as the mrkdwn that a message event carries, e.g. `<@U0LEE> &lt;3 <https://a.test>`."""
    return "".join(_MESSAGE[element["type"]](element) for element in elements)


def command_text(elements: list[Json], should_escape: bool) -> str:
    """Elements as the `text` of a slash command: with names beside the ids, or as it was typed."""
    words = _COMMAND if should_escape else _TYPED_AGAIN
    return "".join(words[element["type"]](element) for element in elements)


def rich_text(elements: list[Json]) -> list[Json]:
    """The block Slack's own editor sends along with a typed message."""
    section = {
        "type": "rich_text_section",
        "elements": [{k: v for k, v in element.items() if k not in ("name", "handle")} for element in elements],
    }
    return [{"type": "rich_text", "elements": [section]}]


def _link(element: Json) -> str:
    url = escape(element["url"])
    return f"<{url}|{element['text']}>" if "text" in element else f"<{url}>"


_MESSAGE: dict[str, Callable[[Json], str]] = {
    "text": lambda e: escape(e["text"]),
    "user": lambda e: f"<@{e['user_id']}>",
    "usergroup": lambda e: f"<!subteam^{e['usergroup_id']}>",
    "broadcast": lambda e: f"<!{e['range']}>",
    "channel": lambda e: f"<#{e['channel_id']}|>",
    "link": _link,
}
_COMMAND: dict[str, Callable[[Json], str]] = {
    **_MESSAGE,
    "user": lambda e: f"<@{e['user_id']}|{e['name']}>",
    "usergroup": lambda e: f"<!subteam^{e['usergroup_id']}|@{e['handle']}>",
    "channel": lambda e: f"<#{e['channel_id']}|{e['name']}>",
}
_TYPED_AGAIN: dict[str, Callable[[Json], str]] = {
    "text": lambda e: escape(e["text"]),
    "user": lambda e: f"@{e['name']}",
    "usergroup": lambda e: f"@{e['handle']}",
    "broadcast": lambda e: f"@{e['range']}",
    "channel": lambda e: f"#{e['name']}",
    "link": lambda e: str(e.get("text", e["url"])),
}

_MENTION = re.compile(
    r"<@(U[A-Z0-9]+)(?:\|[^>]*)?>|<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>|<!(here|channel|everyone)(?:\|[^>]*)?>"
)


def mentions(message: Json) -> set[str]:
    """Ids of users and user groups and the words here, channel, everyone that a message rings."""
    found: set[str] = set()
    for text in _texts(message.get("blocks") or []) if message.get("blocks") else [message.get("text") or ""]:
        found.update(next(filter(None, match.groups())) for match in _MENTION.finditer(text))
    return found | set(_elements(message.get("blocks") or []))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "markdown") and isinstance(value.get("text"), str):
            yield value["text"]
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _elements(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        kind = value.get("type")
        if kind in ("user", "usergroup", "broadcast"):
            yield value.get("user_id") or value.get("usergroup_id") or value.get("range") or ""
        for one in value.values():
            yield from _elements(one)
    elif isinstance(value, list):
        for one in value:
            yield from _elements(one)
