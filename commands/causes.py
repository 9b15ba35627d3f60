"""Why a workload is not healthy, in sentences, the likely cause first, each with what to do next. Pure.

Reasons and wordings are the kubelet's (pkg/kubelet/images, pkg/kubelet/container), the scheduler's and the quota
admission's; where a wording is not known, it is passed on as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chatops.kernel.masking import mask
from chatops.kernel.rollout import CONFIG, IMAGE, Trouble, pod_troubles
from chatops.kernel.texts import shorten
from commands.walk import Facts, Thing, phase_of


class Cause(NamedTuple):
    """One reason; ``rank``: the lower, the likelier it is what to look at first."""

    rank: int
    what: str
    do: str


_REGISTRY = (
    (r"not found|notfound|manifest unknown|does not exist", "the registry has no such image or version",
     "Deploy a version that exists, or check its spelling."),
    (r"unauthorized|denied|forbidden|authentication|40[13]", "the registry does not let the cluster read it",
     "The platform team looks at the pull credentials (imagePullSecrets)."),
    (r"toomanyrequests|rate limit|429", "the registry asks the cluster to slow down",
     "Wait some minutes; the platform team can mirror the image."),
    (r"no such host|timeout|timed out|refused|unreachable|tls|x509|eof", "the registry can't be reached",
     "The platform team looks at the registry and the way to it."),
)  # fmt: skip
_CODES = {
    126: "its command can't be executed",
    127: "its command was not found",
    134: "it aborted itself",
    137: "it was killed (SIGKILL)",
    139: "it crashed in native code (SIGSEGV)",
    143: "it was told to end (SIGTERM)",
}
_QUOTA = re.compile(r"exceeded quota: (\S+), requested: (.+?), used: (.+?), limited: (.+)")
_LOUD = re.compile(r"error|exception|fatal|panic|failed|cannot|can't", re.IGNORECASE)
_SHORTAGES = {"cpu": "CPU", "memory": "memory", "ephemeral-storage": "disk space"}


def causes(facts: Facts) -> list[Cause]:
    """All that is wrong, the likely cause first; empty when nothing is, or nothing can be told yet."""
    finders: tuple[Callable[[Facts], Iterator[Cause]], ...] = (
        _stopped, _not_created, _of_pods, _nodes, _probes, _volumes, _scaling, _late,
    )  # fmt: skip
    found = [cause for finder in finders for cause in finder(facts)]
    return sorted(dict.fromkeys(found), key=lambda one: one.rank)


def _stopped(facts: Facts) -> Iterator[Cause]:
    if facts.live["spec"].get("paused"):
        said = f"{facts.rollout.ref.name} is paused: nothing rolls out until somebody resumes it."
        yield Cause(
            60, said, f"Find out who paused it, then `kubectl rollout resume deployment/{facts.rollout.ref.name}`."
        )


def _not_created(facts: Facts) -> Iterator[Cause]:
    """What keeps the ReplicaSet from making pods: a quota, a webhook, a missing service account."""
    conditions = [*_conditions(facts.newest), *_conditions(facts.live)]
    failed = next(
        (one for one in conditions if one.get("type") == "ReplicaFailure" and one.get("status") == "True"), {}
    )
    if not failed:
        return
    message = _line(failed.get("message"), 400)
    if full := _QUOTA.search(message):
        name, asked, used, limit = full.groups()
        said = f"The quota {name} of {facts.namespace} is used up: one more pod asks for {asked}"
        said += f", with {used} in use and a limit of {limit}."
        yield Cause(30, said, "Scale something in the namespace down, or ask the platform team for a larger quota.")
        return
    reason = message.partition("is forbidden: ")[2] or message
    said = f"Pods can't be created: {reason.rstrip('.')}."
    yield Cause(30, said, "The message names what refuses them; the platform team can tell why.")


def _of_pods(facts: Facts) -> Iterator[Cause]:
    named: dict[tuple[str, str], list[Trouble]] = {}
    for one in pod_troubles(facts.pods):
        named.setdefault((one.reason, one.container), []).append(one)
    for (reason, container), troubles in named.items():
        pods = f"{len(troubles)} pods" if len(troubles) > 1 else troubles[0].pod
        if reason in IMAGE:
            yield _image(facts, container)
        elif reason in CONFIG:
            yield _settings(facts, container, troubles[0], pods)
        elif reason == "OOMKilled":
            yield _memory(facts, container, pods)
        elif reason == "CrashLoopBackOff":
            yield _crash(facts, container, troubles[0].pod, pods)
        elif reason == "Unschedulable" and not any(_volumes(facts)):
            yield _no_room(facts, troubles[0].pod, pods)
    for pod in facts.pods:
        status = pod.get("status") or {}
        if status.get("reason") == "Evicted":
            said = f"{pod['metadata']['name']} was evicted from its node: {_line(status.get('message')).rstrip('.')}."
            yield Cause(40, said, "Its node ran short: set requests that say what it needs, or free something.")


def _image(facts: Facts, container: str) -> Cause:
    image = next((one.get("image", "") for one in _containers(facts) if one.get("name") == container), container)
    said = (_line(one.get("message"), 600) for one in facts.events)
    told = next((one for one in said if one.startswith("Failed to pull image")), "")
    for pattern, why, todo in _REGISTRY:
        if re.search(pattern, told.replace(str(image), ""), re.IGNORECASE):
            return Cause(10, f"The image {image} can't be pulled: {why}.", f"{todo}{_back(facts)}")
    return Cause(10, f"The image {image} can't be pulled.", f"Check its name and version.{_back(facts)}")


def _settings(facts: Facts, container: str, trouble: Trouble, pods: str) -> Cause:
    """A ConfigMap or Secret that is not there, or lacks a key."""
    message = _line(_waiting(facts, trouble.pod, container).get("message"))
    lacking = re.search(r'(configmap|secret) "([^"]+)" not found', message, re.IGNORECASE)
    key = re.search(r"couldn't find key (\S+) in (ConfigMap|Secret) \S*?/?([^\s/]+)$", message)
    if lacking:
        kind = {"configmap": "ConfigMap", "secret": "Secret"}[lacking[1].casefold()]
        said = f"Container {container} of {pods} can't start: the {kind} {lacking[2]} is not in {facts.namespace}."
        return Cause(10, said, f"Create the {kind} {lacking[2]}, or take the reference to it out.{_back(facts)}")
    if key:
        said = f"Container {container} of {pods} can't start: the {key[2]} {key[3]} has no key {key[1]}."
        set_it = "`/platform secret set`" if key[2] == "Secret" else "`/platform config set`"
        return Cause(10, said, f"Give the key a value ({set_it}), or take the reference out.{_back(facts)}")
    said = f"Container {container} of {pods} can't be started: {message.rstrip('.') or trouble.reason}."
    return Cause(10, said, f"Check its command and its settings.{_back(facts)}")


def _memory(facts: Facts, container: str, pods: str) -> Cause:
    spec: Thing = next((one for one in _containers(facts) if one.get("name") == container), {})
    limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    of = f" of {limit}" if limit else ""
    said = f"Container {container} of {pods} was killed because it used more memory than its limit{of} (OOMKilled)."
    return Cause(15, said, f"Give it more memory, or find what takes it.{_back(facts)}")


def _crash(facts: Facts, container: str, pod: str, pods: str) -> Cause:
    for event in facts.events:
        message = _line(event.get("message"))
        if message.startswith("Liveness probe failed"):
            why = _after_colon(message)
            said = f"Container {container} of {pods} is restarted because its liveness probe fails: {why}."
            return Cause(
                20, said, f"Read what it does while the probe asks; it may need longer to start.{_back(facts)}"
            )
    last = _ended(facts, pod, container)
    code = last.get("exitCode")
    why = _CODES.get(code, f"exit code {code}") if code is not None else "nobody knows why"
    if started := _line(last.get("message")):
        why = started
    words = _last_words(facts.log)
    said = f"Container {container} of {pods} ends again and again: {why}{f', and wrote “{words}”' if words else ''}."
    return Cause(20, said, f"Its last words say what it lacks.{_back(facts)}")


def _no_room(facts: Facts, pod: str, pods: str) -> Cause:
    conditions = _conditions(next(one for one in facts.pods if one["metadata"]["name"] == pod))
    message = _line(next((one.get("message") for one in conditions if one.get("type") == "PodScheduled"), ""), 600)
    found = message.partition(" nodes are available: ")[2].partition(". preemption:")[0].rstrip(".") or message
    if "persistentvolumeclaim" in found.casefold():
        said = f"No node takes {pods}: its volume is not there yet ({found})."
        return Cause(25, said, "Look at the PersistentVolumeClaim; the platform team knows the storage.")
    short = [_SHORTAGES.get(one, one) for one in re.findall(r"Insufficient ([\w./-]+)", found)]
    if short:
        said = f"No node has room for {pods}: there is not enough {' and '.join(short)} ({found})."
        return Cause(25, said, "Lower what it asks for, scale something down, or ask the platform team for more nodes.")
    said = f"No node takes {pods}: {found}."
    return Cause(
        25,
        said,
        "Its node selector, affinity or tolerations fit no node that takes pods; the platform team knows the nodes.",
    )


def _nodes(facts: Facts) -> Iterator[Cause]:
    """Nodes that are not ready with pods of this workload on them."""
    for node in facts.nodes:
        name = node["metadata"]["name"]
        here = sum(pod["spec"].get("nodeName") == name for pod in facts.unready)
        ready: Thing = next((one for one in _conditions(node) if one.get("type") == "Ready"), {})
        if here and ready.get("status") not in (None, "True"):
            why = _line(ready.get("message") or ready.get("reason")).rstrip(".")
            said = f"The node {name}, where {here} of its pods {'is' if here == 1 else 'are'}, is not ready: {why}."
            yield Cause(5, said, "The platform team looks at the node; Kubernetes moves the pods after some minutes.")


def _probes(facts: Facts) -> Iterator[Cause]:
    """Pods that run and are not ready, and pods whose volumes can't be mounted."""
    for event in facts.events:
        message, reason = _line(event.get("message")), event.get("reason")
        if reason == "FailedMount":
            missing = re.search(r'(configmap|secret) "([^"]+)" not found', message)
            what = _after_colon(message)
            if missing:
                kind = {"configmap": "ConfigMap", "secret": "Secret"}[missing[1]]
                what = f"the {kind} {missing[2]} is not in {facts.namespace}"
            said = f"A volume of {_pods(facts)} can't be mounted: {what}."
            yield Cause(12, said, f"Create what is missing, or take the volume out.{_back(facts)}")
            return
        if reason == "Unhealthy" and message.startswith(("Readiness probe", "Startup probe")):
            kind = message.split()[0].lower()
            runs = "run" if len(facts.unready) > 1 else "runs"
            said = f"{_pods(facts)} {runs} but can't serve: the {kind} probe fails ({_after_colon(message)})."
            yield Cause(35, said, f"Read the log: what it depends on may be away, or it starts slowly.{_back(facts)}")
            return


