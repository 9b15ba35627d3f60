"""What is known about a condition without evaluating it: can it be true when some variables are known?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chatops.kernel.cel.syntax import (
    Binary,
    Call,
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

_PATH = (Name, Select, Index)  # the nodes that may be a path, or a part of one
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})


class _Unknown:
    pass


UNKNOWN: Final = _Unknown()


def path(node: Node) -> str:
    """The dotted path of a variable's field, ``""`` for anything else; ``a["b"]`` is ``a.b``."""
    return ".".join(_steps(node))


def _steps(node: Node) -> tuple[str, ...]:
    if isinstance(node, Name):
        return (node.name,)
    if isinstance(node, Select):
        of = _steps(node.of)
        return (*of, node.name) if of else ()
    if isinstance(node, Index) and isinstance(node.key, Literal) and node.key.kind == "string":
        of = _steps(node.of)
        return (*of, str(node.key.value)) if of else ()
    return ()


def tested(node: Node) -> str:
    """The path whose presence ``has(path)`` or ``"key" in path`` asks for, else ``""``."""
    if isinstance(node, Call) and node.name == "has" and node.target is None and len(node.args) == 1:
        return path(node.args[0])
    if isinstance(node, Binary) and node.op == "in" and isinstance(node.left, Literal) and node.left.kind == "string":
        of = path(node.right)
        return f"{of}.{node.left.value}" if of else ""
    return ""


def truth(node: Node, known: Mapping[str, Any]) -> bool | None:
    """Whether a condition holds given some paths' values (``has(path)`` is a path too); None: depends on the rest."""
    value = _value(node, known)
    return value if isinstance(value, bool) else None


def _value(node: Node, known: Mapping[str, Any]) -> Any:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, _PATH):
        found = path(node)
        return known.get(found, UNKNOWN) if found else UNKNOWN
    if (asked := tested(node)) and (key := f"has({asked})") in known:
        return known[key]
    if isinstance(node, Items):
        items = [_value(item, known) for item in node.items]
        return UNKNOWN if any(item is UNKNOWN for item in items) else items
    if isinstance(node, Unary) and node.op == "!":
        of = truth(node.of, known)
        return UNKNOWN if of is None else not of
    if isinstance(node, Ternary):
        condition = truth(node.condition, known)
        return UNKNOWN if condition is None else _value(node.then if condition else node.other, known)
    if isinstance(node, Binary):
        return _binary(node, known)
    if isinstance(node, Call) and node.target is not None:
        return _method(node, known)
    return UNKNOWN


def _binary(node: Binary, known: Mapping[str, Any]) -> Any:
    if node.op in ("&&", "||"):
        sides = (truth(node.left, known), truth(node.right, known))
        decisive = node.op == "||"
        if decisive in sides:
            return decisive
        return UNKNOWN if None in sides else not decisive
    left, right = _value(node.left, known), _value(node.right, known)
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if node.op in ("==", "!="):
        return (left == right) is (node.op == "==")
    if node.op == "in" and isinstance(right, list):
        return left in right
    return UNKNOWN


def _method(node: Call, known: Mapping[str, Any]) -> Any:
    target = _value(node.target, known) if node.target else UNKNOWN
    values = [_value(arg, known) for arg in node.args]
    if not isinstance(target, str) or len(values) != 1 or not isinstance(values[0], str):
        return UNKNOWN
    match node.name:
        case "startsWith":
            return target.startswith(values[0])
        case "endsWith":
            return target.endswith(values[0])
        case "contains":
            return values[0] in target
    return UNKNOWN


def present(node: Node, holds: bool) -> frozenset[str]:
    """The paths that are there for sure once ``node`` turned out true (or, ``holds=False``, false)."""
    if isinstance(node, Unary) and node.op == "!":
        return present(node.of, not holds)
    if isinstance(node, Binary) and node.op in ("&&", "||"):
        sides = present(node.left, holds), present(node.right, holds)
        both_count = (node.op == "&&") is holds
        return sides[0] | sides[1] if both_count else sides[0] & sides[1]
    asked = tested(node)
    return frozenset({asked}) if asked and holds else frozenset()


def spoken_of(expression: str) -> frozenset[str]:
    """The variables, with the first field where one is named, that an expression speaks of: ``inputs.replicas``."""
    return frozenset(".".join(path[:2]) for path in paths_of(expression))


def paths_of(expression: str) -> frozenset[tuple[str, ...]]:
    """The same with every field that is named: ``("alert", "labels", "region")``."""
    return paths(parse(expression))


def paths(node: Node, bound: frozenset[str] = frozenset()) -> frozenset[tuple[str, ...]]:
    """The variables an expression speaks of, with all fields that are named: ``("alert", "labels", "region")``."""
    if steps := _steps(node):
        return frozenset() if steps[0] in bound else frozenset({steps})
    if isinstance(node, Call) and node.target is not None and node.name in MACROS and isinstance(node.args[0], Name):
        inner = bound | {node.args[0].name}
        parts = [paths(node.target, bound), *(paths(arg, inner) for arg in node.args[1:])]
    else:
        parts = [paths(part, bound) for part in _parts(node)]
    return frozenset[tuple[str, ...]]().union(*parts)


def _parts(node: Node) -> tuple[Node, ...]:
    match node:
        case Select(of=of) | Unary(of=of):
            return (of,)
        case Index(of=of, key=key):
            return (of, key)
        case Binary(left=left, right=right):
            return (left, right)
        case Ternary():
            return (node.condition, node.then, node.other)
        case Call():
            return ((node.target,) if node.target else ()) + node.args
        case Items(items=items):
            return items
        case Entries(entries=entries):
            return tuple(part for entry in entries for part in entry)
    return ()
