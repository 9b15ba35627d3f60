"""What only the practice cluster has: faults on demand, pace, images by tag, impersonation on simple rules."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import yaml
from kubernetes.aio import client, config

from chatops.sandbox.cluster import APPLIED_BY, PracticeCluster, Resource
from chatops.sandbox.cluster.resources import Registry
from chatops.sandbox.cluster.schema import type_named

from .conftest import REAL
from .kube import (
    APPLY,
    MERGE,
    STRATEGIC,
    Kube,
    Obj,
    condition,
    containers,
    deployment,
    owners,
    rolled_out,
)
from .practice import BASE, TOKENS, opened, web

pytestmark = pytest.mark.skipif(bool(REAL), reason="faults and pace exist only on the practice cluster")
RBAC = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: may-act-for-people}
rules:
- {apiGroups: [""], resources: [users, groups], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: chatops-acts-for-people}
roleRef: {kind: ClusterRole, name: may-act-for-people, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: ServiceAccount, name: chatops, namespace: platform}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dana-looks, namespace: shop}
roleRef: {kind: ClusterRole, name: view, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: User, name: dana@acme.test}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: leads-edit, namespace: shop}
roleRef: {kind: ClusterRole, name: edit, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: Group, name: leads}]
"""


@pytest.fixture
async def cluster() -> AsyncIterator[PracticeCluster]:
    async with PracticeCluster([web("1.4.1", 2)], pace=0.02, tokens=TOKENS, patience=60) as running:
        yield running


@pytest.fixture
async def kube(cluster: PracticeCluster) -> AsyncIterator[Kube]:
    async with opened(cluster) as found:
        yield found


async def pod_where(kube: Kube, fits: object, why: str) -> Obj:
    found = await kube.until(kube.path("pods"), lambda pods: any(fits(p) for p in pods), why)
    return next(p for p in found if fits(p))


def state_of(pod: Obj) -> Obj:
    return ((pod.get("status") or {}).get("containerStatuses") or [{}])[0]


async def set_tag(kube: Kube, tag: str) -> None:
    op = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": BASE + tag}
    (await kube.patch(kube.path("deployments", "web"), [op], "application/json-patch+json")).ok()


# Starting


async def test_loaded_workloads_are_up_when_the_cluster_answers(kube: Kube) -> None:
    assert rolled_out(await kube.get(kube.path("deployments", "web")))
    assert len((await kube.get("/api/v1/nodes"))["items"]) == 3


async def test_a_copy_goes_on_from_where_a_cluster_stood_and_leaves_that_one_alone() -> None:
    async with PracticeCluster([web("1.4.1", 2)], pace=0.02, tokens=TOKENS) as first, opened(first) as kube:
        before = await kube.get(kube.path("deployments", "web"))
        pods = {pod["metadata"]["name"] for pod in (await kube.get(kube.path("pods")))["items"]}
    async with PracticeCluster(pace=0.02, tokens=TOKENS, like=first) as second, opened(second) as kube:
        assert await kube.get(kube.path("deployments", "web")) == before
        assert {pod["metadata"]["name"] for pod in (await kube.get(kube.path("pods")))["items"]} == pods
        log = await kube.call("GET", kube.path("pods", min(pods), "log"))
        assert "INFO  listening on 0.0.0.0" in str(log.body)
        await set_tag(kube, "1.4.2")
        await kube.until_one("deployments", "web", rolled_out, "the new version")

        def replaced(left: list[Obj]) -> bool:
            return len(left) == 2 and not pods & {pod["metadata"]["name"] for pod in left}

        await kube.until(kube.path("pods"), replaced, "two new pods")
    found = first.store.get(("apps", "deployments"), "shop", "web")
    assert found is not None
    assert containers(found)[0]["image"] == BASE + "1.4.1"


