"""Deployments, ReplicaSets, Jobs and garbage that really move.

Expected answers: Kubernetes documentation, "Deployments", "Jobs", "Garbage Collection", "Resource Quotas".
"""

from __future__ import annotations

import pytest

from chatops.adapters.kubernetes.handle import Writer
from chatops.kernel.plan import ObjectRef

from .kube import JSON_PATCH, MERGE, Kube, Obj, condition, deployment, rolled_out

pytestmark = pytest.mark.controllers
REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"


async def run(kube: Kube, image: str = "", replicas: int = 2, **spec: object) -> Obj:
    body = deployment("web", image or kube.images.first, replicas)
    body["spec"].update(spec)
    await kube.create("deployments", body)
    return await kube.until_one("deployments", "web", rolled_out, "the first rollout")


async def reached(kube: Kube, revision: str) -> Obj:
    """Wait until this revision of the Deployment is rolled out."""
    return await kube.until_one(
        "deployments", "web", lambda d: rolled_out(d) and d["metadata"]["annotations"][REVISION] == revision, revision
    )


async def set_image(kube: Kube, image: str, **annotations: str) -> None:
    operations: list[Obj] = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
    (await kube.patch(kube.path("deployments", "web"), operations, JSON_PATCH)).ok()
    if annotations:
        (await kube.patch(kube.path("deployments", "web"), {"metadata": {"annotations": annotations}}, MERGE)).ok()


async def sets(kube: Kube) -> list[Obj]:
    items = (await kube.get(kube.path("replicasets"), labelSelector="app=web"))["items"]
    return sorted(items, key=lambda rs: int(rs["metadata"]["annotations"][REVISION]))


