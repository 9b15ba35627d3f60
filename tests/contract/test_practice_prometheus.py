"""The practice Prometheus answers as Prometheus does, says what it cannot read, and measures the practice cluster."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from chatops.adapters.prometheus import Prometheus
from chatops.kernel.catalog import Endpoint
from chatops.kernel.errors import Refused
from chatops.sandbox.cluster import PracticeCluster
from chatops.sandbox.prometheus import PracticePrometheus
from chatops.sandbox.prometheus.samples import Labels
from tests.support.acme_cluster import acme_cluster
from tests.support.monitors import prometheus as real_prometheus

READY = "kube_deployment_status_replicas_ready"
AVAILABLE = "kube_deployment_status_replicas_available"


@pytest.fixture
async def cluster() -> AsyncIterator[PracticeCluster]:
    async with acme_cluster() as found:
        yield found


async def ask(address: str, what: str, **given: Any) -> tuple[int, Any]:
    async with ClientSession() as session, session.post(f"{address}/api/v1/{what}", data=given) as answer:
        return answer.status, await answer.json()


def line(name: str, **labels: str) -> Labels:
    return tuple(sorted({"__name__": name, **labels}.items()))


QUERIES = (
    READY, f'{READY}{{deployment="checkout"}}', f'{READY}{{namespace="shop",deployment!="checkout"}}',
    READY + "{}", f'{READY}{{team=""}}', f'{READY}{{team!=""}}', "nothing_of_that_name",
)  # fmt: skip


async def test_it_answers_as_the_real_one_does(tmp_path: Path) -> None:
    begin = float(int(time.time()) - 3600)
    told: list[str] = [f"# TYPE {READY} gauge"]
    async with PracticePrometheus(PracticeCluster(), every=3600) as practice:
        for number in (*range(60), *range(100, 120)):  # every 15 s, with a hole of ten minutes
            at = begin + 15 * number
            found = {
                line(READY, namespace="shop", deployment="checkout"): float(3 - number % 4),
                line(READY, namespace="shop", deployment="cart"): 2.5,
            }
            practice.samples.add(at, found)
        for deployment in ("checkout", "cart"):
            for number in (*range(60), *range(100, 120)):
                value = 3 - number % 4 if deployment == "checkout" else 2.5
                told.append(f'{READY}{{namespace="shop",deployment="{deployment}"}} {value} {begin + 15 * number}')
        history = "\n".join([*told, "# EOF", ""])
        ours = await _answers(practice.url, begin)
    async with real_prometheus(tmp_path, "groups: []", "http://127.0.0.1:9", history) as address:
        theirs = await _answers(address, begin)
    for query in QUERIES:
        assert ours[query] == theirs[query], query


async def _answers(address: str, begin: float) -> dict[str, Any]:
    """For each query, what is answered of a range and of a moment."""
    found = {}
    for query in QUERIES:
        given = {"query": query, "start": begin - 60, "end": begin + 1807, "step": 20}
        _, lines = await ask(address, "query_range", **given)
        _, moment = await ask(address, "query", query=query, time=begin + 100)
        found[query] = _sorted(lines), _sorted(moment)
    return found


def _sorted(answer: dict[str, Any]) -> Any:
    assert answer["status"] == "success"
    answer["data"].pop("stats", None)
    answer["data"]["result"].sort(key=lambda one: sorted(one["metric"].items()))
    return answer["data"]


@pytest.mark.parametrize(
    ("given", "said"),
    [({"query": "rate(up[5m])"}, "nothing else of PromQL"), ({"query": 'up{a=~"b"}'}, "reads labels like"),
     ({"query": "up > 1"}, "nothing else of PromQL"), ({"query": ""}, "nothing else of PromQL"),
     ({"query": "up", "step": "0"}, "zero or negative"), ({"query": "up", "end": "1"}, "before start"),
     ({"query": "up", "step": "0.001"}, "maximum resolution of 11,000 points"),
     ({"query": "up", "start": "yesterday"}, "invalid parameter 'start'"), ({"query": "up", "end": "inf"}, "'end'")],
)  # fmt: skip
async def test_what_it_cannot_read_it_says(given: dict[str, str], said: str) -> None:
    async with PracticePrometheus(PracticeCluster()) as practice:
        status, answer = await ask(practice.url, "query_range", **{"start": "100", "end": "200", "step": "15", **given})
    assert status == 400
    assert (answer["status"], answer["errorType"]) == ("error", "bad_data")
    assert said in answer["error"]


async def test_the_assistants_own_questions_reach_it_and_its_refusals_are_told() -> None:
    async with PracticePrometheus(PracticeCluster()) as practice, ClientSession() as session:
        asking = Prometheus(lambda: Endpoint(name="prometheus", url=practice.url), lambda: session)
        answer = await asking.query_range("up", 10.0, 70.0, 15.0)
        assert answer is not None
        assert json.loads(answer) == {"status": "success", "data": {"resultType": "matrix", "result": []}}
        with pytest.raises(Refused, match="nothing else of PromQL"):
            await asking.query_range("sum(up)", 10.0, 70.0, 15.0)


async def test_it_measures_what_the_cluster_runs_and_what_is_gone_ends(cluster: PracticeCluster) -> None:
    now = 1000.0
    selector = f'{AVAILABLE}{{namespace="shop",deployment="search"}}'
    async with PracticePrometheus(cluster, every=3600, now=lambda: now) as practice:
        assert await value(practice, selector, now) == "3"
        pods = 'kube_pod_container_status_ready{namespace="shop",container="app"}'
        _, before = await ask(practice.url, "query", query=pods, time=now)
        assert {one["value"][1] for one in before["data"]["result"]} == {"1"}
        image = {"name": "app", "image": "registry.acme.test/shop/search:0.9.8-broken"}
        strategy, template = {"type": "Recreate", "rollingUpdate": None}, {"spec": {"containers": [image]}}
        change = {"spec": {"strategy": strategy, "template": template}}
        cluster.edit("apps/v1", "Deployment", "shop", "search", change)
        async with asyncio.timeout(10):
            while await value(practice, selector, now) != "0":
                await asyncio.sleep(0.02)
                now += 5
                practice.look()
        _, after = await ask(practice.url, "query", query=pods, time=now)
        names = [{one["metric"]["pod"] for one in some["data"]["result"]} for some in (before, after)]
        assert len({name for name in names[0] - names[1] if name.startswith("search-")}) == 3, "those pods are gone"


async def value(practice: PracticePrometheus, query: str, at: float) -> str:
    _, answer = await ask(practice.url, "query", query=query, time=at)
    [one] = answer["data"]["result"]
    return str(one["value"][1])


async def test_it_looks_again_and_again_by_itself(cluster: PracticeCluster) -> None:
    async with PracticePrometheus(cluster, every=0.01) as practice, asyncio.timeout(10):
        labels = line(AVAILABLE, namespace="shop", deployment="search")
        while len(practice.samples._series[labels].points) < 3:
            await asyncio.sleep(0.01)
