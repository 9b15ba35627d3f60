"""From a Deployment to what holds it up: ReplicaSet, pods, events, volume claims, autoscaler, quota, nodes, a log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatops.kernel.catalog import Service
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.plan import ObjectRef
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
    claims: tuple[tuple[str, Thing | None, str], ...] = ()  # of its volumes: name, live object, the latest warning
    scaler: Thing | None = None  # the HorizontalPodAutoscaler that decides on its replicas
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
    return await _further(cluster, facts)


async def _further(cluster: ClusterReader, facts: Facts) -> Facts:
    """What is further away; of what is healthy the autoscaler alone, which may be at its end."""
    unseen: list[str] = []

    async def looked(what: str, asked: Callable[[], Awaitable[Any]], instead: Any) -> Any:
        try:
            return await asked()
        except (ClusterError, Unavailable) as no:
            unseen.append(f"{what} can't be looked at: {no.message}")
            return instead

    scaler = await looked("Autoscalers", lambda: _scaler(cluster, facts), None)
    if facts.rollout.state == "healthy":
        return replace(facts, scaler=scaler, unseen=tuple(unseen))
    events, quotas, nodes, claims, log = await asyncio.gather(
        looked("Events", lambda: _warnings(cluster, facts), []),
        looked("Quotas", lambda: cluster.find("v1", "ResourceQuota", facts.namespace), []),
        looked("Nodes", lambda: cluster.find("v1", "Node", ""), []),
        looked("Volume claims", lambda: _claims(cluster, facts), ()),
        looked("The log", lambda: _log(cluster, facts), ""),
    )
    return replace(
        facts, events=tuple(events), quotas=tuple(quotas), nodes=tuple(nodes), claims=tuple(claims), scaler=scaler,
        log=log, unseen=tuple(unseen),
    )  # fmt: skip


async def _scaler(cluster: ClusterReader, facts: Facts) -> Thing | None:
    ref = facts.rollout.ref
    for one in await cluster.find("autoscaling/v2", "HorizontalPodAutoscaler", facts.namespace):
        target = one["spec"]["scaleTargetRef"]
        if (target.get("kind"), target.get("name")) == (ref.kind, ref.name):
            return one
    return None


async def _claims(cluster: ClusterReader, facts: Facts) -> list[tuple[str, Thing | None, str]]:
    """The claims that the template's volumes name, each with the last that was warned of about it."""
    volumes = facts.live["spec"]["template"]["spec"].get("volumes") or []
    names = [str(one["persistentVolumeClaim"]["claimName"]) for one in volumes if one.get("persistentVolumeClaim")]
    found: list[tuple[str, Thing | None, str]] = []
    for name in dict.fromkeys(names):
        ref = ObjectRef(api_version="v1", kind="PersistentVolumeClaim", namespace=facts.namespace, name=name)
        live = await cluster.get(ref)
        events = await cluster.events(facts.namespace, ref.kind, name) if live is not None else []
        told = [str(one.get("message", "")) for one in events if one.get("type") == "Warning"]
        found.append((name, live, told[-1] if told else ""))
    return found


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
