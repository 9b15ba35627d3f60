"""What is checked against other objects before a write is stored: namespaces and quotas."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from .errors import forbidden, not_found
from .quantities import quantity, shown
from .resources import Resource
from .store import Store
from .values import Obj, dig, meta

NAMESPACES = ("", "namespaces")
QUOTAS = ("", "resourcequotas")
PODS = ("", "pods")


def check_namespace(store: Store, resource: Resource, namespace: str, name: str) -> None:
    """Nothing is created in a namespace that is absent (404) or being terminated (403)."""
    found = store.get(NAMESPACES, "", namespace)
    if found is None:
        raise not_found("namespaces", "", namespace)
    if meta(found).get("deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise forbidden(resource.plural, resource.group, name, why)


def check_quota(store: Store, resource: Resource, obj: Obj) -> None:
    """Raises ApiError 403 "exceeded quota" when a new object would not fit a ResourceQuota of its namespace."""
    namespace, name = meta(obj).get("namespace", ""), obj["metadata"]["name"]
    for quota in store.objects(QUOTAS, namespace):
        hard = dig(quota, "spec", "hard", default={})
        wanted = {key: value for key, value in _usage(resource, obj).items() if key in hard}
        if not wanted:
            continue
        used = used_by(store, namespace, wanted)
        over = sorted(key for key, value in wanted.items() if used[key] + value > quantity(hard[key]))
        if over:
            parts = [
                f"{title}: " + ",".join(f"{key}={value}" for key, value in values)
                for title, values in (
                    ("requested", [(key, shown(wanted[key])) for key in over]),
                    ("used", [(key, shown(used[key])) for key in over]),
                    ("limited", [(key, hard[key]) for key in over]),
                )
            ]
            why = f"exceeded quota: {quota['metadata']['name']}, " + ", ".join(parts)
            raise forbidden(resource.plural, resource.group, name, why)


def used_by(store: Store, namespace: str, keys: Iterable[str]) -> dict[str, Decimal]:
    """What the namespace's pods (those not finished) and other counted objects use of each quota key."""
    total = dict.fromkeys(keys, Decimal(0))
    for key in store.kinds():
        if key[1] not in _COUNTED and key != PODS:
            continue
        for obj in store.objects(key, namespace):
            if key == PODS and dig(obj, "status", "phase") in ("Succeeded", "Failed"):
                continue
            for name, value in _amounts(key, obj).items():
                if name in total:
                    total[name] += value
    return total


_COUNTED = {"configmaps", "secrets", "services", "persistentvolumeclaims", "deployments", "replicasets", "jobs"}


def _usage(resource: Resource, obj: Obj) -> dict[str, Decimal]:
    return _amounts(resource.key, obj)


def _amounts(key: tuple[str, str], obj: Obj) -> dict[str, Decimal]:
    group, plural = key
    counted = f"count/{plural}.{group}" if group else f"count/{plural}"
    amounts = {counted: Decimal(1)}
    if not group:
        amounts[plural] = Decimal(1)
    if key == PODS:
        for kind in ("requests", "limits"):
            for container in dig(obj, "spec", "containers", default=[]):
                for name, value in dig(container, "resources", kind, default={}).items():
                    full = f"{kind}.{name}"
                    amounts[full] = amounts.get(full, Decimal(0)) + quantity(value)
        for name in ("cpu", "memory"):
            if f"requests.{name}" in amounts:
                amounts[name] = amounts[f"requests.{name}"]
    return amounts