async def test_a_manifest_can_name_who_applied_it(cluster: PracticeCluster, kube: Kube) -> None:
    body = web("1.4.1", name="cart")
    body["metadata"]["annotations"] = {APPLIED_BY: "chatops-deploy"}
    cluster.load(yaml.safe_dump(body))
    cart = await kube.get(kube.path("deployments", "cart"))
    assert "chatops-deploy/Apply" in owners(cart)
    assert APPLIED_BY not in (cart["metadata"].get("annotations") or {})


async def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    manifest, kubeconfig = tmp_path / "shop.yml", tmp_path / "kubeconfig"
    manifest.write_text(yaml.safe_dump(web("1.4.1")))
    command = [sys.executable, "-m", "chatops.sandbox.cluster", "--listen", "127.0.0.1:0", "--pace", "0.02",
               "--kubeconfig-out", str(kubeconfig), str(manifest)]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert re.fullmatch(r"practice cluster ready at http://127\.0\.0\.1:\d+\n", line)
        api = await config.new_client_from_config(config_file=str(kubeconfig))
        found = await client.AppsV1Api(api).read_namespaced_deployment("web", "shop")
        assert found.status.available_replicas == 1
        await api.close()
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


# Images by tag


@pytest.mark.parametrize(("tag", "code", "reason"), [("1.5.0-broken", 1, "Error"), ("1.5.0-oom", 137, "OOMKilled")])
async def test_a_crashing_image_loops_and_leaves_its_last_words(kube: Kube, tag: str, code: int, reason: str) -> None:
    await set_tag(kube, tag)
    pod = await pod_where(
        kube,
        lambda p: state_of(p).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff",
        "a crash loop",
    )
    last = state_of(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (code, reason)
    path = kube.path("pods", pod["metadata"]["name"], "log")
    text = (await kube.call("GET", path, previous=True, tailLines=3)).ok()["text"]
    assert len(text.splitlines()) == 3
    assert ("KeyError: 'PAYMENT_URL'" in text) == (code == 1)
    web_now = await kube.get(kube.path("deployments", "web"))
    assert web_now["status"]["availableReplicas"] == 2


async def test_an_unready_image_runs_and_fails_its_probe(kube: Kube) -> None:
    await set_tag(kube, "1.5.0-unready")
    events = await kube.until(
        kube.path("events"), lambda all_: any(e["reason"] == "Unhealthy" for e in all_), "an Unhealthy event"
    )
    event = next(e for e in events if e["reason"] == "Unhealthy")
    assert event["message"].startswith("Readiness probe failed: ")
    pod = await kube.get(kube.path("pods", event["involvedObject"]["name"]))
    assert (pod["status"]["phase"], state_of(pod)["ready"]) == ("Running", False)


async def test_an_unschedulable_image_stays_pending(kube: Kube) -> None:
    await set_tag(kube, "1.5.0-unschedulable")
    pod = await pod_where(kube, lambda p: condition(p, "PodScheduled").get("reason") == "Unschedulable", "no node")
    assert pod["status"]["phase"] == "Pending"


async def test_a_job_with_a_healthy_image_completes(kube: Kube) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "work", "image": BASE + "1.4.1"}]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "task"}, "spec": {"template": {"spec": pod}}}
    await kube.create("jobs", job)
    done = await kube.until_one("jobs", "task", lambda j: bool(condition(j, "Complete")), "the job")
    assert (done["status"]["succeeded"], "completionTime" in done["status"]) == (1, True)


async def test_a_stateful_set_comes_up_in_order(kube: Kube) -> None:
    body = {**web("1.4.1", 2, name="db"), "kind": "StatefulSet"}
    body["spec"] = {**body["spec"], "serviceName": "db"}
    await kube.create("statefulsets", body)
    done = await kube.until_one(
        "statefulsets", "db", lambda s: (s.get("status") or {}).get("readyReplicas") == 2, "two ready pods"
    )
    assert done["status"]["currentRevision"] == done["status"]["updateRevision"]
    pods = (await kube.get(kube.path("pods"), labelSelector="app=db"))["items"]
    assert [pod["metadata"]["name"] for pod in pods] == ["db-0", "db-1"]


