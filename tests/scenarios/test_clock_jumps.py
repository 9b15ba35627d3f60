"""Somebody sets the machine's clock by an hour: nobody is paged twice, nothing ends before the clock says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatops.kernel import audit
from tests.support.house import REQUESTS, House, acme_house, straight_to_production
from tests.support.onetime import Browser, approved, code_on, link_for

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
ALERT = {
    "name": "ErrorRate", "status": "firing", "service": "checkout", "environment": "production",
    "severity": "critical", "summary": "5xx", "key": "clock-1",
}  # fmt: skip
HOUR = 3600.0


def configured(content: dict[str, Any]) -> None:
    straight_to_production(content)
    content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]
    content["watcher"] = {"enabled": False}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=configured) as house:
        yield house


async def set_by(house: House, seconds: float) -> None:
    """The clock shows another time, and everything that looks now and then has looked twice."""
    house.clock.advance(seconds)
    assistant = house.assistant
    looks = (
        assistant.deadlines.look, assistant.paging.look, assistant.locks.look, assistant.couriers.look,
        assistant.timetable.look, assistant.expiry.look, assistant.rooms.look, assistant.automations.look,
        assistant.auditor.look, assistant.reviews.look, assistant.wishes.look, assistant.teller.look, assistant.forget,
    )  # fmt: skip
    for look in looks * 2:
        await look()
    await house.until(lambda: house.assistant.messenger.settled)


def paged(house: House) -> dict[str, int]:
    """How many pages each has been sent."""
    ids = [
        str(message["metadata"]["event_payload"]["id"])
        for messages in house.slack.state.messages.values()
        for message in messages
        if message.get("metadata")
    ]
    return Counter(one.split("/")[1] for one in ids if one.startswith("page/"))


async def test_pages_go_out_once_each_wherever_the_clock_is_set(house: House) -> None:
    assert await house.hook("alert", ALERT) == 200
    card = await house.olu.sees("incidents", "SEV1 · checkout", "NOBODY HAS IT")
    await house.olu.sees("@platform", "You are paged.")
    await house.quiet()
    await set_by(house, -HOUR)
    assert paged(house) == {"U0OLU": 1}
    await set_by(house, HOUR)
    assert paged(house) == {"U0OLU": 1}
    await set_by(house, HOUR)  # by the clock, nobody has answered for an hour: everybody is asked, once with all of it
    assert paged(house) == {"U0OLU": 2, "U0LEE": 1}
    await set_by(house, -HOUR)
    assert paged(house) == {"U0OLU": 2, "U0LEE": 1}
    assert await house.hook("alert", {**ALERT, "service": "cart", "key": "clock-2"}) == 200
    await house.olu.sees("incidents", "SEV1 · cart")
    await set_by(house, 5)
    assert paged(house) == {"U0OLU": 3, "U0LEE": 1}, "what is new does not wait until the clock is where it was"
    await house.olu.types("/platform incident ack INC-101")
    await card.becomes("OLU HAS IT")
    await set_by(house, -HOUR)
    await set_by(house, HOUR)
    assert paged(house)["U0LEE"] == 1


async def test_what_waits_for_approval_ends_when_the_clock_says_so_and_not_before(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "Deploy checkout", "WAITING")
    await house.dana.types("/platform deploy cart 2.9.0 production because new")
    other = await house.lee.sees(REQUESTS, "Deploy cart", "WAITING")
    for seconds in (HOUR, -HOUR, -HOUR, HOUR):
        await set_by(house, seconds)
        assert "WAITING" in card.text
    await card.click("Approve")
    await card.becomes("SUCCEEDED")
    await set_by(house, 5 * HOUR)
    await other.becomes("EXPIRED")
    await set_by(house, -5 * HOUR)
    assert "EXPIRED" in other.text
    await other.click("Approve", stale=True)
    await house.lee.sees(REQUESTS, "expired")
    history = await house.history()
    assert [history.count(what) for what in ("begun", "written", "became_healthy", "expired")] == [1, 1, 1, 1]


async def test_locks_and_freezes_hold_as_long_as_the_clock_says(house: House) -> None:
    await house.dana.types("/platform lock cart staging until 2h because we measure")
    await house.lee.types("/platform freeze production until 2h because the sale is on")
    await house.quiet()
    for seconds in (HOUR, -HOUR, -HOUR, HOUR, HOUR):
        await set_by(house, seconds)
        assert len(await house.rows("SELECT id FROM locks WHERE ended_at = 0")) == 2
    await set_by(house, HOUR + 60)
    await house.lee.types("/platform deploy cart 2.9.0 staging because it is over")
    await house.lee.sees(REQUESTS, "Deploy cart", "SUCCEEDED")


async def test_a_standing_counts_for_five_minutes_also_when_the_clock_is_set_back(house: House) -> None:
    directory = house.assistant.front.directory
    await directory.person("U0LEE")
    assert directory.known("U0LEE") is not None
    house.clock.advance(-HOUR)
    assert directory.known("U0LEE") is not None
    house.clock.advance(301)
    assert directory.known("U0LEE") is None, "asked for again, for it is an approval that it decides on"


async def test_a_link_to_a_page_lives_as_long_as_the_clock_says_and_its_code_too(house: House) -> None:
    await approved(house, "/platform secret set checkout production API_KEY because the vendor renewed it")
    browser = Browser(await link_for(house.dana))
    try:
        await set_by(house, -HOUR)
        assert code_on(await browser.opens())
        await set_by(house, 2 * HOUR)
        assert "This page is gone" in await browser.opens()
        assert browser.status == 404
        await set_by(house, -HOUR)
        await browser.opens()
        assert browser.status in (200, 404)
    finally:
        await browser.session.close()
    assert (await house.assistant.database.read(audit.verify)).bad is None
