"""Restarting and scaling."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.errors import Forbidden, InputError, Refused
from chatops.kernel.plan import Plan
from chatops.sandbox.cluster import PracticeCluster
from commands import restart, scale
from tests.support.acme_cluster import ACME, PRODUCTION
from tests.support.workloads import CHECKOUT, carry_out, deployed, edited, plan, undone

RESTART = restart.Restart(service="checkout", environment="production")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def scaled(clusters: KubernetesClusters, replicas: int, environment: str = "production") -> Plan:
    inputs = scale.Scale(service="checkout", environment=environment, replicas=replicas)
    return await plan(clusters, scale.RECORD, inputs)


async def test_a_restart_replaces_every_pod(clusters: KubernetesClusters) -> None:
    before = {pod["metadata"]["name"] for pod in await clusters.reader(PRODUCTION).find("v1", "Pod", "shop")}
    made = await plan(clusters, restart.RECORD, RESTART)
    assert made.impact == "same version and settings · 3 pods, one at a time"
    assert made.on_failure == "back to 1.4.1 automatically"
    assert (await carry_out(clusters, restart.RECORD, made))[-1].state == "healthy"
    pods = await clusters.reader(PRODUCTION).find("v1", "Pod", "shop")
    running = {pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}
    assert len(running) == 3
    assert not running & before


async def test_planning_a_restart_again_keeps_its_time(clusters: KubernetesClusters) -> None:
    first = await plan(clusters, restart.RECORD, RESTART, now=NOON)
    later = await plan(clusters, restart.RECORD, RESTART, now=NOON.replace(hour=18), frozen=first.frozen)
    assert first.changes == later.changes
    assert first.frozen == {"restarted_at": "2026-11-23T12:00:00Z"}


async def test_a_restart_that_happened_is_not_repeated(clusters: KubernetesClusters) -> None:
    first = await plan(clusters, restart.RECORD, RESTART, now=NOON)
    await carry_out(clusters, restart.RECORD, first)
    again = await plan(clusters, restart.RECORD, RESTART, frozen=first.frozen)
    assert (again.changes, again.writes) == ((), ())


async def test_restarting_nothing_is_said(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"replicas": 0}}, by="chatops-scale")
    assert "there is nothing to restart" in (await plan(clusters, restart.RECORD, RESTART)).warnings[0]


async def test_a_paused_workload_is_not_restarted(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"paused": True}}, by="someone")
    with pytest.raises(Refused, match="paused"):
        await plan(clusters, restart.RECORD, RESTART)


@pytest.mark.parametrize(
    ("replicas", "summary", "impact"),
    [
        (5, "checkout 3 → 5 pods", "2 pods more, same version"),
        (1, "checkout 3 → 1 pod", "2 pods less, same version"),
        (0, "checkout 3 → 0 pods", "3 pods less, same version"),
    ],
)
async def test_scaling_says_how_many_more_or_less(
    clusters: KubernetesClusters, replicas: int, summary: str, impact: str
) -> None:
    made = await scaled(clusters, replicas)
    assert (made.summary, made.impact) == (summary, impact)
    end = (await carry_out(clusters, scale.RECORD, made))[-1]
    assert (end.state, end.wanted) == ("healthy", replicas)


async def test_scaling_to_zero_is_warned_of(clusters: KubernetesClusters) -> None:
    assert (await scaled(clusters, 0)).warnings == ("checkout stops: no pod will run",)


async def test_a_failed_scale_goes_back_to_the_number_before(clusters: KubernetesClusters) -> None:
    made = await scaled(clusters, 5)
    assert made.on_failure == "back to 3 pods automatically"
    await carry_out(clusters, scale.RECORD, made)
    assert (await undone(clusters, made)).wanted == 3


async def test_the_same_number_changes_nothing(clusters: KubernetesClusters) -> None:
    assert (await scaled(clusters, 3)).now == "Nothing would change: checkout in production has 3 pods."


@pytest.mark.parametrize("replicas", [21, 10_000])
async def test_more_than_the_environment_allows_is_a_mistake_at_its_field(
    clusters: KubernetesClusters, replicas: int
) -> None:
    inputs = scale.Scale(service="checkout", environment="production", replicas=replicas)
    with pytest.raises(InputError, match="between 0 and 20 in production") as mistake:
        scale.check(inputs, ACME)
    assert mistake.value.field == "replicas"
    with pytest.raises(Refused, match="between 0 and 20 in production"):
        await scaled(clusters, replicas)


async def test_each_environment_has_its_own_limit() -> None:
    with pytest.raises(InputError, match="between 0 and 5 in staging"):
        scale.check(scale.Scale(service="checkout", environment="staging", replicas=6), ACME)


@pytest.mark.parametrize("replicas", [-1, 1.5, "many", None])
def test_what_is_no_number_of_pods_is_no_input(replicas: Any) -> None:
    with pytest.raises(ValidationError):
        scale.Scale(service="checkout", environment="production", replicas=replicas)


async def test_an_autoscaler_decides_alone(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
    cluster.load([{
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "checkout-load", "namespace": "shop"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }])  # fmt: skip
    with pytest.raises(Refused, match="The autoscaler checkout-load decides"):
        await scaled(clusters, 5)


async def test_not_being_allowed_to_look_for_an_autoscaler_is_no_yes(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.fault(403, resource="horizontalpodautoscalers", message="may not list autoscalers")
    with pytest.raises(Forbidden, match="may not list autoscalers"):
        await scaled(clusters, 5)


async def test_deploying_after_scaling_leaves_the_replicas(clusters: KubernetesClusters) -> None:
    await carry_out(clusters, scale.RECORD, await scaled(clusters, 5))
    await deployed(clusters, "1.4.2")
    live = await clusters.reader(PRODUCTION).get(CHECKOUT)
    assert live is not None
    assert live["spec"]["replicas"] == 5