async def test_logs_since_a_time_leave_out_what_is_older(cluster: PracticeCluster, kube: Kube) -> None:
    pod = (await kube.get(kube.path("pods")))["items"][0]["metadata"]
    run = cluster.book.current(pod["uid"], "app")
    assert run is not None
    run.lines.insert(0, (run.lines[0][0] - timedelta(hours=1), "INFO  an hour ago"))
    path = kube.path("pods", pod["name"], "log")
    assert "an hour ago" in (await kube.call("GET", path)).ok()["text"]
    assert "an hour ago" not in (await kube.call("GET", path, sinceSeconds=600)).ok()["text"]
    assert (await kube.call("GET", path, sinceSeconds=0)).status in (400, 422)


async def test_cordoned_and_full_nodes_are_told_apart(cluster: PracticeCluster, kube: Kube) -> None:
    await kube.patch("/api/v1/nodes/practice-1", {"spec": {"unschedulable": True}}, MERGE)
    big = {"requests": {"cpu": "9"}}
    await kube.create("deployments", deployment("big", BASE, 1, resources=big))

    def stuck(pods: list[Obj]) -> list[Obj]:
        return [pod for pod in pods if condition(pod, "PodScheduled").get("status") == "False"]

    [pod] = stuck(await kube.until(kube.path("pods"), lambda pods: bool(stuck(pods)), "the pod that no node takes"))
    assert condition(pod, "PodScheduled")["message"] == (
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. preemption: 0/3 nodes are "
        "available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
    )


async def test_logs_have_stamps_tails_and_can_be_followed(kube: Kube) -> None:
    name = (await kube.get(kube.path("pods")))["items"][0]["metadata"]["name"]
    path = kube.path("pods", name, "log")
    lines = (await kube.call("GET", path, timestamps=True)).ok()["text"].splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ", line) for line in lines)
    assert (await kube.call("GET", path, tailLines=1)).ok()["text"].count("\n") == 1
    assert (await kube.call("GET", path, container="nope")).status == 400
    follow = kube.lines(path, follow=True)
    seen = [await anext(follow)]
    await kube.call("DELETE", kube.path("pods", name))
    async with asyncio.timeout(10):
        seen += [line async for line in follow]
    assert "starting checkout 1.4.1" in seen[0]
    assert seen[-2:] == ["INFO  got SIGTERM, finishing requests\n", "INFO  bye\n"]


# Who may


async def test_a_wrong_token_is_unauthorized_and_none_is_anonymous(cluster: PracticeCluster) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": "Bearer wrong"}
        async with session.get(f"{cluster.url}/api/v1/pods", headers=headers) as answer:
            body = await answer.json()
            assert (answer.status, body["reason"], body["message"]) == (401, "Unauthorized", "Unauthorized")
        async with session.get(f"{cluster.url}/api/v1/pods") as answer:
            assert answer.status == 403
            assert '"system:anonymous" cannot list resource "pods"' in (await answer.json())["message"]
        async with session.get(f"{cluster.url}/readyz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok")


async def test_acting_for_a_person_is_checked_against_that_persons_rules(cluster: PracticeCluster) -> None:
    cluster.load(RBAC)
    async with opened(cluster, "assistant", acting_as="dana@acme.test") as dana:
        assert (await dana.call("GET", dana.path("deployments", "web"))).status == 200
        answer = await dana.patch(dana.path("deployments", "web"), {"spec": {"replicas": 1}}, MERGE)
        assert (answer.status, answer.reason) == (403, "Forbidden")
        assert answer.message == (
            'deployments.apps "web" is forbidden: User "dana@acme.test" cannot patch resource "deployments" '
            'in API group "apps" in the namespace "shop"'
        )
        assert (await dana.call("GET", dana.path("secrets"))).status == 403
    async with opened(cluster, "assistant", acting_as="lee@acme.test", group="leads") as lee:
        assert (await lee.patch(lee.path("deployments", "web"), {"spec": {"replicas": 1}}, MERGE)).status == 200


