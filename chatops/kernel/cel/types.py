"""The types and functions of CEL, and the vocabulary of an expression: which variables have which fields.

The functions are those that the evaluator really has (``tests/config/test_evaluator.py`` calls each of them).
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from chatops.kernel.action import Action, InputKind
from chatops.kernel.catalog import Platform
from chatops.kernel.declaration import Declaration, DeclaredInput


@dataclass(frozen=True, slots=True)
class Type:
    """A CEL type.

    ``of`` is what a list holds, or a map's keys and values; ``fields`` those of an object. ``known``: the only texts
    it can be, called ``noun`` (none given: any text). ``always``: the keys that a map has for sure; None: not known.
    """

    kind: str
    of: tuple[Type, ...] = ()
    fields: Mapping[str, Type] = field(default_factory=dict, compare=False)
    known: frozenset[str] = field(default=frozenset(), compare=False)
    noun: str = field(default="", compare=False)
    always: frozenset[str] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return _WORDS.get(self.kind, self.kind)


_WORDS = {
    "bool": "true or false",
    "string": "text",
    "int": "a whole number",
    "uint": "a whole number",
    "double": "a number",
    "bytes": "bytes",
    "timestamp": "a time",
    "duration": "a duration",
    "list": "a list",
    "map": "a map",
    "object": "a record",
    "null": "null",
    "dyn": "anything",
}

BOOL, INT, UINT, DOUBLE = Type("bool"), Type("int"), Type("uint"), Type("double")
STRING, BYTES, NULL, DYN = Type("string"), Type("bytes"), Type("null"), Type("dyn")
TIMESTAMP, DURATION = Type("timestamp"), Type("duration")


def list_of(item: Type) -> Type:
    """A list."""
    return Type("list", (item,))


def map_of(value: Type, *, known: Iterable[str] = (), always: Iterable[str] | None = None) -> Type:
    """A map with text keys."""
    return Type("map", (STRING, value), known=frozenset(known), always=None if always is None else frozenset(always))


def record(**fields: Type) -> Type:
    """Something whose fields are always there."""
    return Type("object", fields=fields)


def one_of(noun: str, known: Iterable[str]) -> Type:
    """Text that is one of the known names, or empty when absent; any text when no name is known."""
    known = frozenset(known)
    if not known:
        return STRING
    return Type("string", known=known | {""}, noun=noun)


# What can be called: name → (what it is called on or its first argument, further arguments, result)
Overload = tuple[str, tuple[str, ...], Type]
_TIME = (("timestamp", (), INT), ("timestamp", ("string",), INT))
METHODS: Mapping[str, tuple[Overload, ...]] = {
    "size": tuple((kind, (), INT) for kind in ("string", "bytes", "list", "map")),
    "startsWith": (("string", ("string",), BOOL),),
    "endsWith": (("string", ("string",), BOOL),),
    "contains": (("string", ("string",), BOOL),),
    "matches": (("string", ("string",), BOOL),),
    "lowerAscii": (("string", (), STRING),),
    "upperAscii": (("string", (), STRING),),
    "trim": (("string", (), STRING),),
    "replace": (("string", ("string", "string"), STRING),),
    "split": (("string", ("string",), list_of(STRING)),),
    "join": (("list", ("string",), STRING),),
    "substring": (("string", ("int",), STRING), ("string", ("int", "int"), STRING)),
    "indexOf": (("string", ("string",), INT),),
    "getFullYear": _TIME,
    "getMonth": _TIME,
    "getDate": _TIME,
    "getDayOfMonth": _TIME,
    "getDayOfWeek": _TIME,
    "getDayOfYear": _TIME,
    "getHours": (*_TIME, ("duration", (), INT)),
    "getMinutes": (*_TIME, ("duration", (), INT)),
    "getSeconds": (*_TIME, ("duration", (), INT)),
}
FUNCTIONS: Mapping[str, tuple[Overload, ...]] = {
    "size": METHODS["size"],
    "string": tuple((kind, (), STRING) for kind in ("string", "int", "uint", "double", "timestamp", "duration")),
    "int": tuple((kind, (), INT) for kind in ("int", "uint", "double", "string")),
    "uint": tuple((kind, (), UINT) for kind in ("int", "uint", "double", "string")),
    "double": tuple((kind, (), DOUBLE) for kind in ("int", "uint", "double", "string")),
    "timestamp": (("string", (), TIMESTAMP), ("timestamp", (), TIMESTAMP)),
    "duration": (("string", (), DURATION), ("duration", (), DURATION)),
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What an expression may speak of: variables, and the inputs of each action (name → risk, inputs)."""

    variables: Mapping[str, Type]
    actions: Mapping[str, tuple[str, Mapping[str, Type]]] = field(default_factory=dict)

    def with_variables(self, **more: Type) -> Vocabulary:
        """The same and more, for rules about alerts, incidents, steps."""
        return replace(self, variables={**self.variables, **more})