def _volumes(facts: Facts) -> Iterator[Cause]:
    """Volume claims that are not there, or that nothing has bound."""
    for name, claim, told in facts.claims:
        if claim is None:
            said = (
                f"A volume of {_pods(facts)} needs the PersistentVolumeClaim {name}, which is not in {facts.namespace}."
            )
            yield Cause(22, said, f"Create it, or take the volume out.{_back(facts)}")
            continue
        phase = phase_of(claim)
        if phase != "Bound":
            storage = claim["spec"].get("storageClassName") or "the default"
            why = _line(told).rstrip(".") or f"nothing has given it a volume yet (storage class: {storage})"
            said = f"The PersistentVolumeClaim {name} of {_pods(facts)} is {phase}: {why}."
            yield Cause(22, said, f"The platform team knows the storage.{_back(facts)}")


def scaling(facts: Facts) -> str:
    """What keeps the autoscaler from doing what it should; empty when nothing does or there is none."""
    if facts.scaler is None:
        return ""
    name, most = facts.scaler["metadata"]["name"], facts.scaler["spec"].get("maxReplicas")
    told = {one.get("type"): one for one in _conditions(facts.scaler)}
    for kind, cannot in (("AbleToScale", "can't change the replicas"), ("ScalingActive", "does nothing")):
        if (failed := told.get(kind) or {}).get("status") == "False":
            return f"The autoscaler {name} {cannot}: {_line(failed.get('message')).rstrip('.')}."
    limited = told.get("ScalingLimited") or {}
    if limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
        return f"The autoscaler {name} is at its maximum of {most} and would start more."
    return ""


