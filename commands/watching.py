"""Following a rollout until it is healthy or failing, and finding out why it fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatops.kernel import events
from chatops.kernel.errors import ClusterError, NotFound, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import Clock, ClusterReader
from chatops.kernel.rollout import Rollout, Trouble, newest_replicaset, pod_troubles, pods_of, rollout

PACE = 2.0  # seconds between looks at the pods: a pod that fails changes nothing on the Deployment
GRACE = 20.0  # seconds that a full cluster or quota may take to cure itself
ANSWER = 10.0  # seconds for a first answer after the deadline: a process that was down that long has not looked yet
MOST_PODS, MOST_EVENTS, MOST_LOG = 3, 4, 2500
# Said by the cluster autoscaler and by Karpenter when a node is on its way for a pod.
NODE_IS_COMING = frozenset({"TriggeredScaleUp", "Nominated"})


@dataclass(slots=True)
class _Latest:
    """The newest Deployment seen by the watch, or the error that ended it."""

    deployment: dict[str, Any] | None = None
    error: ClusterError | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, reader: ClusterReader, ref: ObjectRef, seconds: float) -> None:
        try:
            async with contextlib.aclosing(reader.watch(ref, timeout=seconds)) as seen:  # type: ignore[type-var]
                async for self.deployment in seen:
                    self.changed.set()
        except ClusterError as error:
            self.error = error
        self.changed.set()

    async def wait(self, seconds: float) -> None:
        """Until something changed, at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        self.changed.clear()


async def watch_rollout(
    reader: ClusterReader,
    ref: ObjectRef,
    generation: int,
    *,
    clock: Clock,
    deadline: float,
    pace: float = PACE,
    grace: float = GRACE,
) -> AsyncIterator[Rollout]:
    """Yields how the rollout of ``generation`` stands, now and at each change, until healthy, failing or ``deadline``.

    ``deadline`` is in epoch seconds on ``clock``; the last one yielded is healthy or failing. An absent cluster is
    waited for. Raises ``ClusterError`` when the cluster forbids to look, ``Unavailable`` when it does not answer after
    the deadline: what nobody could look at has not failed.
    """
    latest = _Latest()
    following = asyncio.create_task(latest.follow(reader, ref, max(1.0, deadline - clock.now())))
    said: Rollout | None = None
    try:
        patience = _Patience(grace)
        while True:
            if following.done():
                following.result()  # a defect in following must not look like a rollout that stands still
            seen = await _look(reader, ref, latest, generation, patience)
            if clock.now() >= deadline:
                if seen is None:
                    await latest.wait(ANSWER)
                    seen = await _look(reader, ref, latest, generation, patience)
                seen = _overdue(seen)
            if seen is not None and seen != said:
                said = seen
                yield seen
            if seen is not None and seen.state != "progressing":
                return
            await latest.wait(min(pace, max(0.05, deadline - clock.now())))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


class _Patience:
    """Counts how long trouble that may pass has lasted."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._since: float | None = None

    def is_over(self, troubled: bool) -> bool:
        now = asyncio.get_running_loop().time()
        if not troubled:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return now - self._since >= self._grace


async def _look(
    reader: ClusterReader, ref: ObjectRef, latest: _Latest, generation: int, patience: _Patience
) -> Rollout | None:
    """How it stands; None before the cluster has answered for the first time."""
    if isinstance(latest.error, NotFound):
        gone = f"{ref} was deleted during the rollout."
        return Rollout(ref, "failing", 0, 0, "deleted", "NotFound", gone)
    if latest.error is not None:
        raise latest.error
    deployment = latest.deployment
    if deployment is None:
        return None
    seen = rollout(deployment, generation=generation, waited=False)
    if seen.state == "healthy":
        return seen
    try:
        replicasets, pods = await parts_of(reader, deployment)
        seen = rollout(deployment, replicasets, pods, generation=generation, waited=False)
        troubled = seen.state == "progressing" and seen.reason not in ("", "Paused")
        if patience.is_over(troubled and not await _node_is_coming(reader, ref, seen)):
            seen = rollout(deployment, replicasets, pods, generation=generation)
    except Unavailable as away:
        return Rollout(ref, "progressing", seen.ready, seen.wanted, away.message, "Unavailable")
    return seen


async def parts_of(
    reader: ClusterReader, deployment: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The ReplicaSets and pods that a Deployment's selector finds."""
    namespace, selector = deployment["metadata"]["namespace"], selector_of(deployment)
    replicasets = await reader.find("apps/v1", "ReplicaSet", namespace, selector)
    return replicasets, await reader.find("v1", "Pod", namespace, selector)


