"""The files under ``actions/``: one declared action each, its mistakes told at their lines."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from pathlib import Path

from chatops.adapters.configuration.document import Node, read_yaml
from chatops.adapters.configuration.expressions import Words, template
from chatops.adapters.configuration.fields import Fields, Problems, suggestion
from chatops.adapters.configuration.inputs import declared_inputs
from chatops.adapters.configuration.lookups import check_lookups, rules
from chatops.adapters.configuration.manifests import MANIFESTS, Manifests
from chatops.adapters.configuration.problems import ConfigurationError, Problem
from chatops.adapters.configuration.steps import Steps, outputs
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import Speech
from chatops.kernel.declaration import Declaration, DeclaredInput

__all__ = ["ACTIONS", "MANIFESTS", "ActionFiles"]

ACTIONS = "actions"
KEYS = (
    "name", "title", "summary", "risk", "inputs", "rules", "steps", "outputs", "expires", "button", "positionals",
)  # fmt: skip
NAME = re.compile(r"(?=.{1,50}$)[a-z][a-z0-9]*([.-][a-z0-9]+)*")
_LINE = re.compile(r"[^\n]{1,75}")
_SUMMARY = re.compile(r"[^\n]{1,200}")
_NOWHERE = {
    "env": "there is no input environment, so env is empty: add environment: {type: environment} to inputs",
    "service": "there is no input service, so service is empty: add service: {type: service} to inputs",
}


class ActionFiles:
    """The actions that a folder declares; ``taken`` are names that other actions have."""

    def __init__(self, folder: Path, contents: Mapping[str, bytes], taken: Container[str]) -> None:
        self._folder = folder
        self._contents = contents
        self._taken = taken
        self.found: tuple[Declaration, ...] = ()
        self.problems: list[Problem] = []

    def read(self, platform: Platform) -> tuple[Declaration, ...]:
        """Reads them all; ``platform`` has the names that their CEL may compare with, and what they may touch."""
        places: dict[str, str] = {}
        speech = Speech(platform)
        found = []
        for name in sorted(name for name in self._contents if name.startswith(f"{ACTIONS}/")):
            problems = Problems(str(self._folder / name))
            try:
                document = read_yaml(self._contents[name], problems.file)
            except ConfigurationError as error:
                self.problems += error.problems
                continue
            one = self._action(document, problems, platform, speech)
            line = document.key_lines.get("name", 1)
            same = one.name.replace(".", "-")  # what names its field manager in clusters
            if same and (first := places.setdefault(same, f"{name}:{line}")) != f"{name}:{line}":
                problems.add(line, f"the action {one.name} is declared already, in {first}: rename one")
            self.problems += problems.found
            found.append(one)
        self.found = tuple(sorted((one for one in found if one.name), key=lambda one: one.name))
        return self.found

    def unreadable(self) -> list[Problem]:
        """What keeps a file from being YAML, whatever the platform says."""
        found: list[Problem] = []
        for name in sorted(name for name in self._contents if name.startswith(f"{ACTIONS}/")):
            try:
                read_yaml(self._contents[name], str(self._folder / name))
            except ConfigurationError as error:
                found += error.problems
        return found

    def _action(self, document: Node, problems: Problems, platform: Platform, speech: Speech) -> Declaration:
        if not isinstance(document.value, dict):
            what = "the file is empty" if document.value is None else f"the file is {document.kind}"
            problems.add(document.line, f"{what}: an action needs name, title and steps")
            return Declaration(name="", title="")
        root = Fields(document, "the action", problems)
        root.only(*KEYS)
        inputs = declared_inputs(root, platform)
        there = {one.name for one in inputs}
        words = Words(speech.of(inputs))
        words = words.without(**{name: why for name, why in _NOWHERE.items() if _giver(name) not in there})
        asking = words.without(request="there is no request yet while people fill in the form")
        check_lookups(root, inputs, asking)
        asking = asking.without(catalog="catalog is known in default_from and options_from alone")
        words = words.without(catalog="catalog is known in default_from and options_from alone")
        words = words.without(object="object is known in until, and in the outputs of a step")
        placed = "environment" in there
        manifests = Manifests(self._folder, self._contents, platform, placed=placed)
        steps, done = Steps(root, platform, manifests, words, {one.name: one for one in inputs}, placed).read()
        return Declaration(
            name=self._name(root),
            title=root.text("title", required=True, pattern=_LINE, like="what people see, one line of at most 75"),
            summary=root.text("summary", pattern=_SUMMARY, like="one line of at most 200 characters"),
            risk=_risk(root),  # type: ignore[arg-type]  # change or danger
            inputs=inputs,
            positionals=_positionals(root, inputs),
            rules=rules(root, inputs, asking),
            steps=steps,
            outputs=outputs(root, done),
            expires=_expires(root, words),
            button=root.text("button", pattern=_LINE, like="one line of at most 75 characters (Slack's limit)"),
            where=problems.file,
        )

    def _name(self, root: Fields) -> str:
        like = "lower case words of letters and digits with dots or dashes between, at most 50, like database.create"
        name = root.text("name", required=True, pattern=NAME, like=like)
        if name in self._taken:
            root.wrong(root.line("name"), f"has the name {name}, which a built-in or installed action has: rename it")
        return name


def _giver(variable: str) -> str:
    return "environment" if variable == "env" else variable


def _expires(root: Fields, words: Words) -> float | str:
    """A duration, or a template that gives one out of the inputs."""
    node = root.get("expires")
    if node is not None and isinstance(node.value, str) and "${" in node.value:
        return template(root, node, "expires", words, text=False)
    return root.duration("expires", 0.0)


def _risk(root: Fields) -> str:
    if (node := root.get("risk")) is not None and node.value == "read":
        root.wrong(node.line, "has risk 'read': a declared action changes something, it is change or danger")
        return "change"
    return root.choice("risk", ("change", "danger")) or "change"


def _positionals(root: Fields, inputs: tuple[DeclaredInput, ...]) -> tuple[str, ...]:
    known, found = {one.name: one for one in inputs}, []
    for node in root.items("positionals", "input"):
        name = root.as_text(node, "positionals")
        if not name:
            continue
        if name not in known:
            root.wrong(node.line, f"has {name!r} in positionals, which is no input{suggestion(name, known)}")
        elif name in found:
            root.wrong(node.line, f"has {name!r} in positionals twice: keep one")
        elif known[name].multiline or known[name].several:
            root.wrong(node.line, f"has {name!r} in positionals, which holds more than one word: people write {name}=…")
        found.append(name)
    return tuple(found)
