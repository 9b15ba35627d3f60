"""Objects, one version counter, and a bounded history that watches start from."""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import expired
from .values import Obj, meta

Key = tuple[str, str]
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the history; objects in it are never modified."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    obj: Obj
    old: Obj | None


class Store:
    """Everything stored; what goes in or comes out belongs to the store and must not be modified in place."""

    def __init__(self, history: int = 4096) -> None:
        self._objects: dict[Key, dict[Name, Obj]] = {}
        self._names: defaultdict[Key, list[Name]] = defaultdict(list)  # of each kind, sorted
        self._dependents: defaultdict[str, set[tuple[Key, Name]]] = defaultdict(set)  # by the uid of an owner
        self._history: deque[Change] = deque(maxlen=history)
        self._listeners: list[Callable[[Change], None]] = []
        self._floor: dict[Key, int] = {}
        self._compacted = 0
        self._places: dict[str, tuple[int, Key, Name]] = {}  # by uid, with the version an object was created with
        self.version = 100

    def get(self, key: Key, namespace: str, name: str) -> Obj | None:
        return self._objects.get(key, {}).get((namespace, name))

    def objects(self, key: Key, namespace: str | None = None) -> list[Obj]:
        """All objects of a resource, ordered by namespace and name as the API server lists them."""
        found, names = self._objects.get(key, {}), self._names[key]
        if namespace is not None:
            names = names[bisect_left(names, (namespace, "")) : bisect_left(names, (namespace + "\0", ""))]
        return [found[name] for name in names]

    def dependents(self, uid: str) -> list[tuple[Key, Obj]]:
        """The objects that name this one among their owners, with their kinds, by kind, namespace and name."""
        kinds = self.kinds()
        places = sorted(self._dependents.get(uid, ()), key=lambda place: (kinds.index(place[0]), place[1]))
        return [(key, self._objects[key][name]) for key, name in places]

    def born(self, obj: Obj) -> int:
        """The version an object was created with: its age, finer than the seconds of creationTimestamp."""
        place = self._places.get(meta(obj).get("uid", ""))
        return place[0] if place else 0

    def living(self, uid: str) -> Obj | None:
        """The object of this uid, if there is one."""
        place = self._places.get(uid)
        return self._objects[place[1]][place[2]] if place else None

    def kinds(self) -> list[Key]:
        return list(self._objects)

    def put(self, key: Key, obj: Obj) -> Obj:
        """Store the object under its name with the next version; returns it with that version."""
        name = (meta(obj).get("namespace", ""), obj["metadata"]["name"])
        old = self._objects.get(key, {}).get(name)
        return self._commit("MODIFIED" if old else "ADDED", key, name, obj, old)

    def delete(self, key: Key, namespace: str, name: str) -> Obj:
        """Forget the object; the returned last state carries the version of the deletion."""
        old = self._objects[key][(namespace, name)]
        return self._commit("DELETED", key, (namespace, name), old, old)

    def _commit(
        self, kind: Literal["ADDED", "MODIFIED", "DELETED"], key: Key, name: Name, obj: Obj, old: Obj | None
    ) -> Obj:
        self.version += 1
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self._file(key, name, old, None if kind == "DELETED" else stored)
        if kind == "DELETED":
            del self._objects[key][name]
            self._names[key].remove(name)
            self._places.pop(stored["metadata"].get("uid", ""), None)
        else:
            self._objects.setdefault(key, {})[name] = stored
            if kind == "ADDED":
                insort(self._names[key], name)
            self._places.setdefault(stored["metadata"].get("uid", ""), (self.version, key, name))
        if len(self._history) == self._history.maxlen:
            self._compacted = self._history[0].version
        change = Change(self.version, kind, key, stored, old)
        self._history.append(change)
        for listener in list(self._listeners):
            listener(change)
        return stored

    def _file(self, key: Key, name: Name, old: Obj | None, new: Obj | None) -> None:
        """Keep the dependents of owners up to date."""
        before, after = ({ref["uid"] for ref in meta(obj or {}).get("ownerReferences") or ()} for obj in (old, new))
        for uid in before - after:
            self._dependents[uid].discard((key, name))
        for uid in after - before:
            self._dependents[uid].add((key, name))

    def since(self, version: int, key: Key) -> list[Change]:
        """The changes after `version`; raises ApiError 410 when the history does not reach back that far."""
        if not self.remembers(version, key):
            oldest = max(self._compacted, self._floor.get(key, 0))
            raise expired(f"too old resource version: {version} ({oldest})")
        later = itertools.takewhile(lambda change: change.version > version, reversed(self._history))
        return [change for change in reversed(list(later)) if change.key == key]

    def remembers(self, version: int, key: Key) -> bool:
        return version >= max(self._compacted, self._floor.get(key, 0))

    def start_history(self, key: Key) -> None:
        """A resource that is served from now on has no history before now."""
        self._floor[key] = self.version

    def compact(self) -> int:
        """Forget the history; watches from an older version get 410. Returns the oldest version one can start from."""
        self._history.clear()
        self.version += 1
        self._compacted = self.version
        return self.version

    def copy_from(self, other: Store) -> None:
        """Take over everything of another store; the objects are shared, for nobody modifies them in place."""
        self._objects = {key: dict(found) for key, found in other._objects.items()}
        self._names.update((key, list(names)) for key, names in other._names.items())
        self._dependents.update((uid, set(places)) for uid, places in other._dependents.items())
        self._history = deque(other._history, maxlen=self._history.maxlen)
        self._floor, self._places = dict(other._floor), dict(other._places)
        self._compacted, self.version = other._compacted, other.version

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on every change, in order and at once; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
