"""What Kubernetes refuses with 422 Invalid: the common mistakes, in its words."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import definitions, kinds
from .errors import Cause, forbidden_field, invalid, invalid_value, not_supported, required
from .naming import (
    LABEL,
    LABEL_TEXT,
    NAME_PART,
    SERVICE_NAME,
    SERVICE_NAME_TEXT,
    SUBDOMAIN,
    SUBDOMAIN_TEXT,
    is_qualified,
    too_long,
    wrong_labels,
)
from .podspecs import wrong_spec
from .resources import Resource
from .selectors import matches
from .values import Obj, dig

_LABEL_NAMED = {"Namespace", "Container"}
MOST_ANNOTATIONS = 256 * 1024
_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_FREE_NAMED = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def check(resource: Resource, obj: Obj, old: Obj | None) -> None:
    """Raises ApiError 422 naming every wrong field; `old` is the stored object of an update."""
    causes = _metadata(resource, obj)
    if resource.custom:  # its status is made up by the practice cluster itself
        causes += definitions.wrong(resource.schema, {key: value for key, value in obj.items() if key != "status"})
    kind = (resource.group, resource.kind)
    if kind in _WORKLOADS:  # a spec that is as it was has been looked at when it came
        causes += _WORKLOADS[kind](obj, old) if old is None or obj["spec"] != old["spec"] else []
    elif kind in kinds.CHECKS:
        causes += kinds.CHECKS[kind](obj, old)
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes)


def field_manager(manager: str, *, applying: bool, force: bool | None) -> None:
    """The rules on the options of a patch; raises ApiError 422 in the words of PatchOptions."""
    causes = []
    if applying and not manager:
        causes.append(required("fieldManager", "is required for apply patch"))
    if force is not None and not applying:
        causes.append(forbidden_field("force", "may not be specified for non-apply patch"))
    if len(manager) > 128:
        causes.append(Cause("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"))
    if causes:
        raise invalid("PatchOptions", "meta.k8s.io", "", causes)


def dry_run(values: list[str], kind: str) -> bool:
    """Whether `dryRun=All` was asked; anything else in it is refused with 422."""
    if any(value != "All" for value in values):
        wrong = next(value for value in values if value != "All")
        raise invalid(kind, "meta.k8s.io", "", [not_supported("dryRun", wrong, ["All"])])
    return bool(values)


def _metadata(resource: Resource, obj: Obj) -> list[Cause]:
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    causes: list[Cause] = []
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    elif resource.kind in _FREE_NAMED:
        if "/" in name or "%" in name:
            causes.append(invalid_value("metadata.name", name, "may not contain '/' or '%'"))
    elif resource.kind == "Service":
        if not SERVICE_NAME.match(name):
            causes.append(invalid_value("metadata.name", name, SERVICE_NAME_TEXT))
    elif resource.kind in _LABEL_NAMED:
        if not LABEL.match(name) or len(name) > 63:
            causes.append(invalid_value("metadata.name", name, LABEL_TEXT if len(name) <= 63 else too_long(63)))
    elif not SUBDOMAIN.match(name) or len(name) > 253:
        causes.append(invalid_value("metadata.name", name, SUBDOMAIN_TEXT if len(name) <= 253 else too_long(253)))
    causes += wrong_labels("metadata.labels", metadata.get("labels") or {})
    for key in metadata.get("annotations") or {}:
        if not is_qualified(key.lower()):
            causes.append(invalid_value("metadata.annotations", key, NAME_PART))
    if sum(len(key) + len(value) for key, value in (metadata.get("annotations") or {}).items()) > MOST_ANNOTATIONS:
        why = f"Too long: may not be more than {MOST_ANNOTATIONS} bytes"
        causes.append(Cause("FieldValueTooLong", "metadata.annotations", why))
    causes += kinds.owners(metadata.get("ownerReferences") or [])
    for i, finalizer in enumerate(() if resource.custom else metadata.get("finalizers") or ()):
        if "/" not in finalizer and finalizer not in _FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(invalid_value(f"metadata.finalizers[{i}]", finalizer, why))
    return causes


def _not_negative(obj: Obj, *fields: str) -> list[Cause]:
    spec = obj.get("spec") or {}
    return [invalid_value(f"spec.{field}", spec[field], "must be greater than or equal to 0")
            for field in fields if isinstance(spec.get(field), int) and spec[field] < 0]  # fmt: skip


def _workload(obj: Obj, old: Obj | None) -> list[Cause]:
    spec = obj["spec"]
    causes = _not_negative(obj, "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    selector = spec.get("selector")
    labels = dig(spec, "template", "metadata", "labels", default={})
    if selector is None:
        causes.append(required("spec.selector"))
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        causes.append(invalid_value("spec.selector", selector, "empty selector is invalid for deployment"))
    elif not matches(selector, labels):
        why = "`selector` does not match template `labels`"
        causes.append(invalid_value("spec.template.metadata.labels", labels, why))
    if old is not None and old["spec"].get("selector") != selector:
        causes.append(invalid_value("spec.selector", selector, "field is immutable"))
    causes += wrong_labels("spec.template.labels", labels)
    causes += wrong_spec(spec["template"]["spec"], "spec.template.spec")
    if "activeDeadlineSeconds" in spec["template"]["spec"]:
        why = "activeDeadlineSeconds in ReplicaSet is not Supported"
        causes.append(forbidden_field("spec.template.spec.activeDeadlineSeconds", why))
    policy = spec["template"]["spec"].get("restartPolicy")
    if policy != "Always":
        causes.append(not_supported("spec.template.spec.restartPolicy", str(policy), ["Always"]))
    return causes


def _deployment(obj: Obj, old: Obj | None) -> list[Cause]:
    causes = _workload(obj, old)
    spec = obj["spec"]
    strategy = spec["strategy"]
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] not in ("RollingUpdate", "Recreate"):
        causes.append(not_supported("spec.strategy", strategy["type"], ["Recreate", "RollingUpdate"]))
    elif strategy["type"] == "Recreate" and rolling is not None:
        why = "may not be specified when strategy `type` is 'Recreate'"
        causes.append(forbidden_field("spec.strategy.rollingUpdate", why))
    elif rolling:
        surge, unavailable = rolling.get("maxSurge"), rolling.get("maxUnavailable")
        for key, value in (("maxSurge", surge), ("maxUnavailable", unavailable)):
            if isinstance(value, str) and not re.fullmatch(r"[0-9]+%", value):
                why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or " \
                      "'93%', regex used for validation is '[0-9]+%')"  # fmt: skip
                causes.append(invalid_value(f"spec.strategy.rollingUpdate.{key}", value, why))
        if isinstance(unavailable, str) and re.fullmatch(r"[0-9]{3,}%", unavailable) and unavailable != "100%":
            why = "must not be greater than 100%"
            causes.append(invalid_value("spec.strategy.rollingUpdate.maxUnavailable", unavailable, why))
        if surge in (0, "0%") and unavailable in (0, "0%"):
            why = "may not be 0 when `maxSurge` is 0"
            causes.append(invalid_value("spec.strategy.rollingUpdate.maxUnavailable", unavailable, why))
    deadline, ready = spec.get("progressDeadlineSeconds", 600), spec.get("minReadySeconds", 0)
    if deadline <= ready and not any(cause.field == "spec.progressDeadlineSeconds" for cause in causes):
        causes.append(invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def _daemonset(obj: Obj, old: Obj | None) -> list[Cause]:
    causes = _workload(obj, old)
    strategy = obj["spec"]["updateStrategy"]
    rolling = strategy.get("rollingUpdate") or {}
    if strategy["type"] not in ("RollingUpdate", "OnDelete"):
        causes.append(not_supported("spec.updateStrategy", strategy["type"], ["RollingUpdate", "OnDelete"]))
    elif strategy["type"] == "RollingUpdate":
        surges, stops = (rolling.get(key) not in (0, "0%") for key in ("maxSurge", "maxUnavailable"))
        if surges and stops:
            why = "may not be set when maxUnavailable is non-zero"
            causes.append(invalid_value("spec.updateStrategy.rollingUpdate.maxSurge", rolling.get("maxSurge"), why))
        elif not surges and not stops:
            field = "spec.updateStrategy.rollingUpdate.maxUnavailable"
            causes.append(required(field, "cannot be 0 when maxSurge is 0"))
    return causes


def _statefulset(obj: Obj, old: Obj | None) -> list[Cause]:
    causes = _workload(obj, old)
    policy, how = obj["spec"]["podManagementPolicy"], obj["spec"]["updateStrategy"]
    if policy not in ("OrderedReady", "Parallel"):
        causes.append(invalid_value("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    if how["type"] not in ("RollingUpdate", "OnDelete"):
        causes.append(invalid_value("spec.updateStrategy", how, "must be 'RollingUpdate' or 'OnDelete'"))
    if old is not None:
        free = {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds",
                "persistentVolumeClaimRetentionPolicy"}  # fmt: skip
        before = {key: value for key, value in old["spec"].items() if key not in free}
        after = {key: value for key, value in obj["spec"].items() if key not in free}
        if before != after:
            why = (
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                "'minReadySeconds' are forbidden"
            )
            causes.append(forbidden_field("spec", why))
    return causes


def _job(obj: Obj, old: Obj | None) -> list[Cause]:
    spec = obj["spec"]
    causes = _not_negative(obj, "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds")
    pod = spec["template"]["spec"]
    causes += wrong_spec(pod, "spec.template.spec")
    if (policy := pod.get("restartPolicy", "Always")) == "Always":
        causes.append(required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    elif policy not in ("Never", "OnFailure"):
        causes.append(not_supported("spec.template.spec.restartPolicy", policy, ["OnFailure", "Never"]))
    causes += wrong_labels("spec.template.labels", dig(spec, "template", "metadata", "labels", default={}))
    indexed = spec.get("completionMode") == "Indexed"
    if old is not None and not indexed and old["spec"].get("completions") != spec.get("completions"):
        causes.append(invalid_value("spec.completions", spec.get("completions"), "field is immutable"))
    if old is not None and old["spec"]["template"] != spec["template"] and not old["spec"].get("suspend"):
        causes.append(invalid_value("spec.template", spec["template"], "field is immutable"))
    return causes


def _pod(obj: Obj, old: Obj | None) -> list[Cause]:
    spec = obj["spec"]
    causes = list(wrong_spec(spec, "spec"))
    if old is not None:
        causes += _frozen_pod(spec, old["spec"])
    return causes


def _frozen_pod(new: Obj, old: Obj) -> list[Cause]:
    def fixed(spec: Obj) -> Obj:
        kept = {
            key: value for key, value in spec.items() if key not in ("activeDeadlineSeconds", "tolerations", "nodeName")
        }
        kept["containers"] = [{k: v for k, v in c.items() if k != "image"} for c in spec.get("containers", [])]
        return kept

    if fixed(new) != fixed(old):
        why = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        return [forbidden_field("spec", why)]
    return []


_WORKLOADS: dict[tuple[str, str], Callable[[Obj, Obj | None], list[Cause]]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _workload,
    ("apps", "DaemonSet"): _daemonset,
    ("apps", "StatefulSet"): _statefulset,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
}
