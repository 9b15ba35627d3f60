"""Rolling back: to the revision before, to a named one, never into the version that has just failed."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.errors import Refused
from chatops.kernel.plan import Plan
from chatops.sandbox.cluster import PracticeCluster
from commands import deploy, rollback
from tests.support.acme_cluster import PRODUCTION, Line, Lines
from tests.support.workloads import CHECKOUT, by_hand, carry_out, container, deployed, edited, follow, plan, undone


async def planned(clusters: KubernetesClusters, revision: int | None = None, **more: Any) -> Plan:
    inputs = rollback.Rollback(service="checkout", environment="production", revision=revision)
    return await plan(clusters, rollback.RECORD, inputs, **more)


async def test_the_whole_template_goes_back_not_only_its_image(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    await by_hand(
        cluster, container(image="registry.acme.test/shop/checkout:1.4.2", env=[{"name": "NEW", "value": "1"}])
    )
    assert (await follow(clusters, 2))[-1].state == "healthy"
    made = await planned(clusters)
    at = "spec.template.spec.containers[app]"
    assert [(change.field, change.after) for change in made.changes] == [
        (f"{at}.env[NEW]", None),
        (f"{at}.image", "registry.acme.test/shop/checkout:1.4.1"),
    ]
    assert (made.summary, made.before, made.after) == ("checkout 1.4.2 → 1.4.1 (revision 1)", "1.4.2", "1.4.1")
    assert made.impact == "image and 1 field · 3 pods, one at a time"
    assert (await carry_out(clusters, rollback.RECORD, made))[-1].state == "healthy"
    assert not (await planned(clusters, revision=3)).changes


async def test_a_named_revision_is_put_back(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.4.2")
    await deployed(clusters, "1.4.3")
    assert (await planned(clusters)).after == "1.4.2"
    assert (await planned(clusters, revision=1)).after == "1.4.1"


async def test_a_revision_nobody_kept_is_refused_naming_those_that_are(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.4.2")
    with pytest.raises(Refused, match="no revision 7") as no:
        await planned(clusters, revision=7)
    assert no.value.hint == "Kept are: 1 (1.4.1), 2 (1.4.2)."


async def test_without_an_earlier_revision_there_is_nothing_to_go_back_to(clusters: KubernetesClusters) -> None:
    with pytest.raises(Refused, match="no earlier revision"):
        await planned(clusters)


async def test_the_version_that_just_failed_is_not_what_ran_before(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.4.2")
    broken = await plan(
        clusters, deploy.RECORD, deploy.Deploy(service="checkout", environment="production", version="1.5.0-broken")
    )
    await carry_out(clusters, deploy.RECORD, broken)
    assert (await undone(clusters, broken)).state == "healthy"
    ledger = Lines({("checkout", "production"): [
        Line("1.5.0-broken", "Dana", 2.0, "rolled_back"), Line("1.4.2", "Dana", 1.0)
    ]})  # fmt: skip
    assert (await planned(clusters, ledger=ledger)).after == "1.4.1"
    named = await planned(clusters, revision=3, ledger=ledger)
    assert (named.after, named.warnings) == ("1.5.0-broken", ("1.5.0-broken failed when it was deployed last",))


async def test_a_paused_workload_is_refused(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"paused": True}}, by="someone")
    with pytest.raises(Refused, match="paused"):
        await planned(clusters)


async def test_secrets_of_another_template_are_masked_and_the_digest_still_tells_templates_apart(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    for word in ("hunter2", "hunter3"):
        await by_hand(cluster, container(env=[{"name": "DB_PASSWORD", "value": word}]))
    made = await planned(clusters)
    assert "hunter" not in made.model_dump_json()
    assert made.writes[0].restore != (await planned(clusters, revision=1)).writes[0].restore


async def test_a_rollback_can_be_undone_to_what_runs_now(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.4.2")
    made = await planned(clusters)
    assert made.on_failure == "back to 1.4.2 automatically"
    await carry_out(clusters, rollback.RECORD, made)
    assert (await undone(clusters, made)).state == "healthy"
    live = await clusters.reader(PRODUCTION).get(CHECKOUT)
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":1.4.2")
