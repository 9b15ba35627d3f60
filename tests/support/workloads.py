"""Steps that command tests share: plan, apply, follow, edit by hand."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
from pydantic import BaseModel

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Action
from chatops.kernel.plan import Plan, Write
from chatops.kernel.rollout import Rollout
from chatops.sandbox.cluster import ADMIN_TOKEN, PracticeCluster
from commands import deploy
from commands.workload import watch_rollout
from tests.support.acme_cluster import PRODUCTION, context, deployment

CHECKOUT = deployment("checkout")


class RealClock:
    """``kernel.ports.Clock`` on real time."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def plan(clusters: KubernetesClusters, action: Action, inputs: BaseModel, **more: Any) -> Plan:
    """The plan that the road would make."""
    assert action.plan is not None
    made: Plan = await action.plan(
        inputs, context(clusters, getattr(inputs, "service", ""), getattr(inputs, "environment", ""), **more)
    )
    return made


async def follow(clusters: KubernetesClusters, generation: int, seconds: float = 15, **more: Any) -> list[Rollout]:
    """Every stand of checkout's rollout until its end."""
    rollouts = watch_rollout(
        clusters.writer(PRODUCTION), CHECKOUT, generation, clock=RealClock(),
        deadline=time.time() + seconds, **{"pace": 0.05, **more},
    )  # fmt: skip
    return [one async for one in rollouts]


async def carry_out(clusters: KubernetesClusters, action: Action, planned: Plan) -> list[Rollout]:
    """Applies a plan and follows it to its end."""
    assert action.apply is not None
    outcome = await action.apply(planned, clusters.writer(PRODUCTION))
    return await follow(clusters, outcome.generations[str(CHECKOUT)])


async def deployed(clusters: KubernetesClusters, version: str) -> Rollout:
    """Deploys a version of checkout to production and gives how it ended."""
    inputs = deploy.Deploy(service="checkout", environment="production", version=version)
    rollouts = await carry_out(clusters, deploy.RECORD, await plan(clusters, deploy.RECORD, inputs))
    return rollouts[-1]


async def undone(clusters: KubernetesClusters, planned: Plan) -> Rollout:
    """Writes a plan's undo and gives how that ended."""
    generation = 0
    for write in planned.undo:
        written = await clusters.writer(PRODUCTION).write(write)
        generation = int(written["metadata"]["generation"])
    return (await follow(clusters, generation))[-1]


async def edited(clusters: KubernetesClusters, body: dict[str, Any], by: str = "kubectl-edit") -> dict[str, Any]:
    """Checkout after somebody else applied ``body``."""
    return await clusters.writer(PRODUCTION).write(Write(ref=CHECKOUT, manager=by, body=body))


async def by_hand(cluster: PracticeCluster, body: dict[str, Any], manager: str = "kubectl-edit") -> None:
    """Checkout changed the way kubectl edit, set and patch do it: an update, not an apply."""
    where = f"{cluster.url}/apis/apps/v1/namespaces/shop/deployments/checkout?fieldManager={manager}"
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/strategic-merge-patch+json"}
    async with aiohttp.ClientSession() as session, session.patch(where, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


def container(**fields: Any) -> dict[str, Any]:
    """A body that says something about checkout's container."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", **fields}]}}}}
