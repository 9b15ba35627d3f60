"""From a Deployment to what holds it up: ReplicaSet, pods, events, volume claims, autoscaler, quota, nodes, a log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from chatops.kernel.catalog import Service
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.events import is_telling
from chatops.kernel.masking import mask
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import ClusterReader
from chatops.kernel.rollout import Rollout, newest_replicaset, owned_by, pods_of, revision_of, rollout
from commands.watching import parts_of
from commands.workload import image_in, with_image

T = TypeVar("T")
Asking = Callable[[], Awaitable[T]]  # begun only when it is awaited: what is cancelled before leaves nothing behind
Thing = Mapping[str, Any]
MOST_PODS = 3  # whose events and logs are read; the others of a Deployment fail the same way
LOG_LINES = 8


class Serving(NamedTuple):
    """Pods of one ReplicaSet that take requests; ``new``: of the present template."""

    version: str
    ready: int
    new: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cluster says about a service's workload."""

    service: Service  # with the image that runs, where the catalog names none
    namespace: str
    live: Thing
    newest: Thing | None  # the ReplicaSet of the present template
    pods: tuple[Thing, ...]  # its pods, those that are not ready first
    rollout: Rollout
    serving: tuple[Serving, ...]  # the newest revision first
    replicasets: tuple[Thing, ...] = ()  # of all revisions that are kept
    events: tuple[Thing, ...] = ()  # warnings about what is not well, the newest first
    quotas: tuple[Thing, ...] = ()
    nodes: tuple[Thing, ...] = ()
    claims: tuple[tuple[str, Thing | None, str], ...] = ()  # of its volumes: name, live object, the latest warning
    scaler: Thing | None = None  # the HorizontalPodAutoscaler that decides on its replicas
    log: str = ""  # masked; the end of what the first unready container that wrote anything wrote
    unseen: tuple[str, ...] = ()  # what could not be looked at, and why

    @property
    def version(self) -> str:
        """The version that is asked for."""
        return self.service.version_of(image_in(self.live, self.service.container))

    @property
    def unready(self) -> tuple[Thing, ...]:
        """The newest pods that are not ready."""
        return tuple(pod for pod in self.pods if not is_ready(pod))

    @property
    def old(self) -> int:
        """How many pods of earlier templates still take requests."""
        return sum(one.ready for one in self.serving if not one.new)

    @property
    def progress(self) -> str:
        """How many of the new pods are ready, and how many old ones serve while these are not."""
        if not self.old or self.rollout.ready >= self.rollout.wanted:
            return self.rollout.progress
        old = "old one still serves" if self.old == 1 else f"{self.old} old ones still serve"
        return f"{self.rollout.progress}; the {old}"


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
        serving=_serving(known, live, newest, replicasets, everyone), replicasets=tuple(replicasets),
    )  # fmt: skip
    return await _further(cluster, facts)


@dataclass(slots=True)
class _Look:
    """Looks at one thing after the other; what can't be looked at costs its own answer alone."""

    cluster: ClusterReader
    facts: Facts
    unseen: list[str] = field(default_factory=list)

    async def at(self, what: str, asked: Asking[T], instead: T) -> T:
        """What ``asked`` answers."""
        return next(iter(await self.at_all(what, {what: asked})), instead)

    async def at_all(self, what: str, asked: Mapping[str, Asking[T]]) -> list[T]:
        """What these answer, asked at once and named in words; ``what`` names them all, where all of several fail."""
        failed: dict[str, str] = {}

        async def one(name: str, answer: Asking[T]) -> list[T]:
            try:
                return [await answer()]
            except (ClusterError, Unavailable) as no:
                failed[name] = no.message
                return []

        found = await asyncio.gather(*(one(name, answer) for name, answer in asked.items()))
        all_of_several = len(failed) == len(asked) > 1
        told = {what: next(iter(failed.values()))} if all_of_several else failed
        self.unseen += [f"{name} can't be looked at: {why}" for name, why in told.items()]
        return [answer for answers in found for answer in answers]


