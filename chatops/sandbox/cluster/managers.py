"""Who owns which field: `managedFields`, server-side apply and its conflicts.

Follows the Kubernetes documentation, "Server-Side Apply": field management, conflicts, transferring ownership.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import fields
from .errors import ApiError, Cause, apply_conflict
from .fields import Fields, Path
from .schema import Node
from .values import Obj, copy_parts, meta, stamp


class Manager(NamedTuple):
    """What makes two entries of managedFields the same one; the time is not part of it."""

    operation: str
    name: str
    api_version: str
    subresource: str = ""


@dataclass
class Owned:
    """The fields of one manager, and since when; which of a few paths are among them is told from `tree` itself."""

    tree: Obj  # fieldsV1
    time: str

    @functools.cached_property
    def paths(self) -> Fields:
        return fields.decode(self.tree)

    def among(self, paths: Collection[Path]) -> Fields:
        return frozenset(path for path in paths if fields.holds(self.tree, path))

    def but(self, lost: Collection[Path], gained: Fields = frozenset()) -> Owned:
        """The same without the `lost` and with the `gained`, which are all among the lost."""
        return self if self.among(lost) == gained else _owned(self.paths.difference(lost) | gained, self.time)


def _owned(paths: Fields, time: str) -> Owned:
    return Owned(fields.encode(paths), time)


Managed = dict[Manager, Owned]
# Nobody owns what the server itself keeps.
_SERVER_SIDE = {
    ("f:" + name,) for name in ("apiVersion", "kind")
} | {("f:metadata", "f:" + name) for name in (
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
    "resourceVersion",
)} | {("f:metadata",)}  # fmt: skip


def read(obj: Obj) -> Managed:
    found: Managed = {}
    for entry in meta(obj).get("managedFields") or []:
        who = Manager(
            entry.get("operation", "Update"), entry.get("manager", ""), entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )  # fmt: skip
        found[who] = Owned(entry.get("fieldsV1") or {}, entry["time"] if "time" in entry else stamp())
    return found


def write(obj: Obj, managed: Managed) -> None:
    """Put the entries into the object, appliers first, then by time and name; who owns nothing gets none."""
    entries = []
    for who, owned in sorted(managed.items(), key=lambda pair: (pair[0].operation, pair[1].time, *pair[0][1:])):
        if not owned.tree:
            continue
        entry = {"manager": who.name, "operation": who.operation, "apiVersion": who.api_version, "time": owned.time,
                 "fieldsType": "FieldsV1", "fieldsV1": owned.tree}  # fmt: skip
        if who.subresource:
            entry["subresource"] = who.subresource
        entries.append(entry)
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def without_managed(obj: Obj) -> Obj:
    """A shallow copy without managedFields, the form in which two objects are compared."""
    return {**obj, "metadata": {key: item for key, item in meta(obj).items() if key != "managedFields"}}


def _strip(paths: set[Path] | Fields, ignored: tuple[Path, ...]) -> Fields:
    nobodys = _SERVER_SIDE.union(ignored)
    return frozenset(path for path in paths if path[:2] not in nobodys and path[:1] not in ignored)


def track_update(node: Node, old: Obj | None, new: Obj, who: Manager, ignored: tuple[Path, ...]) -> None:
    """Write into `new` who owns what after a create, update or patch by `who`.

    A changed value belongs to `who` alone; a removed field belongs to nobody. `ignored` are the parts the endpoint
    cannot change (`status` on the main resource). A client that clears managedFields in its body resets the tracking,
    and where nobody owns anything nothing is tracked until the first apply.
    """
    managed = read(old) if old is not None else {}
    sent = meta(new).get("managedFields")
    if old is not None and sent is not None and (sent == [] or sent == [{}]):
        managed = {}
    if old is not None and not managed:
        write(new, managed)
        return
    before: Obj = without_managed(old) if old is not None else {"metadata": {}}
    changes = fields.compare(node, before, without_managed(new))
    gained, lost = _strip(changes.taken, ignored), changes.taken | changes.removed
    for other, owned in managed.items():
        managed[other] = owned.but(lost, gained if other == who else frozenset())
    if gained:
        managed[who] = Owned(managed[who].tree, stamp()) if who in managed else _owned(gained, stamp())
    write(new, managed)


def apply(node: Node, live: Obj | None, wanted: Obj, who: Manager, *, force: bool, ignored: tuple[Path, ...]) -> Obj:
    """What server-side apply makes of `live` (None: there is none yet), with managedFields written.

    Returns `live` itself, unchanged, when nothing would change. Raises ApiError 409 with a cause per field that another
    manager owns with another value, unless `force`.
    """
    managed = read(live) if live is not None else {}
    base: Obj = without_managed(live) if live is not None else {"metadata": {}}
    if live is not None and not managed:
        legacy = Manager("Update", "before-first-apply", who.api_version)
        managed[legacy] = _owned(_strip(fields.compare(node, {"metadata": {}}, base).added, ignored), stamp())
    wanted = _without_ignored(wanted, ignored)
    merged: Obj = fields.merge(node, base, wanted)
    last = managed.get(who)
    mine = fields.field_set(node, wanted)
    if last and last.paths:
        everyone = mine.union(*(owned.paths for other, owned in managed.items() if other != who))
        merged = _prune(node, merged, everyone, last.paths)
    changes = fields.compare(node, base, merged)
    _settle_conflicts(managed, who, changes, force=force)
    stripped = _strip(mine, ignored)
    same_fields = last is not None and last.paths == stripped
    managed[who] = _owned(stripped, last.time if last and same_fields and not changes else stamp())
    if live is not None and not changes and same_fields:
        return live
    merged["metadata"] = dict(merged["metadata"])
    write(merged, managed)
    return merged


def _without_ignored(wanted: Obj, ignored: tuple[Path, ...]) -> Obj:
    result = copy_parts(wanted)
    for path in ignored:
        at: Any = result
        for element in path[:-1]:
            at = at.get(element[2:], {})
        at.pop(path[-1][2:], None)
    return result


def _prune(node: Node, merged: Obj, everyone: Fields, last: Fields) -> Obj:
    """Drop what this manager applied before (`last`) and no longer does, unless another manager owns it too.

    Fields below a dropped one that this manager never owned come back, as in structured-merge-diff: dropping a field
    takes only what was ours.
    """
    ours = fields.with_named_parents(node, last)
    pruned = fields.remove(node, merged, ours)
    whole = fields.with_named_parents(node, fields.field_set(node, merged))
    left = fields.with_named_parents(node, fields.field_set(node, pruned))
    kept = fields.with_named_parents(node, everyone)
    pruned = fields.remove(node, merged, whole - left - kept)
    left = fields.with_named_parents(node, fields.field_set(node, pruned))
    result: Obj = fields.remove(node, merged, (whole - left) & ours)
    return result


def _settle_conflicts(managed: Managed, who: Manager, changes: fields.Changes, *, force: bool) -> None:
    others = {other: owned for other, owned in managed.items() if other != who}
    clashes = {other: clash for other, owned in others.items() if (clash := owned.among(changes.taken))}
    if clashes and not force:
        raise _conflict(clashes)
    for other, owned in others.items():
        managed[other] = owned.but(changes.taken | changes.removed)


def _title(who: Manager) -> str:
    text = f'"{who.name}"'
    if who.subresource:
        text += f' with subresource "{who.subresource}"'
    if who.operation == "Update":
        text += f" using {who.api_version}"
    return text


def _own_first(path: Path) -> list[tuple[bool, str]]:
    """A sorting key: at each level what is a field itself comes before what lies below one, as in a fieldpath.Set."""
    return [(depth < len(path), element) for depth, element in enumerate(path, start=1)]


def _conflict(clashes: dict[Manager, Fields]) -> ApiError:
    found = sorted((_title(who), _own_first(path), path) for who, paths in clashes.items() for path in paths)
    pairs = [(title, fields.show(path)) for title, _, path in found]
    causes = [Cause("FieldManagerConflict", shown, f"conflict with {title}") for title, shown in pairs]
    if len(pairs) == 1:
        return apply_conflict(f"Apply failed with 1 conflict: conflict with {pairs[0][0]}: {pairs[0][1]}", causes)
    lines: list[str] = []
    for title in dict.fromkeys(title for title, _ in pairs):
        lines.append(f"conflicts with {title}:")
        lines += [f"- {shown}" for owner, shown in pairs if owner == title]
    return apply_conflict(f"Apply failed with {len(pairs)} conflicts: " + "\n".join(lines), causes)
