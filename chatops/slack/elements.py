"""One input of an action as Slack's own element, and what was put into it as text. Pure.

An element whose options or preset value may change while the form stands carries a mark of them in its action id: Slack
keeps what somebody typed where the ids stay, and shows the new ones where they don't.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chatops.kernel.action import Input, InputKind
from chatops.kernel.catalog import Platform
from chatops.kernel.several import joined, parted
from chatops.requests.sheets import Sheet
from chatops.slack import ids

Json = dict[str, Any]

# Limits: https://docs.slack.dev/reference/block-kit/block-elements
OPTION, VALUE, TEXT, OPTIONS, BOXES = 75, 150, 3000, 100, 10
_HEAVY = 20_000  # bytes of options; beyond they are asked for while somebody types, for a view holds 250,000
_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_LATEST = 10**10  # seconds since the epoch have ten digits in a date-time picker
_LIKE = {InputKind.DURATION: "30m, 4h, 2d"}
_TOUCHED = "t"  # the mark of a value that a person gave


@dataclass(frozen=True, slots=True)
class Around:
    """What elements are made of besides the input: names that there are, and what depends on others."""

    platform: Platform
    actions: Sequence[str]
    listened: frozenset[str]  # inputs on which others depend
    sheet: Sheet = field(default_factory=Sheet)


def element(one: Input, around: Around, value: str, mark: str = "") -> Json:
    """The element of an input with a value in it, as typed; ``mark``: that of the element that stands there now."""
    preset = around.sheet.defaults.get(one.name, "")
    found = _made(one, around, value or preset or _default(one))
    marks = []
    if one.asked.options_from is not None:
        marks.append("o" + _sum([found["type"], found.get("options"), around.sheet.silent.get(one.name, "")]))
    if one.asked.default_from:
        marks.append(f"d{_sum(preset)}" if preset and not value else mark or _TOUCHED)
    found["action_id"] = ids.marked(found["action_id"], "~".join(marks))
    return found


def read(element: Mapping[str, Any]) -> str:
    """What stands in an element of ``state.values``, as a person would type it on the line; ``""`` for nothing."""
    option = element.get("selected_option")
    if isinstance(option, Mapping):
        return str(option.get("value") or "")
    options = element.get("selected_options")
    if isinstance(options, list):
        return joined(str(one.get("value") or "") for one in options if isinstance(one, Mapping)) if options else ""
    at = element.get("selected_date_time")
    if isinstance(at, int) and 0 < at < _LATEST:
        return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    value = element.get("selected_user") or element.get("value")
    return value if isinstance(value, str) and value.strip() else ""


def initial(element: Mapping[str, Any]) -> str:
    """What stands in an element of a view before anybody touches it."""
    keys = {
        "selected_option": "initial_option",
        "selected_options": "initial_options",
        "selected_date_time": "initial_date_time",
        "selected_user": "initial_user",
        "value": "initial_value",
    }
    return read({name: element[key] for name, key in keys.items() if key in element})


def options(names: Iterable[str] | Mapping[str, str]) -> list[Json]:
    """At most 100 options; a mapping has labels and their values."""
    pairs = names.items() if isinstance(names, Mapping) else ((name, name) for name in names)
    return [_option(label, value) for label, value in list(pairs)[:OPTIONS]]


def plain(text: str, limit: int) -> Json:
    """A plain text object, shortened where Slack would refuse it."""
    shorter = text if len(text) <= limit else text[: limit - 1] + "…"
    return {"type": "plain_text", "text": shorter or " ", "emoji": False}


# ---- inside


def _made(one: Input, around: Around, value: str) -> Json:
    action_id = ids.PICK if one.name in around.listened else ids.INPUT
    if one.kind is InputKind.SERVICE:
        found: Json = {"type": "external_select", "action_id": ids.SERVICE_SELECT, "min_query_length": 0}
        return _chosen(found, value if value in around.platform.services else "", "Type a part of its name")
    if one.kind is InputKind.ENVIRONMENT:
        return _choice(ids.ENVIRONMENT_SELECT, _same(around.platform.environments), value)
    if one.kind is InputKind.TEAM:
        return _choice(action_id, _same(around.platform.teams), value)
    if one.kind is InputKind.ACTION:
        return _choice(action_id, _same(around.actions), value)
    if one.kind in (InputKind.CHOICE, InputKind.CHOICES):
        return _of_choices(one, around, action_id, value)
    if one.kind is InputKind.BOOLEAN:
        return _choice(action_id, _same(("yes", "no")), value)
    if one.kind is InputKind.PERSON:
        found = {"type": "users_select", "action_id": action_id, "placeholder": plain("Choose a person", 150)}
        return found | ({"initial_user": value} if _USER.fullmatch(value) else {})
    if one.kind is InputKind.DATETIME:
        at = _seconds(value)
        return {"type": "datetimepicker", "action_id": action_id} | ({"initial_date_time": at} if at else {})
    if one.kind in (InputKind.INTEGER, InputKind.NUMBER):
        return _number(one, action_id, value)
    return _text(one, action_id, value)


def _of_choices(one: Input, around: Around, action_id: str, value: str) -> Json:
    if one.asked.options_from is None:
        known: Mapping[str, str] | None = _same(one.options)
    elif one.name in around.sheet.silent:  # nobody can say what there is: the form stays usable
        return _text(one, action_id, value)
    else:
        known = around.sheet.options.get(one.name)
    if one.kind is InputKind.CHOICE:
        return _choice(action_id, known or {}, value)
    return _choices(action_id, known or {}, parted(value))


def _choice(action_id: str, known: Mapping[str, str], value: str) -> Json:
    """A select among a few names; asked for while typing when there are too many, or none, which Slack refuses."""
    found: Json = {"type": "static_select", "action_id": action_id, "options": options(known)}
    if not _few(known):
        found = {"type": "external_select", "action_id": action_id, "min_query_length": 0}
    label = next((label for label, kept in known.items() if kept == value), "")
    return _chosen(found, value if label else "", "Choose", label)


def _choices(action_id: str, known: Mapping[str, str], values: Sequence[str]) -> Json:
    """Boxes for up to ten, a select beyond."""
    offered = options(known)
    if 0 < len(known) <= BOXES:
        found: Json = {"type": "checkboxes", "action_id": action_id, "options": offered}
    elif _few(known):
        found = {"type": "multi_static_select", "action_id": action_id, "options": offered}
    else:
        found = {"type": "multi_external_select", "action_id": action_id, "min_query_length": 0}
    if found["type"] != "checkboxes":
        found["placeholder"] = plain("Choose", 150)
    chosen = [_option(label, kept) for label, kept in known.items() if kept in values]
    return found | ({"initial_options": chosen[:OPTIONS]} if chosen else {})


def _few(known: Mapping[str, str]) -> bool:
    return 0 < len(known) <= OPTIONS and len(json.dumps(options(known))) <= _HEAVY


def _chosen(found: Json, value: str, placeholder: str, label: str = "") -> Json:
    found["placeholder"] = plain(placeholder, 150)
    return found | ({"initial_option": _option(label or value, value)} if value else {})


def _number(one: Input, action_id: str, value: str) -> Json:
    decimal = one.kind is InputKind.NUMBER
    found: Json = {"type": "number_input", "action_id": action_id, "is_decimal_allowed": decimal}
    found |= {"min_value": number(one.minimum)} if one.minimum is not None else {}
    found |= {"max_value": number(one.maximum)} if one.maximum is not None else {}
    # Slack refuses the whole view when a number input starts with something that is no number.
    fits = value.isascii() and (_NUMBER if decimal else _WHOLE).fullmatch(value)
    return _listening(found | ({"initial_value": value.removeprefix("+")} if fits else {}))


def number(limit: float) -> str:
    """A limit without an exponent: ``3``, ``0.5``."""
    return str(int(limit)) if float(limit).is_integer() else f"{limit:.10f}".rstrip("0")


def _text(one: Input, action_id: str, value: str) -> Json:
    found: Json = {"type": "plain_text_input", "action_id": action_id}
    most = min(one.max_length or TEXT, TEXT)
    if one.kind is InputKind.LONG_TEXT:
        found |= {"multiline": True, "max_length": most}
    elif one.max_length:
        found["max_length"] = most
    if 0 < one.min_length <= most:
        found["min_length"] = one.min_length
    if like := _LIKE.get(one.kind):
        found["placeholder"] = plain(like, 150)
    return _listening(found | ({"initial_value": value[:most]} if value else {}))


def _listening(found: Json) -> Json:
    """Others depend on it: Slack tells of what is typed into it, not of Enter alone."""
    if found["action_id"] == ids.PICK:
        found["dispatch_action_config"] = {"trigger_actions_on": ["on_character_entered"]}
    return found


def _default(one: Input) -> str:
    """The model's default as typed."""
    if one.kind is InputKind.BOOLEAN:
        return "yes" if one.default else "no"
    if isinstance(one.default, list | tuple):
        return joined(str(each) for each in one.default)
    if isinstance(one.default, float):
        return number(one.default)
    return "" if one.default is None else str(one.default)


def _seconds(value: str) -> int:
    """Seconds since the epoch; 0 for what is no time Slack takes."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return 0
    found = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    return found if 10**9 <= found < _LATEST else 0


def _same(names: Iterable[str]) -> dict[str, str]:
    return {name: name for name in names}


def _option(label: str, value: str) -> Json:
    return {"text": plain(label, OPTION), "value": value[:VALUE]}


def _sum(value: Any) -> str:
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"