async def _node_is_coming(reader: ClusterReader, ref: ObjectRef, seen: Rollout) -> bool:
    if seen.reason != "Unschedulable":
        return False
    for pod in seen.failing_pods[:MOST_PODS]:
        if any(event.get("reason") in NODE_IS_COMING for event in await reader.events(ref.namespace, "Pod", pod)):
            return True
    return False


def _overdue(seen: Rollout | None) -> Rollout:
    """What a rollout counts as after its deadline."""
    if seen is None or seen.reason == "Unavailable":
        raise Unavailable(seen.progress if seen is not None else "the cluster does not answer")
    if seen.state != "progressing":
        return seen
    why = f" {seen.sentence}" if seen.sentence else ""
    said = f"It did not become healthy in time: {seen.progress}.{why}"
    return Rollout(seen.ref, "failing", seen.ready, seen.wanted, seen.progress, "Deadline", said, seen.failing_pods)


def selector_of(deployment: dict[str, Any]) -> str:
    """The Deployment's label selector as the API takes it in a query."""
    selector = deployment["spec"].get("selector") or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        key, operator, values = one["key"], one["operator"], ",".join(one.get("values") or [])
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(words[operator])
    return ",".join(parts)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a rollout fails: which pods, why, and what the cluster reported; ``code`` is the end of a log."""

    lines: tuple[str, ...]
    code: str = ""


async def diagnose(reader: ClusterReader, ref: ObjectRef) -> Diagnosis:
    """Looks at the newest pods of a Deployment, their logs (masked) and events.

    Raises ``Unavailable`` or a ``ClusterError`` when the cluster can't be asked at all.
    """
    deployment = await reader.get(ref)
    if deployment is None:
        return Diagnosis((f"{ref} is not there.",))
    replicasets, everyone = await parts_of(reader, deployment)
    newest = newest_replicaset(deployment, replicasets)
    pods = pods_of(newest, everyone)
    troubles = pod_troubles(pods)
    seen = rollout(deployment, replicasets, everyone)
    lines = [f"{seen.progress[:1].upper()}{seen.progress[1:]}."]
    if troubles:
        lines += list(dict.fromkeys(one.sentence for one in troubles))[:MOST_PODS]
    elif seen.sentence:
        lines.append(seen.sentence)
    unready = [str(pod["metadata"]["name"]) for pod in pods if not _is_ready(pod)]
    if unready:
        more = f" and {len(unready) - MOST_PODS} more" if len(unready) > MOST_PODS else ""
        lines.append(f"Not ready: {', '.join(unready[:MOST_PODS])}{more}.")
    about = [("Pod", name) for name in unready[:1]]
    about += [("ReplicaSet", str(newest["metadata"]["name"]))] if newest else []
    lines += await _warnings(reader, ref.namespace, [*about, ("Deployment", ref.name)])
    return Diagnosis(tuple(lines), await _last_words(reader, ref.namespace, unready, troubles))


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


async def _warnings(reader: ClusterReader, namespace: str, about: list[tuple[str, str]]) -> list[str]:
    newest_first = [event for kind, name in about for event in reversed(await reader.events(namespace, kind, name))]
    return events.told(filter(events.is_telling, newest_first), 240)[:MOST_EVENTS]


async def _last_words(reader: ClusterReader, namespace: str, unready: list[str], troubles: list[Trouble]) -> str:
    """The end of the log of the first container that has said anything; of the one that crashed before, if need be."""
    containers = [(one.pod, one.container) for one in troubles if one.container]
    for pod, container in [*containers, *((pod, "") for pod in unready)][: MOST_PODS + 1]:
        for previous in (False, True):
            try:
                said = await reader.logs(namespace, pod, container, previous=previous)
            except (ClusterError, Unavailable):
                continue  # logs may be forbidden, or a node not answer, where everything else is there
            if said.strip():
                return mask(said.strip())[0][-MOST_LOG:]
    return ""
