"""The quiet controllers: garbage collection, namespaces, custom resources, the status of quotas."""

from __future__ import annotations

from collections.abc import Iterator

from .admission import NAMESPACES, QUOTAS, used_by
from .machinery import Controller, Name
from .quantities import quantity, shown
from .store import Change
from .values import Obj, dig, meta, set_condition

DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


class Garbage(Controller):
    """Deletes what all owners have left ("Garbage Collection" in the documentation): background, foreground, orphan.

    Its names are (uid of an owner, ""): after an owner went, or began to go, its dependents are looked at.
    """

    key = ("", "")

    def names_of(self, change: Change) -> Iterator[Name]:
        metadata = change.obj["metadata"]
        if change.type == "DELETED" or metadata.get("deletionTimestamp"):
            yield (metadata["uid"], "")
        if change.type == "DELETED":
            for ref in metadata.get("ownerReferences") or []:
                yield (ref["uid"], "")
        if change.type == "ADDED":
            for ref in metadata.get("ownerReferences") or []:
                if self.work.store.living(ref["uid"]) is None:
                    yield (ref["uid"], "")

    def reconcile(self, name: Name) -> None:
        uid = name[0]
        owner = self.work.store.living(uid)
        dependents = [obj for _, obj in self.work.store.dependents(uid)]
        finalizers = (meta(owner).get("finalizers") or []) if owner else []
        if owner is not None and not meta(owner).get("deletionTimestamp"):
            return
        if "orphan" in finalizers and owner is not None:
            for obj in dependents:
                self._let_go(obj, uid)
            self._release(owner, "orphan")
        elif "foregroundDeletion" in finalizers and owner is not None:
            if not dependents:
                self._release(owner, "foregroundDeletion")
            for obj in dependents:
                self._collect(obj, "Foreground")
        elif owner is None:
            for obj in dependents:
                others = [
                    ref
                    for ref in meta(obj)["ownerReferences"]
                    if ref["uid"] != uid and self.work.store.living(ref["uid"])
                ]
                if others:
                    self._let_go(obj, uid)
                else:
                    self._collect(obj, "Background")

    def _collect(self, obj: Obj, policy: str) -> None:
        resource = self.work.api.registry.of(obj["apiVersion"], obj["kind"])
        if resource is not None and not meta(obj).get("deletionTimestamp"):
            self.work.delete(resource, obj, propagationPolicy=policy)

    def _let_go(self, obj: Obj, uid: str) -> None:
        resource = self.work.api.registry.of(obj["apiVersion"], obj["kind"])
        if resource is None:
            return

        def change(obj: Obj) -> None:
            left = [ref for ref in obj["metadata"]["ownerReferences"] if ref["uid"] != uid]
            obj["metadata"]["ownerReferences"] = left
            if not left:
                del obj["metadata"]["ownerReferences"]

        self.work.write(resource, obj, change)

    def _release(self, owner: Obj, finalizer: str) -> None:
        resource = self.work.api.registry.of(owner["apiVersion"], owner["kind"])
        if resource is None:
            return

        def change(obj: Obj) -> None:
            left = [item for item in obj["metadata"].get("finalizers", []) if item != finalizer]
            obj["metadata"]["finalizers"] = left
            if not left:
                del obj["metadata"]["finalizers"]

        self.work.write(resource, owner, change)


class Namespaces(Controller):
    """Gives a namespace its default account, and empties and removes one that is deleted."""

    key = NAMESPACES

    def names_of(self, change: Change) -> Iterator[Name]:
        if change.key == NAMESPACES:
            yield ("", change.obj["metadata"]["name"])
        elif change.type == "DELETED" and (space := meta(change.obj).get("namespace")):
            yield ("", space)

    def reconcile(self, name: Name) -> None:
        space = self.work.find(NAMESPACES, name)
        if space is None:
            return
        if meta(space).get("deletionTimestamp"):
            self._empty(space)
            return
        for group, plural, body in _FIRST_CONTENT:
            resource = self.work.resource(group, plural)
            if self.work.find(resource.key, (name[1], body["metadata"]["name"])) is None:
                self.work.create(resource, {**body, "metadata": {**body["metadata"], "namespace": name[1]}})

    def _empty(self, space: Obj) -> None:
        name = space["metadata"]["name"]
        left = 0
        for resource in self.work.api.registry:
            if not resource.namespaced:
                continue
            for obj in self.work.store.objects(resource.key, name):
                left += 1
                if not meta(obj).get("deletionTimestamp"):
                    self.work.delete(resource, obj)
        if not left and dig(space, "spec", "finalizers"):
            spec = {key: value for key, value in space["spec"].items() if key != "finalizers"}
            self.work.store.put(NAMESPACES, {**space, "spec": spec})
            self.work.store.delete(NAMESPACES, "", name)


_FIRST_CONTENT: list[tuple[str, str, Obj]] = [
    ("", "serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}),
    ("", "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"},
                        "data": {"ca.crt": "practice"}}),
]  # fmt: skip


class Definitions(Controller):
    """Serves a custom resource as soon as its definition is stored, and takes it away with it."""

    key = DEFINITIONS

    def on_change(self, change: Change) -> None:
        if change.key != DEFINITIONS:
            return
        registry, spec = self.work.api.registry, change.obj["spec"]
        if change.type == "DELETED":
            for resource in list(registry):
                if (resource.group, resource.plural) == (spec["group"], spec["names"]["plural"]):
                    for obj in self.work.store.objects(resource.key):
                        self.work.delete(resource, obj)
            registry.drop(spec["group"], spec["names"]["plural"])
            return
        known = {resource.key for resource in registry}
        for resource in registry.add_definition(change.obj):
            if resource.key not in known:
                self.work.store.start_history(resource.key)
        self.enqueue(("", change.obj["metadata"]["name"]))

    def reconcile(self, name: Name) -> None:
        crd = self.work.find(DEFINITIONS, name)
        if crd is None:
            return
        status: Obj = {"acceptedNames": crd["spec"]["names"],
                       "storedVersions": [v["name"] for v in crd["spec"]["versions"] if v.get("storage")]}  # fmt: skip
        conditions = dig(crd, "status", "conditions", default=[])
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ):
            wanted = {"type": kind, "status": "True", "reason": reason, "message": message}
            conditions = set_condition(conditions, wanted, touch=False)
        status["conditions"] = conditions
        if status != crd.get("status"):
            self.work.write(self.work.resource(*DEFINITIONS), crd, lambda obj: obj.update(status=status), "status")


class Quotas(Controller):
    """Keeps `status.used` of every ResourceQuota."""

    key = QUOTAS

    def names_of(self, change: Change) -> Iterator[Name]:
        if change.key == QUOTAS:
            yield (change.obj["metadata"]["namespace"], change.obj["metadata"]["name"])
            return
        namespace = meta(change.obj).get("namespace")
        if namespace and change.type != "MODIFIED" and change.key[1] != "events":
            for quota in self.work.store.objects(QUOTAS, namespace):
                yield (namespace, quota["metadata"]["name"])

    def reconcile(self, name: Name) -> None:
        quota = self.work.find(QUOTAS, name)
        if quota is None:
            return
        hard = dig(quota, "spec", "hard", default={})
        used = used_by(self.work.store, name[0], hard)
        status = {"hard": hard, "used": {key: shown(used[key]) for key in hard}}
        same = dig(quota, "status", "hard") == hard and all(
            quantity(dig(quota, "status", "used", key, default="-1")) == used[key] for key in hard
        )
        if not same:
            self.work.write(self.work.resource(*QUOTAS), quota, lambda obj: obj.update(status=status), "status")