def _scaling(facts: Facts) -> Iterator[Cause]:
    if said := scaling(facts):
        yield Cause(45, said, "Look at its metrics, or raise its maxReplicas.")


def _late(facts: Facts) -> Iterator[Cause]:
    if facts.rollout.reason == "ProgressDeadlineExceeded":
        todo = f"Look at the pods and their logs.{_back(facts)}"
        yield Cause(50, facts.rollout.sentence, todo)


# parts --------------------------------------------------------------------------------------------------------------


def _back(facts: Facts) -> str:
    """The version to go back to, while it still serves."""
    older = next((one.version for one in facts.serving if one.version != facts.version), "")
    return f" Or roll back to {older}, which still runs." if older else ""


def _pods(facts: Facts) -> str:
    count = len(facts.unready)
    return f"{count} pods" if count > 1 else str(facts.unready[0]["metadata"]["name"]) if count else "its pods"


def _conditions(thing: Thing | None) -> list[Thing]:
    return list(((thing or {}).get("status") or {}).get("conditions") or [])


def _containers(facts: Facts) -> list[Thing]:
    spec = facts.live["spec"]["template"]["spec"]
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _state(facts: Facts, pod: str, container: str) -> Thing:
    for one in facts.pods:
        status = one.get("status") or {}
        for state in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
            if one["metadata"]["name"] == pod and state.get("name") == container:
                found: Thing = state
                return found
    return {}


def _waiting(facts: Facts, pod: str, container: str) -> Thing:
    return (_state(facts, pod, container).get("state") or {}).get("waiting") or {}


def _ended(facts: Facts, pod: str, container: str) -> Thing:
    state = _state(facts, pod, container)
    now, before = (state.get("state") or {}).get("terminated"), (state.get("lastState") or {}).get("terminated")
    return now or before or {}


def _last_words(log: str) -> str:
    """The last line that sounds like the reason, else the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    loud = [line for line in lines if _LOUD.search(line)]
    return shorten((loud or lines or [""])[-1], 200)


def _after_colon(message: str) -> str:
    return (message.partition(": ")[2] or message).rstrip(".")


def _line(text: object, most: int = 300) -> str:
    return shorten(mask(" ".join(str(text or "").split()))[0], most)
