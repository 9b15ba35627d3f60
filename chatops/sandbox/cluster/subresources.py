"""The subresources that are more than a part of their object: scale, eviction, finalize; and the newer Event form."""

from __future__ import annotations

from typing import Any

from . import errors
from .admission import NAMESPACES, PODS
from .api import Api, Ask
from .errors import bad_request
from .resources import Resource
from .rules import APPLY, MERGE_PATCH, STRATEGIC, patch_object, read_yaml
from .schema import Node, type_named
from .selectors import matches
from .values import Obj, copy_parts, dig, meta


def scale_of(obj: Obj) -> Obj:
    """The `autoscaling/v1` Scale of a workload."""
    metadata = {
        key: obj["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    labels = dig(obj, "spec", "selector", "matchLabels", default={})
    wanted = dig(obj, "spec", "replicas", default=0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": wanted} if wanted else {},  # `omitempty`: none is left out
        "status": {
            "replicas": dig(obj, "status", "replicas", default=0),
            "selector": ",".join(f"{key}={labels[key]}" for key in sorted(labels)),
        },
    }


def answer_scale(
    api: Api, resource: Resource, namespace: str, name: str, verb: str, media: str, raw: bytes, ask: Ask
) -> Obj:
    """Read or write `spec.replicas`; writing makes the caller its manager with subresource "scale"."""
    live = api.get(resource, namespace, name)
    scale = scale_of(live)
    if verb == "get":
        return scale
    body: Any = read_yaml(raw)
    if verb == "patch" and media != APPLY:
        node: Node = type_named("V1Scale")
        body = patch_object(node, scale, MERGE_PATCH if media == STRATEGIC else media, body, custom=False)
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type Scale)")
    wanted = dig(body, "spec", "replicas", default=0)
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise bad_request("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32")
    if wanted < 0:
        cause = errors.invalid_value("spec.replicas", wanted, "must be greater than or equal to 0")
        raise errors.invalid("Scale", "autoscaling", name, [cause])
    sent = meta(body).get("resourceVersion")
    if sent and sent != live["metadata"]["resourceVersion"]:
        raise errors.conflict(resource.plural, resource.group, name)
    if media == APPLY and verb == "patch":
        return scale_of(api.apply_replicas(resource, namespace, name, wanted, ask))
    obj = copy_parts(live)
    obj["spec"]["replicas"] = wanted
    return scale_of(api.store_update(resource, live, obj, ask, owner="scale"))


def evict(api: Api, namespace: str, name: str, body: Obj, ask: Ask) -> Obj:
    """Delete a pod unless a PodDisruptionBudget forbids it (429)."""
    resource = api.registry.find("", "v1", "pods")
    pod = api.get(resource, namespace, name)
    for budget in api.store.objects(("policy", "poddisruptionbudgets"), namespace):
        if not matches(dig(budget, "spec", "selector"), meta(pod).get("labels") or {}):
            continue
        peers = [
            p
            for p in api.store.objects(PODS, namespace)
            if matches(budget["spec"]["selector"], meta(p).get("labels") or {})
        ]
        ready = sum(1 for p in peers if _is_ready(p))
        least = budget["spec"].get("minAvailable")
        if least is None:
            most = budget["spec"].get("maxUnavailable", 0)
            least = len(peers) - _amount(most, len(peers))
        if ready - 1 < _amount(least, len(peers)):
            text = "Cannot evict pod as it would violate the pod's disruption budget."
            name = budget["metadata"]["name"]
            why = f"The disruption budget {name} needs {least} healthy pods and has {ready} currently"
            cause = {"reason": "DisruptionBudget", "message": why}
            raise errors.ApiError(429, "TooManyRequests", text, {"causes": [cause]}, {"Retry-After": "10"})
    api.delete(resource, namespace, name, body.get("deleteOptions") or {}, ask)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _amount(value: int | str, whole: int) -> int:
    return -(-whole * int(value[:-1]) // 100) if isinstance(value, str) else value


def _is_ready(pod: Obj) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in dig(pod, "status", "conditions", default=[]))


def finalize_namespace(api: Api, name: str, body: Obj) -> Obj:
    """Set a namespace's `spec.finalizers`; one that is being deleted and has none left goes away."""
    resource = api.registry.find("", "v1", "namespaces")
    live = api.get(resource, "", name)
    spec = {**live["spec"], "finalizers": dig(body, "spec", "finalizers", default=[])}
    if not spec["finalizers"]:
        del spec["finalizers"]
    stored = api.store.put(NAMESPACES, {**live, "spec": spec})
    if meta(stored).get("deletionTimestamp") and "finalizers" not in spec:
        return api.store.delete(NAMESPACES, "", name)
    return stored


def to_events_v1(event: Obj) -> Obj:
    """A core/v1 event in the form of events.k8s.io/v1; both are the same stored object."""
    result: Obj = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": event["metadata"]}
    result["eventTime"] = event.get("eventTime")
    pairs = {"type": "type", "reason": "reason", "note": "message", "regarding": "involvedObject", "related": "related",
             "deprecatedCount": "count", "deprecatedFirstTimestamp": "firstTimestamp", "action": "action",
             "deprecatedLastTimestamp": "lastTimestamp", "deprecatedSource": "source", "series": "series",
             "reportingController": "reportingComponent", "reportingInstance": "reportingInstance"}  # fmt: skip
    result.update({new: event[old] for new, old in pairs.items() if old in event})
    return result
