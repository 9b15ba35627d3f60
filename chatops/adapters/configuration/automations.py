"""The section ``automations:`` of ``platform.yml``: what is asked for by itself when an alert comes up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.expressions import Words, leaf_mistakes, line_at
from chatops.adapters.configuration.fields import Fields, seconds, suggestion
from chatops.kernel.action import Action, inputs_of
from chatops.kernel.alerting import Automation
from chatops.kernel.cel import BOOL, Vocabulary, check, has_cel
from chatops.kernel.declaration import Declaration

_RATE = re.compile(r"([1-9]\d{0,3}) in (\w+)")
USUAL = ("service", "environment", "reason")  # given by the alert where the action asks for them
_NAMED = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")  # it stands in a label with a prefix


class Known:
    """What automations may ask for: an action's inputs, which of them are needed, and why it may not be asked for."""

    def __init__(self, actions: Mapping[str, Action], declared: tuple[Declaration, ...]) -> None:
        self._inputs: dict[str, dict[str, bool]] = {}
        self.refused: dict[str, str] = {}
        for name, action in actions.items():
            self._inputs[name] = {one.name: one.required for one in inputs_of(action.inputs)}
            if action.risk == "read":
                self.refused[name] = "changes nothing"
            elif action.give is not None:
                self.refused[name] = "needs a person who gives a value"
            elif action.operators_only or action.hidden:
                self.refused[name] = "is for people alone"
        for one in declared:
            self._inputs[one.name] = {given.name: _is_needed(given) for given in one.inputs} | {"reason": False}

    @property
    def names(self) -> list[str]:
        """The actions that can be asked for."""
        return [name for name in self._inputs if name not in self.refused]

    def inputs(self, action: str) -> dict[str, bool] | None:
        """Name → whether it must be given; None: there is no such action."""
        return self._inputs.get(action)


def _is_needed(given: Any) -> bool:
    return given.required and given.default is None and not given.default_from and not given.show_when


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
    for name, given, line in entries:
        if action and name not in takes:
            fields.wrong(line, f"gives {name}, which {action} does not take{suggestion(name, takes)}")
            continue
        value = _plain(given)
        if value is None or isinstance(value, dict):
            fields.wrong(line, f"gives {given.kind} as {name}: it is a value")
            continue
        _templates(fields, given, name, words, text=False)
        found[name] = value
    missing = [name for name, needed in takes.items() if needed and name not in found and name not in USUAL]
    if missing:
        fields.wrong(fields.line("with"), f"does not give {' and '.join(missing)}, which {action} needs")
    return found


def _templates(fields: Fields, node: Node, key: str, words: Words, *, text: bool) -> None:
    """Names each mistake of the expressions in a value."""
    if isinstance(node.value, list):
        for one in node.value:
            _templates(fields, one, key, words, text=True)
    elif isinstance(node.value, str) and has_cel(node.value):
        for offset, sentence in leaf_mistakes(node.value, words, text=text):
            fields.wrong(line_at(node, offset), f"{key}: {sentence}")


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
