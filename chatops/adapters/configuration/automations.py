"""The section ``automations:`` of ``platform.yml``: what is asked for by itself when an alert comes up."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.expressions import Words, leaf_mistakes, line_at
from chatops.adapters.configuration.fields import Fields, seconds, suggestion
from chatops.kernel.action import Action, inputs_of
from chatops.kernel.alerting import Automation
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import BOOL, Vocabulary, check, given, has_cel, parts
from chatops.kernel.declaration import Declaration

_RATE = re.compile(r"([1-9]\d{0,3}) in (\w+)")
USUAL = ("service", "environment", "reason")  # given by the alert where the action asks for them
_NAMED = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")  # it stands in a label with a prefix
_WHOLE, _NUMBER = re.compile(r"[+-]?\d+"), re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_YES_OR_NO = ("true", "false", "yes", "no", "on", "off")
# By kind of input: what it is called, and what an expression may give for it (labels are texts, also those of numbers).
_TYPED = {
    "integer": ("a whole number", {"int", "uint", "string", "dyn"}),
    "number": ("a number", {"int", "uint", "double", "string", "dyn"}),
    "boolean": ("true or false", {"bool", "string", "dyn"}),
}
_TEXTS = frozenset({"text", "long_text", "version", "service", "environment", "team", "person", "action"})


@dataclass(frozen=True, slots=True)
class Taken:
    """An input of an action: whether it must be given, its kind, and what alone it may be (nothing: anything)."""

    needed: bool
    kind: str
    options: tuple[str, ...] = ()


class Known:
    """What automations may ask for: an action's inputs, which of them are needed, and why it may not be asked for."""

    def __init__(self, actions: Mapping[str, Action], declared: tuple[Declaration, ...], platform: Platform) -> None:
        self._inputs: dict[str, dict[str, Taken]] = {}
        self._names: dict[str, Collection[str]] = {
            "service": platform.services, "environment": platform.environments, "team": platform.teams,
        }  # fmt: skip
        self.refused: dict[str, str] = {}
        for name, action in actions.items():
            takes = {one.name: Taken(one.required, one.kind.value, one.options) for one in inputs_of(action.inputs)}
            self._inputs[name] = takes
            if action.risk == "read":
                self.refused[name] = "changes nothing"
            elif action.give is not None:
                self.refused[name] = "needs a person who gives a value"
            elif action.operators_only or action.hidden:
                self.refused[name] = "is for people alone"
        for one in declared:
            takes = {each.name: Taken(_is_needed(each), each.type) for each in one.inputs}
            self._inputs[one.name] = takes | {"reason": Taken(False, "long_text")}

    @property
    def names(self) -> list[str]:
        """The actions that can be asked for."""
        return [name for name in self._inputs if name not in self.refused]

    def inputs(self, action: str) -> dict[str, Taken] | None:
        """The inputs by their names; None: there is no such action."""
        return self._inputs.get(action)

    def choices(self, taken: Taken) -> Collection[str]:
        """What alone an input may be; nothing: anything."""
        return taken.options if taken.kind == "choice" else self._names.get(taken.kind, ())


def _is_needed(one: Any) -> bool:
    return one.required and one.default is None and not one.default_from and not one.show_when


def automations(root: Fields, words: Vocabulary, known: Known) -> tuple[Automation, ...]:
    """``automations:``: which alerts make which rule ask for what."""
    return tuple(_automations(root, words, known))


def _automations(root: Fields, words: Vocabulary, known: Known) -> Iterator[Automation]:
    named: dict[str, int] = {}
    for place, node in enumerate(root.items("automations", "automations"), 1):
        fields = Fields(node, f"automation {place}", root.problems)
        like = "lower-case letters, digits and dashes, at most 40: it stands on cards and in labels"
        name = fields.text("name", required=True, pattern=_NAMED, like=like)
        fields = Fields(node, f"automation {name}", root.problems) if name else fields
        fields.only("name", "when", "run", "with", "because", "at_most", "dry_run")
        if name and named.setdefault(name, node.line) != node.line:
            fields.wrong(fields.line("name"), f"stands here twice, first in line {named[name]}: rename one")
        when = _when(fields, words)
        action = _action(fields, known)
        inputs = _inputs(fields, action, Words(words), known)
        because = fields.text("because")
        if because and (own := fields.get("because")) is not None:
            _templates(fields, own, "because", Words(words), text=True)
        at_most, per = _rate(fields)
        dry_run = fields.flag("dry_run", False)
        if name and when and action:
            yield Automation(
                name=name, when=when, action=action, inputs=inputs, because=because, at_most=at_most, per=per,
                dry_run=dry_run,
            )  # fmt: skip


