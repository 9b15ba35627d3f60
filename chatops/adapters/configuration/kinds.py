"""Kinds and objects as declared actions name them: ``Kind/name`` in the core group, else ``Kind.group/name``."""

from __future__ import annotations

import re

KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_GROUP = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
RBAC = "rbac.authorization.k8s.io"
# The group of kinds that people know without it (https://kubernetes.io/docs/reference/kubernetes-api/)
_GROUPS = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps"),
    **dict.fromkeys(("Job", "CronJob"), "batch"),
    **dict.fromkeys(("Ingress", "NetworkPolicy"), "networking.k8s.io"),
    **dict.fromkeys(("HTTPRoute", "Gateway"), "gateway.networking.k8s.io"),
    **dict.fromkeys(("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), RBAC),
    "PodDisruptionBudget": "policy",
    "HorizontalPodAutoscaler": "autoscaling",
}
_CORE = (
    "ConfigMap", "Secret", "Service", "Pod", "PersistentVolumeClaim", "ServiceAccount", "ResourceQuota", "LimitRange",
    "Namespace", "Endpoints", "ReplicationController",
)  # fmt: skip
_BY_FOLD = {kind.casefold(): kind for kind in (*_GROUPS, *_CORE)}
CLUSTER_WIDE = frozenset({
    "Namespace", "Node", "PersistentVolume", "ComponentStatus", "StorageClass.storage.k8s.io",
    "PriorityClass.scheduling.k8s.io", "IngressClass.networking.k8s.io",
    "CustomResourceDefinition.apiextensions.k8s.io", "APIService.apiregistration.k8s.io",
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
})  # fmt: skip


def kind_problem(text: str) -> str:
    """What is wrong with ``Kind`` or ``Kind.group``, or ``""``."""
    kind, _, group = text.partition(".")
    known = _BY_FOLD.get(kind.casefold(), "")
    if not KIND.fullmatch(kind):
        single = _BY_FOLD.get(kind.casefold().removesuffix("s"), "") or known
        return f"did you mean {_whole(single)}?" if single else "a kind is like ConfigMap or Cluster.postgresql.cnpg.io"
    if "/" in group or re.fullmatch(r"v\d\w*", group):
        return "name the group without its version, like Cluster.postgresql.cnpg.io"
    if "." in text and not _GROUP.fullmatch(group):
        return f"{group!r} is no API group, like postgresql.cnpg.io"
    if not group and kind in _GROUPS:
        return f"{kind} is not in the core group: write {_whole(kind)}"
    return ""


def _whole(kind: str) -> str:
    return f"{kind}.{_GROUPS[kind]}" if kind in _GROUPS else kind


def kind_of(api_version: str, kind: str) -> str:
    """``Kind`` or ``Kind.group`` of a manifest."""
    group, slash, _ = api_version.partition("/")
    return f"{kind}.{group}" if slash else kind


def object_problem(text: str) -> str:
    """What is wrong with an object's form, or ``""``; its name may hold ``${CEL}``."""
    kind, slash, name = text.partition("/")
    form = "an object is Kind/name in the core group, else Kind.group/name, like Cluster.postgresql.cnpg.io/orders"
    if "${" in kind:
        return f"the kind is written out, only the name may hold ${{…}}: {form}"
    if not slash or not kind or not name:
        return form
    if re.fullmatch(r"v\d\w*/.*", name) or re.match(r"v\d\w*/[A-Z]", text):
        return form
    return kind_problem(kind)


def off_limits(kind: str, allowed: tuple[str, ...] | None) -> str:
    """Why a declared action may not touch a kind, or ``""``; what only the cluster can tell is asked when planning."""
    if allowed is not None:
        return "" if kind in allowed else f"add {kind} to kinds of actions in platform.yml to allow it"
    if kind == "Secret" or kind.endswith(f".{RBAC}"):
        return f"Secrets and RBAC have to be allowed by name: add {kind} to kinds of actions in platform.yml"
    if kind in CLUSTER_WIDE:
        return f"it belongs to no namespace: add {kind} to kinds of actions in platform.yml to allow it"
    return ""
