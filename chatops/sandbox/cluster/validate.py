"""What Kubernetes refuses with 422 Invalid: the common mistakes, in its words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import definitions
from .errors import (
    Cause,
    duplicate,
    forbidden_field,
    invalid,
    invalid_value,
    not_supported,
    required,
)
from .resources import Resource
from .selectors import matches
from .values import Obj, dig

_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_QUALIFIED = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_LABEL_NAMED = {"Namespace", "Service", "Container"}
_FREE_NAMED = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def check(resource: Resource, obj: Obj, old: Obj | None) -> None:
    """Raises ApiError 422 naming every wrong field; `old` is the stored object of an update."""
    causes = _metadata(resource, obj)
    if resource.custom:  # its status is made up by the practice cluster itself
        causes += definitions.wrong(resource.schema, {key: value for key, value in obj.items() if key != "status"})
    checker = _CHECKS.get((resource.group, resource.kind))
    if checker:
        causes += checker(obj, old)
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
    elif resource.kind in _LABEL_NAMED:
        if not _LABEL.match(name) or len(name) > 63:
            causes.append(invalid_value("metadata.name", name, LABEL_TEXT if len(name) <= 63 else _too_long(63)))
    elif not _SUBDOMAIN.match(name) or len(name) > 253:
        causes.append(invalid_value("metadata.name", name, SUBDOMAIN_TEXT if len(name) <= 253 else _too_long(253)))
    causes += _labels("metadata.labels", metadata.get("labels") or {})
    for key in metadata.get("annotations") or {}:
        if not _is_qualified(key.lower()):
            causes.append(invalid_value("metadata.annotations", key, _NAME_PART))
    return causes


_NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} characters"


def _is_qualified(key: str) -> bool:
    prefix, _, name = key.rpartition("/")
    return bool(_QUALIFIED.match(name)) and len(name) <= 63 and (not prefix or bool(_SUBDOMAIN.match(prefix)))


def _labels(field: str, labels: Obj) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        if not _is_qualified(key):
            causes.append(invalid_value(field, key, _NAME_PART))
        if len(value) > 63:
            causes.append(invalid_value(field, value, _too_long(63)))
        elif not _LABEL_VALUE.match(value):
            causes.append(invalid_value(field, value, VALUE_TEXT))
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
    causes += _labels("spec.template.labels", labels)
    causes += pod_spec(spec["template"]["spec"], "spec.template.spec")
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
        causes.append(not_supported("spec.strategy.type", strategy["type"], ["Recreate", "RollingUpdate"]))
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
        if surge in (0, "0%") and unavailable in (0, "0%"):
            why = "may not be 0 when `maxSurge` is 0"
            causes.append(invalid_value("spec.strategy.rollingUpdate.maxUnavailable", unavailable, why))
    deadline, ready = spec.get("progressDeadlineSeconds", 600), spec.get("minReadySeconds", 0)
    if deadline <= ready and not any(cause.field == "spec.progressDeadlineSeconds" for cause in causes):
        causes.append(invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def _statefulset(obj: Obj, old: Obj | None) -> list[Cause]:
    causes = _workload(obj, old)
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
    causes += pod_spec(pod, "spec.template.spec")
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        field = "spec.template.spec.restartPolicy"
        causes.append(not_supported(field, str(pod.get("restartPolicy")), ["OnFailure", "Never"]))
    if old is not None and old["spec"]["template"] != spec["template"] and not old["spec"].get("suspend"):
        causes.append(invalid_value("spec.template", spec["template"], "field is immutable"))
    return causes


def _pod(obj: Obj, old: Obj | None) -> list[Cause]:
    spec = obj["spec"]
    causes = pod_spec(spec, "spec")
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


def pod_spec(spec: Obj, at: str) -> list[Cause]:
    causes: list[Cause] = []
    containers = spec.get("containers") or []
    if not containers:
        causes.append(required(f"{at}.containers"))
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    for group in ("containers", "initContainers"):
        seen: set[str] = set()
        for i, container in enumerate(spec.get(group) or []):
            causes += _container(container, f"{at}.{group}[{i}]", volumes)
            name = container.get("name", "")
            if name and name in seen:
                causes.append(duplicate(f"{at}.{group}[{i}].name", name))
            seen.add(name)
    return causes


def _container(container: Obj, at: str, volumes: set[Any]) -> list[Cause]:
    causes: list[Cause] = []
    name, image = container.get("name", ""), container.get("image", "")
    if not name:
        causes.append(required(f"{at}.name"))
    elif not _LABEL.match(name) or len(name) > 63:
        causes.append(invalid_value(f"{at}.name", name, LABEL_TEXT))
    if not image:
        causes.append(required(f"{at}.image"))
    elif image.strip() != image:
        causes.append(invalid_value(f"{at}.image", image, "must not have leading or trailing whitespace"))
    for i, port in enumerate(container.get("ports") or []):
        number = port.get("containerPort")
        if number is None:
            causes.append(required(f"{at}.ports[{i}].containerPort"))
        elif not 0 < number < 65536:
            causes.append(
                invalid_value(f"{at}.ports[{i}].containerPort", number, "must be between 1 and 65535, inclusive")
            )
    for i, env in enumerate(container.get("env") or []):
        if not env.get("name"):
            causes.append(required(f"{at}.env[{i}].name"))
        if env.get("value") and env.get("valueFrom"):
            why = "may not be specified when `value` is not empty"
            causes.append(invalid_value(f"{at}.env[{i}].valueFrom", "", why))
    for i, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            field = f"{at}.volumeMounts[{i}].name"
            causes.append(Cause("FieldValueNotFound", field, f'Not found: "{mount.get("name")}"'))
    return causes


def _config(obj: Obj, old: Obj | None) -> list[Cause]:
    causes = []
    for key in obj.get("data") or {}:
        if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
            why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or " \
                  "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"  # fmt: skip
            causes.append(invalid_value(f"data[{key}]", key, why))
    if old is not None and old.get("immutable"):
        if not obj.get("immutable"):
            causes.append(forbidden_field("immutable", "field is immutable when `immutable` is set"))
        if obj.get("data") != old.get("data"):
            causes.append(forbidden_field("data", "field is immutable when `immutable` is set"))
    return causes


def _role_binding(obj: Obj, old: Obj | None) -> list[Cause]:
    if old is not None and old.get("roleRef") != obj.get("roleRef"):
        return [invalid_value("roleRef", obj.get("roleRef"), "cannot change roleRef")]
    return []


def _hpa(obj: Obj, old: Obj | None) -> list[Cause]:
    spec = obj["spec"]
    causes = []
    if (most := spec.get("maxReplicas", 0)) < 1:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    elif most < spec["minReplicas"]:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    return causes


_CHECKS: dict[tuple[str, str], Callable[[Obj, Obj | None], list[Cause]]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _workload,
    ("apps", "DaemonSet"): _workload,
    ("apps", "StatefulSet"): _statefulset,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "ConfigMap"): _config,
    ("", "Secret"): _config,
    ("rbac.authorization.k8s.io", "RoleBinding"): _role_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _role_binding,
    ("autoscaling", "HorizontalPodAutoscaler"): _hpa,
}
