"""Which CEL types go together: equal, ordered, added, passed on. As the library does it, tried one by one."""

from __future__ import annotations

from collections.abc import Iterable

from chatops.kernel.cel.types import DYN, Type

NUMBERS = frozenset({"int", "uint", "double"})
ORDERED = NUMBERS | {"string", "timestamp", "duration", "bytes", "bool"}
# (operator, left, right) → what it gives; the library converts nothing by itself
SUMS = {
    **{("+", kind, kind): kind for kind in (*NUMBERS, "string", "bytes", "duration")},
    **{(op, kind, kind): kind for op in "-*/" for kind in NUMBERS},
    **{("%", kind, kind): kind for kind in ("int", "uint")},
    ("+", "timestamp", "duration"): "timestamp",
    ("-", "timestamp", "duration"): "timestamp",
    ("-", "timestamp", "timestamp"): "duration",
    ("-", "duration", "duration"): "duration",
}


def fits(given: Type, wanted: Type) -> bool:
    """Whether a value can stand where another type is wanted."""
    return given.kind == wanted.kind or "dyn" in (given.kind, wanted.kind)


def comparable(left: Type, right: Type) -> bool:
    """Whether two values can be equal at all; numbers compare across their types."""
    kinds = {left.kind, right.kind}
    if "dyn" in kinds or "null" in kinds or kinds <= NUMBERS or kinds <= {"map", "object", "inputs"}:
        return True
    if left.kind == right.kind == "list":
        return comparable(left.of[0], right.of[0])
    return left.kind == right.kind


def joined(types: Iterable[Type]) -> Type:
    """The type of a value that is one of several."""
    found = list(types)
    return found[0] if found and all(one == found[0] for one in found) else DYN


def accepts(kind: str, given: Type) -> bool:
    """Whether a function that is defined on a kind takes a value."""
    return given.kind in (kind, "dyn") or (kind == "map" and given.kind in ("object", "inputs"))
