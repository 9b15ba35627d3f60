"""The types and functions of CEL, and the vocabulary of an expression: which variables have which fields.

The functions are those that the evaluator really has (``tests/config/test_evaluator.py`` calls each of them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property


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


ToldApart = tuple[tuple[str, str, frozenset[str]], ...]  # an action's name, its risk, and which inputs it has


@dataclass(frozen=True)
class Vocabulary:
    """What an expression may speak of: variables, and the inputs of each action (name → risk, inputs)."""

    variables: Mapping[str, Type]
    actions: Mapping[str, tuple[str, Mapping[str, Type]]] = field(default_factory=dict)

    @cached_property
    def told_apart(self) -> ToldApart:
        """What tells one action from another: its name, its risk, and which inputs it has."""
        return tuple((name, risk, frozenset(inputs)) for name, (risk, inputs) in self.actions.items())

    def with_variables(self, **more: Type) -> Vocabulary:
        """The same and more, for rules about alerts, incidents, steps."""
        return replace(self, variables={**self.variables, **more})
