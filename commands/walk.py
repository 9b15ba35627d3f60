"""From a Deployment down to what holds it up: ReplicaSet, pods, events, quota, nodes, the end of a log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatops.kernel.catalog import Service
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.ports import ClusterReader
from chatops.kernel.rollout import Rollout, newest_replicaset, owned_by, pods_of, revision_of, rollout
from commands.watching import is_telling, parts_of
from commands.workload import image_in, with_image

Thing = Mapping[str, Any]
MOST_PODS = 3  # whose events and logs are read; the others of a Deployment fail the same way
LOG_LINES = 8


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cluster says about a service's workload."""

    service: Service  # with the image that runs, where the catalog names none
    namespace: str
    live: Thing
    newest: Thing | None  # the ReplicaSet of the present template
    pods: tuple[Thing, ...]  # its pods, those that are not ready first
    rollout: Rollout
    serving: tuple[tuple[str, int], ...]  # version → ready pods, the newest version first
    events: tuple[Thing, ...] = ()  # warnings about what is not well, the newest first
    quotas: tuple[Thing, ...] = ()
    nodes: tuple[Thing, ...] = ()
    log: str = ""  # masked; the end of what the first unready container wrote
    unseen: tuple[str, ...] = ()  # what could not be looked at, and why

    @property
    def version(self) -> str:
        """The version that is asked for."""
        return self.service.version_of(image_in(self.live, self.service.container))

    @property
    def unready(self) -> tuple[Thing, ...]:
        """The newest pods that are not ready."""
        return tuple(pod for pod in self.pods if not is_ready(pod))


async def walk(cluster: ClusterReader, service: Service, live: dict[str, Any]) -> Facts:
    """Looks at the parts of a Deployment; at what is further away only where something is not well.

    Raises ``Unavailable`` or a ``ClusterError`` when not even its pods can be asked for.
    """
    namespace = str(live["metadata"]["namespace"])
    replicasets, everyone = await parts_of(cluster, live)
    newest = newest_replicaset(live, replicasets)
    pods = sorted(pods_of(newest, everyone), key=lambda pod: (is_ready(pod), str(pod["metadata"]["name"])))
    seen, known = rollout(live, replicasets, everyone), with_image(service, live)
    facts = Facts(
        service=known, namespace=namespace, live=live, newest=newest, pods=tuple(pods), rollout=seen,
        serving=_serving(known, live, replicasets, everyone),
    )  # fmt: skip
    return facts if seen.state == "healthy" else await _further(cluster, facts)


async def _further(cluster: ClusterReader, facts: Facts) -> Facts:
    unseen: list[str] = []

    async def looked(what: str, asked: Callable[[], Awaitable[Any]], instead: Any) -> Any:
        try:
            return await asked()
        except (ClusterError, Unavailable) as no:
            unseen.append(f"{what} can't be looked at: {no.message}")
            return instead

    events, quotas, nodes, log = await asyncio.gather(
        looked("Events", lambda: _warnings(cluster, facts), []),
        looked("Quotas", lambda: cluster.find("v1", "ResourceQuota", facts.namespace), []),
        looked("Nodes", lambda: cluster.find("v1", "Node", ""), []),
        looked("The log", lambda: _log(cluster, facts), ""),
    )
    return replace(facts, events=tuple(events), quotas=tuple(quotas), nodes=tuple(nodes), log=log, unseen=tuple(unseen))


async def _warnings(cluster: ClusterReader, facts: Facts) -> list[Thing]:
    about = [("Pod", str(pod["metadata"]["name"])) for pod in facts.unready[:MOST_PODS]]
    about += [("ReplicaSet", str(facts.newest["metadata"]["name"]))] if facts.newest else []
    about.append(("Deployment", facts.rollout.ref.name))
    found = await asyncio.gather(*(cluster.events(facts.namespace, kind, name) for kind, name in about))
    return [event for events in found for event in reversed(events) if is_telling(event)]


async def _log(cluster: ClusterReader, facts: Facts) -> str:
    """Of the container that crashed before where the present one has said nothing that helps."""
    for pod in facts.unready[:MOST_PODS]:
        states = (pod.get("status") or {}).get("containerStatuses") or []
        for state in sorted(states, key=lambda one: bool(one.get("ready"))):
            if state.get("ready"):
                continue
            name, container = str(pod["metadata"]["name"]), str(state.get("name", ""))
            waits = bool((state.get("state") or {}).get("waiting"))
            for previous in (True, False) if state.get("restartCount") and not waits else (False, True):
                text = await cluster.logs(facts.namespace, name, container, lines=LOG_LINES, previous=previous)
                if text.strip():
                    return mask(text)[0]
    return ""


def _serving(
    service: Service, live: Thing, replicasets: Sequence[Thing], pods: Sequence[Thing]
) -> tuple[tuple[str, int], ...]:
    found = []
    for one in sorted(owned_by(live, replicasets), key=revision_of, reverse=True):
        ready = sum(is_ready(pod) for pod in pods_of(one, pods))
        if ready:
            found.append((service.version_of(image_in(one, service.container)), ready))
    return tuple(found)


def is_ready(pod: Thing) -> bool:
    """Whether a pod takes requests."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
