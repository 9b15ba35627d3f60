"""What people schedule is asked for at its time, and approved ahead of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.scenarios.test_freezes import afternoon
from tests.support.house import REQUESTS, House, acme_house, straight_to_production

HOUR = 3600.0
NIGHT = "/platform schedule every weekday 20:00 scale checkout staging replicas=0 because nobody works then"
TOMORROW = "/platform schedule deploy checkout 1.4.2 production at tomorrow 9:00 because fixes the cart"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=straight_to_production) as house:
        yield house


async def passes(house: House, seconds: float) -> None:
    """Time goes by, and the assistant looks at what is due."""
    await house.later(seconds)
    await house.assistant.timetable.look()


async def replicas(house: House, number: int) -> None:
    async with asyncio.timeout(10):
        while (await house.deployment("checkout", "shop-staging"))["spec"]["replicas"] != number:
            await asyncio.sleep(0.02)


async def test_a_change_is_done_at_its_time_again_and_again(house: House) -> None:
    await house.dana.types(NIGHT)
    said = await house.dana.sees("general", "Scheduled", "S-1: scale checkout staging replicas=0")
    assert "every weekday 20:00, next 20:00 CET" in said.text
    await passes(house, 9 * HOUR)
    assert await house.rows("SELECT id FROM requests") == [], "nobody has to approve it, so nothing is asked ahead"
    await passes(house, HOUR)
    await house.dana.sees(REQUESTS, "Scale checkout", "SUCCEEDED", "Scheduled (S-1)", "nobody works then")
    await replicas(house, 0)
    await house.dana.types("/platform schedules")
    await house.dana.sees("general", "Your schedules", "every weekday 20:00, next Tue 24 Nov 20:00 CET · Dana")
    await house.assistant.timetable.look()
    assert len(await house.rows("SELECT id FROM requests")) == 1


async def test_approvals_are_asked_for_ahead_and_the_place_stays_free_until_then(house: House) -> None:
    await house.dana.types(TOMORROW)
    await house.dana.sees("general", "Scheduled", "deploy checkout 1.4.2 production at Tue 24 Nov 09:00 CET")
    await house.assistant.timetable.look()
    card = await house.lee.sees(REQUESTS, "WAITING", "starts", "Scheduled (S-1)", "→ 1.4.2")
    await card.click("Approve")
    await house.dana.sees(REQUESTS, "APPROVED by Lee", "; starts")
    await house.dana.types("/platform restart checkout production because it leaks")
    await (await house.lee.sees(REQUESTS, "Restart checkout", "WAITING")).click("Approve")
    await house.dana.sees(REQUESTS, "Restart checkout", "SUCCEEDED")
    assert await house.image("checkout") == "1.4.1"


async def test_what_was_approved_begins_at_its_time_when_the_plan_is_still_the_same(house: House) -> None:
    await house.dana.types(TOMORROW)
    await house.dana.sees("general", "Scheduled")
    await house.assistant.timetable.look()
    await (await house.lee.sees(REQUESTS, "WAITING", "Scheduled (S-1)")).click("Approve")
    await house.dana.sees(REQUESTS, "APPROVED by Lee")
    await passes(house, 23 * HOUR - 60)
    assert await house.image("checkout") == "1.4.1"
    await passes(house, 61)
    await house.dana.sees(REQUESTS, "SUCCEEDED", "1.4.1 → 1.4.2")
    await house.dana.types("/platform schedules")
    await house.dana.sees("general", "You and your teams have scheduled nothing.")


async def test_approvals_are_void_when_the_plan_differs_at_its_time(house: House) -> None:
    await house.dana.types(TOMORROW)
    await house.dana.sees("general", "Scheduled")
    await house.assistant.timetable.look()
    await (await house.lee.sees(REQUESTS, "WAITING", "Scheduled (S-1)")).click("Approve")
    await house.dana.sees(REQUESTS, "APPROVED by Lee")
    image = "registry.acme.test/shop/checkout:1.4.0"
    await house.edit("checkout", {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}})
    await passes(house, 23 * HOUR + 1)
    await house.lee.sees(REQUESTS, "WAITING", "Earlier approvals are void", "is 1.4.0 now, it was 1.4.1")
    assert await house.image("checkout") == "1.4.0"
    await passes(house, 31 * 60)
    await house.dana.sees(REQUESTS, "EXPIRED", "Scheduled (S-1)")


async def test_what_comes_at_the_time_waits_for_what_is_under_way_there(house: House) -> None:
    await house.dana.types("/platform schedule at 11:00 scale checkout staging replicas=3 because more comes")
    await house.dana.sees("general", "Scheduled")
    await house.dana.types("/platform scale checkout production replicas=4 because more comes")
    await house.lee.sees(REQUESTS, "Scale checkout", "PRODUCTION", "WAITING")
    await house.dana.types("/platform schedule at 11:00 restart checkout production because it leaks")
    await house.dana.sees("general", "S-2: restart checkout production")
    await house.assistant.timetable.look()
    await (await house.lee.sees(REQUESTS, "Restart checkout", "WAITING")).click("Approve")
    await house.dana.sees(REQUESTS, "Restart checkout", "APPROVED by Lee")
    await passes(house, HOUR + 1)
    await house.dana.sees(REQUESTS, "Scale checkout", "STAGING", "SUCCEEDED")
    await house.dana.sees(REQUESTS, "Restart checkout", "waits: R-1001", "is under way there")
    await (await house.dana.sees(REQUESTS, "Scale checkout", "PRODUCTION", "WAITING")).click("Cancel")
    house.clock.advance(10)
    await house.dana.sees(REQUESTS, "Restart checkout", "SUCCEEDED")


async def test_what_was_missed_in_a_downtime_is_told_and_not_done(house: House) -> None:
    await house.dana.types(NIGHT)
    await house.dana.sees("general", "Scheduled")
    await house.stop()
    house.clock.advance(11 * HOUR)
    await house.start()
    await house.assistant.timetable.look()
    await house.dana.sees(
        "@platform", "I was not there at 20:00 CET, so scale checkout staging replicas=0 (S-1) was not done",
        "next Tue 24 Nov 20:00 CET", "Do it now",
    )  # fmt: skip
    await house.stop()
    house.clock.advance(23 * HOUR + 20 * 60)  # Tuesday 20:20: late, and not too late
    await house.start()
    await house.assistant.timetable.look()
    await house.dana.sees(REQUESTS, "Scale checkout", "SUCCEEDED", "Scheduled (S-1)")


async def test_while_the_cluster_is_away_ahead_of_the_time_it_is_asked_again(house: House) -> None:
    await house.dana.types(TOMORROW)
    await house.dana.sees("general", "Scheduled")
    house.cluster_away(True)
    await house.assistant.timetable.look()
    assert await house.rows("SELECT id FROM requests") == []
    house.cluster_away(False)
    await passes(house, 301)
    await house.lee.sees(REQUESTS, "WAITING", "Scheduled (S-1)")


async def test_pausing_and_removing_take_back_what_was_asked_ahead(house: House) -> None:
    await house.dana.types(TOMORROW)
    said = await house.dana.sees("general", "Scheduled")
    await house.assistant.timetable.look()
    await (await house.lee.sees(REQUESTS, "WAITING", "Scheduled (S-1)")).click("Approve")
    await house.dana.sees(REQUESTS, "APPROVED by Lee")
    await said.click("Pause S-1")
    await house.dana.sees("general", "Paused", "S-1: deploy checkout 1.4.2 production at Tue 24 Nov 09:00 CET, paused")
    await house.dana.sees(REQUESTS, "CANCELLED by Dana", "S-1 was paused")
    await house.dana.types("/platform schedule pause S-1")
    await house.dana.sees("general", "S-1 is paused already.")
    await house.lee.types("/platform schedule resume s-1")
    await house.dana.sees("@platform", "Lee resumed S-1")
    await house.assistant.timetable.look()
    await house.lee.sees(REQUESTS, "WAITING", "Scheduled (S-1)")
    await house.dana.types("/platform schedule remove 1")
    await house.dana.sees("general", "Removed", "S-1 is gone")
    await passes(house, 24 * HOUR)
    assert await house.image("checkout") == "1.4.1"
    await house.dana.types("/platform schedule resume S-1")
    await house.dana.sees("general", "S-1 is over.")


async def test_what_cannot_be_scheduled_is_said_at_once(house: House) -> None:
    for line, said in (
        ("status checkout at 16:00", "only changes can be scheduled"),
        ("deploy chekout 1.4.2 staging at 16:00", "Did you mean checkout?"),
        ("deploy checkout staging at 16:00", "Deploy needs Version too."),
        ("deploy checkout 1.4.2 staging at today 9:00", "That time is over already."),
        ("at 16:00 secret set checkout staging API_KEY", "only changes can be scheduled"),
        ("deploy checkout 1.4.2 production break_glass=yes at 16:00", "Glass is broken by hand"),
        ("at 16:00 resume", "only changes can be scheduled"),
    ):
        await house.dana.types(f"/platform schedule {line}")
        await house.dana.sees("general", said)
    await house.gus.types("/platform schedule restart cart staging at 16:00", channel=REQUESTS)
    await house.gus.sees(REQUESTS, "The platform answers only people of its home workspace.")
    await house.dana.types("/platform schedule deploy checkout 1.4.2 staging")
    form = await house.dana.modal(title="Schedule")
    await form.fill(When="tomorrow 9:00", Reason="it is faster")
    assert await form.submit() == {}
    await house.dana.sees("general", "S-1: deploy checkout 1.4.2 staging at Tue 24 Nov 09:00 CET")


@pytest.fixture
async def two_teams() -> AsyncIterator[House]:
    def platform(content: dict[str, Any]) -> None:
        content["teams"]["payments"]["leads"] = ["sam@acme.test"]

    async with acme_house(platform=platform) as house:
        yield house


async def test_only_who_made_it_the_owning_team_and_the_platform_team_change_it(two_teams: House) -> None:
    house = two_teams
    await house.olu.types("/platform schedule restart payments staging at 16:00 because of me")
    await house.olu.sees("general", "S-1: restart payments staging")
    await house.lee.types("/platform schedule remove S-1")
    await house.lee.sees("general", "Only Olu, who made S-1, the owning team and the platform team do that.")
    await house.dana.types("/platform schedules")
    await house.dana.sees("general", "S-1: restart payments staging at 16:00 CET · Olu")
    await house.dana.types("/platform schedule pause S-1")
    await house.olu.sees("@platform", "Dana paused S-1: restart payments staging.")
    await house.lee.types("/platform schedules")
    listed = await house.lee.sees("general", "You and your teams have scheduled nothing.")
    await listed.click("All schedules")
    await house.lee.sees("general", "S-1: restart payments staging at 16:00 CET, paused")


async def test_what_falls_into_a_freeze_is_told_ahead_and_a_freeze_before_it_does_not_count() -> None:
    def platform(content: dict[str, Any]) -> None:
        afternoon(content)

    async with acme_house(platform=platform) as house:
        await house.dana.types("/platform schedule deploy checkout 1.4.2 production at 16:00 because of the cart")
        await house.dana.sees("general", "It would be refused: Production is frozen: weekday afternoons")
        house.clock.advance(3 * HOUR)
        await house.dana.types(TOMORROW)
        await house.dana.sees("general", "S-2: deploy checkout 1.4.2 production")
        await house.assistant.timetable.look()
        await house.lee.sees(REQUESTS, "WAITING", "Scheduled (S-2)", "starts")


async def test_whoever_may_no_longer_ask_has_nothing_asked_for(house: House) -> None:
    await house.dana.types(NIGHT)
    await house.dana.sees("general", "Scheduled")
    path = house.settings.config / "platform.yml"
    path.write_text(path.read_text().replace("checkout", "kasse"))
    await house.until(lambda: "kasse" in house.assistant.configuration.platform.services)
    await passes(house, 10 * HOUR)
    await house.dana.sees("@platform", "scale checkout staging replicas=0 (S-1) was not asked for", "It is paused.")
    assert await house.rows("SELECT id FROM requests") == []
