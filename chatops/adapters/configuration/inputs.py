"""The section ``inputs`` of a declared action: types, limits, options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from chatops.adapters.configuration.defaults import default_of, shown, written
from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.fields import Fields, suggestion
from chatops.adapters.configuration.kinds import kind_problem
from chatops.kernel.catalog import Platform
from chatops.kernel.cel.literals import literal_problem
from chatops.kernel.cel.syntax import RESERVED
from chatops.kernel.declaration import DeclaredInput, InputType, OptionsFrom

TYPES = get_args(InputType)
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAME_LIKE = "a name is lower case letters, digits and underscores, at most 40, so that CEL can say inputs.NAME"
TAKEN = {
    "reason": "every change asks for the reason by itself",
    "break_glass": "it means breaking the glass on the line",
}
CALLED = {  # which other words people use for a type
    "string": "text", "str": "text", "textarea": "text", "int": "integer", "float": "number", "bool": "boolean",
    "select": "choice", "enum": "choice", "option": "choice", "user": "person", "email": "person", "env": "environment",
    "date": "datetime", "time": "datetime", "timestamp": "datetime", "group": "team", "tag": "version",
}  # fmt: skip
MOST_INPUTS = 60
MOST_OPTIONS = 100  # of a select: https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
LONGEST_OPTION = 75  # https://docs.slack.dev/reference/block-kit/composition-objects/option-object
LONGEST_TEXT = 3000  # https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element

KEYS = ("type", "title", "help", "required", "default", "default_from", "show_when")
TYPE_KEYS: Mapping[str, tuple[str, ...]] = {
    "text": ("pattern", "min_length", "max_length", "multiline"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "duration": ("minimum", "maximum"),
    "choice": ("options", "options_from", "several"),
}


def declared_inputs(root: Fields, platform: Platform) -> tuple[DeclaredInput, ...]:
    """Every input, in order; their CEL is checked when all are known (``check_lookups``)."""
    found = []
    for name, node, line in root.entries("inputs", "inputs"):
        fields = Fields(node, f"input {name}", root.problems, line)
        if not NAME.fullmatch(name) or RESERVED.fullmatch(name) or name.startswith("model_"):
            why = f"{name} is a word that CEL or Python keep for themselves" if NAME.fullmatch(name) else NAME_LIKE
            root.problems.add(line, f"input {name!r}: {why}")
        elif name in TAKEN:
            root.problems.add(line, f"input {name}: {TAKEN[name]}: choose another name")
        if (one := _input(name, fields, platform)) is not None:
            found.append(one)
    if len(found) > MOST_INPUTS:
        root.problems.add(root.line("inputs"), f"there are {len(found)} inputs: at most {MOST_INPUTS}")
    return tuple(found)


def _input(name: str, fields: Fields, platform: Platform) -> DeclaredInput | None:
    kind = _type(name, fields)
    if not kind:
        return None
    if name in ("service", "environment") and kind != name:
        fields.wrong(fields.line("type"), f"has type {kind}: an input of this name is of type {name}")
    own = TYPE_KEYS.get(kind, ())
    for key in fields.names():
        where = [other for other, more in TYPE_KEYS.items() if key in more]
        if where and key not in own:
            fields.wrong(fields.line(key), f"has {key}, which goes with type {' or '.join(where)}, not with {kind}")
    fields.only(*KEYS, *{key for more in TYPE_KEYS.values() for key in more})
    options, options_from = _options(fields) if kind == "choice" else ({}, None)
    length = {key: fields.number(key, -1, least=0, most=LONGEST_TEXT) for key in ("min_length", "max_length")}
    one = DeclaredInput(
        name=name,
        type=kind,
        title=fields.text("title", pattern=re.compile(r"[^\n]{1,150}"), like="one line of at most 150 characters"),
        help=fields.text("help", pattern=re.compile(r"(?s).{1,2000}"), like="at most 2000 characters"),
        required=fields.flag("required", True),
        default_from=fields.text("default_from"),
        pattern=_pattern(fields),
        min_length=length["min_length"] if length["min_length"] >= 0 else None,
        max_length=length["max_length"] if length["max_length"] >= 0 else None,
        minimum=_limit(fields, "minimum", kind),
        maximum=_limit(fields, "maximum", kind),
        multiline=fields.flag("multiline", False),
        several=fields.flag("several", False),
        options=options,
        options_from=options_from,
        show_when=fields.text("show_when"),
    )
    _pair(fields, one, "min_length", "max_length")
    _pair(fields, one, "minimum", "maximum")
    default = default_of(fields, one, platform)
    if default is not None and one.default_from:
        fields.wrong(fields.line("default_from"), "has default and default_from: keep one")
    return one.model_copy(update={"default": default})


def _type(name: str, fields: Fields) -> InputType | None:
    kind = fields.text("type", required=True, like=f"one of {', '.join(TYPES)}")
    if kind and kind not in TYPES:
        better = CALLED.get(kind.casefold(), "")
        there = f": did you mean {better}?" if better else suggestion(kind, TYPES)
        fields.wrong(fields.line("type"), f"has type {kind!r}{there or ': it is one of ' + ', '.join(TYPES)}")
        return None
    return kind or None  # type: ignore[return-value]  # one of TYPES


def _pattern(fields: Fields) -> str:
    pattern = fields.text("pattern")
    if pattern and (problem := literal_problem("matches", pattern)):
        fields.wrong(fields.line("pattern"), f"has pattern: {problem[0]}")
        return ""
    return pattern


def _limit(fields: Fields, key: str, kind: str) -> float | None:
    if not fields.has(key):
        return None
    if kind == "duration":
        return fields.duration(key, 0.0, zero=True)
    node = fields.get(key)
    value = node.value if node is not None else None
    if node is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        fields.wrong(node.line, f"has {key} {shown(node)}: it is a number")
        return None
    if node is not None and kind == "integer" and value != int(value or 0):
        fields.wrong(node.line, f"has {key} {value}: with type integer it is a whole number")
        return None
    return float(value) if value is not None else None


def _pair(fields: Fields, one: DeclaredInput, low: str, high: str) -> None:
    least, most = getattr(one, low), getattr(one, high)
    if least is not None and most is not None and least > most:
        fields.wrong(fields.line(low), f"has {low} {written(least)} above {high} {written(most)}: nothing fits")


# options -------------------------------------------------------------------------------------------------------------


def _options(fields: Fields) -> tuple[dict[str, Any], OptionsFrom | None]:
    looked_up = _options_from(fields)
    node = fields.get("options")
    if node is None:
        if not fields.has("options_from"):
            fields.wrong(fields.line("options"), "needs options, like {small: 10Gi, large: 200Gi}, or options_from")
        return {}, looked_up
    if looked_up is not None:
        fields.wrong(fields.line("options_from"), "has options and options_from: keep one")
    found: dict[str, Any] = {}
    for label, entry in _labelled(fields, node):
        if isinstance(entry.value, list | dict) or entry.value is None:
            fields.wrong(entry.line, f"has {entry.kind} as the value of option {label!r}: it is a text or a number")
        elif not label.strip() or len(label) > LONGEST_OPTION or "\n" in label:
            message = f"one line of 1 to {LONGEST_OPTION} characters (Slack's limit)"
            fields.wrong(entry.line, f"has the option {label[:30]!r}: an option is {message}")
        elif label.casefold() in {other.casefold() for other in found}:
            fields.wrong(entry.line, f"has the option {label!r} twice: keep one")
        found[label] = entry.value
    if not 1 <= len(found) <= MOST_OPTIONS:
        how = "none" if not found else f"{len(found)}"
        fields.wrong(fields.line("options"), f"has {how} options: from 1 to {MOST_OPTIONS} (Slack's limit)")
    return found, None


def _labelled(fields: Fields, node: Node) -> Iterable[tuple[str, Node]]:
    if isinstance(node.value, dict):
        return list(node.value.items())
    if isinstance(node.value, list):
        return [(written(one.value), one) for one in node.value]
    fields.wrong(node.line, f"has {node.kind} as options: it is a list, or what people choose mapped to what CEL sees")
    return []


def _options_from(fields: Fields) -> OptionsFrom | None:
    node = fields.given("options_from")
    if node is None:
        return None
    if not isinstance(node.value, dict):
        expression = fields.as_text(node, "options_from")
        return OptionsFrom(cel=expression) if expression else None
    inner = Fields(node, f"{fields.where} options_from", fields.problems)
    inner.only("kind", "cel")
    kind = inner.text("kind")
    if kind and (problem := kind_problem(kind)):
        inner.wrong(inner.line("kind"), f"has kind {kind!r}: {problem}")
    expression = inner.text("cel", required=True, like="like object.metadata.name")
    return OptionsFrom(cel=expression, kind=kind) if expression else None
