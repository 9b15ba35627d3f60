"""Checks an expression against a vocabulary before anybody depends on it, because the library checks no types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from chatops.kernel.catalog import closest
from chatops.kernel.cel import types as t
from chatops.kernel.cel.literals import literal_problem
from chatops.kernel.cel.narrow import MACROS, path, paths, present, truth
from chatops.kernel.cel.relations import NUMBERS, ORDERED, SUMS, accepts, comparable, fits, joined
from chatops.kernel.cel.syntax import (
    Binary,
    Call,
    CelSyntaxError,
    Entries,
    Index,
    Items,
    Literal,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
    parse,
)
from chatops.kernel.cel.types import ToldApart, Type, Vocabulary

_TOLD_BY = frozenset({"action", "inputs"})  # the variables that tell one action from another


@dataclass(frozen=True, slots=True)
class CelMistake:
    """What is wrong at ``offset`` (characters), in a sentence, and what was probably meant (or ``""``)."""

    offset: int
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        return f"{self.message}: did you mean {self.suggestion}?" if self.suggestion else self.message


def check(
    expression: str, vocabulary: Vocabulary, result: Type | None = t.BOOL, after: str = ""
) -> tuple[CelMistake, ...]:
    """Every mistake, in order; ``result``: what it must give (None: anything); ``after``: a condition that holds."""
    try:
        tree = parse(expression)
    except CelSyntaxError as error:
        return (CelMistake(error.at, error.message, error.suggestion),)
    checker = _Checker(expression, vocabulary)
    scope = _Scope(vocabulary.variables, frozenset(vocabulary.actions))
    gives = checker.type(tree, checker._narrowed(scope, parse(after), True) if after else scope)
    if result is not None and not fits(gives, result) and not checker.mistakes:
        checker.wrong(tree, f"the expression gives {gives}, where {result} is needed")
    unique = {(m.offset, m.message): m for m in checker.mistakes}
    return tuple(sorted(unique.values(), key=lambda m: m.offset))


def given(expression: str, vocabulary: Vocabulary) -> Type:
    """What an expression without mistakes gives. Raises ``CelSyntaxError``."""
    checker = _Checker(expression, vocabulary)
    return checker.type(parse(expression), _Scope(vocabulary.variables, frozenset(vocabulary.actions)))


def possible(expression: str, known: Mapping[str, Any]) -> bool | None:
    """Whether an expression holds when some paths (``service.team``) are known; None: it depends on the others."""
    return truth(parse(expression), known)


# A configuration that is read again says most of what it said before.
@lru_cache(maxsize=4096)
def _said_of(condition: Node, told_apart: ToldApart) -> Mapping[str, bool | None]:
    """By action, whether a condition holds when it is the one asked for; None: it depends on other things."""
    return {name: truth(condition, known) for name, known in _known_of(told_apart).items()}


@lru_cache(maxsize=16)
def _known_of(told_apart: ToldApart) -> Mapping[str, Mapping[str, str | bool]]:
    """By action, the values of the paths that tell it from others."""
    every = frozenset[str]().union(*(inputs for _, _, inputs in told_apart))
    return {
        name: {"action.name": name, "action.risk": risk, **{f"has(inputs.{one})": one in inputs for one in every}}
        for name, risk, inputs in told_apart
    }


@dataclass(frozen=True, slots=True)
class _Scope:
    variables: Mapping[str, Type]
    actions: frozenset[str]  # which may be the one asked for, at this place of the expression
    present: frozenset[str] = frozenset()  # paths that were tested with has()


class _Checker:
    def __init__(self, source: str, vocabulary: Vocabulary) -> None:
        self._source = source
        self._vocabulary = vocabulary
        self.mistakes: list[CelMistake] = []

    def wrong(self, node: Node, message: str, suggestion: str = "") -> Type:
        self.mistakes.append(CelMistake(node.at, message, suggestion))
        return t.DYN

    def _text(self, node: Node) -> str:
        return re.sub(r"\s+", " ", self._source[node.at : node.end])[:80]

    def type(self, node: Node, scope: _Scope) -> Type:
        match node:
            case Literal(kind=kind):
                return Type(kind)
            case Name(name=name):
                return self._name(node, name, scope)
            case Select(of=of, name=name):
                return self._field(node, of, name, scope)
            case Index():
                return self._index(node, scope)
            case Call():
                return self._call(node, scope)
            case Unary():
                return self._unary(node, scope)
            case Binary():
                return self._binary(node, scope)
            case Ternary():
                self._bool(node.condition, scope)
                then = self.type(node.then, self._narrowed(scope, node.condition, True))
                return joined((then, self.type(node.other, self._narrowed(scope, node.condition, False))))
            case Items(items=items):
                return t.list_of(joined(self.type(item, scope) for item in items))
            case Entries(entries=entries):
                keys = joined([self.type(key, scope) for key, _ in entries])
                return Type("map", (keys, joined([self.type(value, scope) for _, value in entries])))
        raise TypeError(f"no such node: {node!r}")

    def _narrowed(self, scope: _Scope, condition: Node, holds: bool) -> _Scope:
        actions = scope.actions
        if any(steps[0] in _TOLD_BY for steps in paths(condition)):
            said = _said_of(condition, self._vocabulary.told_apart)
            actions = frozenset(name for name in actions if said[name] is not (not holds))
        elif truth(condition, {}) is (not holds):  # whatever is asked for
            actions = frozenset()
        return replace(scope, actions=actions, present=scope.present | present(condition, holds))

    # names and fields

    def _name(self, node: Node, name: str, scope: _Scope) -> Type:
        if name in scope.variables:
            return scope.variables[name]
        if better := closest(name, scope.variables):
            return self.wrong(node, f"unknown variable {name}", better)
        return self.wrong(node, f"unknown variable {name}: there are {', '.join(sorted(scope.variables))}")

    def _field(self, node: Node, of: Node, name: str, scope: _Scope) -> Type:
        holder = self.type(of, scope)
        whole = f"{self._text(of)}.{name}"
        match holder.kind:
            case "dyn":
                return t.DYN
            case "inputs":
                return self._input(node, name, scope)
            case "map":
                return self._key(node, holder, f"{path(of)}.{name}" if path(of) else "", name, scope)
            case "object":
                if name in holder.fields:
                    return holder.fields[name]
                if better := closest(name, holder.fields):
                    return self.wrong(node, f"unknown field {whole}", f"{self._text(of)}.{better}")
                fields = ", ".join(holder.fields)
                return self.wrong(node, f"unknown field {whole}: {self._text(of)} has {fields}")
        return self.wrong(node, f"{self._text(of)} is {holder}, it has no field {name}")

    def _key(self, node: Node, holder: Type, whole: str, name: str, scope: _Scope) -> Type:
        value = holder.of[1]
        if holder.always is None or name in holder.always or not whole or whole in scope.present:
            return value
        better = "" if name in holder.known else closest(name, holder.known)
        if better:
            return self.wrong(node, f"nothing has the label {name}", better)
        owner = whole.partition(".")[0]
        return self.wrong(node, f"not every {owner} has the label {name}: write has({whole}) && … before it")

    def _input(self, node: Node, name: str, scope: _Scope) -> Type:
        actions = self._vocabulary.actions
        having = {action: inputs[name] for action, (_, inputs) in actions.items() if name in inputs}
        if not having:
            every = {one for _, inputs in actions.values() for one in inputs}
            better = closest(name, every)
            return self.wrong(node, f"no action has an input {name}", f"inputs.{better}" if better else "")
        lacking = scope.actions - having.keys()
        if lacking and f"inputs.{name}" not in scope.present:
            first = sorted(having)[0] if len(having) == 1 else ""
            names = f'action.name == "{first}"' if first else f"action.name in [{_quoted(having)}]"
            where = f" (not in {', '.join(sorted(lacking)[:3])})"
            return self.wrong(node, f"inputs.{name} is not in every action{where}: write {names} && … before it")
        return joined(kind for action, kind in having.items() if action in (scope.actions or having))

    def _index(self, node: Index, scope: _Scope) -> Type:
        if isinstance(node.key, Literal) and node.key.kind == "string":
            holder = self.type(node.of, scope)
            if holder.kind in ("object", "inputs", "map", "dyn"):
                return self._field(node, node.of, str(node.key.value), scope)
        holder, key = self.type(node.of, scope), self.type(node.key, scope)
        if holder.kind == "list":
            if key.kind not in ("int", "uint", "dyn"):
                self.wrong(node.key, f"a place in a list is a whole number, {self._text(node.key)} is {key}")
            return holder.of[0]
        if holder.kind == "map":
            if not comparable(key, holder.of[0]):
                self.wrong(node.key, f"the keys of {self._text(node.of)} are {holder.of[0]}, this is {key}")
            return holder.of[1]
        if holder.kind in ("dyn", "object", "inputs"):
            return t.DYN
        return self.wrong(node, f"{self._text(node.of)} is {holder}: only lists and maps have […]")

    # operators

    def _bool(self, node: Node, scope: _Scope) -> None:
        given = self.type(node, scope)
        if not fits(given, t.BOOL):
            self.wrong(node, f"{self._text(node)} is {given}, where true or false is needed")

    def _unary(self, node: Unary, scope: _Scope) -> Type:
        if node.op == "!":
            self._bool(node.of, scope)
            return t.BOOL
        given = self.type(node.of, scope)
        if given.kind not in ("int", "double", "dyn"):
            return self.wrong(node, f"{self._text(node.of)} is {given}: only numbers can be negative")
        return given

    def _binary(self, node: Binary, scope: _Scope) -> Type:
        if node.op in ("&&", "||"):
            self._bool(node.left, scope)
            self._bool(node.right, self._narrowed(scope, node.left, node.op == "&&"))
            return t.BOOL
        left, right = self.type(node.left, scope), self.type(node.right, scope)
        if node.op in ("==", "!="):
            self._equal(node, left, right)
            return t.BOOL
        if node.op == "in":
            self._in(node, left, right)
            return t.BOOL
        if node.op in ("<", "<=", ">", ">="):
            self._ordered(node, left, right)
            return t.BOOL
        return self._sum(node, left, right)

    def _equal(self, node: Binary, left: Type, right: Type) -> None:
        if not comparable(left, right):
            self._mixed(node, left, right, "can never be equal")
            return
        for one, other in ((left, node.right), (right, node.left)):
            self._known(one, other)

    def _mixed(self, node: Binary, left: Type, right: Type, why: str) -> None:
        for this, kind, other in ((node.right, right, left), (node.left, left, right)):
            if other.kind == "string" and kind.kind in NUMBERS | {"bool"} and isinstance(this, Literal):
                self.wrong(node, self._both(node, left, right, why), f'"{self._text(this)}"')
                return
        self.wrong(node, self._both(node, left, right, why))

    def _both(self, node: Binary, left: Type, right: Type, why: str) -> str:
        return f"{self._text(node.left)} is {left} and {self._text(node.right)} is {right}: they {why}"

    def _known(self, kind: Type, value: Node) -> None:
        """Compared with a name that does not exist, a rule would silently never match."""
        if kind.kind != "string" or not kind.known or not isinstance(value, Literal) or value.kind != "string":
            return
        if value.value in kind.known:
            return
        better = closest(value.value, kind.known)
        names = "" if better or len(kind.known) > 12 else f": there are {', '.join(sorted(kind.known - {''}))}"
        self.wrong(value, f'there is no {kind.noun} "{value.value}"{names}', f'"{better}"' if better else "")

    def _in(self, node: Binary, left: Type, right: Type) -> None:
        if right.kind == "string":
            self.wrong(node, "`in` looks into lists and maps, not into text", f"{self._text(node.right)}.contains(…)")
        elif right.kind == "list":
            self._held(node, left, right.of[0])
            self._known(right.of[0], node.left)
            for item in node.right.items if isinstance(node.right, Items) else ():
                self._known(left, item)
        elif right.kind in ("map", "object", "inputs"):
            self._held(node, left, right.of[0] if right.of else t.STRING)
        elif right.kind != "dyn":
            self.wrong(node, f"`in` looks into lists and maps, {self._text(node.right)} is {right}")

    def _held(self, node: Binary, left: Type, held: Type) -> None:
        if not comparable(left, held):
            holder = self._text(node.right)
            self.wrong(node, f"{self._text(node.left)} is {left}, but {holder} holds {held}: it can never be in there")

    def _ordered(self, node: Binary, left: Type, right: Type) -> None:
        kinds = {left.kind, right.kind} - {"dyn"}
        if kinds <= NUMBERS or (len(kinds) == 1 and kinds <= ORDERED):
            return
        if kinds <= ORDERED:
            self._mixed(node, left, right, "cannot be compared")
            return
        strange = node.left if left.kind not in ORDERED | {"dyn"} else node.right
        kind = left if strange is node.left else right
        self.wrong(node, f"{self._text(strange)} is {kind}: {node.op} compares numbers, texts, times and durations")

    def _sum(self, node: Binary, left: Type, right: Type) -> Type:
        if "dyn" in (left.kind, right.kind):
            return t.DYN
        if node.op == "+" and left.kind == right.kind == "list":
            return t.list_of(joined((left.of[0], right.of[0])))
        if kind := SUMS.get((node.op, left.kind, right.kind)):
            return Type(kind)
        if (node.op, left.kind, right.kind) == ("+", "duration", "timestamp"):
            better = f"{self._text(node.right)} + {self._text(node.left)}"
            return self.wrong(node, "a duration is added to a time, not a time to a duration", better)
        message = self._both(node, left, right, f"cannot be combined with {node.op}")
        if {left.kind, right.kind} <= NUMBERS:
            message += " (convert one: double(…), int(…))"
        return self.wrong(node, message)

    # calls

    def _call(self, node: Call, scope: _Scope) -> Type:
        if node.target is None:
            return self._has(node, scope) if node.name == "has" else self._function(node, scope)
        if node.name in MACROS:
            return self._macro(node, node.target, scope)
        dotted = path(node.target)
        if node.name not in t.METHODS:
            whole = f"{dotted}.{node.name}" if dotted and dotted.partition(".")[0] not in scope.variables else node.name
            return self._unknown_function(node, whole, t.METHODS)
        target = self.type(node.target, scope)
        args = [self.type(arg, scope) for arg in node.args]
        return self._overload(node, t.METHODS[node.name], (node.target, *node.args), [target, *args])

    def _unknown_function(self, node: Call, name: str, known: Mapping[str, object]) -> Type:
        if node.target is None and name in (*t.METHODS, *MACROS):
            first = self._text(node.args[0]) if node.args else "value"
            rest = ", ".join(self._text(arg) for arg in node.args[1:])
            return self.wrong(node, f"{name} is called on a value", f"{first}.{name}({rest})")
        if node.target is not None and name in t.FUNCTIONS:
            return self.wrong(node, f"{name} is a function", f"{name}({self._text(node.target)})")
        better = closest(name.rpartition(".")[2], [*known, *(MACROS if node.target else ("has",))])
        return self.wrong(node, f"unknown function {name}", better)

    def _function(self, node: Call, scope: _Scope) -> Type:
        if node.name not in t.FUNCTIONS:
            return self._unknown_function(node, node.name, t.FUNCTIONS)
        args = [self.type(arg, scope) for arg in node.args]
        return self._overload(node, t.FUNCTIONS[node.name], node.args, args)

    def _overload(
        self, node: Call, overloads: tuple[t.Overload, ...], parts: tuple[Node, ...], given: list[Type]
    ) -> Type:
        counts = sorted({1 + len(args) for _, args, _ in overloads})
        if len(given) not in counts:
            shown = [count - (node.target is not None) for count in counts]
            wanted = " or ".join(
                "no arguments" if n == 0 else "1 argument" if n == 1 else f"{n} arguments" for n in shown
            )
            return self.wrong(node, f"{node.name} takes {wanted}, not {len(node.args)}")
        for on, args, result in overloads:
            if len(args) + 1 == len(given) and all(map(accepts, (on, *args), given)):
                self._literal_arguments(node, parts)
                return result
        for place, (part, kind) in enumerate(zip(parts, given, strict=True)):
            wanted_kinds = {(on, *args)[place] for on, args, _ in overloads if len(args) + 1 == len(given)}
            if not any(accepts(one, kind) for one in wanted_kinds):
                words = " or ".join(sorted({str(Type(one)) for one in wanted_kinds}))
                return self.wrong(part, f"{node.name} wants {words}, {self._text(part)} is {kind}")
        return self.wrong(node, f"{node.name} does not work on these values together")

    def _literal_arguments(self, node: Call, parts: tuple[Node, ...]) -> None:
        last = parts[-1]
        if not isinstance(last, Literal) or last.kind != "string":
            return
        if problem := literal_problem(node.name, last.value):
            self.wrong(last, *problem)

    def _has(self, node: Call, scope: _Scope) -> Type:
        if len(node.args) != 1 or not isinstance(node.args[0], Select):
            return self.wrong(node, "has takes one field", "has(service.labels.NAME)")
        asked = node.args[0]
        holder = self.type(asked.of, scope)
        if holder.kind == "inputs":
            everything = {one for _, inputs in self._vocabulary.actions.values() for one in inputs}
            if asked.name not in everything:
                self._input(asked, asked.name, scope)
        elif holder.kind != "map":
            self.type(asked, scope)
        return t.BOOL

    def _macro(self, node: Call, target: Node, scope: _Scope) -> Type:
        holder = self.type(target, scope)
        counts = (2, 3) if node.name == "map" else (2,)
        if len(node.args) not in counts or not isinstance(node.args[0], Name):
            return self.wrong(node, f"{node.name} takes a name and an expression", f"{node.name}(one, …)")
        if holder.kind not in ("list", "map", "object", "inputs", "dyn"):
            return self.wrong(target, f"{node.name} goes through lists and maps, {self._text(target)} is {holder}")
        item = holder.of[0] if holder.of else t.DYN if holder.kind == "dyn" else t.STRING
        name = node.args[0].name
        kept = frozenset(one for one in scope.present if one.partition(".")[0] != name)
        inner = replace(scope, variables={**scope.variables, name: item}, present=kept)
        if node.name == "map":
            if len(node.args) == 3:
                self._bool(node.args[1], inner)
                inner = self._narrowed(inner, node.args[1], True)
            return t.list_of(self.type(node.args[-1], inner))
        self._bool(node.args[1], inner)
        return t.list_of(item) if node.name == "filter" else t.BOOL


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))
