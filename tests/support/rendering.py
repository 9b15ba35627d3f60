"""Messages and views as the plain lines a phone would show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]

_ESCAPE = re.compile(r"<([^<>]*)>")
_MARKS = re.compile(
    r"(?<![\w*])\*([^*\n]+)\*(?!\w)|(?<![\w_])_([^_\n]+)_(?!\w)|(?<![\w~])~([^~\n]+)~(?!\w)|`([^`\n]+)`"
)


def render_text(thing: Json | list[Json], names: Mapping[str, str] | None = None) -> str:
    """The lines a person sees of a message, a view or a list of blocks; `names` gives names for ids."""
    return "\n".join(line for line in _lines(thing, names or {}) if line.strip())


def _lines(thing: Json | list[Json], names: Mapping[str, str]) -> Iterator[str]:
    if isinstance(thing, list):
        for block in thing:
            yield from _block(block, names)
        return
    if "blocks" in thing and thing.get("type") in ("modal", "home"):
        yield plain(thing.get("title")) if thing["type"] == "modal" else ""
        yield from _lines(thing["blocks"], names)
        yield f"[{plain(thing['submit'])}]" if thing.get("submit") else ""
        return
    if thing.get("blocks"):
        yield from _lines(thing["blocks"], names)
    else:
        yield mrkdwn(thing.get("text") or "", names)
    for attached in thing.get("attachments") or ():
        yield from _lines({"text": attached.get("text") or attached.get("fallback"), **attached}, names)
    for file in thing.get("files") or ():
        yield file.get("title") or file["name"]
        yield file.get("preview") or ""


def plain(text: Any) -> str:
    return str(text.get("text", "")) if isinstance(text, dict) else ""


def mrkdwn(text: str, names: Mapping[str, str]) -> str:
    """Mrkdwn without its marks: mentions by name, links by label, entities as characters."""
    code = text.split("```")
    for index in range(0, len(code), 2):
        shown = _ESCAPE.sub(lambda match: _escaped(match[1], names), code[index])
        code[index] = _MARKS.sub(lambda match: next(one for one in match.groups() if one is not None), shown)
    joined = "".join(code)
    return joined.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _escaped(inner: str, names: Mapping[str, str]) -> str:
    target, _, label = inner.partition("|")
    if target.startswith("@"):
        return f"@{names.get(target[1:]) or label or target[1:]}"
    if target.startswith("#"):
        return f"#{names.get(target[1:]) or label or target[1:]}"
    if target.startswith("!subteam^"):
        return f"@{names.get(target.removeprefix('!subteam^')) or label.lstrip('@')}"
    if target.startswith("!date^"):
        return label
    return f"@{target[1:]}" if target.startswith("!") else label or target


def _text(thing: Json, names: Mapping[str, str]) -> str:
    return mrkdwn(plain(thing), names) if thing.get("type") == "mrkdwn" else plain(thing)


def _block(block: Json, names: Mapping[str, str]) -> Iterator[str]:
    kind = block["type"]
    if kind in _BLOCKS:
        yield from _BLOCKS[kind](block, names)
    elif isinstance(block.get("text"), dict):
        yield _text(block["text"], names)


def _section(block: Json, names: Mapping[str, str]) -> Iterator[str]:
    if block.get("text"):
        yield _text(block["text"], names)
    for one in block.get("fields") or ():
        yield _text(one, names)
    if block.get("accessory"):
        yield element_text(block["accessory"])


def _context(block: Json, names: Mapping[str, str]) -> Iterator[str]:
    yield " ".join(_text(one, names) if one["type"] != "image" else one["alt_text"] for one in block["elements"])


def _actions(block: Json, names: Mapping[str, str]) -> Iterator[str]:
    yield " ".join(element_text(one) for one in block["elements"])


def _input(block: Json, names: Mapping[str, str]) -> Iterator[str]:
    yield f"{plain(block['label'])}: {element_text(block['element'])}"
    yield plain(block.get("hint"))


def _table(block: Json, names: Mapping[str, str]) -> Iterator[str]:
    for row in block["rows"]:
        yield " | ".join(cell["text"] if cell["type"] == "raw_text" else _rich(cell, names) for cell in row)


def _rich(value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return "".join(_rich(one, names) for one in value)
    kind = value.get("type", "")
    if "elements" in value:
        end = "\n" if kind != "rich_text" else ""
        return _rich(value["elements"], names) + end
    for key, mark in (("user_id", "@"), ("usergroup_id", "@"), ("channel_id", "#")):
        if key in value:
            return f"{mark}{names.get(value[key], value[key])}"
    if kind == "broadcast":
        return f"@{value['range']}"
    return str(value.get("text") or value.get("url") or (f":{value['name']}:" if "name" in value else ""))


_BLOCKS: dict[str, Callable[[Json, Mapping[str, str]], Iterator[str]]] = {
    "section": _section,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "table": _table,
    "divider": lambda block, names: iter(()),
    "markdown": lambda block, names: iter((str(block["text"]),)),
    "image": lambda block, names: iter((plain(block.get("title")), str(block["alt_text"]))),
    "rich_text": lambda block, names: iter((_rich(block, names),)),
}


def element_text(element: Json) -> str:
    """An element at rest: a button in brackets, a field with what stands in it."""
    if element["type"] == "button":
        return f"[{plain(element['text'])}]"
    if element["type"] == "overflow":
        return f"[… {' / '.join(plain(option['text']) for option in element['options'])}]"
    if element["type"] == "image":
        return str(element["alt_text"])
    initial = element.get("initial_option") or element.get("initial_options") or element.get("initial_value")
    if isinstance(initial, dict):
        return plain(initial["text"])
    if isinstance(initial, list):
        return ", ".join(plain(option["text"]) for option in initial)
    return str(initial or plain(element.get("placeholder")) or "____")
