"""What people choose about being told: kept, shown, and obeyed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chatops.kernel.people import Person
from chatops.kernel.ports import Tx
from chatops.requests.homes import HomePage
from chatops.requests.preferences import AT_ONCE, SAVE
from tests.scenarios.test_weekly import on
from tests.support.house import REQUESTS, House, acme_house, straight_to_production
from tests.support.onetime import Browser, approved, code_on, link_for

EVENING = datetime(2026, 3, 30, 20, 30, tzinfo=UTC).timestamp()  # 22:30 where everybody is
SCALE = "/platform scale cart staging replicas=3 because it is quiet"


async def test_they_are_chosen_in_a_form_that_shows_what_holds() -> None:
    async with acme_house() as house:
        await (await house.dana.home("How your requests end is told in the thread")).click("Change")
        form = await house.dana.modal("Preferences")
        await form.fill(**{"Quiet hours": "at night"})
        assert "like 22:00-07:00" in str(await form.submit())
        await form.fill(**{"Quiet hours": "22:00-07:00", "Told": "dm"})
        assert await form.submit() == {}
        await house.dana.home("is told in direct messages · no daily digest · quiet from 22:00 to 07:00")
        await house.stop()
        await house.start()
        await (await house.dana.home("quiet from 22:00 to 07:00")).click("Change")
        form = await house.dana.modal("Preferences")
        assert form.values["Quiet hours"] == "22:00-07:00"


async def test_how_a_request_ended_is_told_where_its_requester_wants_it() -> None:
    async with acme_house(platform=straight_to_production) as house:
        await house.dana.types(SCALE)
        await (await house.dana.sees(REQUESTS, "SUCCEEDED")).thread("@dana", "SUCCEEDED")
        await house.dana.types("/platform preferences told=dm")
        await house.dana.sees("general", "is told in direct messages")
        await house.dana.types(SCALE.replace("=3", "=2"))
        await house.dana.sees(REQUESTS, "R-1002", "SUCCEEDED")
        await house.dana.sees("@platform", "R-1002", "Scale cart", "in STAGING", "SUCCEEDED")
        await house.quiet()
        assert await house.rows("SELECT 1 FROM posts WHERE id LIKE 'R-1002/end/%' AND thread_of <> ''") == []


async def test_in_quiet_hours_only_pages_and_answers_come_and_the_rest_afterwards() -> None:
    async with acme_house(clock=on(EVENING)) as house:
        await house.olu.types("/platform preferences told=dm quiet=22:00-07:00")
        await house.olu.sees("general", "quiet from 22:00 to 07:00")
        await house.olu.types(SCALE)
        await house.olu.sees(REQUESTS, "SUCCEEDED")
        await house.dana.types("/platform incident open checkout production because the cart is empty")
        await house.olu.sees("@platform", "INC-101")  # a page
        await house.olu.types("/platform preferences")
        await house.olu.sees("general", "quiet from 22:00")
        [row] = await house.rows("SELECT ts FROM posts WHERE id LIKE 'R-1001/end/%'")
        assert row["ts"] == ""
        house.clock.advance(8.4 * 3600)
        assert (await house.rows("SELECT ts FROM posts WHERE id LIKE 'R-1001/end/%'"))[0]["ts"] == ""
        house.clock.advance(0.2 * 3600)
        await house.olu.sees("@platform", "R-1001", "SUCCEEDED")


async def test_a_one_time_page_can_be_used_in_quiet_hours_too() -> None:
    async with acme_house(clock=on(EVENING)) as house:
        await house.dana.types("/platform preferences quiet=22:00-07:00")
        await house.dana.sees("general", "quiet from 22:00 to 07:00")
        card = await approved(house, "/platform secret set checkout production API_KEY because the vendor renewed it")
        browser = Browser(await link_for(house.dana))
        try:
            code = code_on(await browser.opens())
            await (await house.dana.sees("@platform", f"does your page show {code}?")).click(f"Yes, {code} is mine")
            await house.dana.sees("@platform", "the page shows the field now")
            assert "It is stored" in await browser.sends("correct horse")
        finally:
            await browser.session.close()
        await card.becomes("SUCCEEDED")


async def test_the_digest_comes_once_a_day_at_its_hour_also_after_a_restart() -> None:
    async with acme_house(clock=on(EVENING), platform=straight_to_production) as house:
        await house.lee.types("/platform preferences digest=08:00")
        await house.lee.sees("general", "a daily digest at 08:00")
        await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        await house.lee.sees(REQUESTS, "WAITING")
        house.clock.advance(9.4 * 3600)
        assert await house.assistant.wishes.look() == 0
        await house.dana.types("/platform deploy cart 2.9.0 production because it is faster")
        await house.lee.sees(REQUESTS, "Deploy cart", "WAITING")
        house.clock.advance(0.2 * 3600)
        assert await house.assistant.wishes.look() == 1
        await house.lee.sees("@platform", "Your day", "Waiting for you", "R-1002")
        await house.stop()
        await house.start()
        assert await house.assistant.wishes.look() == 0
        house.clock.advance(30 * 3600)
        assert await house.assistant.wishes.look() == 0, "it is six hours late by now"
        [row] = await house.rows("SELECT due_at FROM preferences")
        assert row["due_at"] == datetime(2026, 4, 2, 6, tzinfo=UTC).timestamp()
        await house.lee.types("/platform preferences digest=none")
        await house.lee.sees("general", "no daily digest")
        assert (await house.rows("SELECT due_at FROM preferences"))[0]["due_at"] == 0


async def with_a_digest_due(house: House) -> None:
    """Lee and Olu want theirs at eight, when a request waits for both."""
    for person in (house.lee, house.olu):
        await person.types("/platform preferences digest=08:00")
        await person.sees("general", "a daily digest at 08:00")
    house.clock.advance(9.6 * 3600)
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    await house.lee.sees(REQUESTS, "WAITING")
    await house.olu.types("/platform deploy cart 2.9.0 production because it is faster")
    await house.lee.sees(REQUESTS, "Deploy cart", "WAITING")
    house.clock.advance(600)  # nobody's standing counts any more


async def test_a_digest_waits_while_slack_cannot_say_who_its_reader_is() -> None:
    async with acme_house(clock=on(EVENING), platform=straight_to_production) as house:
        await with_a_digest_due(house)
        await house.sandbox.fault("ratelimit", method="users.info", retry_after=40, times=1)
        assert await house.assistant.wishes.look() == 0
        assert await house.assistant.wishes.look() == 0, "Slack said to wait"
        house.clock.advance(41)
        assert await house.assistant.wishes.look() == 2
        await house.lee.sees("@platform", "Your day", "R-1001")


async def test_a_digest_that_fails_costs_the_others_nothing_and_comes_later(caplog: pytest.LogCaptureFixture) -> None:
    async with acme_house(clock=on(EVENING), platform=straight_to_production) as house:
        await with_a_digest_due(house)
        wishes = house.assistant.wishes
        shown = wishes.home

        async def broken(person: Person) -> HomePage:
            if person.id == house.lee.id:
                raise ZeroDivisionError("a defect")
            return await shown(person)

        wishes.home = broken
        assert await wishes.look() == 1
        await house.olu.sees("@platform", "Your day", "R-1002")
        assert f"while making the daily digest of {house.lee.id}" in caplog.text
        wishes.home = shown
        assert await wishes.look() == 1
        await house.lee.sees("@platform", "Your day", "R-1001")


async def test_at_a_popular_hour_digests_go_out_a_few_at_a_time_and_those_that_wait_block_nobody() -> None:
    async with acme_house(clock=on(EVENING), platform=straight_to_production) as house:
        await with_a_digest_due(house)
        [due] = {row["due_at"] for row in await house.rows("SELECT due_at FROM preferences")}

        def unheard_of(tx: Tx) -> None:
            for number in range(2 * AT_ONCE):
                tx.run(SAVE, person=f"U0A{number:04}", due=due, body='{"digest": "08:00", "timezone": "Europe/Berlin"}')

        await house.assistant.database.write(unheard_of)
        assert [await house.assistant.wishes.look() for _ in range(4)] == [0, 0, 2, 0]
        assert len(await house.rows("SELECT 1 FROM preferences WHERE due_at = :due", due=due)) == 2 * AT_ONCE


async def test_a_digest_with_nothing_to_tell_is_not_sent() -> None:
    async with acme_house(clock=on(EVENING)) as house:
        await house.dana.types("/platform preferences digest=08:00")
        await house.dana.sees("general", "a daily digest at 08:00")
        house.clock.advance(10 * 3600)
        assert await house.assistant.wishes.look() == 0
