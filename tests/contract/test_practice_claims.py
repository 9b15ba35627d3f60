"""Custom resources on the practice cluster come to life: their status is set as their operators would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from chatops.sandbox.cluster import PracticeCluster
from tests.support.crds import definitions

from .conftest import REAL
from .practice import until
from .test_custom import BUCKET, DATABASE, ROUTE

pytestmark = pytest.mark.skipif(bool(REAL), reason="operators are played on the practice cluster alone")


@pytest.fixture
async def cluster() -> AsyncIterator[PracticeCluster]:
    async with PracticeCluster(definitions(), pace=0.02) as practice:
        yield practice


def there(cluster: PracticeCluster, group: str, plural: str) -> dict[str, Any]:
    return cluster.store.get((group, plural), "shop", "orders") or {}


def made(cluster: PracticeCluster, body: dict[str, Any]) -> None:
    cluster.load([{**body, "metadata": {**body["metadata"], "namespace": "shop"}}])


def status(thing: dict[str, Any], kind: str) -> str:
    conditions = (thing.get("status") or {}).get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == kind), "")


def database(cluster: PracticeCluster) -> dict[str, Any]:
    return there(cluster, "postgresql.cnpg.io", "clusters")


async def test_a_database_has_one_instance_after_the_other_and_then_is_healthy(cluster: PracticeCluster) -> None:
    seen: list[int] = []
    cluster.store.listen(
        lambda change: (
            seen.append((change.obj.get("status") or {}).get("readyInstances", 0))
            if change.key[1] == "clusters"
            else None
        )
    )
    made(cluster, DATABASE)
    await until(lambda: status(database(cluster), "Ready") == "True")
    assert seen == [0, 1, 2]
    found = database(cluster)["status"]
    assert (found["phase"], found["writeService"]) == ("Cluster in healthy state", "orders-rw")


async def test_a_bucket_is_synced_before_it_is_ready_and_then_has_an_address(cluster: PracticeCluster) -> None:
    seen: list[tuple[str, str]] = []
    cluster.store.listen(
        lambda change: (
            seen.append((status(change.obj, "Synced"), status(change.obj, "Ready")))
            if change.key[1] == "buckets"
            else None
        )
    )
    made(cluster, BUCKET)
    await until(lambda: status(there(cluster, "storage.acme.test", "buckets"), "Ready") == "True")
    assert seen == [("", ""), ("True", "False"), ("True", "True")]
    found = there(cluster, "storage.acme.test", "buckets")["status"]
    assert (found["bucketName"], found["endpoint"]) == ("shop-orders", "https://shop-orders.buckets.acme.test")


async def test_a_route_is_accepted_by_each_gateway_it_names(cluster: PracticeCluster) -> None:
    made(cluster, ROUTE)
    group = "gateway.networking.k8s.io"
    await until(lambda: (there(cluster, group, "httproutes").get("status") or {}).get("parents"))
    (parent,) = there(cluster, group, "httproutes")["status"]["parents"]
    assert parent["parentRef"] == {"name": "public"}
    assert {one["type"]: one["status"] for one in parent["conditions"]} == {"Accepted": "True", "ResolvedRefs": "True"}


async def test_a_kind_can_be_made_to_fail_and_to_recover(cluster: PracticeCluster) -> None:
    made(cluster, DATABASE)
    await until(lambda: status(database(cluster), "Ready") == "True")
    cluster.claims.fail("Cluster", "no storage is left")
    await until(lambda: status(database(cluster), "Ready") == "False")
    found = database(cluster)["status"]
    assert (found["readyInstances"], found["phase"]) == (0, "no storage is left")
    cluster.claims.recover("Cluster")
    await until(lambda: status(database(cluster), "Ready") == "True")


async def test_the_one_who_runs_it_makes_a_kind_fail_over_http(cluster: PracticeCluster) -> None:
    async with aiohttp.ClientSession(cluster.url) as session:
        async with session.post("/sandbox/claims", json={"kind": "Bucket", "fail": "quota used up"}) as answer:
            assert await answer.json() == {"failing": {"Bucket": "quota used up"}}
        made(cluster, BUCKET)
        await until(lambda: status(there(cluster, "storage.acme.test", "buckets"), "Synced") == "False")
        async with session.post("/sandbox/claims", json={"kind": "Bucket"}) as answer:
            assert await answer.json() == {"failing": {}}
        await until(lambda: status(there(cluster, "storage.acme.test", "buckets"), "Ready") == "True")
        async with session.post("/sandbox/claims", json={"kind": "Nothing", "fail": "x"}) as answer:
            assert answer.status == 404


async def test_a_custom_resource_nobody_knows_becomes_ready(cluster: PracticeCluster) -> None:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "acme.test", "scope": "Namespaced", "versions": [version], "names": names}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    cluster.load([{**kind, "metadata": {"name": "widgets.acme.test"}, "spec": spec}])
    made(cluster, {"apiVersion": "acme.test/v1", "kind": "Widget", "metadata": {"name": "orders"}})
    await until(lambda: status(there(cluster, "acme.test", "widgets"), "Ready") == "True")
