"""Field sets and typed merging: the half of server-side apply that knows nothing of managers.

A path is a tuple of elements as `fieldsV1` writes them: `f:spec`, `k:{"name":"app"}`, `v:"a"`. Rules follow Kubernetes'
structured-merge-diff as described in the documentation, "Server-Side Apply: Field management" and "Merge strategy".
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .schema import ANY, Node
from .values import Obj, dump

Path = tuple[str, ...]
Fields = frozenset[Path]
_ABSENT: Any = object()
_MEMBER = Node("scalar", scalar="string")  # of a set
# Plain Go structs and lists without omitempty are there even in an empty object, so nobody "adds" them. (A container's
# resources are not: they come with the container.)
_ALWAYS_THERE = {"f:" + name for name in (
    "metadata", "spec", "status", "template", "jobTemplate", "strategy", "updateStrategy", "containers",
    "involvedObject", "source", "rules", "subsets",
)}  # fmt: skip


@dataclass
class Changes:
    """What differs between two values, as sets of paths."""

    added: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)

    @property
    def taken(self) -> set[Path]:
        """What belongs to whoever made the change from now on."""
        return self.added | self.modified

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.modified)


def item_key(node: Node, item: Any) -> str:
    """The path element of one item of a set or of a list with keys; a key that is absent takes its default."""
    if node.relation == "set" or not isinstance(item, dict):
        return "v:" + dump(item)
    keys = ((key, item.get(key, node.defaults.get(key))) for key in sorted(node.keys))
    return "k:{" + ",".join(f"{dump(key)}:{dump(value)}" for key, value in keys if value is not None) + "}"


def is_leaf(node: Node, value: Any) -> bool:
    """Whether the value is owned as a whole: scalars, atomic lists and maps, and untyped values that are no map."""
    if node.shape == "any":
        return not isinstance(value, dict)
    return node.shape == "scalar" or node.relation == "atomic"


def child_node(node: Node, key: str) -> Node:
    if node.shape == "struct":
        return node.fields.get(key, ANY)
    return (node.element or ANY) if node.shape == "map" else ANY


def field_set(node: Node, value: Any) -> Fields:
    """The paths that a configuration names (what an applier comes to own)."""
    return frozenset(_paths(node, value, ()))


def _paths(node: Node, value: Any, at: Path) -> Iterator[Path]:
    if is_leaf(node, value):
        yield at
    elif node.shape == "list":
        for item in value or ():
            path = (*at, item_key(node, item))
            yield path
            if node.relation == "map":
                yield from _paths(node.element or ANY, item, path)
    else:
        for key, item in (value or {}).items():
            path = (*at, "f:" + key)
            declared = node.shape == "struct" and key in node.fields
            if item is None or item == {} or not declared:
                yield path
            if item is not None:
                yield from _paths(child_node(node, key), item, path)


def compare(node: Node, old: Any, new: Any) -> Changes:
    changes = Changes()
    _compare(node, old, new, (), changes)
    return changes


def _compare(node: Node, old: Any, new: Any, at: Path, out: Changes) -> None:
    if node.shape == "any" and isinstance(old, dict) and is_leaf(node, new) and new is not _ABSENT:
        out.removed.update(path for path in _paths(node, old, at) if path != at)
    if is_leaf(node, old if new is _ABSENT else new) or (
        node.shape == "any" and is_leaf(node, old) and old is not _ABSENT
    ):
        if old is _ABSENT:
            out.added.add(at)
        elif new is _ABSENT:
            out.removed.add(at)
        elif old != new:
            out.modified.add(at)
            if node.shape == "any" and isinstance(new, dict):
                out.added.update(path for path in _paths(node, new, at) if path != at)
        return
    if at and old is _ABSENT and not _is_always_there(node, at):
        out.added.add(at)
    elif at and new is _ABSENT:
        out.removed.add(at)
    for element, child, before, after in _pairs(node, old, new):
        _compare(child, before, after, (*at, element), out)


def _is_always_there(node: Node, at: Path) -> bool:
    written_in_go = bool(node.title or (node.element and node.element.title))
    return written_in_go and (at[-1] in _ALWAYS_THERE or at == ("f:spec", "f:resources"))


def _pairs(node: Node, old: Any, new: Any) -> Iterator[tuple[str, Node, Any, Any]]:
    """What differs between two lists or maps; most of an object does not, and that is told without walking it."""
    if node.shape == "list":
        before = _by_key(node, [] if old is _ABSENT else old)
        after = _by_key(node, [] if new is _ABSENT else new)
        child = (node.element or ANY) if node.relation == "map" else _MEMBER
        for key in before | after:
            was, is_now = before.get(key, _ABSENT), after.get(key, _ABSENT)
            if was != is_now:
                yield key, child, was, is_now
        return
    before = {} if old is _ABSENT else old or {}
    after = {} if new is _ABSENT else new or {}
    for key in before | after:
        was, is_now = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if was != is_now:
            yield "f:" + key, child_node(node, key), was, is_now


def _by_key(node: Node, items: Iterable[Any]) -> Obj:
    found: Obj = {}
    for item in items or ():
        found.setdefault(item_key(node, item), item)
    return found


def duplicate_keys(node: Node, value: Any, at: str = "") -> list[str]:
    """Where a configuration names one list item twice, as Kubernetes shows it; empty when it may be applied."""
    found: list[str] = []
    if is_leaf(node, value):
        return found
    if node.shape == "list":
        seen: set[str] = set()
        for item in value or ():
            key = item_key(node, item)
            if key in seen:
                found.append(f"{at}: duplicate entries for key {show((key,))}")
            seen.add(key)
            if node.relation == "map":
                found += duplicate_keys(node.element or ANY, item, at + show((key,)))
        return found
    for key, item in (value or {}).items():
        found += duplicate_keys(child_node(node, key), item, f"{at}.{key}")
    return found


def merge(node: Node, live: Any, wanted: Any) -> Any:
    """`live` with everything that `wanted` says, of parts of both; keyed lists are joined in the order of `wanted`."""
    if wanted is _ABSENT:
        return live
    if live is _ABSENT or live is None or is_leaf(node, wanted):
        return wanted
    if node.shape == "list":
        return _merge_list(node, live, wanted)
    if not isinstance(live, dict):
        return wanted
    return live | {key: merge(child_node(node, key), live.get(key, _ABSENT), item) for key, item in wanted.items()}


def _merge_list(node: Node, live: list[Any], wanted: list[Any]) -> list[Any]:
    """In the order of structured-merge-diff's `visitListItems`: both orders are kept where they agree."""
    before, after = _by_key(node, live), _by_key(node, wanted)
    lefts, rights = list(before), list(after)
    shared = [key for key in rights if key in before]
    result: list[Any] = []
    done: set[str] = set()
    child = node.element or ANY
    while lefts or rights:
        if lefts and rights and lefts[0] != rights[0] and lefts[0] in after and shared and shared[0] != lefts[0]:
            lefts.pop(0)  # it comes when its turn is among what both have
            continue
        if lefts and lefts[0] not in after:
            result.append(before[lefts.pop(0)])
            continue
        if lefts and (lefts[0] in done or (rights and lefts[0] == rights[0])):
            lefts.pop(0)
        if rights:
            key = rights.pop(0)
            keyed = node.relation == "map"
            result.append(merge(child, before.get(key, _ABSENT), after[key]) if keyed else after[key])
            done.add(key)
            if shared and shared[0] == key:
                shared.pop(0)
    return result


