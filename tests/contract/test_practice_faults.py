"""Faults on demand and the control side of the practice cluster: they must fail exactly as asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from chatops.sandbox.cluster import PracticeCluster

from .conftest import REAL
from .kube import MERGE, Kube, config_map
from .practice import TOKENS, opened, until, web

pytestmark = pytest.mark.skipif(bool(REAL), reason="faults and pace exist only on the practice cluster")


@pytest.fixture
async def cluster() -> AsyncIterator[PracticeCluster]:
    async with PracticeCluster([web("1.4.1", 2)], pace=0.02, tokens=TOKENS) as running:
        yield running


@pytest.fixture
async def kube(cluster: PracticeCluster) -> AsyncIterator[Kube]:
    async with opened(cluster) as found:
        yield found


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


async def test_an_answer_dropped_midway_is_not_taken_for_a_whole_one(cluster: PracticeCluster, kube: Kube) -> None:
    cluster.fault("drop-midway", resource="pods", times=None)
    with pytest.raises(aiohttp.ClientPayloadError):
        await kube.get(kube.path("pods"))
    [pod, *_] = cluster.store.objects(("", "pods"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await kube.call("GET", kube.path("pods", pod["metadata"]["name"], "log"))


async def test_a_fault_can_meet_the_real_write_and_spare_the_dry_run(cluster: PracticeCluster, kube: Kube) -> None:
    cluster.fault(409, verb="create", dry_run=False)
    assert (await kube.call("POST", kube.path("configmaps"), config_map("a"), dryRun="All")).status == 201
    assert (await kube.call("POST", kube.path("configmaps"), config_map("a"))).status == 409


async def test_a_hanging_request_is_cut_when_faults_are_cleared(cluster: PracticeCluster, kube: Kube) -> None:
    fault = cluster.fault("hang", resource="configmaps")
    # aiohttp itself asks again for a GET whose kept-alive connection died, so a write it is.
    waiting = asyncio.create_task(kube.create("configmaps", config_map("settings")))
    await until(lambda: fault.hits)
    assert not waiting.done()
    cluster.faults.clear()
    with pytest.raises(aiohttp.ClientError):
        await asyncio.wait_for(waiting, 10)


async def test_a_cluster_that_is_away_refuses_everything_until_it_is_back(cluster: PracticeCluster, kube: Kube) -> None:
    version = (await kube.get(kube.path("pods")))["metadata"]["resourceVersion"]
    events = kube.watch(kube.path("pods"), resourceVersion=version)
    ended = asyncio.create_task(anext(events, None))
    await until(lambda: cluster.watches.open)
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
    cluster.compact()
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


async def test_a_closed_watch_can_go_on_where_it_ended(cluster: PracticeCluster, kube: Kube) -> None:
    version = (await kube.get(kube.path("pods")))["metadata"]["resourceVersion"]
    ended = asyncio.create_task(anext(kube.watch(kube.path("pods"), resourceVersion=version), None))
    await until(lambda: cluster.watches.open)
    assert cluster.close_watches() == 1
    assert await asyncio.wait_for(ended, 10) is None
    await kube.call("DELETE", kube.path("pods"), labelSelector="app=web")
    event = await asyncio.wait_for(anext(kube.watch(kube.path("pods"), resourceVersion=version)), 10)
    assert (event["type"], "deletionTimestamp" in event["object"]["metadata"]) == ("MODIFIED", True)
