"""The verbs of the API on the store: create, update, patch, apply, delete, with every rule about metadata."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chatops.sandbox.copies import copied

from . import admission, defaults, errors, managers, schema, validate
from .errors import ApiError, bad_request
from .fields import duplicate_keys
from .managers import Manager
from .names import suffix
from .resources import Registry, Resource
from .rules import (
    APPLY,
    bumps_generation,
    count_templates,
    ignored,
    only_finalizers_held,
    patch_object,
    read_json,
    read_yaml,
    without_times,
)
from .store import Store
from .values import Obj, copy_parts, dig, dump, meta, stamp


@dataclass
class Ask:
    """The options of one write; `warnings` collects what goes into Warning headers."""

    manager: str = "unknown"
    dry_run: bool = False
    validation: str = "Warn"
    force: bool | None = None
    warnings: list[str] = field(default_factory=list)
    may_create: Callable[[], None] = lambda: None  # raises ApiError 403: an apply of what is not there creates it


class Api:
    """All writes, also those of the controllers, go through here."""

    def __init__(self, registry: Registry, store: Store) -> None:
        self.registry = registry
        self.store = store

    # Reading

    def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        """Raises ApiError 404."""
        found = self.store.get(resource.key, namespace, name)
        if found is None:
            raise errors.not_found(resource.plural, resource.group, name)
        return found

    # Creating

    def create(self, resource: Resource, namespace: str, body: Obj, ask: Ask, name: str = "") -> Obj:
        obj = self._decoded(resource, body, ask)
        self._check_identity(resource, namespace, name, obj)
        if meta(obj).get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        return self._store_new(resource, namespace, obj, ask, Manager("Update", ask.manager, resource.api_version))

    def _store_new(self, resource: Resource, namespace: str, obj: Obj, ask: Ask, who: Manager | None) -> Obj:
        metadata = obj["metadata"]
        generated = not metadata.get("name") and metadata.get("generateName")
        if generated:
            metadata["name"] = metadata["generateName"][:58] + suffix()
        if resource.namespaced:
            metadata["namespace"] = namespace
            admission.check_namespace(self.store, resource, namespace, metadata.get("name", ""))
        else:
            metadata.pop("namespace", None)
        sent = metadata.get("managedFields")
        for key in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            metadata.pop(key, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = stamp()
        if resource.bumps:
            metadata["generation"] = 1
        if "status" in resource.subresources:
            obj.pop("status", None)
        defaults.fill(resource, obj)
        self._prepare_new(resource, obj)
        validate.check(resource, obj, None)
        if self.store.get(resource.key, namespace if resource.namespaced else "", metadata["name"]) is not None:
            raise errors.already_exists(resource.plural, resource.group, metadata["name"])
        admission.check_quota(self.store, resource, obj)
        if who is not None:
            metadata.pop("managedFields", None)
            managers.track_update(resource.type, None, obj, who, ignored(resource))
        elif sent is not None:
            metadata["managedFields"] = sent
        return obj if ask.dry_run else self.store.put(resource.key, obj)

    def _prepare_new(self, resource: Resource, obj: Obj) -> None:
        count_templates(resource, None, obj)
        if (resource.group, resource.plural) == ("", "services") and "clusterIP" not in obj["spec"]:
            n = self.store.version
            obj["spec"]["clusterIP"] = f"10.96.{n // 250 % 250}.{n % 250 + 2}"
            obj["spec"]["clusterIPs"] = [obj["spec"]["clusterIP"]]
        if resource.kind == "Job":
            uid, name = obj["metadata"]["uid"], obj["metadata"]["name"]
            labels = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name,
                      "controller-uid": uid, "job-name": name}  # fmt: skip
            have = obj["spec"]["template"]["metadata"].setdefault("labels", {})
            have.update({key: value for key, value in labels.items() if key not in have})
            obj["spec"].setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})

    # Updating

    def update(self, resource: Resource, namespace: str, name: str, body: Obj, ask: Ask, sub: str = "") -> Obj:
        live = self.get(resource, namespace, name)
        obj = self._decoded(resource, body, ask)
        self._check_identity(resource, namespace, name, obj)
        if resource.custom and not meta(obj).get("resourceVersion"):
            cause = errors.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise errors.invalid(resource.kind, resource.group, name, [cause])
        return self.store_update(resource, live, obj, ask, sub)

    def store_update(self, resource: Resource, live: Obj, obj: Obj, ask: Ask, sub: str = "", owner: str = "") -> Obj:
        """Store a decoded new state of `live`; also the controllers' way in. `owner` overrides the subresource named
        in managedFields (the scale subresource writes the main object)."""
        self._check_version(resource, live, obj)
        obj = self._settled(resource, live, obj, sub)
        who = Manager("Update", ask.manager, resource.api_version, owner or sub)
        managers.track_update(resource.type, live, obj, who, ignored(resource, sub))
        return self._commit(resource, live, obj, ask, sub)

    def _settled(self, resource: Resource, live: Obj, obj: Obj, sub: str) -> Obj:
        """The new state with everything the endpoint may not change taken from the live one, and defaults."""
        obj = dict(obj)
        metadata = dict(obj["metadata"])
        for key in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
                    "namespace", "name", "resourceVersion", "selfLink", "generateName"):  # fmt: skip
            if key in live["metadata"]:
                metadata[key] = live["metadata"][key]
            else:
                metadata.pop(key, None)
        obj["metadata"] = metadata
        obj["apiVersion"], obj["kind"] = live["apiVersion"], live["kind"]
        if sub == "status":
            status = obj.get("status")
            obj = {**{key: live[key] for key in live if key != "status"}, "metadata": metadata}
            if status is not None:
                obj["status"] = status
            metadata["labels"] = live["metadata"].get("labels")
            if metadata["labels"] is None:
                del metadata["labels"]
        elif "status" in resource.subresources:
            obj.pop("status", None)
            if "status" in live:
                obj["status"] = live["status"]
        # A definition's defaults may be new, and then go deep; those of the other kinds are in all that is stored.
        obj = copied(obj) if resource.custom else copy_parts(obj)
        defaults.fill(resource, obj)
        return obj

    def _commit(self, resource: Resource, live: Obj, obj: Obj, ask: Ask, sub: str) -> Obj:
        validate.check(resource, obj, live)
        count_templates(resource, live, obj)
        if sub != "status" and resource.bumps and bumps_generation(resource, live, obj):
            obj["metadata"]["generation"] = live["metadata"].get("generation", 1) + 1
        if without_times(obj) == without_times(live):
            return live
        if ask.dry_run:
            return obj
        stored = self.store.put(resource.key, obj)
        metadata = stored["metadata"]
        if (
            metadata.get("deletionTimestamp")
            and not metadata.get("finalizers")
            and only_finalizers_held(resource, stored)
        ):
            return self.store.delete(resource.key, metadata.get("namespace", ""), metadata["name"])
        return stored

    # Patching

    def patch(
        self, resource: Resource, namespace: str, name: str, media: str, raw: bytes, ask: Ask, sub: str = ""
    ) -> tuple[Obj, bool]:
        """The patched object, and whether it was created (server-side apply of something new)."""
        if media == APPLY:
            return self._apply(resource, namespace, name, read_yaml(raw), ask, sub)
        live = self.get(resource, namespace, name)
        try:
            body = read_json(raw)
            patched = patch_object(resource.type, live, media, body, custom=resource.custom)
        except ApiError as error:
            if error.reason == "Invalid":
                raise ApiError(422, "Invalid", error.message, {"name": name, "group": resource.group,
                                                               "kind": resource.plural}) from error  # fmt: skip
            raise
        obj = self._decoded(resource, patched, ask, patch=dump(body))
        self._check_identity(resource, namespace, name, obj)
        return self.store_update(resource, live, obj, ask, sub), False

    def _apply(self, resource: Resource, namespace: str, name: str, body: Any, ask: Ask, sub: str) -> tuple[Obj, bool]:
        live = self.store.get(resource.key, namespace, name)
        if live is None and sub:
            raise errors.not_found(resource.plural, resource.group, name)
        wanted = self._applicable(resource, namespace, name, body)
        who = Manager("Apply", ask.manager, resource.api_version, sub)
        if live is not None:
            if resource.custom:
                self._check_typed(resource, live)
            self._check_version(resource, live, wanted)
        elif meta(wanted).get("uid"):
            uid = wanted["metadata"]["uid"]
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(resource.plural, resource.group, name, why)
        wanted["metadata"] = {key: value for key, value in wanted["metadata"].items() if key != "resourceVersion"}
        merged = managers.apply(resource.type, live, wanted, who, force=bool(ask.force), ignored=ignored(resource, sub))
        if merged is live:
            return live, False
        merged = schema.decode(resource.type, merged)
        if live is None:
            ask.may_create()
            return self._store_new(resource, namespace, merged, ask, None), True
        obj = self._settled(resource, live, merged, sub)
        return self._commit(resource, live, obj, ask, sub), False

    def _check_typed(self, resource: Resource, live: Obj) -> None:
        """Raises ApiError 500 when a definition that was changed since does not describe the object any more."""
        try:
            schema.decode(resource.type, live)
        except ApiError as error:
            title = _title(resource, meta(live).get("namespace", ""), live["metadata"]["name"])
            raise ApiError(500, "", f"failed to create typed live object {title}: {error.message}") from error

    def _applicable(self, resource: Resource, namespace: str, name: str, body: Any) -> Obj:
        """An applied configuration, decoded; raises like the API server when it cannot be typed (400, 500)."""
        if not isinstance(body, dict):
            raise bad_request("error decoding YAML: the body is no object")
        if not isinstance(body.get("metadata", {}), dict):
            raise bad_request("error decoding YAML: metadata is no object")
        if meta(body).get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        body = {**body, "metadata": {**meta(body)}}
        body["metadata"].setdefault("name", name)
        self._check_identity(resource, namespace, name, body)
        title = _title(resource, namespace, name)
        unknown: list[str] = []
        try:
            wanted: Obj = schema.decode(resource.type, body, "", unknown, empty=True)
        except schema.Malformed as error:
            said = f"failed to convert new object {title} to proper version ({resource.api_version}): {error.message}"
            raise ApiError(500, "", said) from error
        except ApiError as error:
            raise ApiError(500, "", f"failed to create typed patch object {title}: {error.message}") from error
        broken = [f".{path}: field not declared in schema" for path in unknown]
        broken += duplicate_keys(resource.type, wanted)
        if broken:
            text = broken[0] if len(broken) == 1 else "errors:\n  " + "\n  ".join(broken)
            raise ApiError(500, "", f"failed to create typed patch object {title}: {text}")
        return wanted

    def apply_replicas(self, resource: Resource, namespace: str, name: str, replicas: int, ask: Ask) -> Obj:
        """Server-side apply on the scale subresource: only `spec.replicas`, owned with subresource "scale"."""
        live = self.get(resource, namespace, name)
        wanted = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name},
                  "spec": {"replicas": replicas}}  # fmt: skip
        who = Manager("Apply", ask.manager, resource.api_version, "scale")
        merged = managers.apply(resource.type, live, wanted, who, force=bool(ask.force), ignored=ignored(resource))
        if merged is live:
            return live
        return self._commit(resource, live, self._settled(resource, live, merged, ""), ask, "")

    # Deleting

    def delete(self, resource: Resource, namespace: str, name: str, options: Obj, ask: Ask) -> tuple[Obj, bool]:
        """The last state, and whether the object is really gone (no grace period, no finalizers left)."""
        live = self.get(resource, namespace, name)
        self._check_preconditions(resource, live, options.get("preconditions") or {})
        policy = options.get("propagationPolicy") or ("Orphan" if options.get("orphanDependents") else "Background")
        if policy not in ("Background", "Foreground", "Orphan"):
            cause = errors.not_supported("propagationPolicy", policy, ["Background", "Foreground", "Orphan"])
            raise errors.invalid("DeleteOptions", "meta.k8s.io", "", [cause])
        finalizers = list(meta(live).get("finalizers") or [])
        for wanted, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
            if policy == wanted and finalizer not in finalizers:
                finalizers.append(finalizer)
        grace = self._grace(resource, live, options)
        namespaced_content = resource.key == admission.NAMESPACES and dig(live, "spec", "finalizers")
        if not finalizers and not grace and not namespaced_content:
            return (live if ask.dry_run else self.store.delete(resource.key, namespace, name)), True
        metadata = dict(live["metadata"])
        metadata.setdefault("deletionTimestamp", stamp())
        metadata["deletionGracePeriodSeconds"] = min(grace, metadata.get("deletionGracePeriodSeconds", grace))
        if finalizers:
            metadata["finalizers"] = finalizers
        if "generation" in metadata and "deletionTimestamp" not in live["metadata"]:
            metadata["generation"] += 1
        doomed = {**live, "metadata": metadata}
        if namespaced_content:
            doomed["status"] = {**live.get("status", {}), "phase": "Terminating"}
        if doomed == live or ask.dry_run:
            return doomed, False
        return self.store.put(resource.key, doomed), False

    def _grace(self, resource: Resource, live: Obj, options: Obj) -> int:
        if resource.key != admission.PODS or not dig(live, "spec", "nodeName"):
            return 0
        if dig(live, "status", "phase") in ("Succeeded", "Failed"):
            return 0
        asked = options.get("gracePeriodSeconds")
        return int(dig(live, "spec", "terminationGracePeriodSeconds", default=30) if asked is None else asked)

    def _check_preconditions(self, resource: Resource, live: Obj, wanted: Obj) -> None:
        for key, title in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(key) and wanted[key] != live["metadata"][key]:
                why = f"Precondition failed: {title} in precondition: {wanted[key]}, {title} in object meta: " \
                      f"{live['metadata'][key]}"  # fmt: skip
                raise errors.conflict(resource.plural, resource.group, live["metadata"]["name"], why)

    # Shared checks

    def _decoded(self, resource: Resource, body: Any, ask: Ask, patch: str = "") -> Obj:
        if not isinstance(body, dict):
            raise bad_request("the object provided is unrecognized (must be of type " + resource.kind + ")")
        for key, value in (("apiVersion", resource.api_version), ("kind", resource.kind)):
            body = body if body.get(key) else {**body, key: value}
        unknown: list[str] = []
        prefix = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        try:
            obj: Obj = schema.decode(resource.type, body, "", unknown)
        except ApiError as error:
            raise bad_request(prefix + error.message) from error
        obj.setdefault("metadata", {})
        if unknown and ask.validation == "Strict":
            listed = ", ".join(f'unknown field "{path}"' for path in unknown)
            if patch:
                cause = errors.invalid_value("patch", patch, f"strict decoding error: {listed}")
                raise errors.invalid("", "", "", [cause])
            raise bad_request(f"{prefix}strict decoding error: {listed}")
        if unknown and ask.validation == "Warn":
            ask.warnings += [f'unknown field "{path}"' for path in unknown]
        return obj

    def _check_identity(self, resource: Resource, namespace: str, name: str, obj: Obj) -> None:
        if obj.get("apiVersion") != resource.api_version:
            raise bad_request(
                f"the API version in the data ({obj.get('apiVersion')}) does not match the expected API version "
                f"({resource.api_version})"
            )
        if obj.get("kind") != resource.kind:
            raise bad_request(
                f"the kind in the data ({obj.get('kind')}) does not match the expected kind ({resource.kind})"
            )
        given = meta(obj).get("name")
        if name and given and given != name:
            raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
        if name and not given:
            raise bad_request("the name of the object (based on URL) was undeterminable: name must be provided")
        if resource.namespaced and meta(obj).get("namespace") not in (None, "", namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")

    def _check_version(self, resource: Resource, live: Obj, obj: Obj) -> None:
        name = live["metadata"]["name"]
        sent = meta(obj).get("resourceVersion")
        if sent and sent != live["metadata"]["resourceVersion"]:
            raise errors.conflict(resource.plural, resource.group, name)
        uid = meta(obj).get("uid")
        if uid and uid != live["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
            raise errors.conflict(resource.plural, resource.group, name, why)


def _title(resource: Resource, namespace: str, name: str) -> str:
    return f"({namespace}/{name}; {resource.api_version}, Kind={resource.kind})"
