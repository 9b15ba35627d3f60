"""Who is put to the test: the practice cluster, or the cluster that CHATOPS_TEST_KUBECONFIG points to."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from kubernetes.aio import client, config

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.adapters.kubernetes.handle import Writer
from chatops.kernel.catalog import Environment
from chatops.sandbox.cluster import ADMIN_TOKEN, PracticeCluster

from .kube import CRDS, OURS, Images, Kube

REAL = os.environ.get("CHATOPS_TEST_KUBECONFIG", "")


def images() -> Images:
    if REAL:
        first, second = "nginx:1.27", "nginx:1.26"
    else:
        first, second = "registry.acme.test/shop/checkout:1.4.1", "registry.acme.test/shop/checkout:1.4.2"
    return Images(
        os.environ.get("CHATOPS_TEST_IMAGE", first),
        os.environ.get("CHATOPS_TEST_IMAGE_2", second),
        os.environ.get("CHATOPS_TEST_IMAGE_MISSING", "registry.acme.test/shop/checkout:missing"),
    )


def clusters_of(kube: Kube) -> KubernetesClusters:
    """The adapter on the cluster that `kube` speaks with."""
    practice = {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": kube.api.configuration.host}}],
        "users": [{"name": "it", "user": {"token": ADMIN_TOKEN}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }  # fmt: skip
    return KubernetesClusters(REAL or practice)


@pytest.fixture(scope="session", autouse=True)
def no_definitions_stay() -> Iterator[None]:
    """A real cluster keeps no definition that the tests made."""
    yield
    if REAL:
        asyncio.run(_remove_definitions())


async def _remove_definitions() -> None:
    async with await config.new_client_from_config(config_file=REAL) as api:
        kube = Kube(api, "", images(), deadline=30)
        label = ",".join(f"{key}={value}" for key, value in OURS.items())
        (await kube.call("DELETE", CRDS, labelSelector=label)).ok()


@pytest.fixture
async def kube(request: pytest.FixtureRequest) -> AsyncIterator[Kube]:
    """A client in a fresh namespace: of a practice cluster of its own, or of the real one (removed afterwards).

    The practice cluster of a test that says it needs an API server alone is just that.
    """
    api_alone, rolling = (request.node.get_closest_marker(name) is not None for name in ("api", "controllers"))
    practice_only = request.node.path.stem.startswith("test_practice")
    assert api_alone + rolling == (not practice_only), (
        "marked api or controllers, or else make test-cluster leaves it out"
    )
    if REAL:
        api = await config.new_client_from_config(config_file=REAL)
        core = client.CoreV1Api(api)
        name = f"chatops-contract-{secrets.token_hex(4)}"
        await core.create_namespace({"metadata": {"name": name}})
        try:
            yield Kube(api, name, images(), deadline=150)
        finally:
            await core.delete_namespace(name)
            await api.close()
        return
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "contract"}}
    async with PracticeCluster([namespace], pace=0.02, controllers=not api_alone) as cluster:
        api = await config.new_client_from_config_dict(cluster.kubeconfig())
        try:
            yield Kube(api, "contract", images(), deadline=10)
        finally:
            await api.close()


@pytest.fixture
async def writer(kube: Kube) -> AsyncIterator[Writer]:
    """What writes to the namespace of `kube`."""
    async with clusters_of(kube) as clusters:
        yield clusters.writer(Environment(name="contract", tier="staging", namespace=kube.namespace))
