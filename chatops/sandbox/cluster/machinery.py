"""What all controllers share: a queue of names to look at, events, and writes under a controller's name."""

from __future__ import annotations

import asyncio
import functools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from .admission import NAMESPACES
from .api import Api, Ask
from .errors import ApiError
from .names import suffix
from .pace import Pace
from .resources import Resource
from .store import Change, Key
from .values import Obj, controller_of, copy_parts, meta, stamp

log = logging.getLogger(__name__)
MANAGER = "kube-controller-manager"
# Kubernetes forgets events after an hour; here the oldest go, so that a demo that runs for days stays small.
MOST_EVENTS = 500
Name = tuple[str, str]


class Clockwork:
    """What a controller is given: the API, the pace and the recorder of events."""

    def __init__(self, api: Api, pace: Pace) -> None:
        self.api = api
        self.store = api.store
        self.pace = pace

    def resource(self, group: str, plural: str) -> Resource:
        found = self.api.registry.named(group, plural)
        if found is None:
            raise KeyError(f"{plural}.{group}")
        return found

    def find(self, key: Key, name: Name) -> Obj | None:
        return self.store.get(key, *name)

    def owned(self, key: Key, owner: Obj) -> list[Obj]:
        """The objects of its namespace whose controller is `owner`, oldest first."""
        uid, namespace = owner["metadata"]["uid"], meta(owner).get("namespace")
        found = [
            obj for kind, obj in self.store.dependents(uid)
            if kind == key and meta(obj).get("namespace") == namespace and (controller_of(obj) or {}).get("uid") == uid
        ]  # fmt: skip
        return sorted(found, key=self.store.born)

    def create(self, resource: Resource, obj: Obj, manager: str = MANAGER) -> Obj:
        namespace = meta(obj).get("namespace", "")
        return self.api.create(resource, namespace, obj, Ask(manager))

    def write(
        self, resource: Resource, live: Obj, change: Callable[[Obj], None], sub: str = "", manager: str = MANAGER
    ) -> Obj:
        """Store what `change` makes of a copy of `live`; the version is not checked, nothing runs in between.

        `change` may put new values into the parts (metadata, spec, status); what lies deeper is still that of `live`.
        """
        obj = copy_parts(live)
        change(obj)
        return self.api.store_update(resource, live, obj, Ask(manager), sub)

    def delete(self, resource: Resource, obj: Obj, **options: Any) -> None:
        namespace = meta(obj).get("namespace", "")
        self.api.delete(resource, namespace, obj["metadata"]["name"], dict(options), Ask(MANAGER))

    def event(
        self, about: Obj, kind: str, reason: str, message: str, component: str, field: str = "", host: str = ""
    ) -> None:
        """Record an event as client-go's recorder does: the same again only counts up."""
        namespace = meta(about).get("namespace") or "default"
        space = self.store.get(NAMESPACES, "", namespace)
        if space is None or meta(space).get("deletionTimestamp"):
            return
        events = self.resource("", "events")
        target: Obj = {
            "kind": about["kind"], "namespace": meta(about).get("namespace"), "name": about["metadata"]["name"],
            "uid": about["metadata"]["uid"], "apiVersion": about["apiVersion"],
            "resourceVersion": about["metadata"].get("resourceVersion"),
        }  # fmt: skip
        if field:
            target["fieldPath"] = field
        target = {key: value for key, value in target.items() if value is not None}
        time = stamp()
        known = self.store.objects(events.key, namespace)
        for old in known:
            same = old.get("message") == message and old.get("reason") == reason
            if same and old["involvedObject"].get("uid") == target["uid"]:
                counted = {**old, "count": old.get("count", 1) + 1, "lastTimestamp": time}
                self.store.put(events.key, counted)
                return
        if len(known) >= MOST_EVENTS:
            oldest = min(known, key=self.store.born)
            self.store.delete(events.key, namespace, oldest["metadata"]["name"])
        source = {"component": component, **({"host": host} if host else {})}
        name = f"{about['metadata']['name'][:230]}.{suffix(16)}"
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace},
                "involvedObject": target, "reason": reason, "message": message, "type": kind, "count": 1,
                "source": source, "firstTimestamp": time, "lastTimestamp": time, "eventTime": None,
                "reportingComponent": component, "reportingInstance": host}  # fmt: skip
        self.api.create(events, namespace, body, Ask(component))


class Controller(ABC):
    """Looks at one object at a time, again whenever it or something it owns changed; `reconcile` never awaits."""

    key: Key

    def __init__(self, work: Clockwork) -> None:
        self.work = work
        self._queue: dict[Name, None] = {}
        self._wake = asyncio.Event()
        self._retries: dict[Name, int] = {}
        self._timers: dict[Name, asyncio.TimerHandle] = {}

    @functools.cached_property
    def kind(self) -> str:
        return self.work.resource(*self.key).kind

    def names_of(self, change: Change) -> Iterator[Name]:
        """The objects to look at after a change: by default the object itself and the owner of what changed."""
        if change.key == self.key:
            yield _name(change.obj)
            return
        for obj in (change.obj, change.old):
            owner = controller_of(obj) if obj else None
            if owner and obj and owner["kind"] == self.kind:
                yield (obj["metadata"].get("namespace", ""), owner["name"])

    def on_change(self, change: Change) -> None:
        for name in self.names_of(change):
            self.enqueue(name)

    def enqueue(self, name: Name) -> None:
        self._queue[name] = None
        self._wake.set()

    def look_again(self, name: Name, seconds: float) -> None:
        """Look at `name` again after some clockwork seconds; an earlier wish for the same name is replaced."""
        if old := self._timers.pop(name, None):
            old.cancel()
        self._timers[name] = self.work.pace.later(max(seconds, 0.0), lambda: self.enqueue(name))

    @property
    def idle(self) -> bool:
        return not self._queue

    @property
    def settled(self) -> bool:
        """Nothing is left to look at, now or later, unless something changes."""
        return not self._queue and not self._timers

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                name = next(iter(self._queue))
                del self._queue[name]
                if timer := self._timers.pop(name, None):
                    timer.cancel()  # whether there is still something to wait for is found out now
                self._attempt(name)
                await asyncio.sleep(0)

    def _attempt(self, name: Name) -> None:
        try:
            self.reconcile(name)
        except ApiError as error:
            tries = self._retries[name] = self._retries.get(name, 0) + 1
            log.info("%s %s/%s: %s; trying again", type(self).__name__, *name, error.message)
            self.look_again(name, min(0.1 * 2**tries, 30))
        except Exception:
            log.exception("%s cannot look after %s/%s", type(self).__name__, *name)
        else:
            self._retries.pop(name, None)

    @abstractmethod
    def reconcile(self, name: Name) -> None:
        """Makes things as the object of that name wants them; raises ``ApiError`` to be asked again."""

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()


def _name(obj: Obj) -> Name:
    return (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