async def test_only_who_may_impersonate_acts_for_others(cluster: PracticeCluster) -> None:
    async with opened(cluster, "assistant", acting_as="dana@acme.test") as kube:
        answer = await kube.call("GET", kube.path("deployments"))
        assert answer.status == 403
        assert answer.message == (
            'users "dana@acme.test" is forbidden: User "system:serviceaccount:platform:chatops" cannot impersonate '
            'resource "users" in API group "" at the cluster scope'
        )


# Types


@pytest.mark.parametrize("name", ["V1LabelSelector", "V1HTTPGetAction", "CoreV1EventSeries", "V2MetricTarget"])
def test_a_type_has_the_fields_of_the_official_clients_model(name: str) -> None:
    model = getattr(client, name)
    assert list(type_named(name).fields) == list(model.attribute_map.values())


def test_every_kind_of_the_table_has_a_model_in_the_official_client() -> None:
    assert [one.kind for one in Registry() if "metadata" not in one.type.fields] == []


# Custom resources


async def test_a_further_kind_is_one_line(cluster: PracticeCluster, kube: Kube) -> None:
    cluster.registry.add(Resource("acme.test", "v1", "widgets", "Widget"))
    path = "/apis/acme.test/v1/namespaces/shop/widgets"
    body = {"apiVersion": "acme.test/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 1}}
    made = await kube.patch(f"{path}/one", body, APPLY, fieldManager="chatops-deploy")
    assert (made.status, owners(made.body)) == (201, {"chatops-deploy/Apply": {"f:spec": {"f:size": {}}}})
    assert [item["kind"] for item in (await kube.get(path))["items"]] == ["Widget"]


async def test_a_custom_resource_has_a_status_of_its_own_and_no_strategic_patch(
    cluster: PracticeCluster, kube: Kube
) -> None:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {"type": "object", "properties": {"size": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": anything}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
               "subresources": {"status": {}}}  # fmt: skip
    cluster.load([{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                   "metadata": {"name": "widgets.acme.test"},
                   "spec": {"group": "acme.test", "scope": "Namespaced", "versions": [version],
                            "names": {"plural": "widgets", "kind": "Widget"}}}])  # fmt: skip
    path = "/apis/acme.test/v1/namespaces/shop/widgets"
    body = {
        "apiVersion": "acme.test/v1",
        "kind": "Widget",
        "metadata": {"name": "one"},
        "spec": {"size": 1, "colour": "red"},
    }
    created = (await kube.call("POST", path, body)).ok()
    assert created["spec"] == {"size": 1}
    assert (await kube.patch(f"{path}/one", {"spec": {"size": 2}}, STRATEGIC)).status == 415
    done = (await kube.patch(f"{path}/one/status", {"status": {"ready": True}}, MERGE)).ok()
    # the practice cluster's own controller of custom resources may have added its conditions by now
    assert (done["status"]["ready"], done["metadata"]["generation"]) == (True, 1)
    assert (await kube.patch(f"{path}/one", {"spec": {"size": 2}}, MERGE)).ok()["metadata"]["generation"] == 2


# Autoscaling


async def test_the_autoscaler_may_own_replicas(kube: Kube) -> None:
    path = kube.path("deployments", "web", "scale")
    (await kube.patch(path, {"spec": {"replicas": 5}}, MERGE, fieldManager="kube-controller-manager")).ok()
    grown = await kube.until_one("deployments", "web", lambda d: d["spec"]["replicas"] == 5 and rolled_out(d), "five")
    assert owners(grown)["kube-controller-manager/Update/scale"] == {"f:spec": {"f:replicas": {}}}
    kept = web("1.4.2")
    del kept["spec"]["replicas"]
    applied = (await kube.apply("deployments", kept, "chatops-deploy", force=True)).ok()
    assert (applied["spec"]["replicas"], containers(applied)[0]["image"]) == (5, BASE + "1.4.2")
