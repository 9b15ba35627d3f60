"""Which node takes a pod: node selector, taints are ignored, requests against what is left."""

from __future__ import annotations

from decimal import Decimal

from .admission import PODS, quantity
from .behaviour import behaviour_of
from .store import Store
from .values import Obj, dig, meta

NODES = ("", "nodes")


def place(store: Store, pod: Obj) -> tuple[str, str]:
    """The node's name and "", or "" and why no node fits, in the scheduler's words."""
    nodes = [node for node in store.objects(NODES) if not dig(node, "spec", "unschedulable", default=False)]
    selector = dig(pod, "spec", "nodeSelector", default={})
    fitting = [node for node in nodes if selector.items() <= (meta(node).get("labels") or {}).items()]
    everyone = len(store.objects(NODES))
    stuck = any(not behaviour_of(c).schedulable for c in dig(pod, "spec", "containers", default=[]))
    if stuck or not fitting:
        why = f"{everyone} node(s) didn't match Pod's node affinity/selector"
        help_ = f"{everyone} Preemption is not helpful for scheduling"
        return "", f"0/{everyone} nodes are available: {why}. preemption: 0/{everyone} nodes are available: {help_}."
    wanted = _requests(pod)
    free = {node["metadata"]["name"]: _free(store, node) for node in fitting}
    lacking: dict[str, int] = {}
    possible: list[tuple[Decimal, str]] = []
    for name, left in free.items():
        short = [kind for kind, value in wanted.items() if value > left.get(kind, Decimal(0))]
        for kind in short:
            lacking[kind] = lacking.get(kind, 0) + 1
        if not short:
            possible.append((-left.get("pods", Decimal(0)), name))
    if possible:
        return min(possible)[1], ""
    reasons = ", ".join(f"{count} Insufficient {kind}" if kind != "pods" else f"{count} Too many pods"
                        for kind, count in sorted(lacking.items()))  # fmt: skip
    tail = f"preemption: 0/{everyone} nodes are available: {everyone} No preemption victims found for incoming pod."
    return "", f"0/{everyone} nodes are available: {reasons}. {tail}"


def _requests(pod: Obj) -> dict[str, Decimal]:
    total = {"pods": Decimal(1)}
    for container in dig(pod, "spec", "containers", default=[]):
        for kind, value in dig(container, "resources", "requests", default={}).items():
            total[kind] = total.get(kind, Decimal(0)) + quantity(value)
    return total


def _free(store: Store, node: Obj) -> dict[str, Decimal]:
    left = {kind: quantity(value) for kind, value in dig(node, "status", "allocatable", default={}).items()}
    for pod in store.objects(PODS):
        if dig(pod, "spec", "nodeName") != node["metadata"]["name"]:
            continue
        if dig(pod, "status", "phase") in ("Succeeded", "Failed"):
            continue
        for kind, value in _requests(pod).items():
            if kind in left:
                left[kind] -= value
    return left
