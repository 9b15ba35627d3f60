"""The catalog: a list of services, and the page of one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Answer
from chatops.kernel.catalog import Platform, Service, Team
from chatops.kernel.rota import Layer, Rota
from chatops.requests.reading import parse
from chatops.sandbox.cluster import PracticeCluster
from commands import registry, service, services
from tests.support.acme_cluster import ACME, Line, Lines, context
from tests.support.workloads import deployed

MANY = 5000
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


class NoClusters:
    """The list asks no cluster."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody expected {name} of a cluster")


def platform(count: int = MANY) -> Platform:
    made = {
        f"svc-{number:04}": Service(
            name=f"svc-{number:04}", team="pay" if number % 10 == 0 else "shop", description=f"Does job {number}",
            labels={"tier": "gold"} if number == 77 else {},
        )
        for number in range(count)
    }  # fmt: skip
    return ACME.model_copy(update={"services": made, "teams": {"shop": Team(name="shop"), "pay": Team(name="pay")}})


async def listed(count: int = MANY, **inputs: Any) -> Answer:
    asked = services.Services.model_validate(inputs)
    return await services.answer(asked, context(NoClusters(), platform=platform(count)))  # type: ignore[arg-type]


async def test_thousands_of_services_come_a_page_at_a_time() -> None:
    said = await listed()
    assert said.lines[0] == "*svc-0000* · pay · Does job 0"
    assert len(said.lines) == services.PAGE
    assert said.context == "Page 1 of 417: 5,000 services"
    assert [(one.label, one.line) for one in said.buttons] == [("Next", "services page=2")]
    last = await listed(page=9999)
    assert last.context.startswith("Page 417 of 417")
    assert [one.label for one in last.buttons][-2:] == ["svc-4999", "Previous"]


async def test_the_list_reads_the_catalog_once_and_nothing_else() -> None:
    small, large = await listed(20), await listed()
    assert len(small.lines) == len(large.lines)


@pytest.mark.parametrize("word", ["SVC-0077", "job 77", "tier=gold"])
async def test_a_word_is_looked_for_wherever_it_may_stand(word: str) -> None:
    said = await listed(100, find=word)
    assert said.lines == ("*svc-0077* · shop · Does job 77",)
    assert [(one.label, one.line) for one in said.buttons] == [("svc-0077", "service svc-0077")]


async def test_a_team_has_its_own() -> None:
    said = await listed(100, team="pay")
    assert said.context == "10 services of team pay"


async def test_nothing_found_is_said_with_a_way_back() -> None:
    said = await listed(10, find="nope", team="pay")
    assert said.lines == ("Nothing of team pay with “nope” is in the catalog.",)
    assert said.buttons[0].line == "services"


@pytest.mark.parametrize("find", ["two words", "it's", 'say "job"', "because", "page=3"])
async def test_the_next_page_is_of_the_same_search(find: str) -> None:
    """What was typed is on the button's line as it was."""
    known = platform(100)
    whole = {
        name: one.model_copy(update={"description": f"{one.description} {find}"})
        for name, one in known.services.items()
    }
    known = known.model_copy(update={"services": whole})
    asked = services.Services(find=find, team="shop")
    said = await services.answer(asked, context(NoClusters(), platform=known))  # type: ignore[arg-type]
    line = parse(said.buttons[-1].line, registry.load(()), known)
    assert (line.values["find"], line.values["team"], line.values["page"]) == (find, "shop", "2")


# the page of one -----------------------------------------------------------------------------------------------------


CHECKOUT = ACME.services["checkout"].model_copy(
    update={
        "description": "Takes the money", "runbook": "https://runbooks.acme.test/checkout", "labels": {"pci": "yes"},
    }
)  # fmt: skip
TEAM = Team(name="shop", channel="team-shop", leads=("lee@acme.test",), oncall="shop-rota")
ROTA = Rota(name="shop-rota", layers=(Layer(people=("olu@acme.test", "dana@acme.test"), start=date(2026, 6, 8)),))
ONE = ACME.model_copy(
    update={"services": {"checkout": CHECKOUT}, "teams": {"shop": TEAM}, "rotas": {"shop-rota": ROTA}}
)


async def page(clusters: KubernetesClusters, **more: Any) -> Answer:
    asked = service.Service(service="checkout")
    return await service.answer(asked, context(clusters, "checkout", platform=ONE, now=NOW, **more))


@pytest.fixture
def ledger() -> Lines:
    at = NOW.timestamp()
    return Lines({
        ("checkout", "production"): [Line("1.4.1", "Dana", at - 3600), Line("1.4.0", "Lee", at - 9e5, "rolled_back")],
        ("checkout", "staging"): [Line("1.4.2", "Sam", at - 90_000)],
    })  # fmt: skip


async def test_the_page_tells_whose_it_is_what_runs_and_what_changed(
    clusters: KubernetesClusters, ledger: Lines
) -> None:
    said = await page(clusters, ledger=ledger)
    assert said.title == "checkout"
    assert said.lines == (
        "Takes the money",
        "Owner: team shop, #team-shop, led by lee@acme.test",
        "On call: *shop-rota*: Dana until Mon 22 Jun 09:00 UTC; then Olu from Mon 22 Jun 09:00 UTC",
        "✅ *production*: 1.4.1 healthy, since today by Dana.",
        "✅ *staging*: 1.4.2 healthy, since yesterday by Sam.",
        "*Recent changes*",
        "• 1.4.1 in production by Dana, today 11:00 UTC: succeeded",
        "• 1.4.2 in staging by Sam, yesterday 11:00 UTC: succeeded",
        "• 1.4.0 in production by Lee, on 5 June: rolled back",
        "Runbook: https://runbooks.acme.test/checkout",
        "Labels: pci yes",
    )
    assert [(one.label, one.line, one.form) for one in said.buttons] == [
        ("Deploy", "deploy service=checkout", True),
        ("Logs", "logs service=checkout", True),
        ("Diagnose", "diagnose service=checkout", True),
    ]


async def test_where_it_is_unwell_in_one_place_the_buttons_lead_there(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-crash")
    said = await page(clusters)
    assert any(line.startswith("❌ *production*: 1.5.0-crash failing") and "exit code 1" in line for line in said.lines)
    assert [(one.line, one.form) for one in said.buttons[1:]] == [
        ("logs checkout production", False), ("diagnose checkout production", False),
    ]  # fmt: skip


async def test_a_cluster_that_is_away_costs_its_lines_and_not_the_page(
    cluster: PracticeCluster, clusters: KubernetesClusters, ledger: Lines
) -> None:
    cluster.go_away()
    said = await page(clusters, ledger=ledger)
    assert sum(line.startswith("➖ *") and "does not answer" in line for line in said.lines) == 2
    assert "• 1.4.1 in production by Dana, today 11:00 UTC: succeeded" in said.lines


def test_only_a_page_of_thousands_is_looked_up_and_written_out() -> None:
    looked: list[str] = []
    known = platform()

    class Watched(dict[str, Service]):
        def __getitem__(self, name: str) -> Service:
            looked.append(name)
            return super().__getitem__(name)

    known = known.model_copy(update={"services": Watched(known.services)})
    said = services.answer(services.Services(), context(NoClusters(), platform=known))  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as done:
        said.send(None)
    assert len(done.value.value.lines) == len(looked) == services.PAGE
