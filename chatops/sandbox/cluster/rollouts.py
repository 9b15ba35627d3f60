"""Pure arithmetic of a Deployment's rollout (Kubernetes documentation, "Deployments": rolling update, status)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .values import Obj, dig, meta

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM,
    "deprecated.deployment.rollback.to",
}  # fmt: skip


def share(value: int | str, whole: int, *, up: bool) -> int:
    """An absolute number, or a percentage of `whole` rounded up or down."""
    if isinstance(value, int):
        return value
    product = whole * int(value.rstrip("%"))
    return -(-product // 100) if up else product // 100


@dataclass(frozen=True)
class Bounds:
    """How many pods a rollout may have at most above, and at most missing below, the wanted number."""

    surge: int
    unavailable: int


def bounds(deployment: Obj) -> Bounds:
    wanted = replicas(deployment)
    rolling = dig(deployment, "spec", "strategy", "rollingUpdate")
    if rolling is None:
        return Bounds(0, 0)
    surge = share(rolling.get("maxSurge", 0), wanted, up=True)
    unavailable = share(rolling.get("maxUnavailable", 0), wanted, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(surge, min(unavailable, wanted) if wanted else unavailable)


def replicas(obj: Obj) -> int:
    found: int = dig(obj, "spec", "replicas", default=0)
    return found


def status(obj: Obj, field: str) -> int:
    found: int = dig(obj, "status", field, default=0)
    return found


def revision(obj: Obj) -> int:
    text = (meta(obj).get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def plain_template(template: Obj) -> Obj:
    """A template without its hash label, the form in which templates are compared."""
    labels = {key: value for key, value in dig(template, "metadata", "labels", default={}).items() if key != HASH}
    return {**template, "metadata": {**meta(template), "labels": labels}}


def wanted_size(deployment: Obj, new: Obj | None, everyone: list[Obj]) -> int:
    """How large the new ReplicaSet may be now: rolling updates stop at replicas + maxSurge in total."""
    total, have = replicas(deployment), replicas(new) if new else 0
    if dig(deployment, "spec", "strategy", "type") == "Recreate":
        return total
    room = total + bounds(deployment).surge - sum(replicas(rs) for rs in everyone)
    return have if room <= 0 else have + min(room, total - have)


def shrink_old(deployment: Obj, new: Obj, old: list[Obj]) -> dict[str, int]:
    """New sizes, by name, of the old ReplicaSets that may shrink now: unhealthy pods go first."""
    everyone = [*old, new]
    least = replicas(deployment) - bounds(deployment).unavailable
    pods = sum(replicas(rs) for rs in everyone)
    budget = pods - least - (replicas(new) - status(new, "availableReplicas"))
    if budget <= 0 or not any(replicas(rs) for rs in old):
        return {}
    sizes = {rs["metadata"]["name"]: replicas(rs) for rs in old}
    for rs in old:
        name = rs["metadata"]["name"]
        drop = min(budget, sizes[name] - min(status(rs, "availableReplicas"), sizes[name]))
        sizes[name] -= drop
        budget -= drop
    spare = sum(status(rs, "availableReplicas") for rs in everyone) - least
    for rs in old:
        name = rs["metadata"]["name"]
        drop = max(0, min(spare, sizes[name], budget))
        sizes[name] -= drop
        spare -= drop
        budget -= drop
    return {
        rs["metadata"]["name"]: sizes[rs["metadata"]["name"]]
        for rs in old
        if sizes[rs["metadata"]["name"]] != replicas(rs)
    }


def proportional(deployment: Obj, everyone: list[Obj], allowed: int) -> dict[str, int]:
    """Sizes when a rollout in progress is scaled: each ReplicaSet by its share, the rest to the largest."""
    active = [rs for rs in everyone if replicas(rs) > 0]
    total = sum(replicas(rs) for rs in active)
    change = allowed - total
    active.sort(key=lambda rs: -replicas(rs))
    sizes: dict[str, int] = {}
    spent = 0
    for rs in active:
        part = round(change * replicas(rs) / total) if total else 0
        part = min(part, change - spent) if change >= 0 else max(part, change - spent)
        sizes[rs["metadata"]["name"]] = max(0, replicas(rs) + part)
        spent += part
    if active and spent != change:
        name = active[0]["metadata"]["name"]
        sizes[name] = max(0, sizes[name] + change - spent)
    return sizes


def set_annotations(deployment: Obj, rs_annotations: dict[str, str]) -> dict[str, str]:
    """The annotations of a ReplicaSet after copying those of its Deployment (change-cause among them)."""
    result = dict(rs_annotations)
    for key, value in (meta(deployment).get("annotations") or {}).items():
        if key not in _NOT_COPIED:
            result[key] = value
    return {**result, **size_annotations(deployment)}


def size_annotations(deployment: Obj) -> dict[str, str]:
    wanted = replicas(deployment)
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + bounds(deployment).surge)}


def counted(deployment: Obj, new: Obj | None, everyone: list[Obj]) -> dict[str, Any]:
    """The numbers of a Deployment's status; zeroes are left out, as Kubernetes leaves them out."""
    total = sum(status(rs, "replicas") for rs in everyone)
    available = sum(status(rs, "availableReplicas") for rs in everyone)
    numbers = {
        "replicas": total,
        "updatedReplicas": status(new, "replicas") if new else 0,
        "readyReplicas": sum(status(rs, "readyReplicas") for rs in everyone),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total - available),
    }
    result = {key: value for key, value in numbers.items() if value}
    result["observedGeneration"] = meta(deployment).get("generation", 0)
    return result


def is_complete(deployment: Obj, numbers: Obj) -> bool:
    wanted = replicas(deployment)
    return all(numbers.get(key, 0) == wanted for key in ("updatedReplicas", "replicas", "availableReplicas"))


def made_progress(old: Obj, numbers: Obj) -> bool:
    def older(status: Obj) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grown = any(numbers.get(k, 0) > old.get(k, 0) for k in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grown or older(numbers) < older(old)
