"""Custom resources come to life: a small controller sets their status, as their operators would, or lets them fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .errors import ApiError
from .machinery import Clockwork, Controller, Name
from .resources import Resource
from .store import Change
from .values import Obj, dig, meta, set_condition

PAUSE = 1.0  # clockwork seconds between two steps of a status
GATEWAY = "gateway.networking.k8s.io"
Rule = Callable[[Obj, Obj, str], Obj]  # (object, its status, why it fails or "") → the next status


class Claims(Controller):
    """Moves the status of every custom resource on, a step at a time, until nothing changes any more.

    A database gets one ready instance after the other, a bucket its name and address, a route its gateway's word;
    everything else becomes Ready. `fail` lets a kind fail until `recover`.
    """

    key = ("", "")

    def __init__(self, work: Clockwork) -> None:
        super().__init__(work)
        self.failing: dict[str, str] = {}  # kind → why
        self._since: dict[str, float] = {}

    def fail(self, kind: str, why: str = "the practice cluster was told so") -> None:
        """Objects of this kind don't become ready from now on; those that are, no longer are."""
        self.failing[kind] = why
        self._look_at_all(kind)

    def recover(self, kind: str) -> None:
        """Objects of this kind become ready again."""
        self.failing.pop(kind, None)
        self._look_at_all(kind)

    def show(self) -> Obj:
        return {"failing": dict(self.failing)}

    def names_of(self, change: Change) -> Iterator[Name]:
        if change.type != "DELETED" and (resource := self._resource(*change.key)) is not None:
            yield _name(resource, change.obj)

    def reconcile(self, name: Name) -> None:
        group, plural, namespace = name[0].split("/")
        resource = self._resource(group, plural)
        obj = self.work.find((group, plural), (namespace, name[1])) if resource is not None else None
        if resource is None or obj is None or meta(obj).get("deletionTimestamp"):
            return
        old: Obj = obj.get("status") or {}
        rule = _RULES.get((group, plural), _ready)
        status = rule(obj, old, self.failing.get(resource.kind, ""))
        if status == old:
            return
        # Its own write wakes it again at once: without a pause everything would be ready in the same moment.
        since = self._since.setdefault(obj["metadata"]["uid"], self.work.pace.clock())
        left = self.work.pace.left(since, PAUSE)
        if left > 0:
            self.look_again(name, left)
            return
        self._since[obj["metadata"]["uid"]] = self.work.pace.clock()
        sub = "status" if "status" in resource.subresources else ""
        self.work.write(resource, obj, lambda one: one.update(status=status), sub, manager=f"{plural}-operator")

    def _resource(self, group: str, plural: str) -> Resource | None:
        found = self.work.api.registry.named(group, plural)
        return found if found is not None and found.custom else None

    def _look_at_all(self, kind: str) -> None:
        known = [one for one in self.work.api.registry if one.custom and one.kind == kind]
        if not known:
            raise ApiError(404, "NotFound", f"there is no custom resource of kind {kind}", {})
        for resource in known:
            for obj in self.work.store.objects(resource.key):
                self.enqueue(_name(resource, obj))


def _name(resource: Resource, obj: Obj) -> Name:
    group, plural = resource.key
    return (f"{group}/{plural}/{meta(obj).get('namespace', '')}", obj["metadata"]["name"])


def _conditions(status: Obj, obj: Obj, **wanted: tuple[bool, str, str]) -> list[Obj]:
    found = list(status.get("conditions") or [])
    for kind, (holds, reason, message) in wanted.items():
        one: dict[str, Any] = {"type": kind, "status": str(holds), "reason": reason, "message": message}
        old = next((each for each in found if each["type"] == kind), None)
        if old is None or any(old.get(key) != value for key, value in one.items()):
            found = set_condition(found, {**one, "observedGeneration": meta(obj).get("generation", 1)}, touch=False)
    return found


def _ready(obj: Obj, status: Obj, why: str) -> Obj:
    ready = (False, "Failed", why) if why else (True, "Available", "it is there")
    return {**status, "conditions": _conditions(status, obj, Ready=ready)}


def _database(obj: Obj, status: Obj, why: str) -> Obj:
    """https://cloudnative-pg.io/documentation/current/cloudnative-pg.v1/#postgresql-cnpg-io-v1-ClusterStatus"""
    wanted, ready = dig(obj, "spec", "instances", default=1), status.get("readyInstances", 0)
    ready = 0 if why else min(wanted, ready + 1)
    done = ready == wanted and not why
    phase = "Cluster in healthy state" if done else why or ("Creating a new replica" if ready else "Setting up primary")
    said = (True, "ClusterIsReady", "Cluster is Ready") if done else (False, "ClusterIsNotReady", phase)
    name = obj["metadata"]["name"]
    return {**status, "instances": wanted, "readyInstances": ready, "phase": phase, "currentPrimary": f"{name}-1",
            "writeService": f"{name}-rw", "conditions": _conditions(status, obj, Ready=said)}  # fmt: skip


def _bucket(obj: Obj, status: Obj, why: str) -> Obj:
    """A Crossplane claim: Synced first, Ready when it is there (https://docs.crossplane.io/latest/concepts/claims/)."""
    synced = (not why, "ReconcileError" if why else "ReconcileSuccess", why)
    if why or not status.get("conditions"):
        ready = (False, "Creating", "")
        return {**status, "conditions": _conditions(status, obj, Synced=synced, Ready=ready)}
    name = f"{meta(obj).get('namespace', '')}-{obj['metadata']['name']}"
    known = {"bucketName": name, "endpoint": f"https://{name}.buckets.acme.test"}
    return {**status, **known, "conditions": _conditions(status, obj, Synced=synced, Ready=(True, "Available", ""))}


def _route(obj: Obj, status: Obj, why: str) -> Obj:
    """Each gateway that a route names says whether it took it (https://gateway-api.sigs.k8s.io/api-types/httproute/)."""
    old = {str(one.get("parentRef")): one for one in status.get("parents") or []}
    accepted = (not why, "NotAllowedByListeners" if why else "Accepted", why)
    parents = []
    for ref in dig(obj, "spec", "parentRefs", default=[]):
        before = old.get(str(ref)) or {}
        conditions = _conditions(before, obj, Accepted=accepted, ResolvedRefs=(True, "ResolvedRefs", ""))
        parents.append({"parentRef": ref, "controllerName": "practice.chatops/gateway", "conditions": conditions})
    return {**status, "parents": parents}


_RULES: dict[tuple[str, str], Rule] = {
    ("postgresql.cnpg.io", "clusters"): _database,
    ("storage.acme.test", "buckets"): _bucket,
    (GATEWAY, "httproutes"): _route,
}
