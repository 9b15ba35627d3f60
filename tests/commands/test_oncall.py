"""Who is on call, as the line tells it."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Answer
from chatops.kernel.errors import InputError
from chatops.kernel.people import Person, Standing
from chatops.kernel.rota import Hours, Layer, Rota
from commands import oncall
from tests.support.acme_cluster import ACME, context

NOW = datetime(2026, 10, 23, 12, 0, tzinfo=UTC)  # the Friday before the clocks change
WEEKLY = Rota(
    name="shop-rota", timezone="Europe/Berlin",
    layers=(Layer(people=("olu@acme.test", "dana@acme.test"), start=date(2026, 10, 19)),),
)  # fmt: skip
OFFICE = Rota(
    name="desk", timezone="UTC",
    layers=(Layer(people=("lee@acme.test",), hours=Hours(days=(0, 1, 2, 3, 4), begin=time(9), end=time(11))),),
)  # fmt: skip


async def asked(clusters: KubernetesClusters, of: str = "", zone: str = "Europe/Berlin") -> Answer:
    teams = {name: team.model_copy(update={"oncall": "shop-rota"}) for name, team in ACME.teams.items()}
    platform = ACME.model_copy(update={"rotas": {"shop-rota": WEEKLY, "desk": OFFICE}, "teams": teams})
    given: dict[str, Any] = {"platform": platform, "now": NOW}
    ctx = context(clusters, "checkout", **given)
    person = Person(id="U0DANA", name="Dana", standing=Standing.MEMBER, tz=zone)
    return await oncall.answer(oncall.Oncall(of=of), ctx.__class__(**{**fields(ctx), "requester": person}))


def fields(ctx: Any) -> dict[str, Any]:
    return {name: getattr(ctx, name) for name in ctx.__dataclass_fields__}


async def test_it_says_who_until_when_and_who_is_next_in_the_askers_time(clusters: KubernetesClusters) -> None:
    said = await asked(clusters)
    assert said.lines[0] == ("*shop-rota*: Olu until Mon 26 Oct 09:00 CET; then Dana from Mon 26 Oct 09:00 CET")
    elsewhere = await asked(clusters, zone="America/New_York")
    assert "until Mon 26 Oct 04:00 EDT" in elsewhere.lines[0]


async def test_a_gap_says_who_comes_after_it(clusters: KubernetesClusters) -> None:
    said = await asked(clusters, "desk", zone="UTC")
    assert said.lines == ("*desk*: nobody now; then lee@acme.test from Mon 26 Oct 09:00 UTC",)


async def test_a_service_or_a_team_stands_for_its_rota(clusters: KubernetesClusters) -> None:
    team = ACME.services["checkout"].team
    assert (await asked(clusters, "checkout")).lines == (await asked(clusters, "shop-rota")).lines
    if team in ACME.teams:
        assert (await asked(clusters, team)).lines == (await asked(clusters, "shop-rota")).lines


async def test_an_unknown_word_gets_a_suggestion(clusters: KubernetesClusters) -> None:
    with pytest.raises(InputError, match="no rota, team or service called") as wrong:
        await asked(clusters, "chekout")
    assert wrong.value.suggestion == "checkout"


async def test_a_time_zone_that_nobody_knows_is_utc(clusters: KubernetesClusters) -> None:
    assert "08:00 UTC" in (await asked(clusters, "shop-rota", zone="Mars/Base")).lines[0]
