"""How workloads that fail look. Shapes: Kubernetes documentation, "Pod Lifecycle", "Images", "Resource Quotas"."""

from __future__ import annotations

import pytest

from .kube import MERGE, Kube, Obj, condition, deployment, rolled_out

pytestmark = pytest.mark.controllers


def waiting(pod: Obj) -> Obj:
    states = (pod.get("status") or {}).get("containerStatuses") or [{}]
    found: Obj = (states[0].get("state") or {}).get("waiting") or {}
    return found


async def pods_until(kube: Kube, reason: str) -> Obj:
    found = await kube.until(
        kube.path("pods"), lambda pods: any(waiting(pod).get("reason") == reason for pod in pods), f"a pod in {reason}"
    )
    return next(pod for pod in found if waiting(pod).get("reason") == reason)


# "Images: ImagePullBackOff".
async def test_an_image_that_is_not_there_ends_in_image_pull_back_off(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", kube.images.missing, 1))
    pod = await pods_until(kube, "ImagePullBackOff")
    assert f'Back-off pulling image "{kube.images.missing}"' in waiting(pod)["message"]
    assert pod["status"]["phase"] == "Pending"
    state = pod["status"]["containerStatuses"][0]
    assert (state["ready"], state["restartCount"], state["image"]) == (False, 0, kube.images.missing)
    events = await kube.until(
        kube.path("events"),
        lambda all_: {"Failed", "BackOff"} <= {e["reason"] for e in all_ if e["involvedObject"]["kind"] == "Pod"},
        "Failed and BackOff events",
    )
    assert any(e["message"] == "Error: ErrImagePull" and e["type"] == "Warning" for e in events)


async def test_the_log_of_a_container_that_never_started_is_a_bad_request(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", kube.images.missing, 1))
    pod = await pods_until(kube, "ImagePullBackOff")
    answer = await kube.call("GET", kube.path("pods", pod["metadata"]["name"], "log"))
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert answer.message.startswith(f'container "app" in pod "{pod["metadata"]["name"]}" is waiting to start: ')


# "Pod Lifecycle: how Pods handle problems with containers".
async def test_a_container_that_cannot_start_ends_in_crash_loop_back_off(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", kube.images.first, 1, command=["/no-such-program"]))
    pod = await pods_until(kube, "CrashLoopBackOff")
    assert waiting(pod)["message"].startswith("back-off ")
    assert "restarting failed container=app" in waiting(pod)["message"]
    state = pod["status"]["containerStatuses"][0]
    assert state["restartCount"] >= 1
    assert state["lastState"]["terminated"]["exitCode"] == 128
    assert state["ready"] is False
    assert condition(pod, "Ready")["reason"] == "ContainersNotReady"


# "Deployments: failed Deployment".
async def test_a_rollout_that_does_not_progress_exceeds_its_deadline(kube: Kube) -> None:
    body = deployment("web", kube.images.first, 2)
    body["spec"]["progressDeadlineSeconds"] = 20
    await kube.create("deployments", body)
    await kube.until_one("deployments", "web", rolled_out, "the first rollout")
    image = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": kube.images.missing}
    (await kube.patch(kube.path("deployments", "web"), [image], "application/json-patch+json")).ok()
    failed = await kube.until_one(
        "deployments", "web", lambda d: condition(d, "Progressing").get("reason") == "ProgressDeadlineExceeded",
        "the progress deadline",
    )  # fmt: skip
    assert condition(failed, "Progressing")["status"] == "False"
    assert condition(failed, "Progressing")["message"].endswith("has timed out progressing.")
    assert condition(failed, "Available")["status"] == "True"
    assert failed["status"]["availableReplicas"] == 2


# "Deployments: failed Deployment": insufficient quota shows as ReplicaFailure.
async def test_a_quota_stops_pods_and_says_so_on_the_deployment(kube: Kube) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    await kube.create("resourcequotas", quota)
    await kube.until_one("resourcequotas", "few", lambda q: "used" in (q.get("status") or {}), "the quota's status")
    await kube.create("deployments", deployment("web", kube.images.first, 2))
    failed = await kube.until_one(
        "deployments", "web", lambda d: bool(condition(d, "ReplicaFailure")), "the ReplicaFailure condition"
    )
    assert condition(failed, "ReplicaFailure")["reason"] == "FailedCreate"
    assert (
        "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1"
        in (condition(failed, "ReplicaFailure")["message"])
    )
    events = await kube.until(
        kube.path("events"), lambda all_: any(e["reason"] == "FailedCreate" for e in all_), "a FailedCreate event"
    )
    event = next(e for e in events if e["reason"] == "FailedCreate")
    assert event["involvedObject"]["kind"] == "ReplicaSet"
    assert event["message"].startswith("Error creating: pods ")
    (await kube.patch(kube.path("resourcequotas", "few"), {"spec": {"hard": {"pods": "5"}}}, MERGE)).ok()
    done = await kube.until_one("deployments", "web", rolled_out, "the rollout after the quota grew")
    assert not condition(done, "ReplicaFailure")


# "Assigning Pods to Nodes: nodeSelector".
async def test_a_pod_that_no_node_takes_is_unschedulable(kube: Kube) -> None:
    body = deployment("web", kube.images.first, 1)
    body["spec"]["template"]["spec"]["nodeSelector"] = {"acme.test/no-such": "node"}
    await kube.create("deployments", body)
    found = await kube.until(
        kube.path("pods"), lambda pods: any(condition(p, "PodScheduled").get("status") == "False" for p in pods), "it"
    )
    scheduled = condition(found[0], "PodScheduled")
    assert scheduled["reason"] == "Unschedulable"
    assert "didn't match Pod's node affinity/selector" in scheduled["message"]
    events = await kube.until(
        kube.path("events"), lambda all_: any(e["reason"] == "FailedScheduling" for e in all_), "FailedScheduling"
    )
    assert next(e for e in events if e["reason"] == "FailedScheduling")["type"] == "Warning"


async def test_a_request_larger_than_any_node_is_unschedulable(kube: Kube) -> None:
    body = deployment("web", kube.images.first, 1, resources={"requests": {"cpu": "100000"}})
    await kube.create("deployments", body)
    found = await kube.until(
        kube.path("pods"), lambda pods: any(condition(p, "PodScheduled").get("status") == "False" for p in pods), "it"
    )
    assert "Insufficient cpu" in condition(found[0], "PodScheduled")["message"]


def said_while_waiting(pods: list[Obj], reason: str) -> str | None:
    """What the kubelet says about the first container that waits for this reason."""
    return next((waiting(pod).get("message", "") for pod in pods if waiting(pod).get("reason") == reason), None)


# "ConfigMaps": a pod that references one that is not there, and is not optional, does not start.
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"configMapKeyRef": {"name": "absent", "key": "colour"}}, 'configmap "absent" not found'),
        ({"secretKeyRef": {"name": "absent", "key": "token"}}, 'secret "absent" not found'),
        ({"configMapKeyRef": {"name": "there", "key": "size"}}, "couldn't find key size in ConfigMap"),
    ],
)
async def test_a_container_waits_for_the_settings_it_names(kube: Kube, source: Obj, says: str) -> None:
    there = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there"}, "data": {"colour": "red"}}
    await kube.create("configmaps", there)
    body = deployment("web", kube.images.first, 1, env=[{"name": "SETTING", "valueFrom": source}])
    await kube.create("deployments", body)
    reason = "CreateContainerConfigError"
    pods = await kube.until(kube.path("pods"), lambda found: said_while_waiting(found, reason) is not None, reason)
    assert says in str(said_while_waiting(pods, reason))
    events = await kube.until(
        kube.path("events"), lambda all_: any(says in e["message"] and e["type"] == "Warning" for e in all_), "it"
    )
    assert {e["reason"] for e in events if says in e["message"]} == {"Failed"}