def remove(node: Node, value: Any, paths: Iterable[Path]) -> Any:
    """The value without these paths (whole subtrees); maps and lists that become empty go too."""
    by_head: dict[str, list[Path]] = {}
    for path in paths:
        by_head.setdefault(path[0], []).append(path[1:])
    if not by_head or is_leaf(node, value):
        return value
    if node.shape == "list":
        kept: list[Any] = []
        for item in value:
            tails = by_head.get(item_key(node, item))
            if tails is None:
                kept.append(item)
            elif () not in tails:
                kept.append(remove(node.element or ANY, item, tails))
        return kept
    result: Obj = {}
    for key, item in value.items():
        tails = by_head.get("f:" + key)
        if tails is None:
            result[key] = item
        elif () not in tails:
            smaller = remove(child_node(node, key), item, tails)
            if smaller not in ({}, []) or smaller == item:
                result[key] = smaller
    return result


def with_named_parents(node: Node, paths: Iterable[Path]) -> set[Path]:
    """The paths plus every declared struct field on the way to them (as if those were owned too)."""
    result: set[Path] = set()
    for path in paths:
        result.add(path)
        at: Node = node
        for depth, element in enumerate(path[:-1]):
            if element.startswith("f:"):
                if at.shape == "struct" and element[2:] in at.fields:
                    result.add(path[: depth + 1])
                at = child_node(at, element[2:])
            else:
                at = at.element or ANY
    return result


@functools.lru_cache(maxsize=256)
def encode(paths: Fields) -> Obj:
    """`fieldsV1`: nested objects; `.` marks a path that is owned itself and has owned children. Not to be modified."""
    root: Obj = {}
    for path in sorted(paths):  # what is owned itself comes before what lies below it
        at = root
        for element in path:
            below = at.get(element)
            if below is None:
                below = at[element] = {}
            elif not below:
                below["."] = {}
            at = below
    return root


def holds(tree: Obj, path: Path) -> bool:
    """Whether a path is among those of `fieldsV1`."""
    at = tree
    for element in path:
        if element not in at:
            return False
        at = at[element]
    return bool(path) and (not at or "." in at)


def decode(tree: Obj) -> Fields:
    found: set[Path] = set()

    def walk(node: Obj, at: Path) -> None:
        if at and (not node or "." in node):
            found.add(at)
        for key, item in node.items():
            if key != ".":
                walk(item, (*at, key))

    walk(tree, ())
    return frozenset(found)


def show(path: Path) -> str:
    """The path as error messages write it: `.spec.template.spec.containers[name="app"].image`."""
    text = ""
    for element in path:
        kind, rest = element.split(":", 1)
        if kind == "f":
            text += "." + rest
        elif kind == "k":
            pairs = json.loads(rest)
            text += "[" + ",".join(f"{key}={json.dumps(item, ensure_ascii=False)}" for key, item in pairs.items()) + "]"
        else:
            text += f"[={rest}]"
    return text
