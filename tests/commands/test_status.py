"""What runs where."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.adapters.kubernetes.handle import Reader
from chatops.kernel.action import Answer
from chatops.sandbox.cluster import PracticeCluster
from commands import status
from tests.support.acme_cluster import ACME, PRODUCTION, Line, Lines, context
from tests.support.workloads import by_hand, container, deployed, edited

SMALL = ACME.model_copy(update={"services": {name: ACME.services[name] for name in ("checkout", "cart")}})


async def answer(clusters: KubernetesClusters, service: str = "", environment: str = "", **more: Any) -> Answer:
    asked = status.Status(service=service, environment=environment)
    return await status.answer(asked, context(clusters, service, environment, platform=SMALL, **more))


async def test_one_service_in_one_place_is_told_in_words(clusters: KubernetesClusters) -> None:
    at = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    ledger = Lines({("checkout", "production"): [Line("5", "Lee", 2.0), Line("1.4.1", "Dana", at.timestamp())]})
    said = await answer(clusters, "checkout", "production", ledger=ledger, now=at.replace(month=6))
    assert said.title == "checkout in production"
    assert said.lines[0] == "1.4.1 healthy, 3 pods ready"
    assert said.lines[1] == "Since 3 March, deployed by Dana"
    assert [button.label for button in said.buttons] == ["Deploy", "Roll back"]


async def test_what_was_changed_past_the_platform_has_no_deployer(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    await by_hand(cluster, container(image="registry.acme.test/shop/checkout:1.4.9"), "kubectl-set")
    said = await answer(
        clusters, "checkout", "production", ledger=Lines({("checkout", "production"): [Line("1.4.1", "Dana", 1.0)]})
    )
    assert said.lines[0].startswith("1.4.9")
    assert said.lines[-1] == "Since today, not deployed through the platform"


async def test_a_failing_service_says_why(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-missing")
    said = await answer(clusters, "checkout", "production")
    assert said.lines[0].startswith("1.5.0-missing failing, 0 of 3 new pods ready")
    assert said.lines[1].startswith("The image registry.acme.test/shop/checkout:1.5.0-missing can't be pulled")


async def test_without_an_environment_there_is_a_row_for_each(clusters: KubernetesClusters) -> None:
    said = await answer(clusters, "checkout")
    assert said.table[0] == ("Environment", "Version", "State", "Since", "By")
    assert [(row[0], row[1], row[2]) for row in said.table[1:]] == [
        ("production", "1.4.1", "healthy"),
        ("staging", "1.4.2", "healthy"),
    ]


async def test_an_environment_lists_its_services_the_unwell_first_and_last_what_is_not_there(
    clusters: KubernetesClusters,
) -> None:
    said = await answer(clusters, environment="production")
    assert [row[:3] for row in said.table] == [
        ("Service", "Version", "State"),
        ("checkout", "1.4.1", "healthy"),
        ("cart", "–", "not there"),
    ]
    assert said.lines == ("1 of 1 services are healthy; 1 more of the catalog is not there",)


async def test_in_a_large_catalog_what_runs_is_not_behind_what_does_not(clusters: KubernetesClusters) -> None:
    many = {f"a{number}": ACME.services["cart"].model_copy(update={"name": f"a{number}"}) for number in range(50)}
    platform = ACME.model_copy(update={"services": {**many, **ACME.services}})
    for environment in ("", "production"):
        asked = status.Status(environment=environment)
        said = await status.answer(asked, context(clusters, "", environment, platform=platform))
        assert said.table[1][:2] == ("checkout", "1.4.1")


async def test_in_a_list_as_well_the_old_pods_of_a_rollout_are_no_new_ones_and_a_failure_is_named(
    clusters: KubernetesClusters,
) -> None:
    await edited(clusters, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}})
    await deployed(clusters, "1.5.0-missing")
    state = "failing, 0 of 3 new pods ready (ErrImagePull)"
    close = (await answer(clusters, "checkout", "production")).lines[0]
    assert close.startswith("1.5.0-missing failing, 0 of 3 new pods ready")
    listed = await answer(clusters, environment="production")
    [row] = [row for row in listed.table if row[0] == "checkout"]
    assert (row[1], row[2].replace("ImagePullBackOff", "ErrImagePull")) == ("1.5.0-missing", state)
    assert listed.lines == ("0 of 1 services are healthy; 1 more of the catalog is not there",)
    overview = await answer(clusters)
    assert overview.table[1][1].replace("ImagePullBackOff", "ErrImagePull") == f"1.5.0-missing {state}"


async def test_where_pods_cannot_be_looked_at_a_list_says_what_the_deployment_does(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    await edited(clusters, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}})
    await deployed(clusters, "1.5.0-missing")
    for forbidden in ("replicasets", "pods"):
        cluster.fault(403, namespace="shop", resource=forbidden, times=None)
        listed = await answer(clusters, environment="production")
        [row] = [row for row in listed.table if row[0] == "checkout"]
        assert (row[1], row[2]) == ("1.5.0-missing", "0 of 3 new pods ready"), forbidden


async def test_a_list_looks_closely_at_no_more_than_it_may(
    clusters: KubernetesClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deployed(clusters, "1.5.0-missing")
    asked: list[str] = []
    find = Reader.find

    async def counted(self: Reader, api: str, kind: str, *rest: Any) -> Any:
        asked.append(kind)
        return await find(self, api, kind, *rest)

    monkeypatch.setattr(Reader, "find", counted)
    checkout = ACME.services["checkout"]
    workload = checkout.workload.model_copy(update={"name": "checkout"})
    many = {f"s{n}": checkout.model_copy(update={"name": f"s{n}", "workload": workload}) for n in range(30)}
    platform = ACME.model_copy(update={"services": many, "environments": {"production": PRODUCTION}})
    await status.answer(status.Status(), context(clusters, platform=platform))
    assert Counter(asked) == {"Deployment": 1, "ReplicaSet": status.MOST_CLOSE, "Pod": status.MOST_CLOSE}


async def test_everything_is_one_table(clusters: KubernetesClusters) -> None:
    said = await answer(clusters)
    assert said.table == (
        ("Service", "production", "staging"), ("checkout", "1.4.1", "1.4.2"), ("cart", "not there", "not there"),
    )  # fmt: skip


@pytest.mark.parametrize("fault", [403, 500, "drop"])
async def test_an_environment_that_does_not_answer_costs_only_its_row(
    cluster: PracticeCluster, clusters: KubernetesClusters, fault: int | str
) -> None:
    cluster.fault(fault, namespace="shop", times=None)
    said = await answer(clusters, "checkout")
    assert said.table[1][2].startswith("the cluster")
    assert said.table[2][1:3] == ("1.4.2", "healthy")


async def test_an_environment_that_hangs_costs_only_its_row(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.fault("hang", namespace="shop", times=None)
    said = await answer(clusters, "checkout")
    assert said.table[1][2] == "the cluster does not answer"


async def test_a_service_that_is_not_there_is_said(clusters: KubernetesClusters) -> None:
    assert (await answer(clusters, "cart", "production")).lines == ("Not there.",)


async def test_long_tables_are_cut_and_say_so(clusters: KubernetesClusters) -> None:
    many = {f"s{number}": ACME.services["cart"].model_copy(update={"name": f"s{number}"}) for number in range(50)}
    platform = ACME.model_copy(update={"services": many, "environments": {"production": PRODUCTION}})
    for environment, more in (
        ("production", "10 more are not shown; name a service."),
        ("", "10 more services are not shown; name one."),
    ):
        asked = status.Status(environment=environment)
        said = await status.answer(asked, context(clusters, "", environment, platform=platform))
        assert (len(said.table), said.context) == (41, more)


async def test_the_revisions_that_a_rollback_can_name_are_listed_with_who_deployed_them(
    clusters: KubernetesClusters,
) -> None:
    await deployed(clusters, "1.4.2")
    at = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    lines = [Line("1.4.2", "Lee", at.timestamp()), Line("1.4.1", "Dana", at.timestamp() - 86400)]
    ledger = Lines({("checkout", "production"): lines})
    said = await answer(clusters, "checkout", "production", ledger=ledger, now=at)
    assert said.table[0] == ("Revision", "Version", "Last deployed", "By", "Outcome")
    newest, before = said.table[1], said.table[2]
    assert newest[1:] == ("1.4.2", "today", "Lee", "runs now")
    assert before[1:] == ("1.4.1", "yesterday", "Dana", "succeeded")
    assert int(newest[0]) > int(before[0])
    assert said.context == f"To go back: rollback checkout production revision={before[0]} because …"


@pytest.mark.parametrize("outcome", ["failed", "rolled_back"])
async def test_no_revision_that_failed_is_proposed_to_go_back_to(clusters: KubernetesClusters, outcome: str) -> None:
    await deployed(clusters, "1.4.2")
    at = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    lines = [Line("1.4.2", "Lee", at.timestamp()), Line("1.4.1", "Dana", at.timestamp() - 86400, outcome)]
    said = await answer(clusters, "checkout", "production", ledger=Lines({("checkout", "production"): lines}), now=at)
    assert said.table[2][4] == outcome.replace("_", " ")
    assert said.context == ""


async def test_a_service_with_one_revision_lists_none(clusters: KubernetesClusters) -> None:
    said = await answer(clusters, "checkout", "staging")
    assert (said.table, said.context) == ((), "")