async def test_settings_that_appear_let_the_container_start(kube: Kube) -> None:
    """And what is optional is not waited for."""
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "absent", "key": "a", "optional": True}}},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "b"}}},
    ]
    await kube.create("deployments", deployment("web", kube.images.first, 1, env=env))
    reason = "CreateContainerConfigError"
    await kube.until(kube.path("pods"), lambda found: said_while_waiting(found, reason) is not None, reason)
    late = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}, "data": {"b": "1"}}
    await kube.create("configmaps", late)
    await kube.until_one("deployments", "web", rolled_out, "the container after its settings came")


async def test_a_volume_of_a_secret_that_is_not_there_is_not_mounted(kube: Kube) -> None:
    body = deployment("web", kube.images.first, 1, volumeMounts=[{"name": "keys", "mountPath": "/keys"}])
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "keys", "secret": {"secretName": "absent"}}]
    await kube.create("deployments", body)
    events = await kube.until(
        kube.path("events"), lambda all_: any(e["reason"] == "FailedMount" for e in all_), "FailedMount"
    )
    said = next(e for e in events if e["reason"] == "FailedMount")
    assert said["message"] == 'MountVolume.SetUp failed for volume "keys" : secret "absent" not found'
    pods = (await kube.get(kube.path("pods")))["items"]
    assert said_while_waiting(pods, "ContainerCreating") is not None
