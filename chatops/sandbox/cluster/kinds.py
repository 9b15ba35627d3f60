"""What Kubernetes refuses in services, secrets, roles, autoscalers and their like: the common mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .errors import Cause, duplicate, forbidden_field, invalid_value, not_supported, required
from .naming import LABEL, LABEL_TEXT, SUBDOMAIN, SUBDOMAIN_TEXT
from .podspecs import PROTOCOLS, wrong_port, wrong_spec
from .quantities import quantity
from .values import Obj, dig

RBAC = "rbac.authorization.k8s.io"
_SERVICE_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_KEYS_OF_TYPE = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_CRON_FIELD = r"(\*|\?|[0-9A-Za-z]+)(-[0-9A-Za-z]+)?(/[0-9]+)?"
_SCHEDULE = re.compile(rf"({_CRON_FIELD}(,{_CRON_FIELD})*( +|$)){{5}}|@\w+( +\S+)?")


def service(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj["spec"]
    ports = spec.get("ports") or []
    if spec["type"] not in _SERVICE_TYPES:
        yield not_supported("spec.type", spec["type"], _SERVICE_TYPES)
    if spec["type"] == "ExternalName":
        if not spec.get("externalName"):
            yield required("spec.externalName")
    elif not ports and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    names: set[str] = set()
    for i, port in enumerate(ports):
        at, name = f"spec.ports[{i}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{at}.name")
        elif name and not LABEL.match(name):
            yield invalid_value(f"{at}.name", name, LABEL_TEXT)
        elif name and name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from wrong_port(port.get("port", 0), f"{at}.port")
        yield from wrong_port(port.get("targetPort", 1), f"{at}.targetPort")
        if port["protocol"] not in PROTOCOLS:
            yield not_supported(f"{at}.protocol", port["protocol"], PROTOCOLS)


def config(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    for key in obj.get("data") or {}:
        if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
            why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or " \
                  "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"  # fmt: skip
            yield invalid_value(f"data[{key}]", key, why)
    for key in _KEYS_OF_TYPE.get(obj.get("type", ""), ()):
        if key not in (obj.get("data") or {}):
            yield required(f"data[{key}]")
    if old is not None and old.get("immutable"):
        if not obj.get("immutable"):
            yield forbidden_field("immutable", "field is immutable when `immutable` is set")
        if obj.get("data") != old.get("data"):
            yield forbidden_field("data", "field is immutable when `immutable` is set")
    if old is not None and old.get("type") != obj.get("type"):
        yield invalid_value("type", obj.get("type"), "field is immutable")


def binding(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    role = obj.get("roleRef") or {}
    if role.get("apiGroup", RBAC) != RBAC:
        yield not_supported("roleRef.apiGroup", role["apiGroup"], [RBAC])
    kinds = ["Role", "ClusterRole"] if obj["kind"] == "RoleBinding" else ["ClusterRole"]
    if role.get("kind", "") not in kinds:
        yield not_supported("roleRef.kind", role.get("kind", ""), kinds)
    if not role.get("name"):
        yield required("roleRef.name")
    for i, subject in enumerate(obj.get("subjects") or []):
        if not subject.get("name"):
            yield required(f"subjects[{i}].name")
        if subject.get("kind", "") not in ("ServiceAccount", "User", "Group"):
            yield not_supported(f"subjects[{i}].kind", subject.get("kind", ""), ["ServiceAccount", "User", "Group"])
        elif subject["kind"] == "ServiceAccount" and obj["kind"] != "RoleBinding" and not subject.get("namespace"):
            yield required(f"subjects[{i}].namespace")
    if old is not None and old.get("roleRef") != obj.get("roleRef"):
        yield invalid_value("roleRef", obj.get("roleRef"), "cannot change roleRef")


def role(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    for i, rule in enumerate(obj.get("rules") or []):
        if not rule.get("verbs"):
            yield required(f"rules[{i}].verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield required(f"rules[{i}].apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"rules[{i}].resources", "resource rules must supply at least one resource")


def quota(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    for name, amount in dig(obj, "spec", "hard", default={}).items():
        if quantity(amount) < 0:
            yield invalid_value(f"spec.hard[{name}]", amount, "must be greater than or equal to 0")


def claim(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    if not obj["spec"].get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in dig(obj, "spec", "resources", "requests", default={}):
        yield required("spec.resources[storage]")


def ingress(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    for i, rule in enumerate(obj["spec"].get("rules") or []):
        host = rule.get("host", "").removeprefix("*.")
        if host and not SUBDOMAIN.match(host):
            yield invalid_value(f"spec.rules[{i}].host", rule["host"], SUBDOMAIN_TEXT)
        for j, path in enumerate(dig(rule, "http", "paths", default=[])):
            if not path.get("pathType"):
                yield required(f"spec.rules[{i}].http.paths[{j}].pathType", "pathType must be specified")


def autoscaler(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj["spec"]
    for field in ("kind", "name"):
        if not dig(spec, "scaleTargetRef", field):
            yield required(f"spec.scaleTargetRef.{field}")
    if spec["minReplicas"] < 1:
        yield invalid_value("spec.minReplicas", spec["minReplicas"], "must be greater than or equal to 1")
    if (most := spec.get("maxReplicas", 0)) < 1:
        yield invalid_value("spec.maxReplicas", most, "must be greater than 0")
    elif most < spec["minReplicas"]:
        yield invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")


def cron(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    schedule, pod = obj["spec"].get("schedule", ""), obj["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    if not schedule:
        yield required("spec.schedule")
    elif not _SCHEDULE.fullmatch(schedule):
        yield invalid_value("spec.schedule", schedule, "is no cron schedule")
    if len(obj["metadata"].get("name", "")) > 52:
        yield invalid_value("metadata.name", obj["metadata"]["name"], "must be no more than 52 characters")
    at = "spec.jobTemplate.spec.template.spec"
    yield from wrong_spec(pod, at)
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        yield required(f"{at}.restartPolicy", 'valid values: "OnFailure", "Never"')


def budget(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid_value("spec", spec, "minAvailable and maxUnavailable cannot be both set")


def owners(references: Sequence[Obj]) -> Iterator[Cause]:
    for reference in references:
        for field in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(field):
                yield invalid_value(f"metadata.ownerReferences.{field}", "", "must not be empty")


CHECKS: dict[tuple[str, str], Callable[[Obj, Any], Iterator[Cause]]] = {
    ("", "Service"): service,
    ("", "ConfigMap"): config,
    ("", "Secret"): config,
    ("", "ResourceQuota"): quota,
    ("", "PersistentVolumeClaim"): claim,
    (RBAC, "RoleBinding"): binding,
    (RBAC, "ClusterRoleBinding"): binding,
    (RBAC, "Role"): role,
    ("networking.k8s.io", "Ingress"): ingress,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaler,
    ("batch", "CronJob"): cron,
    ("policy", "PodDisruptionBudget"): budget,
}
