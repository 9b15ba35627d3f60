"""How a rollout stands, from the Deployment, its ReplicaSets and their pods. Pure.

Healthy by the rules of ``kubectl rollout status``; failing as soon as the cluster says that waiting will not help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from chatops.kernel.diff import REVISION, ref_of, same_template
from chatops.kernel.masking import mask
from chatops.kernel.plan import ObjectRef

Thing = Mapping[str, Any]
# Reasons of waiting containers, as the kubelet gives them (pkg/kubelet/images/types.go, container/sync_result.go).
IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
RESTARTS = 2
_LONGEST = 220


class Trouble(NamedTuple):
    """Why one pod, or the workload as a whole, will not become ready."""

    reason: str
    sentence: str
    pod: str = ""
    container: str = ""
    may_pass: bool = False  # a node may be added, a quota may be raised


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a rollout stands; ``progress`` for the card, ``sentence`` (ends with a full stop) when it fails or waits."""

    ref: ObjectRef
    state: Literal["progressing", "healthy", "failing"]
    ready: int
    wanted: int
    progress: str
    reason: str = ""
    sentence: str = ""
    failing_pods: tuple[str, ...] = ()


def rollout(
    deployment: Thing,
    replicasets: Iterable[Thing] = (),
    pods: Iterable[Thing] = (),
    *,
    generation: int = 0,
    waited: bool = True,
) -> Rollout:
    """How the rollout of ``generation`` (or a later one) stands; only pods of the newest ReplicaSet count.

    ``waited``: whether trouble that may pass by itself has lasted long enough to count as failure.
    """
    replicasets = list(replicasets)
    newest = newest_replicaset(deployment, replicasets)
    troubles = [*_workload_troubles(deployment, newest, generation), *pod_troubles(pods_of(newest, pods))]
    troubles.sort(key=lambda one: one.may_pass)
    serious = [one for one in troubles if waited or not one.may_pass]
    ready, wanted = _ready(deployment, newest, generation), _wanted(deployment)
    progress = _progress(ready, wanted, _old(deployment, newest, replicasets))
    failing = tuple(dict.fromkeys(one.pod for one in troubles if one.pod))
    if _done(deployment, generation):
        told = f"{_count(wanted)} ready" if wanted else "scaled to 0"
        return Rollout(ref_of(deployment), "healthy", wanted, wanted, told)
    if serious:
        first = serious[0]
        return Rollout(ref_of(deployment), "failing", ready, wanted, progress, first.reason, first.sentence, failing)
    if deployment["spec"].get("paused"):
        name = deployment["metadata"]["name"]
        said = f"{name} is paused: nothing rolls out until somebody resumes it."
        return Rollout(ref_of(deployment), "progressing", ready, wanted, f"{progress}, paused", "Paused", said)
    reason, sentence = (troubles[0].reason, troubles[0].sentence) if troubles else ("", "")
    return Rollout(ref_of(deployment), "progressing", ready, wanted, progress, reason, sentence, failing)


def newest_replicaset(deployment: Thing, replicasets: Iterable[Thing]) -> Thing | None:
    """The ReplicaSet that holds the present template; the oldest of several, as the Deployment controller chooses."""
    same = [one for one in owned_by(deployment, replicasets) if same_template(deployment, one)]
    return min(same, key=lambda one: str(one["metadata"].get("creationTimestamp")), default=None)


def owned_by(owner: Thing, things: Iterable[Thing]) -> list[Thing]:
    """Those whose controller is ``owner``."""
    uid = owner["metadata"].get("uid")
    return [
        one
        for one in things
        if any(ref.get("uid") == uid and ref.get("controller") for ref in one["metadata"].get("ownerReferences") or [])
    ]


def pods_of(replicaset: Thing | None, pods: Iterable[Thing]) -> list[Thing]:
    """A ReplicaSet's pods that are not on their way out."""
    if replicaset is None:
        return []
    return [pod for pod in owned_by(replicaset, pods) if not pod["metadata"].get("deletionTimestamp")]


