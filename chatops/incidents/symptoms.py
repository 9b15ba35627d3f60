"""What a cluster itself says that somebody should know: crashes, images, stuck rollouts, failed Jobs, nodes. Pure.

Conditions and reasons are Kubernetes' own (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle,
…/controllers/job/#job-termination-and-cleanup, …/architecture/nodes/#condition).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from chatops.kernel.alert import Alert
from chatops.kernel.catalog import Environment
from chatops.kernel.labels import REQUEST
from chatops.kernel.ownership import moment
from chatops.kernel.rollout import CONFIG, IMAGE, Trouble, pod_troubles

Thing = Mapping[str, Any]
SOURCE = "cluster"
CRASHES = frozenset({"CrashLoopBackOff", "OOMKilled"})
IMAGES = "ImagePullBackOff"  # in which all that keeps an image from coming is one alert
JOB_FAILED_LATELY = 3600.0  # seconds; a Job that failed stays there until somebody removes it
HASH = "pod-template-hash"
AVAILABLE = "kube_deployment_status_replicas_available"  # kube-state-metrics' name for it


def of_environment(
    environment: Environment, deployments: Iterable[Thing], pods: Iterable[Thing], jobs: Iterable[Thing], now: float
) -> list[Alert]:
    """One alert for each workload and reason; a workload without one ready pod is worse than one that still serves."""
    ready = {_name(one): int((one.get("status") or {}).get("readyReplicas") or 0) for one in deployments}
    found: dict[str, Alert] = {}
    for alert in (
        *_crashing(environment, pods, ready),
        *_stuck(environment, deployments),
        *_jobs(environment, jobs, now),
    ):
        found.setdefault(alert.fingerprint, alert)
    return list(found.values())


def of_nodes(cluster: str, environments: Iterable[Environment], nodes: Iterable[Thing]) -> list[Alert]:
    """One alert for each node that is not ready."""
    here = [one.name for one in environments]
    labels = {"cluster": cluster, **({"environment": here[0]} if len(here) == 1 else {})}
    found = []
    for node in nodes:
        ready = _condition(node, "Ready")
        if ready.get("status") != "True":
            why = _line(ready.get("message")) or "it says nothing of itself"
            found.append(
                Alert(
                    source=SOURCE, fingerprint=f"{cluster}/node/{_name(node)}", status="firing", name="NodeNotReady",
                    severity="warning", summary=f"The node {_name(node)} is not ready", description=why,
                    labels={**labels, "node": _name(node)},
                )
            )  # fmt: skip
    return found


def ended(alert: Alert, now: float) -> Alert:
    """The same alert, over."""
    return replace(alert, status="resolved", ends_at=now)


def _crashing(environment: Environment, pods: Iterable[Thing], ready: Mapping[str, int]) -> Iterator[Alert]:
    for pod in pods:
        kind, owner = _owner(pod)
        if pod["metadata"].get("deletionTimestamp") or kind == "Job":
            continue
        for trouble in pod_troubles([pod]):
            if trouble.reason in CRASHES | IMAGE | CONFIG:
                serves = ready.get(owner, 0) > 0
                yield _alert(environment, owner, trouble, serves=serves, expression=_pods(environment, kind, owner))


def _pods(environment: Environment, kind: str, owner: str) -> str:
    """What a chart shows of a Deployment: how many of its pods serve. The alert itself comes from no expression."""
    return f'{AVAILABLE}{{namespace="{environment.namespace}",deployment="{owner}"}}' if kind == "ReplicaSet" else ""


def _alert(environment: Environment, owner: str, trouble: Trouble, *, serves: bool, expression: str) -> Alert:
    reason = IMAGES if trouble.reason in IMAGE else trouble.reason
    return Alert(
        source=SOURCE, fingerprint=f"{environment.name}/{owner}/{reason}", status="firing", name=reason,
        severity="warning" if serves else "error", summary=_line(trouble.sentence),
        labels={**_labels(environment), "workload": owner, "pod": trouble.pod}, expression=expression,
    )  # fmt: skip


def _stuck(environment: Environment, deployments: Iterable[Thing]) -> Iterator[Alert]:
    for one in deployments:
        progressing = _condition(one, "Progressing")
        seen = (one.get("status") or {}).get("observedGeneration", 0) >= one["metadata"].get("generation", 0)
        if seen and progressing.get("status") == "False" and progressing.get("reason") == "ProgressDeadlineExceeded":
            said = f"The rollout of {_name(one)} makes no progress"
            yield Alert(
                source=SOURCE, fingerprint=f"{environment.name}/{_name(one)}/rollout", status="firing",
                name="RolloutStuck", severity="warning", summary=said, description=_line(progressing.get("message")),
                labels={**_labels(environment), "workload": _name(one)},
                expression=_pods(environment, "ReplicaSet", _name(one)),
            )  # fmt: skip


def _jobs(environment: Environment, jobs: Iterable[Thing], now: float) -> Iterator[Alert]:
    for job in jobs:
        failed = _condition(job, "Failed")
        ours = REQUEST in (job["metadata"].get("labels") or {})  # its card tells of it
        if ours or failed.get("status") != "True":
            continue
        if now - moment(failed.get("lastTransitionTime")).timestamp() > JOB_FAILED_LATELY:
            continue
        owner = _owner(job)[1]
        yield Alert(
            source=SOURCE, fingerprint=f"{environment.name}/job/{_name(job)}", status="firing", name="JobFailed",
            severity="warning", summary=f"The job {_name(job)} failed", description=_line(failed.get("message")),
            labels={**_labels(environment), "workload": owner, "job_name": _name(job)},
        )  # fmt: skip


def _labels(environment: Environment) -> dict[str, str]:
    return {"environment": environment.name, "namespace": environment.namespace, "cluster": environment.cluster}


def _owner(thing: Thing) -> tuple[str, str]:
    """Kind and name of what made it; of a ReplicaSet's pod the Deployment's, of what nobody made its own."""
    found = next((one for one in thing["metadata"].get("ownerReferences") or [] if one.get("controller")), None)
    if found is None:
        return str(thing.get("kind") or ""), _name(thing)
    hashed = (thing["metadata"].get("labels") or {}).get(HASH, "")
    return str(found.get("kind")), str(found.get("name")).removesuffix(f"-{hashed}")


def _name(thing: Thing) -> str:
    return str(thing["metadata"]["name"])


def _condition(thing: Thing, kind: str) -> Thing:
    conditions = (thing.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind), {})


def _line(text: object) -> str:
    return " ".join(str(text or "").split()).removesuffix(".")
