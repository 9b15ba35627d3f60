"""What a cluster's objects say that somebody should know."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.incidents.symptoms import ended, of_environment, of_nodes
from chatops.kernel.catalog import Environment
from chatops.kernel.labels import REQUEST

PRODUCTION = Environment(name="production", tier="production", cluster="prod", namespace="shop")
NOW = 1_795_424_400.0  # 2026-11-23 09:00 UTC
WAITING = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4}


def pod(container: dict[str, Any], kind: str = "ReplicaSet", **metadata: Any) -> dict[str, Any]:
    owner = {"kind": kind, "name": "checkout-7d9f", "controller": True}
    given = {"name": "checkout-7d9f-a", "labels": {"pod-template-hash": "7d9f"}, "ownerReferences": [owner], **metadata}
    return {"metadata": given, "status": {"containerStatuses": [{"name": "app", "ready": False, **container}]}}


def deployment(ready: int = 0, **progressing: Any) -> dict[str, Any]:
    conditions = [{"type": "Progressing", **progressing}] if progressing else []
    status = {"readyReplicas": ready, "observedGeneration": 1, "conditions": conditions}
    return {"metadata": {"name": "checkout", "generation": 1}, "spec": {"replicas": 3}, "status": status}


def job(at: str = "2026-11-23T08:50:00Z", **metadata: Any) -> dict[str, Any]:
    failed = {"type": "Failed", "status": "True", "lastTransitionTime": at, "message": "too many tries."}
    return {"kind": "Job", "metadata": {"name": "nightly-1", **metadata}, "status": {"conditions": [failed]}}


def test_pods_that_crash_are_one_alert_of_their_deployment() -> None:
    other = pod(WAITING, name="checkout-7d9f-b")
    [alert] = of_environment(PRODUCTION, [deployment()], [pod(WAITING), other], [], NOW)
    assert (alert.name, alert.severity, alert.labels["workload"]) == ("CrashLoopBackOff", "error", "checkout")
    assert alert.fingerprint == "production/checkout/CrashLoopBackOff"


def test_while_other_pods_serve_it_is_less_bad() -> None:
    [alert] = of_environment(PRODUCTION, [deployment(ready=2)], [pod(WAITING)], [], NOW)
    assert alert.severity == "warning"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_does_not_come_is_one_alert_whatever_the_kubelet_calls_it_now(reason: str) -> None:
    [alert] = of_environment(PRODUCTION, [], [pod({"state": {"waiting": {"reason": reason}}})], [], NOW)
    assert alert.name == "ImagePullBackOff"


def test_pods_of_jobs_and_pods_on_their_way_out_are_not_told() -> None:
    gone = pod(WAITING, deletionTimestamp="2026-11-23T08:59:00Z")
    assert of_environment(PRODUCTION, [], [pod(WAITING, kind="Job"), gone], [], NOW) == []


def test_a_rollout_that_makes_no_progress_is_told() -> None:
    stuck = deployment(status="False", reason="ProgressDeadlineExceeded", message="has timed out progressing.")
    [alert] = of_environment(PRODUCTION, [stuck], [], [], NOW)
    assert (alert.name, alert.summary) == ("RolloutStuck", "The rollout of checkout makes no progress")
    earlier = {**stuck, "metadata": {"name": "checkout", "generation": 2}}
    assert of_environment(PRODUCTION, [earlier], [], [], NOW) == []  # its status is about an earlier generation


def test_a_job_that_failed_lately_is_told_unless_a_request_made_it() -> None:
    [alert] = of_environment(PRODUCTION, [], [], [job()], NOW)
    assert (alert.name, alert.summary, alert.description) == (
        "JobFailed", "The job nightly-1 failed", "too many tries",
    )  # fmt: skip
    ours, old = job(labels={REQUEST: "R-1001"}), job(at="2026-11-23T07:50:00Z")
    assert of_environment(PRODUCTION, [], [], [ours, old], NOW) == []


def test_a_node_that_is_not_ready_or_says_nothing_is_told() -> None:
    def node(name: str, **ready: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", **ready}] if ready else []}}

    lost = node("two", status="Unknown", message="Kubelet stopped posting.")
    nodes = [node("one", status="True"), lost, node("three")]
    found = of_nodes("prod", [PRODUCTION], nodes)
    assert [(one.labels["node"], one.description) for one in found] == [
        ("two", "Kubelet stopped posting"), ("three", "it says nothing of itself"),
    ]  # fmt: skip
    assert found[0].labels["environment"] == "production"
    both = of_nodes("prod", [PRODUCTION, PRODUCTION.model_copy(update={"name": "staging"})], nodes)
    assert "environment" not in both[0].labels


def test_what_is_over_is_the_same_alert() -> None:
    [alert] = of_environment(PRODUCTION, [], [pod(WAITING)], [], NOW)
    over = ended(alert, NOW + 60)
    assert (over.fingerprint, over.status, over.ends_at) == (alert.fingerprint, "resolved", NOW + 60)


def test_the_chart_of_a_deployment_shows_its_pods_and_of_anything_else_nothing_is_measured() -> None:
    pods = 'kube_deployment_status_replicas_available{namespace="shop",deployment="checkout"}'
    stuck = deployment(status="False", reason="ProgressDeadlineExceeded", message="has timed out progressing.")
    crashing = of_environment(PRODUCTION, [stuck], [pod(WAITING)], [], NOW)
    assert [alert.expression for alert in crashing] == [pods, pods]
    stateful = pod(WAITING, kind="StatefulSet")
    assert [alert.expression for alert in of_environment(PRODUCTION, [], [stateful], [job()], NOW)] == ["", ""]
