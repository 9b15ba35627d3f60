"""How a rollout stands, told from what the cluster shows."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.kernel.rollout import Rollout, rollout

Thing = dict[str, Any]
TEMPLATE = {"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [{"name": "app", "image": "shop:2"}]}}
OLD = {"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [{"name": "app", "image": "shop:1"}]}}


def deployment(
    generation: int = 2, observed: int = 2, replicas: int = 3, status: Thing | None = None, **more: Any
) -> Thing:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "d", "generation": generation},
        "spec": {"replicas": replicas, "template": TEMPLATE, "progressDeadlineSeconds": 120},
        "status": {"observedGeneration": observed, **(status or {}), **more},
    }  # fmt: skip


def replicaset(uid: str = "new", template: Thing = TEMPLATE, **status: Any) -> Thing:
    owner = {"uid": "d", "controller": True}
    return {
        "metadata": {"name": uid, "uid": uid, "ownerReferences": [owner]},
        "spec": {"template": template},
        "status": status,
    }


def pod(container: Thing | None = None, owner: str = "new", name: str = "p1", **status: Any) -> Thing:
    statuses = [{"name": "app", "image": "shop:2", "ready": False, "restartCount": 0, **(container or {})}]
    metadata = {"name": name, "ownerReferences": [{"uid": owner, "controller": True}]}
    return {"metadata": metadata, "status": {"containerStatuses": statuses, **status}}


def waiting(reason: str, message: str = "", **more: Any) -> Thing:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code: int, reason: str = "Error") -> Thing:
    return {"terminated": {"exitCode": code, "reason": reason}}


DONE = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}


def look(container: Thing | None = None, **pod_status: Any) -> Rollout:
    """A rollout under way with one new pod."""
    live = deployment(replicas=3, updatedReplicas=1, readyReplicas=2, availableReplicas=2)
    return rollout(live, [replicaset(readyReplicas=0)], [pod(container, **pod_status)])


def test_all_pods_updated_available_and_old_ones_gone_is_healthy() -> None:
    assert rollout(deployment(status=DONE)).state == "healthy"


@pytest.mark.parametrize(
    "status",
    [
        {**DONE, "updatedReplicas": 2},
        {**DONE, "replicas": 4},
        {**DONE, "availableReplicas": 2},
        {},
    ],
)
def test_anything_less_is_progressing(status: Thing) -> None:
    live = deployment()
    live["status"].update(status)
    assert rollout(live).state == "progressing"


def test_a_status_about_an_earlier_generation_says_nothing() -> None:
    assert rollout(deployment(generation=3, observed=2, status=DONE)).state == "progressing"
    assert rollout(deployment(generation=2, observed=2, status=DONE), generation=3).state == "progressing"


def test_scaled_to_nothing_is_healthy() -> None:
    gone = rollout(deployment(replicas=0))
    assert (gone.state, gone.progress) == ("healthy", "scaled to 0")


def test_progress_counts_the_new_pods_only() -> None:
    live = deployment(replicas=3, updatedReplicas=2, readyReplicas=3, availableReplicas=3)
    seen = rollout(live, [replicaset(readyReplicas=1), replicaset("old", OLD, replicas=2, readyReplicas=2)])
    assert (seen.ready, seen.wanted, seen.progress) == (1, 3, "1 of 3 new pods ready")


@pytest.mark.parametrize(
    ("replicas", "updated", "ready", "new"),
    [(4, 1, 3, 0), (4, 1, 4, 1), (4, 2, 3, 1), (4, 1, 1, 0), (3, 3, 2, 2), (0, 0, 0, 0)],
    ids=["only old ones", "one new", "of two", "old ones that fail", "no old ones", "none yet"],
)
def test_without_replicasets_no_old_pod_is_taken_for_a_new_one(
    replicas: int, updated: int, ready: int, new: int
) -> None:
    live = deployment(status={"replicas": replicas, "updatedReplicas": updated, "readyReplicas": ready})
    assert rollout(live).ready == new


def test_one_pod_is_one_pod() -> None:
    assert rollout(deployment(replicas=1), [replicaset()]).progress == "0 of 1 pod ready"


def test_old_pods_that_still_end_are_said() -> None:
    live = deployment()
    live["status"].update(DONE, replicas=4)
    assert rollout(live, [replicaset(readyReplicas=3)]).progress == "3 of 3 new pods ready, 1 old still there"


def test_old_pods_that_the_deployment_does_not_count_yet_make_the_others_new() -> None:
    live = deployment(generation=3, observed=2, status=DONE)
    assert rollout(live, [replicaset(), replicaset("old", OLD, replicas=3)]).progress == "0 of 3 new pods ready"
    assert rollout(live, [replicaset("old", OLD, replicas=3)]).progress == "0 of 3 new pods ready"
    assert rollout(live, [replicaset(replicas=3, readyReplicas=2)]).progress == "2 of 3 pods ready", "scaled"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_fails_at_once(reason: str) -> None:
    seen = look(waiting(reason))
    assert (seen.state, seen.reason, seen.failing_pods) == ("failing", reason, ("p1",))
    assert seen.sentence == f"The image shop:2 can't be pulled ({reason})."


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (waiting("CrashLoopBackOff", restartCount=1, lastState=ended(1)), "CrashLoopBackOff"),
        ({"restartCount": 2, "lastState": ended(1), "state": {"running": {}}}, "CrashLoopBackOff"),
        (waiting("CrashLoopBackOff", restartCount=3, lastState=ended(137, "OOMKilled")), "OOMKilled"),
        ({"restartCount": 0, "state": ended(137, "OOMKilled")}, "OOMKilled"),
        (waiting("CreateContainerConfigError", 'secret "psp" not found'), "CreateContainerConfigError"),
    ],
)
def test_a_container_that_cannot_run_fails_at_once(container: Thing, reason: str) -> None:
    seen = look(container)
    assert (seen.state, seen.reason) == ("failing", reason)
    assert seen.sentence.endswith(".")


@pytest.mark.parametrize(
    "container",
    [
        {"state": {"waiting": {"reason": "ContainerCreating"}}},
        {"restartCount": 1, "lastState": ended(1), "state": {"running": {}}},
        {"restartCount": 5, "lastState": ended(0, "Completed"), "state": {"running": {}}},
        {"ready": True, "restartCount": 9, "lastState": ended(1), "state": {"running": {}}},
    ],
)
def test_a_container_that_may_still_become_ready_is_waited_for(container: Thing) -> None:
    assert look(container).state == "progressing"


def test_an_init_container_that_crashes_fails_the_rollout() -> None:
    broken = [{"name": "migrate", "ready": False, **waiting("CrashLoopBackOff", lastState=ended(2))}]
    seen = look(initContainerStatuses=broken)
    assert (seen.state, "migrate" in seen.sentence) == ("failing", True)


def test_pods_of_older_replicasets_and_pods_that_end_do_not_count() -> None:
    ending = pod(waiting("CrashLoopBackOff"), name="p2")
    ending["metadata"]["deletionTimestamp"] = "2026-11-23T00:00:00Z"
    pods = [pod(waiting("ImagePullBackOff"), owner="old"), ending]
    assert rollout(deployment(), [replicaset(), replicaset("old", OLD)], pods).state == "progressing"


def test_what_may_pass_is_waited_for_and_then_fails() -> None:
    full = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: no cpu"}]
    live, sets, pods = deployment(), [replicaset()], [pod(conditions=full)]
    early, late = rollout(live, sets, pods, waited=False), rollout(live, sets, pods)
    assert (early.state, early.reason) == ("progressing", "Unschedulable")
    assert (late.state, late.sentence) == ("failing", "No node has room for p1: 0/3 nodes: no cpu (Unschedulable).")


def test_a_full_quota_is_told_in_the_clusters_words() -> None:
    full = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: shop"}]
    seen = rollout(deployment(), [replicaset(conditions=full)])
    assert (seen.state, seen.sentence) == ("failing", "Pods can't be created: exceeded quota: shop (FailedCreate).")


def test_the_progress_deadline_fails() -> None:
    stuck = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    seen = rollout(deployment(conditions=stuck), [replicaset()])
    assert (seen.state, "120 seconds" in seen.sentence) == ("failing", True)


def test_a_crash_is_named_before_the_deadline_that_it_caused() -> None:
    stuck = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    seen = rollout(deployment(conditions=stuck), [replicaset()], [pod(waiting("CrashLoopBackOff"))])
    assert seen.reason == "CrashLoopBackOff"


def test_a_paused_workload_says_so() -> None:
    live = deployment()
    live["spec"]["paused"] = True
    seen = rollout(live, [replicaset()])
    assert (seen.state, seen.reason) == ("progressing", "Paused")


def test_secrets_in_the_clusters_words_are_masked() -> None:
    seen = look(waiting("CreateContainerConfigError", "bad value password=hunter2"))
    assert "hunter2" not in seen.sentence
