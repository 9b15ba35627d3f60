"""A practice cluster with Acme's checkout on it, and the adapter that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chatops.adapters.kubernetes import KubernetesClusters, Patience
from chatops.adapters.kubernetes.handle import Reader, Writer
from chatops.sandbox.cluster import PracticeCluster
from tests.support.acme_cluster import PRODUCTION, acme_cluster, hurried


@pytest.fixture
async def cluster() -> AsyncIterator[PracticeCluster]:
    async with acme_cluster("checkout") as practice:
        yield practice


@pytest.fixture
def calls() -> list[tuple[str, str]]:
    """What the adapter says it sends and receives."""
    return []


@pytest.fixture
async def clusters(cluster: PracticeCluster, calls: list[tuple[str, str]]) -> AsyncIterator[KubernetesClusters]:
    async with KubernetesClusters(
        cluster.kubeconfig(), sleep=hurried, on_call=lambda verb, thing: calls.append((verb, thing))
    ) as adapter:
        yield adapter


@pytest.fixture
async def hasty(cluster: PracticeCluster) -> AsyncIterator[KubernetesClusters]:
    """The adapter with little patience, for a cluster that never answers."""
    patience = Patience(total=0.8)  # a busy machine may take half a second for what answers
    async with KubernetesClusters(cluster.kubeconfig(), patience=patience, sleep=hurried) as adapter:
        yield adapter


@pytest.fixture
def reader(clusters: KubernetesClusters) -> Reader:
    return clusters.reader(PRODUCTION)


@pytest.fixture
def writer(clusters: KubernetesClusters) -> Writer:
    return clusters.writer(PRODUCTION)
