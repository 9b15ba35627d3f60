"""The section ``steps`` of a declared action: what is done, in order, and how it is undone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.expressions import Words, cel, sparing_secrets, template
from chatops.adapters.configuration.fields import LABEL, SUBDOMAIN, Fields
from chatops.adapters.configuration.kinds import object_problem, off_limits
from chatops.adapters.configuration.manifests import Manifests, named, namespace_problem
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.cel import BOOL, DYN, Type, parts, record, spoken_of
from chatops.kernel.cel.syntax import RESERVED
from chatops.kernel.declaration import MINUTE, DeclaredInput, DeclaredJob, DeclaredStep

KINDS = ("apply", "wait", "job", "remove")
STEP_KEYS = (*KINDS, "name", "timeout", "retries", "undo", "outputs")
WAIT_KEYS = ("object", "until", "fail_when", "timeout", "namespace")
JOB_KEYS = ("image", "command", "env", "timeout", "namespace")
REMOVE_KEYS = ("object", "namespace")
CALLED = {"create": "apply", "manifest": "apply", "until": "wait", "run": "job", "delete": "remove"}
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST = 50
LONGEST = 24 * 60 * MINUTE
SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Steps:
    """Reads the steps of one action; each may speak of the outputs of those before it."""

    root: Fields
    platform: Platform
    manifests: Manifests
    words: Words
    inputs: Mapping[str, DeclaredInput]
    placed: bool  # whether an environment's namespace is there for what names none

    def read(self) -> tuple[tuple[DeclaredStep, ...], Words]:
        """The steps, and what may be spoken of when all are done."""
        nodes = list(self.root.items("steps", "steps"))
        if not nodes:
            self.root.wrong(self.root.line("steps"), "needs steps: a list of apply, wait, job and remove")
        if len(nodes) > MOST:
            self.root.problems.add(self.root.line("steps"), f"there are {len(nodes)} steps: at most {MOST}")
        names = self._names(nodes)
        found: list[DeclaredStep] = []
        for place, node in enumerate(nodes, 1):
            words = self._after(found, names)
            if (step := self._step(Fields(node, f"step {place}", self.root.problems), words)) is not None:
                found.append(step)
        return tuple(found), self._after(found, names)

    def _names(self, nodes: Iterable[Node]) -> dict[str, int]:
        """The names of steps, and on which lines they stand."""
        found: dict[str, int] = {}
        for place, node in enumerate(nodes, 1):
            given = node.value.get("name") if isinstance(node.value, dict) else None
            if given is None or not isinstance(given.value, str):
                continue
            if given.value in found:
                first = f"first in line {found[given.value]}: rename one"
                self.root.problems.add(given.line, f"step {place} has the name {given.value} again, {first}")
            found.setdefault(given.value, given.line)
        return found

    def _after(self, done: Iterable[DeclaredStep], names: Mapping[str, int]) -> Words:
        """What may be spoken of behind some steps: their outputs, and not those of steps that are still to come."""
        told = {step.name: step.outputs for step in done if step.name}
        absent = {
            f"steps.{name}": (
                f"step {name} has no outputs: give it some, like outputs: {{host: object.status.host}}"
                if name in told
                else f"step {name} (line {line}) is not done yet here: only steps before this one can be spoken of"
            )
            for name, line in names.items()
            if not told.get(name)
        }
        kinds: dict[str, Type] = {
            name: record(outputs=record(**dict.fromkeys(outputs, DYN))) for name, outputs in told.items() if outputs
        }
        if not kinds and not absent:
            absent = {"steps": "no step here has a name and outputs"}
        words = self.words.knowing(steps=record(**kinds))
        return replace(words, absent={**words.absent, **absent})

    def _step(self, fields: Fields, words: Words, *, undo: bool = False) -> DeclaredStep | None:
        kinds = [key for key in KINDS if key in fields.names()]
        if len(kinds) != 1:
            self._no_kind(fields, kinds)
            return None
        kind = kinds[0]
        fields.where += f" ({kind})"
        if undo:
            self._undo_only(fields, kind)
        else:
            others = {*KINDS, "outputs"} if kind == "remove" else {*KINDS}
            fields.only(kind, *(key for key in STEP_KEYS if key not in others))
        made = {
            "apply": self._apply, "wait": self._wait, "job": self._job, "remove": self._remove,
        }[kind](fields, words)  # fmt: skip
        timeout = made.pop("timeout", None)
        if timeout is None or fields.has("timeout"):
            if timeout is not None:
                fields.wrong(fields.line("timeout"), f"has two timeouts, the other one in {kind}: keep one")
            timeout = self._timeout(fields)
        name = self._name(fields)
        step = DeclaredStep(
            kind=kind,  # type: ignore[arg-type]  # one of KINDS
            name=name,
            timeout=timeout,
            retries=fields.number("retries", 3, least=0, most=10),
            undo=() if undo else tuple(self._undo(fields, words)),
            line=fields.node.line,
            **made,
        )
        return step.model_copy(update={"outputs": self._outputs(fields, step, words)})

    def _no_kind(self, fields: Fields, kinds: list[str]) -> None:
        if kinds:
            fields.wrong(fields.node.line, f"does {' and '.join(kinds)}: make it {len(kinds)} steps")
            return
        for key in fields.names():
            if better := CALLED.get(key) or closest(key, KINDS):
                fields.wrong(fields.line(key), f"has an unknown key {key}: did you mean {better}?")
                return
        fields.wrong(fields.node.line, f"does nothing: it is one of {', '.join(KINDS)}")

    def _name(self, fields: Fields) -> str:
        like = "a step's name is lower case letters, digits and underscores, so that CEL can say steps.NAME"
        name = fields.text("name", pattern=NAME, like=like)
        if RESERVED.fullmatch(name):
            fields.wrong(fields.line("name"), f"has the name {name}, a reserved word of CEL: choose another")
        return name

    def _timeout(self, fields: Fields) -> float:
        timeout = fields.duration("timeout", 10 * MINUTE)
        if timeout > LONGEST:
            fields.wrong(fields.line("timeout"), "has a timeout above 24h: what takes longer is a Job, looked at later")
        return timeout

    def _undo(self, fields: Fields, words: Words) -> Iterator[DeclaredStep]:
        for place, node in enumerate(fields.items("undo", "steps", one_is_enough=True), 1):
            inner = Fields(node, f"{fields.where} undo{f' {place}' if place > 1 else ''}", fields.problems)
            if (step := self._step(inner, words, undo=True)) is not None:
                yield step

    def _undo_only(self, fields: Fields, kind: str) -> None:
        for key, why in (("undo", "is itself not undone"), ("outputs", "has no outputs"), ("name", "has no name")):
            if key in fields.names():
                fields.wrong(fields.line(key), f"{why}: remove {key}")
        fields.only(kind, "timeout", "retries", "undo", "outputs", "name")

    # the four kinds ----------------------------------------------------------------------------------------------

    def _apply(self, fields: Fields, words: Words) -> dict[str, Any]:
        return {"templates": self.manifests.of(fields, words)}

    def _wait(self, fields: Fields, words: Words) -> dict[str, Any]:
        like = '{object: Kind.group/name, until: "object.status.ready"}'
        inner = self._inner(fields, "wait", like)
        if inner is None:
            return {}
        inner.only(*WAIT_KEYS)
        name = self._object(inner, words)
        until = inner.given("until")
        if until is None and "until" not in inner.names():
            inner.wrong(inner.line("until"), "needs until: CEL over object that is true when it is done")
        about = _about(name, words)
        found: dict[str, Any] = {"object": name, **self._namespace(inner, words)}
        found["until"] = cel(inner, until, "until", about, BOOL) if until is not None else ""
        failed = inner.given("fail_when")
        found["fail_when"] = cel(inner, failed, "fail_when", about, BOOL) if failed is not None else ""
        return found | ({"timeout": self._timeout(inner)} if inner.has("timeout") else {})

    def _remove(self, fields: Fields, words: Words) -> dict[str, Any]:
        node = fields.given("remove")
        if node is None:
            return {}
        inner = fields
        if isinstance(node.value, dict):
            inner = Fields(node, fields.where, fields.problems)
            inner.only(*REMOVE_KEYS)
        name = self._object(inner, words, key="remove" if inner is fields else "object")
        kind = name.partition("/")[0]
        if name and (why := off_limits(kind, self.platform.allowed.kinds)):
            inner.wrong(node.line, f"may not touch a {kind}: {why}")
        return {"object": name, **(self._namespace(inner, words) if inner is not fields else self._unplaced(fields))}

    def _job(self, fields: Fields, words: Words) -> dict[str, Any]:
        inner = self._inner(fields, "job", "{image: IMAGE, command: [WORD, WORD]}")
        if inner is None:
            return {}
        if all(why := off_limits(kind, self.platform.allowed.kinds) for kind in ("Job", "Job.batch")):
            fields.wrong(fields.line("job"), f"may not make a Job: {why}")
        inner.only(*JOB_KEYS)
        image = inner.given("image")
        if image is None and "image" not in inner.names():
            inner.wrong(inner.line("image"), "needs image: what runs")
        job = DeclaredJob(
            image=template(inner, image, "image", words) if image is not None else "",
            command=self._command(inner, words),
            env=self._env(inner, words),
        )
        found = {"job": job, **self._namespace(inner, words)}
        return found | ({"timeout": self._timeout(inner)} if inner.has("timeout") else {})

    def _inner(self, fields: Fields, key: str, like: str) -> Fields | None:
        node = fields.given(key)
        if node is None:
            return None
        if not isinstance(node.value, dict):
            fields.wrong(node.line, f"has {node.kind} as {key}: it is like {like}")
            return None
        return Fields(node, fields.where, fields.problems)

    def _object(self, fields: Fields, words: Words, key: str = "object") -> str:
        node = fields.given(key)
        if node is None:
            if key not in fields.names():
                fields.wrong(fields.line(key), f"needs {key}: like Cluster.postgresql.cnpg.io/orders")
            return ""
        written = fields.as_text(node, key)
        if not written:
            return ""
        if problem := object_problem(written):
            fields.wrong(node.line, f"has {key} {written!r}: {problem}")
            return ""
        if not (leaf := template(fields, node, key, words)):
            return ""
        start = leaf.index("/") + 1
        name = Node(leaf[start:], node.line, node.text_line)
        named(
            fields, name, "name", words, SUBDOMAIN, "a name is lower case letters, digits, dashes and dots (RFC 1123)"
        )
        return leaf

    def _namespace(self, fields: Fields, words: Words) -> dict[str, str]:
        node = fields.given("namespace")
        if node is None:
            return self._unplaced(fields)
        leaf = template(fields, node, "namespace", words)
        named(
            fields, node, "namespace", words, LABEL, "a namespace is lower case letters, digits and dashes (RFC 1123)"
        )
        if leaf and "${" not in leaf and (problem := namespace_problem(leaf, self.platform)):
            fields.wrong(node.line, f"has namespace {leaf}: {problem}")
        return {"namespace": leaf}

    def _unplaced(self, fields: Fields) -> dict[str, str]:
        if not self.placed and self.platform.allowed.kinds is None:
            fields.wrong(fields.node.line, "needs a namespace: there is no input environment that would give one")
        return {"namespace": ""}

    def _command(self, fields: Fields, words: Words) -> tuple[str, ...]:
        nodes = list(fields.items("command", 'word, like ["sh", "-c", "…"]'))
        found = [template(fields, node, "command", words, empty=True) for node in nodes]
        shell = found and found[0].rpartition("/")[2] in SHELLS and "-c" in found[1:-1]
        for node, word in zip(nodes, found, strict=True) if shell else ():
            for name in sorted(self._typed_in(word)):
                hand = f'hand it over as env: {{{name.upper()}: "${{inputs.{name}}}"}} and write "${name.upper()}"'
                fields.wrong(node.line, f"puts what people type as {name} into a shell's script: {hand}")
        return tuple(found)

    def _typed_in(self, leaf: str) -> set[str]:
        """The inputs in a leaf that may hold anything people type."""
        spoken = {path for piece in parts(leaf) if piece.cel for path in spoken_of(piece.text)}
        free = {name for name, one in self.inputs.items() if one.type == "text" or one.options_from is not None}
        return {name for name in free | {"reason"} if f"inputs.{name}" in spoken}

    def _env(self, fields: Fields, words: Words) -> dict[str, str]:
        node = fields.given("env")
        if node is None:
            return {}
        inner = Fields(node, f"{fields.where} env", fields.problems)
        found = {}
        for name in inner.names():
            if not _VARIABLE.fullmatch(name):
                inner.wrong(inner.line(name), f"has {name!r}: a variable is letters, digits and underscores")
            value = inner.given(name)
            found[name] = template(inner, value, name, words, empty=True) if value is not None else ""
        return found

    def _outputs(self, fields: Fields, step: DeclaredStep, words: Words) -> dict[str, str]:
        node = fields.given("outputs") if step.kind != "remove" else None
        if node is None:
            return {}
        if not step.name:
            fields.wrong(fields.line("outputs"), "has outputs but no name: steps.NAME.outputs needs one")
        if step.kind == "apply" and len(step.templates) > 1:
            several = f"outputs speak of one object, and it applies {len(step.templates)}"
            fields.wrong(fields.line("outputs"), f"{several}: make a step of each, or a wait with outputs behind it")
        inner = Fields(node, f"{fields.where} outputs", fields.problems)
        objects = [_titled(one) for one in step.templates] or [step.object]
        if objects[0].startswith("Secret/"):
            fields.wrong(fields.line("outputs"), "has outputs of a Secret: what it holds must not reach Slack")
        about = _about(objects[0], words)
        found = {}
        for name in inner.names():
            if not NAME.fullmatch(name):
                inner.wrong(inner.line(name), f"has {name!r}: an output is lower case letters, digits, underscores")
            value = inner.given(name)
            found[name] = cel(inner, value, name, about, None) if value is not None else ""
        return found


def _about(name: str, words: Words) -> Words:
    """What may be said about one object."""
    words = words.knowing(object=DYN)
    return sparing_secrets(words) if name.startswith("Secret/") else words


def _titled(template: Mapping[str, Any]) -> str:
    """What a template makes, as ``Secret/`` or ``Cluster.postgresql.cnpg.io/``."""
    group, core, _ = str(template.get("apiVersion")).partition("/")
    return f"{template.get('kind')}.{group}/" if core else f"{template.get('kind')}/"


def outputs(root: Fields, words: Words) -> dict[str, str]:
    """What people are told when all is done."""
    node = root.given("outputs")
    if node is None:
        return {}
    inner = Fields(node, "outputs", root.problems)
    found = {}
    for name in inner.names():
        if not NAME.fullmatch(name):
            inner.wrong(inner.line(name), f"has {name!r}: an output is lower case letters, digits and underscores")
        value = inner.given(name)
        found[name] = template(inner, value, name, words, text=False) if value is not None else ""
    return found