def revision_of(thing: Thing) -> int:
    """The revision number of a Deployment or ReplicaSet; 0 when it has none yet."""
    number = (thing["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(number) if number.isdigit() else 0


def pod_troubles(pods: Sequence[Thing]) -> list[Trouble]:
    """What keeps these pods from becoming ready."""
    return [trouble for pod in pods for trouble in _pod_troubles(pod)]


def _done(deployment: Thing, generation: int) -> bool:
    # https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
    status, wanted = deployment.get("status") or {}, _wanted(deployment)
    if not _observed(deployment, generation):
        return False
    updated = status.get("updatedReplicas", 0)
    return bool(
        updated >= wanted and status.get("replicas", 0) <= updated and status.get("availableReplicas", 0) >= updated
    )


def _observed(deployment: Thing, generation: int) -> bool:
    asked = max(generation, deployment["metadata"].get("generation", 0))
    return bool((deployment.get("status") or {}).get("observedGeneration", 0) >= asked)


def _wanted(deployment: Thing) -> int:
    replicas = deployment["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def _ready(deployment: Thing, newest: Thing | None, generation: int) -> int:
    """How many new pods are ready; by the Deployment alone, which counts old and new ones together, the least it is."""
    if newest is not None:
        return min(int((newest.get("status") or {}).get("readyReplicas", 0)), _wanted(deployment))
    status = deployment.get("status") or {}
    if not _observed(deployment, generation):
        return 0
    updated = int(status.get("updatedReplicas", 0))
    old = int(status.get("replicas", 0)) - updated
    return max(0, min(updated, int(status.get("readyReplicas", 0)) - old, _wanted(deployment)))


def _old(deployment: Thing, newest: Thing | None, replicasets: Iterable[Thing]) -> int:
    """How many pods of earlier templates there are; right after a change the Deployment does not count them yet."""
    status = deployment.get("status") or {}
    others = (one for one in owned_by(deployment, replicasets) if one is not newest)
    counted = sum(int((one.get("status") or {}).get("replicas", 0)) for one in others)
    return max(counted, int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0)))


def _progress(ready: int, wanted: int, old: int) -> str:
    """The new pods are called so where there are old ones, which may serve while no new one is ready."""
    ending = f", {old} old still there" if ready >= wanted and old > 0 else ""
    return f"{ready} of {_count(wanted, 'new ' if old > 0 else '')} ready{ending}"


def _count(pods: int, which: str = "") -> str:
    return f"{pods} {which}pod{'' if pods == 1 else 's'}"


def _workload_troubles(deployment: Thing, newest: Thing | None, generation: int) -> Iterator[Trouble]:
    if not _observed(deployment, generation):
        return  # what the status says is about an earlier generation
    conditions = {one["type"]: one for one in (deployment.get("status") or {}).get("conditions") or []}
    progressing = conditions.get("Progressing", {})
    if progressing.get("status") == "False" and progressing.get("reason") == "ProgressDeadlineExceeded":
        seconds = deployment["spec"].get("progressDeadlineSeconds", 600)
        said = f"The rollout made no progress for {seconds} seconds (ProgressDeadlineExceeded)."
        # The condition of a failed rollout outlives the start of the next one for a moment.
        yield Trouble("ProgressDeadlineExceeded", said, may_pass=True)
    of_newest = ((newest or {}).get("status") or {}).get("conditions") or []
    failure: Thing = next((one for one in of_newest if one.get("type") == "ReplicaFailure"), {})
    failure = failure or conditions.get("ReplicaFailure", {})
    if failure.get("status") == "True":
        reason = str(failure.get("reason") or "FailedCreate")
        yield Trouble(reason, f"Pods can't be created: {_short(failure.get('message'))} ({reason}).", may_pass=True)


def _pod_troubles(pod: Thing) -> Iterator[Trouble]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if not container.get("ready"):
            yield from _container_troubles(name, container)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            said = f"No node has room for {name}: {_short(condition.get('message'))} (Unschedulable)."
            yield Trouble("Unschedulable", said, name, may_pass=True)


def _container_troubles(pod: str, container: Thing) -> Iterator[Trouble]:
    who = container.get("name", "")
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    before = (container.get("lastState") or {}).get("terminated") or {}
    last = ended if ended.get("exitCode") else before
    reason = str(waiting.get("reason") or "")
    if reason in IMAGE:
        said = f"The image {container.get('image', '')} can't be pulled ({reason})."
        yield Trouble(reason, said, pod, who)
    elif reason in CONFIG:
        said = f"Container {who} of {pod} can't be started: {_short(waiting.get('message'))} ({reason})."
        yield Trouble(reason, said, pod, who)
    elif last.get("reason") == "OOMKilled":
        said = f"Container {who} of {pod} was killed because it used more memory than its limit (OOMKilled)."
        yield Trouble("OOMKilled", said, pod, who)
    elif reason == "CrashLoopBackOff" or (container.get("restartCount", 0) >= RESTARTS and last.get("exitCode")):
        code = f" with exit code {last['exitCode']}" if last.get("exitCode") is not None else ""
        said = f"Container {who} of {pod} ends{code} again and again (CrashLoopBackOff)."
        yield Trouble("CrashLoopBackOff", said, pod, who)


def _short(text: object) -> str:
    line = mask(" ".join(str(text or "the cluster gives no reason").split()))[0].rstrip(".")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