async def _further(cluster: ClusterReader, facts: Facts) -> Facts:
    """What is further away; of what is healthy the autoscaler alone, which may be at its end."""
    look = _Look(cluster, facts)
    if facts.rollout.state == "healthy":
        scaler = await look.at("Autoscalers", partial(_scaler, cluster, facts), None)
        return replace(facts, scaler=scaler, unseen=tuple(look.unseen))
    nothing: list[dict[str, Any]] = []
    scaler, events, quotas, nodes, claims, log = await asyncio.gather(
        look.at("Autoscalers", partial(_scaler, cluster, facts), None),
        _warnings(look),
        look.at("Quotas", partial(cluster.find, "v1", "ResourceQuota", facts.namespace), nothing),
        look.at("Nodes", partial(cluster.find, "v1", "Node", ""), nothing),
        _claims(look),
        _log(look),
    )
    return replace(
        facts, events=tuple(events), quotas=tuple(quotas), nodes=tuple(nodes), claims=tuple(claims), scaler=scaler,
        log=log, unseen=tuple(sorted(look.unseen)),
    )  # fmt: skip


async def _scaler(cluster: ClusterReader, facts: Facts) -> Thing | None:
    ref = facts.rollout.ref
    for one in await cluster.find("autoscaling/v2", "HorizontalPodAutoscaler", facts.namespace):
        target = one["spec"]["scaleTargetRef"]
        if (target.get("kind"), target.get("name")) == (ref.kind, ref.name):
            return one
    return None


async def _claims(look: _Look) -> list[tuple[str, Thing | None, str]]:
    """The claims that the template's volumes name, each with the last that was warned of about it."""
    volumes = look.facts.live["spec"]["template"]["spec"].get("volumes") or []
    names = [str(one["persistentVolumeClaim"]["claimName"]) for one in volumes if one.get("persistentVolumeClaim")]
    asked = {f"Volume claim {name}": partial(_claim, look, name) for name in dict.fromkeys(names)}
    return await look.at_all("Volume claims", asked)


async def _claim(look: _Look, name: str) -> tuple[str, Thing | None, str]:
    namespace = look.facts.namespace
    ref = ObjectRef(api_version="v1", kind="PersistentVolumeClaim", namespace=namespace, name=name)
    live = await look.cluster.get(ref)
    if live is None or phase_of(live) == "Bound":
        return name, live, ""
    nothing: list[dict[str, Any]] = []
    events = await look.at(f"Events of {ref}", partial(look.cluster.events, namespace, ref.kind, name), nothing)
    told = [str(one.get("message", "")) for one in events if one.get("type") == "Warning"]
    return name, live, told[-1] if told else ""


async def _warnings(look: _Look) -> list[Thing]:
    facts = look.facts
    about = [("Pod", str(pod["metadata"]["name"])) for pod in facts.unready[:MOST_PODS]]
    about += [("ReplicaSet", str(facts.newest["metadata"]["name"]))] if facts.newest else []
    about.append(("Deployment", facts.rollout.ref.name))
    asked = {
        f"Events of {kind}/{name}": partial(look.cluster.events, facts.namespace, kind, name) for kind, name in about
    }
    found = await look.at_all("Events", asked)
    return [event for events in found for event in reversed(events) if is_telling(event)]


async def _log(look: _Look) -> str:
    """The end of the first log that says anything; all are asked at once, for a node that is gone takes its time."""
    pods = {str(pod["metadata"]["name"]): pod for pod in look.facts.unready[:MOST_PODS]}
    asked = {f"The log of {name}": partial(_last_words, look, name, pod) for name, pod in pods.items()}
    return next(filter(None, await look.at_all("The log", asked)), "")


async def _last_words(look: _Look, name: str, pod: Thing) -> str:
    """Of the container that crashed before where the present one has said nothing that helps."""
    states = (pod.get("status") or {}).get("containerStatuses") or []
    for state in states:
        if state.get("ready"):
            continue
        container = str(state.get("name", ""))
        waits = bool((state.get("state") or {}).get("waiting"))
        for previous in (True, False) if state.get("restartCount") and not waits else (False, True):
            said = await look.cluster.logs(look.facts.namespace, name, container, lines=LOG_LINES, previous=previous)
            if said.strip():
                return mask(said)[0]
    return ""


def _serving(
    service: Service, live: Thing, newest: Thing | None, replicasets: Sequence[Thing], pods: Sequence[Thing]
) -> tuple[Serving, ...]:
    found = []
    for one in sorted(owned_by(live, replicasets), key=revision_of, reverse=True):
        ready = sum(is_ready(pod) for pod in pods_of(one, pods))
        if ready:
            found.append(Serving(service.version_of(image_in(one, service.container)), ready, one is newest))
    return tuple(found)


def phase_of(claim: Thing) -> str:
    """Whether a volume claim is ``Bound``, or waits for its volume."""
    return str((claim.get("status") or {}).get("phase", "Bound"))


def is_ready(pod: Thing) -> bool:
    """Whether a pod takes requests."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
