"""Which node takes a pod: its volume claims, node selector, requests against what is left; taints are ignored."""

from __future__ import annotations

from decimal import Decimal

from .admission import PODS
from .behaviour import behaviour_of
from .quantities import quantity
from .store import Store
from .values import Obj, dig, meta

NODES = ("", "nodes")
CLAIMS = ("", "persistentvolumeclaims")


def place(store: Store, pod: Obj) -> tuple[str, str]:
    """The node's name and "", or "" and why no node fits, in the scheduler's words."""
    nodes = store.objects(NODES)
    if why := _unclaimed(store, pod):
        head = f"0/{len(nodes)} nodes are available"
        return "", f"{head}: {why}. preemption: {head}: {len(nodes)} Preemption is not helpful for scheduling."
    selector = dig(pod, "spec", "nodeSelector", default={})
    stuck = any(not behaviour_of(c).schedulable for c in dig(pod, "spec", "containers", default=[]))
    wanted = _requests(pod)
    free = _free(store, nodes)
    possible: list[tuple[Decimal, str]] = []
    reasons: dict[str, int] = {}
    hopeless = 0  # nodes that would not fit if they were empty, either
    for node in nodes:
        closed = _closed(node, selector, stuck)
        left = free[node["metadata"]["name"]]
        short = [kind for kind, value in wanted.items() if value > left.get(kind, Decimal(0))]
        for reason in [closed] if closed else [_SHORT.get(kind, f"Insufficient {kind}") for kind in short]:
            reasons[reason] = reasons.get(reason, 0) + 1
        hopeless += bool(closed)
        if not closed and not short:
            possible.append((-left.get("pods", Decimal(0)), node["metadata"]["name"]))
    if possible:
        return min(possible)[1], ""
    head = f"0/{len(nodes)} nodes are available"
    help_ = [f"{hopeless} Preemption is not helpful for scheduling"] if hopeless else []
    full = len(nodes) - hopeless
    help_ += [f"{full} No preemption victims found for incoming pod"] if full else []
    said = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return "", f"{head}: {said}. preemption: {head}: {', '.join(sorted(help_))}."


def _unclaimed(store: Store, pod: Obj) -> str:
    """What is wrong with the claims of a pod's volumes; nothing binds claims here: one without a status counts."""
    for volume in dig(pod, "spec", "volumes", default=[]):
        name = dig(volume, "persistentVolumeClaim", "claimName", default="")
        claim = store.get(CLAIMS, meta(pod)["namespace"], name) if name else {}
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if dig(claim, "status", "phase", default="Bound") == "Pending":
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


_SHORT = {"pods": "Too many pods"}


def _closed(node: Obj, selector: Obj, stuck: bool) -> str:
    """Why a node takes no such pod however empty it is, as its scheduler plug-in words it; "" when it does."""
    if dig(node, "spec", "unschedulable", default=False):
        return "node(s) were unschedulable"
    if stuck or not selector.items() <= (meta(node).get("labels") or {}).items():
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


def _requests(pod: Obj) -> dict[str, Decimal]:
    total = {"pods": Decimal(1)}
    for container in dig(pod, "spec", "containers", default=[]):
        for kind, value in dig(container, "resources", "requests", default={}).items():
            total[kind] = total.get(kind, Decimal(0)) + quantity(value)
    return total


def _free(store: Store, nodes: list[Obj]) -> dict[str, dict[str, Decimal]]:
    """What is left of each node, by its name."""
    rooms = {node["metadata"]["name"]: dig(node, "status", "allocatable", default={}) for node in nodes}
    free = {name: {kind: quantity(value) for kind, value in room.items()} for name, room in rooms.items()}
    for pod in store.objects(PODS):
        left = free.get(dig(pod, "spec", "nodeName"))
        if left is None or dig(pod, "status", "phase") in ("Succeeded", "Failed"):
            continue
        for kind, value in _requests(pod).items():
            if kind in left:
                left[kind] -= value
    return free
