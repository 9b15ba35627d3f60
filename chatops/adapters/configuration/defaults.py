"""The default of a declared action's input: it has to fit its own limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.fields import Fields, is_person, seconds, suggestion
from chatops.kernel.catalog import Platform
from chatops.kernel.declaration import DeclaredInput

VERSION = re.compile(r"sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def default_of(fields: Fields, one: DeclaredInput, platform: Platform) -> Any:
    """The default as it is written, a choice's as what people choose; None: there is none, or it is wrong."""
    node = fields.get("default")
    if node is None:
        return None
    if one.type == "choice":
        return _chosen(fields, node, one)
    wrong = _DEFAULTS[one.type](node.value, one, platform)
    if wrong:
        fields.wrong(node.line, f"has default {shown(node)}: {wrong}")
        return None
    return node.value


def _chosen(fields: Fields, node: Node, one: DeclaredInput) -> Any:
    if one.several != isinstance(node.value, list):
        fields.wrong(node.line, "has a default that is no list: with several it is one" if one.several
                     else "has a list as default: with several: true it may be one")  # fmt: skip
        return None
    chosen = [written(entry.value) for entry in (node.value if one.several else [node])]
    for label in chosen if one.options_from is None else ():
        if label not in one.options:
            values = {written(value): name for name, value in one.options.items()}
            there = f": did you mean {values[label]}?" if label in values else suggestion(label, one.options)
            fields.wrong(node.line, f"has default {label!r}, which is none of its options{there}")
    return chosen if one.several else chosen[0]


def _text_wrong(value: Any, one: DeclaredInput, _: Platform) -> str:
    if not isinstance(value, str):
        return "it is text, write it in quotes"
    if one.pattern and not re.fullmatch(one.pattern, value):
        return f"it does not fit the pattern {one.pattern}"
    return _outside(len(value), one.min_length, one.max_length, " characters")


def _number_wrong(value: Any, one: DeclaredInput, _: Platform) -> str:
    whole = one.type == "integer"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return "it is a whole number" if whole else "it is a number"
    return _outside(value, one.minimum, one.maximum)


def _duration_wrong(value: Any, one: DeclaredInput, _: Platform) -> str:
    length = seconds(value)
    if length is None:
        return "it is a duration like 30m, 4h, 7d"
    return _outside(length, one.minimum, one.maximum, " seconds")


def _outside(value: float, least: float | None, most: float | None, unit: str = "") -> str:
    if least is not None and value < least:
        return f"it is at least {written(least)}{unit}"
    return f"it is at most {written(most)}{unit}" if most is not None and value > most else ""


def _named(section: str) -> Callable[[Any, DeclaredInput, Platform], str]:
    def wrong(value: Any, one: DeclaredInput, platform: Platform) -> str:
        known: Mapping[str, Any] = getattr(platform, section)
        if not isinstance(value, str):
            return f"it is the name of one of the {section}"
        if known and value not in known:  # none: that section has mistakes of its own
            return f"there is no such {one.type}{suggestion(value, known)}"
        return ""

    return wrong


def _datetime_wrong(value: Any, _: DeclaredInput, __: Platform) -> str:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return 'it is a time like "2026-12-24T09:00"'
    return ""


_DEFAULTS: Mapping[str, Callable[[Any, DeclaredInput, Platform], str]] = {
    "text": _text_wrong,
    "integer": _number_wrong,
    "number": _number_wrong,
    "boolean": lambda value, _, __: "" if isinstance(value, bool) else "it is true or false",
    "service": _named("services"),
    "environment": _named("environments"),
    "team": _named("teams"),
    "person": lambda value, _, __: (
        "" if isinstance(value, str) and is_person(value) else "people are named by e-mail or Slack user id"
    ),
    "version": lambda value, _, __: (
        "" if isinstance(value, str) and VERSION.fullmatch(value) else 'it is an image tag or a digest, as text: "1.4"'
    ),
    "duration": _duration_wrong,
    "datetime": _datetime_wrong,
}


def written(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def shown(node: Node) -> str:
    """A value in a sentence about it."""
    if isinstance(node.value, list | dict) or node.value is None:
        return node.kind
    return repr(node.value) if isinstance(node.value, str) else written(node.value)
