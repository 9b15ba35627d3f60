"""Plans of declared actions on a practice cluster with Acme's checkout, and a real evaluator; shared by a module."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chatops.adapters.kubernetes import KubernetesClusters
from tests.declared.desk import Desk
from tests.support.acme_cluster import acme_cluster, hurried
from tests.support.evaluator import LentEvaluator


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Desk]:
    evaluator = LentEvaluator()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.devnull)  # clients read the system's certificates, also to speak plain HTTP
        patch.setenv("SSL_CERT_DIR", os.devnull)
        async with (
            acme_cluster("checkout") as cluster,
            KubernetesClusters(cluster.kubeconfig(), sleep=hurried) as clusters,
        ):
            yield Desk(cluster, clusters, evaluator.evaluate_all)
    await evaluator.close()