def _when(fields: Fields, words: Vocabulary) -> str:
    node = fields.given("when")
    if node is None:
        fields.wrong(fields.line("when"), "needs when: a CEL expression about the alert")
        return ""
    expression = fields.as_text(node, "when")
    mistakes = check(expression, words, BOOL) if expression else ()
    for mistake in mistakes:
        fields.wrong(line_at(node, mistake.offset), f"when: {mistake}")
    return "" if mistakes else expression


def _action(fields: Fields, known: Known) -> str:
    """The action to be asked for; ``database create`` and ``database.create`` are the same."""
    action = fields.text("run", required=True, like="the action that is asked for").replace(" ", ".")
    if not action:
        return ""
    if known.inputs(action) is None:
        there = suggestion(action, known.names)
        fields.wrong(fields.line("run"), f"runs {action}, which there is not{there}")
        return ""
    if why := known.refused.get(action):
        fields.wrong(fields.line("run"), f"runs {action}, which {why}: name an action that changes something by itself")
        return ""
    return action


def _inputs(fields: Fields, action: str, words: Words, known: Known) -> dict[str, Any]:
    found: dict[str, Any] = {}
    takes = known.inputs(action) or {}
    node = fields.get("with")
    entries = list(fields.entries("with", "values")) if node is not None else []
    for name, own, line in entries:
        if action and name not in takes:
            fields.wrong(line, f"gives {name}, which {action} does not take{suggestion(name, takes)}")
            continue
        value = found[name] = _plain(own)
        if value is None or isinstance(value, dict):
            fields.wrong(line, f"gives {own.kind} as {name}: it is a value")
        elif has_cel(value) if isinstance(value, str) else isinstance(value, list):
            _filled_in(fields, own, name, words, takes.get(name))
        elif action and (why := _misfit(value, takes[name], known)):
            fields.wrong(line, f"gives {value!r} as {name}, which is {why}")
    missing = [name for name, one in takes.items() if one.needed and name not in found and name not in USUAL]
    if missing:
        fields.wrong(fields.line("with"), f"does not give {' and '.join(missing)}, which {action} needs")
    return found


def _misfit(value: Any, taken: Taken, known: Known) -> str:
    """What an input is, when the value written in the configuration is not that."""
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if taken.kind in _TYPED:
        fits = {
            "integer": bool(_WHOLE.fullmatch(text)), "number": bool(_NUMBER.fullmatch(text)),
            "boolean": text.lower() in _YES_OR_NO,
        }  # fmt: skip
        return "" if fits[taken.kind] else _TYPED[taken.kind][0]
    if taken.kind in _TEXTS and not isinstance(value, str):
        return "a text: put it in quotes"
    choices = known.choices(taken)
    if not choices or text in choices:
        return ""
    return f"{'one of ' + ', '.join(choices) if taken.options else f'no {taken.kind}'}{suggestion(text, choices)}"


def _filled_in(fields: Fields, node: Node, name: str, words: Words, taken: Taken | None) -> None:
    """Names each mistake of the expressions in a value, and an expression that can't give what the input is."""
    kind = taken.kind if taken is not None else ""
    right = _templates(fields, node, name, words, text=kind in _TEXTS)
    pieces = parts(node.value) if right and isinstance(node.value, str) else ()
    if kind in _TYPED and len(pieces) == 1 and pieces[0].cel:
        wanted, may_give = _TYPED[kind]
        gives = given(pieces[0].text, words.vocabulary)
        if gives.kind not in may_give:
            fields.wrong(line_at(node, 0), f"{name}: {wanted} is needed here, and ${{{pieces[0].text}}} gives {gives}")


def _templates(fields: Fields, node: Node, key: str, words: Words, *, text: bool) -> bool:
    """Names each mistake of the expressions in a value; whether there is none."""
    if isinstance(node.value, list):
        right = [_templates(fields, one, key, words, text=True) for one in node.value]  # all of them, for all are told
        return all(right)
    mistakes = leaf_mistakes(node.value, words, text=text) if isinstance(node.value, str) else []
    for offset, sentence in mistakes:
        fields.wrong(line_at(node, offset), f"{key}: {sentence}")
    return not mistakes


def _plain(node: Node) -> Any:
    """The value without its line numbers."""
    if isinstance(node.value, list):
        return [_plain(one) for one in node.value]
    if isinstance(node.value, dict):
        return {name: _plain(one) for name, one in node.value.items()}
    return node.value


def _rate(fields: Fields) -> tuple[int, float]:
    """How many in how many seconds; one in an hour unless it says otherwise."""
    like = 'it is a number and a duration, like "2 in 1h"'
    text = fields.text("at_most", pattern=_RATE, like=like)
    found = _RATE.fullmatch(text)
    if found is None:
        return 1, 3600.0
    per = seconds(found.group(2))
    if not per or per > 30 * 86400:
        fields.wrong(fields.line("at_most"), f"has at_most {text!r}: {like}, at most 30 days")
        return 1, 3600.0
    return int(found.group(1)), per
