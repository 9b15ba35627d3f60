"""What only the practice cluster has: faults on demand, pace, images by tag, impersonation on simple rules."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from kubernetes.aio import client, config

from chatops.sandbox.cluster import APPLIED_BY, PracticeCluster, User

from .conftest import REAL
from .kube import MERGE, Images, Kube, Obj, condition, config_map, containers, deployment, owners, rolled_out

pytestmark = pytest.mark.skipif(bool(REAL), reason="faults and pace exist only on the practice cluster")
BASE = "registry.acme.test/shop/checkout:"
TOKENS = {
    "admin": User("practice-admin", ("system:masters",)),
    "assistant": User("system:serviceaccount:platform:chatops", ("system:serviceaccounts",)),
}
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


def web(tag: str, replicas: int = 1, name: str = "web") -> Obj:
    body = deployment(name, BASE + tag, replicas)
    body["metadata"]["namespace"] = "shop"
    return body


@pytest.fixture
async def cluster() -> AsyncIterator[PracticeCluster]:
    async with PracticeCluster([web("1.4.1", 2)], pace=0.02, tokens=TOKENS) as running:
        yield running


@pytest.fixture
async def kube(cluster: PracticeCluster) -> AsyncIterator[Kube]:
    async with opened(cluster) as found:
        yield found


class opened:
    def __init__(self, cluster: PracticeCluster, token: str = "admin", acting_as: str = "", group: str = "") -> None:
        self._cluster, self._token, self._name, self._group = cluster, token, acting_as, group

    async def __aenter__(self) -> Kube:
        self._api = await config.new_client_from_config_dict(self._cluster.kubeconfig(self._token))
        if self._name:
            self._api.set_default_header("Impersonate-User", self._name)
        if self._group:
            self._api.set_default_header("Impersonate-Group", self._group)
        return Kube(self._api, "shop", Images(BASE + "1.4.1", BASE + "1.4.2", BASE + "missing"), deadline=10)

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()


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


# Faults


@pytest.mark.parametrize(("code", "reason"), [(403, "Forbidden"), (409, "Conflict"), (422, "Invalid"),
                                              (500, "InternalError"), (503, "ServiceUnavailable")])  # fmt: skip
async def test_a_fault_answers_as_often_as_asked(cluster: PracticeCluster, kube: Kube, code: int, reason: str) -> None:
    cluster.fault(code, verb="patch", resource="deployments", name="web")
    path = kube.path("deployments", "web")
    assert (await kube.call("GET", path)).status == 200
    answer = await kube.patch(path, {"spec": {"paused": True}}, MERGE)
    assert (answer.status, answer.reason) == (code, reason)
    assert (await kube.patch(path, {"spec": {"paused": True}}, MERGE)).status == 200


async def test_too_many_requests_come_with_a_time_to_wait(cluster: PracticeCluster) -> None:
    cluster.fault(429, verb="list", resource="pods", retry_after=3)
    headers = {"Authorization": "Bearer admin"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{cluster.url}/api/v1/pods") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
        assert (await answer.json())["details"]["retryAfterSeconds"] == 3


async def test_a_connection_dropped_after_the_write_leaves_it_stored(cluster: PracticeCluster, kube: Kube) -> None:
    cluster.fault("drop-after", verb="create", resource="configmaps")
    with pytest.raises(aiohttp.ClientError):
        await kube.create("configmaps", config_map("settings", a="1"))
    assert (await kube.get(kube.path("configmaps", "settings")))["data"] == {"a": "1"}
    cluster.fault("drop", verb="create", resource="configmaps")
    with pytest.raises(aiohttp.ClientError):
        await kube.create("configmaps", config_map("other", a="1"))
    assert (await kube.call("GET", kube.path("configmaps", "other"))).status == 404


async def test_a_fault_can_meet_the_real_write_and_spare_the_dry_run(cluster: PracticeCluster, kube: Kube) -> None:
    cluster.fault(409, verb="create", dry_run=False)
    assert (await kube.call("POST", kube.path("configmaps"), config_map("a"), dryRun="All")).status == 201
    assert (await kube.call("POST", kube.path("configmaps"), config_map("a"))).status == 409


async def test_a_hanging_request_is_cut_when_faults_are_cleared(cluster: PracticeCluster, kube: Kube) -> None:
    fault = cluster.fault("hang", resource="configmaps")
    # aiohttp itself asks again for a GET whose kept-alive connection died, so a write it is.
    waiting = asyncio.create_task(kube.create("configmaps", config_map("settings")))
    while not fault.hits:
        await asyncio.sleep(0)
    assert not waiting.done()
    cluster.faults.clear()
    with pytest.raises(aiohttp.ClientError):
        await asyncio.wait_for(waiting, 10)


async def test_a_cluster_that_is_away_refuses_everything_until_it_is_back(cluster: PracticeCluster, kube: Kube) -> None:
    version = (await kube.get(kube.path("pods")))["metadata"]["resourceVersion"]
    events = kube.watch(kube.path("pods"), resourceVersion=version)
    ended = asyncio.create_task(anext(events, None))
    while not cluster.watches.open:
        await asyncio.sleep(0)
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{cluster.url}/sandbox/away", json={"away": True}) as answer:
            assert (await answer.json())["away"] is True
        assert await asyncio.wait_for(ended, 10) is None
        with pytest.raises(aiohttp.ClientError):
            await kube.get(kube.path("pods"))
        async with session.post(f"{cluster.url}/sandbox/away", json={"away": False}) as answer:
            assert answer.status == 200
    assert (await kube.get(kube.path("pods")))["items"]


async def test_a_compacted_history_ends_watches_from_before_with_410(cluster: PracticeCluster, kube: Kube) -> None:
    version = (await kube.get(kube.path("pods")))["metadata"]["resourceVersion"]
    cluster.store.compact()
    event = await asyncio.wait_for(anext(kube.watch(kube.path("pods"), resourceVersion=version)), 10)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_the_history_is_bounded() -> None:
    async with PracticeCluster(pace=0.02, history=50) as cluster, opened(cluster, "practice-admin") as kube:
        cluster.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        first = await kube.create("configmaps", config_map("settings", a="0"))
        for i in range(60):
            await kube.patch(kube.path("configmaps", "settings"), {"data": {"a": f"{i}x"}}, MERGE)
        events = kube.watch(kube.path("configmaps"), resourceVersion=first["metadata"]["resourceVersion"])
        assert (await asyncio.wait_for(anext(events), 10))["type"] == "ERROR"


async def test_the_request_log_names_verbs_and_managers_but_no_secrets(cluster: PracticeCluster, kube: Kube) -> None:
    last = cluster.log.count
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "hush-hush"}}
    await kube.create("secrets", secret, fieldManager="chatops-deploy", dryRun="All")
    headers = {"Authorization": "Bearer admin"}
    url = f"{cluster.url}/sandbox/requests?after={last}"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        text = await answer.text()
        [entry] = (await answer.json())["requests"]
    assert (entry["verb"], entry["resource"], entry["status"]) == ("create", "secrets", 201)
    assert (entry["fieldManager"], entry["dryRun"]) == ("chatops-deploy", True)
    assert "hush-hush" not in text
    assert "admin" not in entry["path"]


async def test_the_control_side_sets_faults_and_pace_over_http(cluster: PracticeCluster, kube: Kube) -> None:
    async with aiohttp.ClientSession(f"{cluster.url}/sandbox/") as session:
        async with session.post("faults", json={"answer": 500, "verb": "get"}) as answer:
            assert (await answer.json())["times"] == 1
        assert (await kube.call("GET", kube.path("pods", "x"))).status == 500
        async with session.post("faults", json={"answer": 99}) as answer:
            assert answer.status == 400
        async with session.post("faults", json={"anwser": 500}) as answer:
            assert "unknown fields: anwser" in (await answer.json())["message"]
        async with session.post("pace", json={"factor": 0.5}) as answer:
            assert (await answer.json())["pace"] == cluster.pace.factor == 0.5
        async with session.get("nothing") as answer:
            assert answer.status == 404


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
