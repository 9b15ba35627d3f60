"""Following a rollout through trouble, and saying why it failed."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.errors import Forbidden
from chatops.sandbox.cluster import PracticeCluster
from commands.watching import diagnose, selector_of, watch_rollout
from tests.support.acme_cluster import PRODUCTION
from tests.support.clock import MovableClock
from tests.support.workloads import CHECKOUT, container, deployed, edited, follow

QUOTA = {
    "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": "shop"},
    "spec": {"hard": {"pods": "3"}},
}  # fmt: skip


async def started(clusters: KubernetesClusters, version: str) -> int:
    """The generation of a checkout whose image somebody has just set."""
    written = await edited(
        clusters, container(image=f"registry.acme.test/shop/checkout:{version}"), by="chatops-deploy"
    )
    return int(written["metadata"]["generation"])


async def test_progress_counts_up_and_says_nothing_twice(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.pace.set(0.1)
    stands = await follow(clusters, await started(clusters, "1.4.2"))
    told = [one.progress for one in stands]
    assert told[-1] == "3 pods ready"
    assert "1 of 3 new pods ready" in told
    assert all(before != after for before, after in itertools.pairwise(stands))


async def test_the_cluster_may_be_away_for_a_while(
    cluster: PracticeCluster, clusters: KubernetesClusters, calls: list[tuple[str, str]]
) -> None:
    generation = await started(clusters, "1.4.2-slow")
    cluster.go_away()
    calls.clear()
    following = asyncio.create_task(follow(clusters, generation))
    async with asyncio.timeout(5):
        while len(calls) < 6:  # asked several times, and not answered once
            await asyncio.sleep(0.01)
    assert not following.done()
    cluster.come_back()
    assert (await following)[-1].state == "healthy"


async def test_a_cluster_that_goes_away_meanwhile_is_said_and_waited_for(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    generation = await started(clusters, "1.4.2-unready")
    rollouts = watch_rollout(
        clusters.writer(PRODUCTION),
        CHECKOUT,
        generation,
        clock=MovableClock(),
        deadline=MovableClock().now() + 60,
        pace=0.05,
    )
    async with asyncio.timeout(10):
        async for seen in rollouts:
            if seen.reason == "Unavailable":
                break
            cluster.go_away()
    assert seen.progress == "the cluster does not answer"
    assert seen.state == "progressing"
    await rollouts.aclose()  # type: ignore[attr-defined]


async def test_no_room_fails_only_after_a_while(clusters: KubernetesClusters) -> None:
    stands = await follow(clusters, await started(clusters, "1.4.2-unschedulable"), grace=0.2)
    assert stands[-1].reason == "Unschedulable"
    assert next(one.state for one in stands if one.reason == "Unschedulable") == "progressing"


async def test_a_full_quota_fails_after_a_while(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    cluster.load([QUOTA])
    end = (await follow(clusters, await started(clusters, "1.4.2"), grace=0.2))[-1]
    assert (end.state, end.reason) == ("failing", "FailedCreate")
    assert "exceeded quota" in end.sentence


async def test_a_version_that_never_gets_ready_fails_at_the_deadline(clusters: KubernetesClusters) -> None:
    end = (await follow(clusters, await started(clusters, "1.4.2-unready"), seconds=0.5))[-1]
    assert (end.state, end.reason) == ("failing", "Deadline")
    assert end.sentence.startswith("It did not become healthy in time: 0 of 3 new pods ready.")


async def test_the_deadline_is_on_the_clock(clusters: KubernetesClusters) -> None:
    clock = MovableClock()
    generation = await started(clusters, "1.4.2-unready")
    writer = clusters.writer(PRODUCTION)
    rollouts = watch_rollout(writer, CHECKOUT, generation, clock=clock, deadline=clock.now() + 900, pace=0.05)
    assert (await anext(rollouts)).state == "progressing"
    await clock.advance(901)
    async with asyncio.timeout(5):
        last = [one async for one in rollouts][-1]
    assert last.reason == "Deadline"


async def test_the_clusters_own_deadline_counts(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"progressDeadlineSeconds": 5}}, by="someone")
    end = (await follow(clusters, await started(clusters, "1.4.2-unready"), grace=0.1))[-1]
    assert (end.state, end.reason) == ("failing", "ProgressDeadlineExceeded")


async def test_a_workload_that_is_gone_fails(clusters: KubernetesClusters) -> None:
    end = (await _gone(clusters))[-1]
    assert end.sentence == "Deployment/nothing was deleted during the rollout."


async def _gone(clusters: KubernetesClusters) -> list[Any]:
    nothing = CHECKOUT.model_copy(update={"name": "nothing"})
    deadline = time.time() + 5
    clock = MovableClock(time.time())
    return [one async for one in watch_rollout(clusters.writer(PRODUCTION), nothing, 1, clock=clock, deadline=deadline)]


async def test_not_being_allowed_to_watch_is_said(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    cluster.fault(403, verb="watch", times=None, message="may not watch")
    with pytest.raises(Forbidden, match="may not watch"):
        await follow(clusters, await started(clusters, "1.4.2-unready"))


async def test_a_rollout_that_is_left_early_leaves_no_task_behind(clusters: KubernetesClusters) -> None:
    before = len(asyncio.all_tasks())
    rollouts = watch_rollout(
        clusters.writer(PRODUCTION), CHECKOUT, 1, clock=MovableClock(), deadline=MovableClock().now() + 60
    )
    await anext(rollouts)
    await rollouts.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(2):
        while len(asyncio.all_tasks()) > before + 1:
            await asyncio.sleep(0.01)


async def test_the_diagnosis_tells_pods_reasons_and_last_words_once(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-broken")
    found = await diagnose(clusters.reader(PRODUCTION), CHECKOUT)
    text = "\n".join(found.lines)
    assert "0 of 3 new pods ready." in text
    assert "ends with exit code 1 again and again" in text
    assert "Not ready: checkout-" in text
    assert "Back-off restarting" not in text  # the sentence above says it, and without a uid
    assert "KeyError: 'PAYMENT_URL'" in found.code


async def test_a_diagnosis_leaves_out_what_says_nothing_and_shows_where_it_was_cut(
    clusters: KubernetesClusters,
) -> None:
    await follow(clusters, await started(clusters, "1.4.2-missing"))
    found = (await diagnose(clusters.reader(PRODUCTION), CHECKOUT)).lines
    assert not any(line.startswith("Failed: Error: ") for line in found)
    long = next(line for line in found if line.startswith("Failed: Failed to pull image"))
    said = long.rpartition(" (")[0] if long.endswith(" times)") else long
    assert said.endswith("…") or len(said) < 240


async def test_a_diagnosis_needs_no_logs(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-broken")
    cluster.fault(403, subresource="log", times=None)
    found = await diagnose(clusters.reader(PRODUCTION), CHECKOUT)
    assert (found.code, len(found.lines) > 2) == ("", True)


async def test_a_log_that_does_not_answer_does_not_cost_the_other_findings(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    await deployed(clusters, "1.5.0-broken")
    cluster.fault(503, subresource="log", times=None)
    found = await diagnose(clusters.reader(PRODUCTION), CHECKOUT)
    assert (found.code, len(found.lines) > 2) == ("", True)


async def test_secrets_in_the_last_words_are_masked(
    clusters: KubernetesClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deployed(clusters, "1.5.0-broken")
    reader = clusters.reader(PRODUCTION)

    async def logs(*_: Any, **__: Any) -> str:
        return "connecting with password=hunter2"

    monkeypatch.setattr(reader, "logs", logs)
    assert "hunter2" not in (await diagnose(reader, CHECKOUT)).code


async def test_what_is_gone_is_diagnosed_as_gone(clusters: KubernetesClusters) -> None:
    nothing = CHECKOUT.model_copy(update={"name": "nothing"})
    assert (await diagnose(clusters.reader(PRODUCTION), nothing)).lines == ("Deployment/nothing is not there.",)


def test_selectors_are_written_as_the_api_reads_them() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "old", "operator": "DoesNotExist"},
        {"key": "zone", "operator": "NotIn", "values": ["x"]}, {"key": "app", "operator": "Exists"},
    ]  # fmt: skip
    selector = {"matchLabels": {"app": "checkout"}, "matchExpressions": expressions}
    assert selector_of({"spec": {"selector": selector}}) == "app=checkout,tier in (a,b),!old,zone notin (x),app"
