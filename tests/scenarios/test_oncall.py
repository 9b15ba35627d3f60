"""Who takes whose place on call, asked for in Slack."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from chatops.kernel.alert import Alert, Delivery
from tests.support.clock import ShiftedClock
from tests.support.house import House, acme_house

INCIDENTS = "incidents"


def olu_is_on_call(content: dict[str, Any]) -> None:
    content["rotas"] = {"shop-rota": {"timezone": "UTC", "people": ["olu@acme.test"]}}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=olu_is_on_call) as house:  # it is Monday, 9:00 UTC, 10:00 in Berlin
        yield house


async def fires(house: House, name: str) -> None:
    labels = {"environment": "production", "service": name}
    alert = Alert("alertmanager", name, "firing", "ErrorRate", severity="critical", summary="5xx", labels=labels)
    await house.assistant.alerts.take(Delivery("alertmanager", (alert,)))


async def test_somebody_takes_over_for_a_day_and_is_paged_then_and_not_after(house: House) -> None:
    await house.olu.types("/platform oncall override tomorrow 9-17 for @sam because the dentist")
    said = await house.olu.sees("general", "Sam is on call for shop-rota: Tue 24 Nov 09:00 to 17:00 CET.")
    assert said.buttons == ["Restore"]
    await house.sam.sees("@platform", "Olu put you on call for shop-rota: Tue 24 Nov 09:00 to 17:00 CET.")
    await house.dana.types("/platform oncall")
    listed = await house.dana.sees("general", "shop-rota", "Olu until Tue 24 Nov 09:00 CET; then Sam from")
    assert "1: Sam takes over Tue 24 Nov 09:00 to 17:00 CET, by Olu: the dentist" in listed.text
    house.clock.advance(22 * 3600)
    await fires(house, "checkout")
    await house.olu.sees("@platform", "You are paged.", "checkout")
    house.clock.advance(3600 + 60)
    await fires(house, "cart")
    await house.sam.sees("@platform", "You are paged.", "cart")
    await house.dana.types("/platform service cart")
    await house.dana.sees("general", "led by Lee", "shop-rota: Sam until Tue 24 Nov 17:00 CET; then Olu from")
    house.clock.advance(8 * 3600)
    await fires(house, "search")
    await house.olu.sees("@platform", "You are paged.", "search")
    rows = await house.rows("SELECT who, what FROM audit WHERE chain = 'platform' ORDER BY seq")
    assert [tuple(row.values()) for row in rows] == [("olu@acme.test", "oncall_overridden")]


async def test_what_was_overridden_is_restored_with_a_button_and_the_person_is_told(house: House) -> None:
    await house.olu.types("/platform oncall override @lee today rota=shop-rota because I am ill")
    said = await house.olu.sees("general", "Lee is on call for shop-rota: Mon 23 Nov 10:00 to Tue 24 Nov 00:00 CET.")
    await said.click("Restore")
    await house.olu.sees("general", "Lee does not take over any more; shop-rota holds.")
    await house.lee.sees("@platform", "Olu took you off call for shop-rota again")
    await house.olu.types("/platform oncall restore 1")
    await house.olu.sees("general", "There is no override 1 any more.")
    await fires(house, "checkout")
    await house.olu.sees("@platform", "You are paged.")


async def test_a_rota_is_changed_by_its_own_people_the_leads_and_the_platform_team_alone(house: House) -> None:
    await house.dana.types("/platform oncall override tomorrow for @dana because I want to")
    await house.dana.sees("general", "is changed by those who take turns in it", "Ask one of them: olu@acme.test")
    await house.sam.types("/platform oncall override tomorrow 9-17 for @dana because Olu asked me")
    await house.sam.sees("general", "Dana is on call for shop-rota")
    await house.dana.types("/platform oncall restore 1")
    await house.dana.sees("general", "Refused", "those who take turns in it")
    await house.olu.types("/platform oncall override tomorrow 9-17 for @gus because why not")
    await house.olu.sees("general", "Gus is no full member of the home workspace.")
    assert len(await house.rows("SELECT * FROM overrides WHERE removed_at = 0")) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("yesterday for @sam", "I don't know which day 'yesterday' is."),
        ("tomorrow late for @sam", "I don't know which hours 'late' are."),
        ("tomorrow 9-17 for @sam rota=shoprota", "There is no rota, team or service called 'shoprota'."),
    ],
)
async def test_what_was_not_understood_is_told_with_an_example(house: House, line: str, says: str) -> None:
    await house.olu.types(f"/platform oncall override {line} because of it")
    await house.olu.sees("general", "Not quite", says)


async def test_everybody_can_page_themselves_and_nobody_else_hears_of_it(house: House) -> None:
    await house.dana.types("/platform oncall test")
    await house.dana.sees("general", "A page is on its way to you")
    page = await house.dana.sees("@platform", "You are paged.", "nothing is broken")
    assert "@dana" in page.text
    await house.quiet()
    assert await house.rows("SELECT * FROM paging") == []
    await house.olu.never_sees("@platform", "You are paged.")


NIGHTS = [  # the hand-over at 2:30 comes once, though the clocks show it never or twice
    ("Europe/Berlin", "2026-10-25T00:30:00+02:00", [(7140, "olu"), (7260, "lee"), (10860, "lee"), (16200, "lee")]),
    ("Europe/Berlin", "2027-03-28T00:30:00+01:00", [(5340, "olu"), (5460, "lee"), (9000, "lee")]),
    ("America/New_York", "2026-11-01T00:30:00-04:00", [(7140, "olu"), (10740, "olu"), (10860, "lee")]),
    ("America/New_York", "2027-03-14T00:30:00-05:00", [(5340, "olu"), (5460, "lee"), (9000, "lee")]),
]


def of_two(zone: str) -> Any:
    def changed(content: dict[str, Any]) -> None:
        people = ["olu@acme.test", "lee@acme.test"]
        layer = {"shift": "daily", "handover": "02:30", "people": people}
        content["rotas"] = {"shop-rota": {"timezone": zone, "layers": [layer]}}

    return changed


@pytest.mark.parametrize(("zone", "begins", "then"), NIGHTS)
async def test_in_the_nights_in_which_the_clocks_change_the_right_one_is_paged(
    zone: str, begins: str, then: list[tuple[int, str]]
) -> None:
    start = datetime.fromisoformat(begins).timestamp()
    clock = ShiftedClock(start - time.time())
    async with acme_house(platform=of_two(zone), clock=clock) as house:
        [first] = {who for _, who in then[:1]}
        other = {"olu": "lee", "lee": "olu"}
        duty = house.assistant.paging.duty
        swapped = await duty.person("shop-rota") != f"{first}@acme.test"
        services = iter(("checkout", "cart", "catalog", "search"))
        for seconds, who in then:
            clock.advance(start + seconds - clock.now())
            person = getattr(house, other[who] if swapped else who)
            service = next(services)
            await fires(house, service)
            await person.sees("@platform", "You are paged.", service)


@pytest.mark.parametrize(("evening", "hours"), [("2026-10-24T20:00:00+02:00", 4), ("2027-03-27T20:00:00+01:00", 2)])
async def test_an_override_over_a_hand_over_in_such_a_night_holds_by_the_wall_clock(evening: str, hours: float) -> None:
    clock = ShiftedClock(datetime.fromisoformat(evening).timestamp() - time.time())
    async with acme_house(platform=of_two("Europe/Berlin"), clock=clock) as house:
        await house.olu.types("/platform oncall override tomorrow 1-4 for @sam because the wedding")
        await house.olu.sees("general", "Sam is on call for shop-rota:", "01:00 to 04:00")
        [row] = await house.rows("SELECT starts_at, ends_at FROM overrides")
        assert (row["ends_at"] - row["starts_at"]) / 3600 == hours
        clock.advance(row["starts_at"] + 60 - clock.now())
        await fires(house, "checkout")
        await house.sam.sees("@platform", "You are paged.", "checkout")
        clock.advance(row["ends_at"] - 120 - clock.now())  # after the hand-over at 2:30
        await fires(house, "cart")
        await house.sam.sees("@platform", "You are paged.", "cart")
        clock.advance(row["ends_at"] + 60 - clock.now())
        await fires(house, "search")
        await house.dana.sees(INCIDENTS, "search", "Paged: @")
        await house.quiet()
        sams = await house.rows("SELECT DISTINCT incident_id FROM paging WHERE person_id = 'U0SAM'")
        assert len(sams) == 2