async def test_a_deployment_comes_up_with_conditions_and_revision(kube: Kube) -> None:
    done = await run(kube)
    assert done["metadata"]["annotations"][REVISION] == "1"
    assert done["metadata"]["generation"] == 1
    status = done["status"]
    assert (status["readyReplicas"], status["updatedReplicas"], status["observedGeneration"]) == (2, 2, 1)
    assert condition(done, "Available")["reason"] == "MinimumReplicasAvailable"
    progressing = condition(done, "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("True", "NewReplicaSetAvailable")
    assert progressing["message"].endswith("has successfully progressed.")


async def test_pods_carry_the_template_hash_and_their_owners(kube: Kube) -> None:
    await run(kube)
    [rs] = await sets(kube)
    pods = (await kube.get(kube.path("pods"), labelSelector="app=web"))["items"]
    digest = rs["metadata"]["labels"]["pod-template-hash"]
    assert rs["metadata"]["name"] == f"web-{digest}"
    assert rs["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    for pod in pods:
        assert pod["metadata"]["labels"]["pod-template-hash"] == digest
        [owner] = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("ReplicaSet", rs["metadata"]["uid"], True)
        [state] = pod["status"]["containerStatuses"]
        assert (state["ready"], state["started"], state["restartCount"]) == (True, True, 0)
        assert "running" in state["state"]
        assert pod["spec"]["nodeName"]
        assert {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"] == "True"


# "Rolling Update Deployment": maxUnavailable and maxSurge hold at every moment.
async def test_a_rolling_update_keeps_within_surge_and_unavailable(kube: Kube) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    await run(kube, replicas=3, strategy=rolling)
    seen: list[tuple[int, int]] = []

    def watch_over(found: list[Obj]) -> bool:
        web = next(o for o in found if o["metadata"]["name"] == "web")
        status = web.get("status", {})
        seen.append((status.get("replicas", 0), status.get("availableReplicas", 0)))
        return web["metadata"]["generation"] > 1 and rolled_out(web)

    await set_image(kube, kube.images.second)
    await kube.until(kube.path("deployments"), watch_over, "the rolling update")
    assert max(total for total, _ in seen) <= 4
    assert min(available for _, available in seen) >= 3
    assert max(total for total, _ in seen) == 4


async def test_a_new_template_makes_a_new_revision_and_keeps_the_old_set(kube: Kube) -> None:
    await run(kube)
    await set_image(kube, kube.images.second, **{CAUSE: "deploy 2"})
    await reached(kube, "2")
    old, new = await kube_sets(kube, 2)
    assert (old["spec"]["replicas"], new["spec"]["replicas"]) == (0, 2)
    assert new["metadata"]["annotations"][CAUSE] == "deploy 2"
    assert CAUSE not in old["metadata"]["annotations"]
    assert old["spec"]["template"]["spec"]["containers"][0]["image"] == kube.images.first


def is_settled(rs: Obj) -> bool:
    return (rs.get("status") or {}).get("replicas", 0) == rs["spec"]["replicas"]


async def kube_sets(kube: Kube, count: int) -> list[Obj]:
    await kube.until(
        kube.path("replicasets"),
        lambda found: len(found) == count and all(map(is_settled, found)),
        f"{count} settled ReplicaSets",
    )  # fmt: skip
    return await sets(kube)


# "Rolling Back to a Previous Revision": the old set is used again, under a new revision number.
async def test_going_back_uses_the_old_set_under_a_new_revision(kube: Kube) -> None:
    await run(kube)
    [first] = await sets(kube)
    await set_image(kube, kube.images.second)
    await reached(kube, "2")
    await set_image(kube, kube.images.first)
    await reached(kube, "3")
    second, third = await kube_sets(kube, 2)
    assert third["metadata"]["uid"] == first["metadata"]["uid"]
    assert third["metadata"]["annotations"][REVISION] == "3"
    assert third["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert second["metadata"]["annotations"][REVISION] == "2"


# "Clean up Policy".
async def test_old_sets_beyond_the_history_limit_go(kube: Kube) -> None:
    await run(kube, revisionHistoryLimit=1)
    for number in ("2", "3"):
        env = {"spec": {"template": {"metadata": {"annotations": {"step": number}}}}}
        (await kube.patch(kube.path("deployments", "web"), env, MERGE)).ok()
        await reached(kube, number)
    left = await kube_sets(kube, 2)
    assert [rs["metadata"]["annotations"][REVISION] for rs in left] == ["2", "3"]


async def test_scaling_changes_the_number_without_a_new_revision(kube: Kube) -> None:
    await run(kube)
    path = kube.path("deployments", "web", "scale")
    (await kube.patch(path, {"spec": {"replicas": 4}}, MERGE)).ok()
    grown = await kube.until_one(
        "deployments", "web", lambda d: d["spec"]["replicas"] == 4 and rolled_out(d), "four pods"
    )
    assert grown["metadata"]["annotations"][REVISION] == "1"
    (await kube.patch(path, {"spec": {"replicas": 1}}, MERGE)).ok()
    await kube.until(kube.path("pods"), lambda pods: len(pods) == 1, "one pod left")


# "Recreate Deployment": no old pod lives beside a new one.
async def test_recreate_stops_all_old_pods_first(kube: Kube) -> None:
    await run(kube, strategy={"type": "Recreate"})
    [first] = await sets(kube)
    old_hash = first["metadata"]["labels"]["pod-template-hash"]
    mixed: list[set[str]] = []

    def watch_over(pods: list[Obj]) -> bool:
        hashes = {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods}
        mixed.append(hashes)
        return len(pods) == 2 and old_hash not in hashes

    await set_image(kube, kube.images.second)
    await kube.until(kube.path("pods"), watch_over, "only new pods")
    assert all(len(hashes) <= 1 for hashes in mixed)


# "Pausing and Resuming a rollout".
async def test_a_paused_deployment_waits_until_it_is_resumed(kube: Kube) -> None:
    await run(kube)
    path = kube.path("deployments", "web")
    (await kube.patch(path, {"spec": {"paused": True}}, MERGE)).ok()
    await set_image(kube, kube.images.second)
    paused = await kube.until_one(
        "deployments", "web",
        lambda d: d["status"].get("observedGeneration") == d["metadata"]["generation"]
        and condition(d, "Progressing").get("reason") == "DeploymentPaused", "the pause to be observed",
    )  # fmt: skip
    assert condition(paused, "Progressing")["status"] == "Unknown"
    assert len(await sets(kube)) == 1
    (await kube.patch(path, {"spec": {"paused": False}}, MERGE)).ok()
    await reached(kube, "2")


# "Deployment status": the ReplicaSet's events and the Deployment's say what was scaled.
async def test_scaling_a_set_is_told_in_an_event(kube: Kube) -> None:
    await run(kube)
    found = await kube.until(
        kube.path("events"), lambda events: any(e["reason"] == "ScalingReplicaSet" for e in events), "a scaling event"
    )
    event = next(e for e in found if e["reason"] == "ScalingReplicaSet")
    assert event["involvedObject"]["name"] == "web"
    assert event["message"].startswith("Scaled up replica set web-")
    assert event["message"].endswith(" from 0 to 2")
    reasons = {e["reason"] for e in found if e["involvedObject"]["kind"] == "Pod"}
    assert {"Scheduled", "Created", "Started"} <= reasons


async def test_a_pod_that_is_deleted_is_replaced(kube: Kube) -> None:
    await run(kube)
    before = {pod["metadata"]["uid"] for pod in (await kube.get(kube.path("pods")))["items"]}
    name = (await kube.get(kube.path("pods")))["items"][0]["metadata"]["name"]
    doomed = (await kube.call("DELETE", kube.path("pods", name))).ok()
    assert doomed["metadata"]["deletionTimestamp"]

    def healed(pods: list[Obj]) -> bool:
        now = {pod["metadata"]["uid"] for pod in pods if condition(pod, "Ready").get("status") == "True"}
        return len(now) == 2 and len(now & before) == 1 and len(pods) == 2

    await kube.until(kube.path("pods"), healed, "a pod in place of the deleted one")


# "Garbage Collection: cascading deletion".
async def test_deleting_a_deployment_takes_its_sets_and_pods_along(kube: Kube) -> None:
    await run(kube)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    (await kube.call("DELETE", kube.path("deployments", "web"), options)).ok()
    await kube.until(kube.path("replicasets"), lambda found: not found, "no ReplicaSets")
    await kube.until(kube.path("pods"), lambda found: not found, "no pods")


async def test_foreground_deletion_waits_for_the_dependents(kube: Kube) -> None:
    await run(kube)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
    doomed = (await kube.call("DELETE", kube.path("deployments", "web"), options)).ok()
    assert doomed["metadata"]["finalizers"] == ["foregroundDeletion"]
    await kube.until(kube.path("deployments"), lambda found: not found, "no Deployment")
    assert (await kube.get(kube.path("replicasets")))["items"] == []


async def test_orphans_stay_when_asked_for(kube: Kube) -> None:
    await run(kube)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}
    (await kube.call("DELETE", kube.path("deployments", "web"), options)).ok()
    await kube.until(kube.path("deployments"), lambda found: not found, "no Deployment")
    [rs] = (await kube.get(kube.path("replicasets")))["items"]
    assert not rs["metadata"].get("ownerReferences")


# "Jobs": completion and the backoff limit.
async def test_a_job_that_cannot_start_its_command_fails_at_its_limit(kube: Kube) -> None:
    pod = {"restartPolicy": "Never",
           "containers": [{"name": "work", "image": kube.images.first, "command": ["/no-such-program"]}]}  # fmt: skip
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "task"},
           "spec": {"backoffLimit": 0, "template": {"spec": pod}}}  # fmt: skip
    await kube.create("jobs", job)
    done = await kube.until_one("jobs", "task", lambda j: bool(condition(j, "Failed")), "the job to fail")
    assert condition(done, "Failed")["reason"] == "BackoffLimitExceeded"
    assert done["status"]["failed"] == 1


async def test_a_restart_annotation_rolls_all_pods(kube: Kube) -> None:
    await run(kube)
    before = {pod["metadata"]["uid"] for pod in (await kube.get(kube.path("pods")))["items"]}
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    body = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    (await kube.patch(kube.path("deployments", "web"), body, MERGE)).ok()
    await reached(kube, "2")
    await kube.until(
        kube.path("pods"), lambda pods: len(pods) == 2 and not before & {p["metadata"]["uid"] for p in pods}, "new pods"
    )


# "Garbage Collection: Background cascading deletion".
async def test_the_pods_of_a_deleted_job_go_with_it(kube: Kube, writer: Writer) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "it", "image": kube.images.first}]}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "tidy"},
            "spec": {"backoffLimit": 0, "template": {"spec": pod}}}  # fmt: skip
    made = await kube.create("jobs", body)
    await kube.until(kube.path("pods"), lambda pods: len(pods) == 1, "the pod of the Job")
    ref = ObjectRef(api_version="batch/v1", kind="Job", namespace=kube.namespace, name="tidy")
    assert await writer.delete(ref, made["metadata"]["uid"])
    await kube.until(kube.path("pods"), lambda pods: not pods, "the Job's pod to be gone")
