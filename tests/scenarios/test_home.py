"""App Home: what waits for me first, decided from there; it follows what changes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.house import REQUESTS, House, acme_house, straight_to_production

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=straight_to_production) as house:
        yield house


async def test_a_first_visit_says_what_to_try(house: House) -> None:
    await house.dana.home("Welcome", "Three things to try first", "/platform deploy", "Nothing waits for you.")
    await house.dana.types(LINE)
    await house.dana.sees(REQUESTS, "WAITING")
    home = await house.dana.home("Your requests (1)")
    assert "Welcome" not in home.text


async def test_what_waits_for_me_is_approved_from_there_and_leaves_it(house: House) -> None:
    await house.dana.types(LINE)
    await house.lee.sees(REQUESTS, "WAITING")
    home = await house.lee.home("Waiting for you (1)", "R-1001", "Deploy checkout 1.4.1 → 1.4.2 in production")
    assert "“fixes the cart” · image only · 3 pods, one at a time" in home.text
    await home.click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED", "Approved by Lee")
    await house.lee.home("Nothing waits for you.", "Your services", "checkout: production 1.4.2 by Dana")


async def test_it_follows_what_changes_while_somebody_looks(house: House) -> None:
    await house.lee.home("Nothing waits for you.")
    await house.dana.types(LINE)
    await house.lee.sees(REQUESTS, "WAITING")
    house.clock.advance(3)
    await house.lee.watches_home("Waiting for you (1)", "R-1001")
    await (await house.dana.sees(REQUESTS, "WAITING")).click("Cancel")
    await house.dana.sees(REQUESTS, "CANCELLED")
    house.clock.advance(3)
    await house.lee.watches_home("Nothing waits for you.")


async def test_a_click_that_comes_too_late_is_answered_in_direct_messages(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.dana.sees(REQUESTS, "WAITING")
    home = await house.lee.home("Waiting for you (1)")
    await card.click("Cancel")
    await house.dana.sees(REQUESTS, "CANCELLED")
    await home.click("Approve")
    await house.lee.sees("@platform", "R-1001 was cancelled by Dana.")


async def test_a_rejection_from_there_asks_for_its_reason(house: House) -> None:
    await house.dana.types(LINE)
    await house.lee.sees(REQUESTS, "WAITING")
    await (await house.lee.home("Waiting for you (1)")).click("Reject")
    form = await house.lee.modal()
    await form.fill(Reason="not before the sale")
    assert await form.submit() == {}
    await house.dana.sees(REQUESTS, "REJECTED by Lee", "not before the sale")


async def test_what_is_scheduled_stands_there(house: House) -> None:
    await house.dana.types(
        "/platform schedule every weekday 20:00 scale checkout staging replicas=0 because of the cost"
    )
    await house.dana.sees("general", "Scheduled")
    await house.dana.home("Scheduled", "S-1: scale checkout staging replicas=0 every weekday 20:00, next 20:00 CET")
