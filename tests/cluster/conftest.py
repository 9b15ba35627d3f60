"""A practice cluster with Acme's checkout on it, and the adapter that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientTimeout

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.adapters.kubernetes.connection import Connection
from chatops.adapters.kubernetes.handle import Reader, Writer
from chatops.sandbox.cluster import PracticeCluster
from tests.support.acme_cluster import PRODUCTION, acme_cluster, hurried

IN_PATHS = ("namespace", "resource", "name", "subresource")  # of a request: what a fault matches by
LITTLE = ClientTimeout(total=0.8)


@pytest.fixture
async def cluster() -> AsyncIterator[PracticeCluster]:
    async with acme_cluster("checkout") as practice:
        yield practice


@pytest.fixture
def calls() -> list[tuple[str, str]]:
    """What the adapter says it sends and receives."""
    return []


@pytest.fixture
def given_up(cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fault of the cluster leaves unanswered is soon given up, and nothing else: a busy machine is slow, too."""
    send = Connection._send

    async def sent(
        self: Connection, method: str, path: str, query: Any, body: Any, content: str, limits: ClientTimeout, *more: Any
    ) -> Any:
        parts = set(path.split("/"))
        for fault in cluster.faults.show()["faults"]:
            if fault["answer"] == "hang" and parts.issuperset(fault[part] for part in IN_PATHS):
                limits = LITTLE
        return await send(self, method, path, query, body, content, limits, *more)

    monkeypatch.setattr(Connection, "_send", sent)


@pytest.fixture
async def clusters(
    cluster: PracticeCluster, calls: list[tuple[str, str]], given_up: None
) -> AsyncIterator[KubernetesClusters]:
    async with KubernetesClusters(
        cluster.kubeconfig(), sleep=hurried, on_call=lambda verb, thing: calls.append((verb, thing))
    ) as adapter:
        yield adapter


@pytest.fixture
def reader(clusters: KubernetesClusters) -> Reader:
    return clusters.reader(PRODUCTION)


@pytest.fixture
def writer(clusters: KubernetesClusters) -> Writer:
    return clusters.writer(PRODUCTION)