@dataclass(frozen=True, slots=True)
class _Names:
    """What the catalog's names are compared with; any text while there is no catalog."""

    envs: Type
    tiers: Type
    services: Type
    teams: Type
    groups: Type

    @classmethod
    def of(cls, platform: Platform | None) -> _Names:
        p = platform or Platform()
        return cls(
            envs=one_of("environment", p.environments),
            tiers=one_of("tier", (e.tier for e in p.environments.values())),
            services=one_of("service", p.services),
            teams=one_of("team", p.teams),
            groups=one_of("group", p.groups),
        )


def _around(names: _Names, platform: Platform | None) -> dict[str, Type]:
    """What every expression about a request may speak of."""
    groups, teams = list_of(names.groups), list_of(names.teams)
    return {
        "env": record(name=names.envs, tier=names.tiers, namespace=STRING, cluster=STRING),
        "service": record(name=names.services, team=names.teams, labels=_labels(platform)),
        "requester": record(email=STRING, name=STRING, groups=groups, teams=teams),
        "now": TIMESTAMP,
    }


def vocabulary(
    actions: Mapping[str, Action], platform: Platform | None = None, declared: Iterable[Declaration] = ()
) -> Vocabulary:
    """The vocabulary of a policy: DESIGN.md's table of CEL variables.

    With ``platform``, names that are compared with must exist: environments, tiers, services, teams, groups.
    """
    names = _Names.of(platform)
    change = record(object=STRING, field=STRING, before=DYN, after=DYN)
    kinds = {InputKind.SERVICE: names.services, InputKind.ENVIRONMENT: names.envs}
    every: dict[str, tuple[str, Mapping[str, Type]]] = {
        name: (action.risk, _inputs(action.inputs, kinds)) for name, action in actions.items()
    }
    every |= {one.name: (one.risk, _declared(one.inputs, names)) for one in declared}
    return Vocabulary(
        variables={
            **_around(names, platform),
            "action": record(name=one_of("action", every), risk=one_of("risk", ("read", "change", "danger"))),
            "inputs": Type("inputs"),
            "plan": record(changes=list_of(change), warnings=list_of(STRING)),
        },
        actions=every,
    )


def speech(inputs: Iterable[DeclaredInput], platform: Platform | None = None) -> Vocabulary:
    """The vocabulary of a declared action's rules and templates; ``object`` and ``steps`` come with the step."""
    names = _Names.of(platform)
    request = record(id=STRING, name=STRING)
    return Vocabulary({**_around(names, platform), "inputs": record(**_declared(inputs, names)), "request": request})


def _declared(inputs: Iterable[DeclaredInput], names: _Names) -> dict[str, Type]:
    """How CEL sees the inputs of a declared action, and the reason that every change has."""
    return {**{one.name: _declared_type(one, names) for one in inputs}, "reason": STRING}


def _declared_type(one: DeclaredInput, names: _Names) -> Type:
    named = {"service": names.services, "environment": names.envs, "team": names.teams}
    empty = {"text": STRING, "person": STRING, "version": STRING, "boolean": BOOL, **named}
    if one.type in empty:
        return empty[one.type]  # absent, it is "" or false
    if one.type == "choice":
        chosen = _chosen(one)
        return list_of(chosen) if one.several else chosen
    may_be_null = (not one.required or one.show_when) and one.default is None and not one.default_from
    kinds = {"integer": INT, "number": DOUBLE, "duration": DURATION, "datetime": TIMESTAMP}
    return DYN if may_be_null else kinds[one.type]


def _chosen(one: DeclaredInput) -> Type:
    """What CEL sees of a choice: the value on the right of its option."""
    if one.options_from is not None:
        return DYN if not one.options_from.kind else STRING
    values = list(one.options.values())
    if all(isinstance(value, str) for value in values):
        return one_of(f"value of {one.name}", values)
    kinds = {bool: BOOL, int: INT, float: DOUBLE}
    types = {kinds.get(type(value), DYN) for value in values}
    return types.pop() if len(types) == 1 else DYN


def _labels(platform: Platform | None) -> Type:
    if platform is None:
        return map_of(STRING)
    each = [frozenset(service.labels) for service in platform.services.values()]
    return map_of(STRING, known=frozenset[str]().union(*each), always=frozenset.intersection(*each) if each else None)


def _inputs(model: type[BaseModel], names: Mapping[InputKind, Type]) -> dict[str, Type]:
    found = {}
    for name, info in model.model_fields.items():
        named = next((names[m] for m in info.metadata if isinstance(m, InputKind) and m in names), None)
        found[name] = named or _of_annotation(info.annotation)
    return found


def _of_annotation(annotation: Any) -> Type:
    plain = {bool: BOOL, int: INT, float: DOUBLE, str: STRING, bytes: BYTES, datetime: TIMESTAMP, timedelta: DURATION}
    if annotation in plain:
        return plain[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal and all(isinstance(value, str) for value in args):
        return one_of("choice", args)
    if origin in (Union, types.UnionType) and {*args} == {str, type(None)}:
        return STRING  # an absent text is ""
    if origin in (list, tuple, set, frozenset) and args:
        return list_of(_of_annotation(args[0]))
    if origin is dict and len(args) == 2:
        return map_of(_of_annotation(args[1]))
    return DYN
