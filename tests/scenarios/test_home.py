"""App Home: what waits for me first, decided from there; it follows what changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatops.adapters.kubernetes.connection import Patience
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
    home = await house.dana.home("Yours, under way or failed (1)", "R-1001", "Your requests (1)")
    assert "Welcome" not in home.text


async def test_what_waits_for_me_is_approved_from_there_and_leaves_it(house: House) -> None:
    await house.dana.types(LINE)
    await house.lee.sees(REQUESTS, "WAITING")
    home = await house.lee.home("Waiting for you (1)", "R-1001", "Deploy checkout 1.4.1 → 1.4.2 in production")
    assert "“fixes the cart” · image only · 3 pods, one at a time" in home.text
    await home.click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED", "Approved by Lee")
    await house.lee.home("Nothing waits for you.", "Your services", "checkout: ", "production 1.4.2 by Dana")


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


async def test_what_failed_stands_there_and_what_is_over_well_does_not(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.5.0-broken staging because of the new cart")
    await house.dana.sees(REQUESTS, "ROLLED BACK")
    await house.dana.types("/platform scale cart staging replicas=3 because it is quiet")
    await house.dana.sees(REQUESTS, "Scale cart", "SUCCEEDED")
    home = await house.dana.home("Yours, under way or failed (1)", "1.5.0-broken in staging", "Your requests (2)")
    assert home.text.index("under way or failed") < home.text.index("[Deploy]") < home.text.index("Your services")
    await house.assistant.watcher.look()
    await house.dana.home("checkout: staging 1.4.2 ✅ 2 of 2 ready; last deploy ↩️ 1.5.0-broken by Dana, 10:00")
    house.clock.advance(3 * 86400)
    await house.dana.home("Your requests (2)", without="under way")


async def test_what_was_seen_during_a_deploy_that_was_rolled_back_is_not_said_to_run(house: House) -> None:
    health, staging = house.assistant.planner.health, house.assistant.configuration.platform.environments["staging"]
    assert health is not None
    live = await house.deployment("checkout", "shop-staging")
    [container] = live["spec"]["template"]["spec"]["containers"]
    broken = {**container, "image": "registry.acme.test/checkout:1.5.0-broken"}
    spec = {**live["spec"], "template": {"spec": {"containers": [broken]}}}
    during = {"metadata": live["metadata"], "spec": spec, "status": {"readyReplicas": 2}}
    health.saw(staging, [during])
    house.clock.advance(5)
    await house.dana.types("/platform deploy checkout 1.5.0-broken staging because of the new cart")
    await house.dana.sees(REQUESTS, "ROLLED BACK")
    await house.dana.home("checkout: staging 1.4.2 ✅ 2 of 2 ready; last deploy ↩️ 1.5.0-broken by Dana, 10:00")
    heard: list[str] = []
    health.changed = heard.extend
    await house.assistant.watcher.look()
    assert "checkout" in heard, "another version runs, with as many pods"


async def test_who_is_on_call_is_called_by_name(house: House) -> None:
    home = await house.dana.home("On call", "shop-rota: Olu")
    assert "olu@acme.test" not in home.text


async def test_the_services_tell_how_they_run_the_unwell_first(house: House) -> None:
    await house.assistant.watcher.look()
    home = await house.dana.home("cart: staging 2.8.0 ✅", "checkout: ", "production 1.4.1 ✅ 3 of 3 ready")
    assert home.text.index("cart: ") < home.text.index("checkout: ")
    await house.crashes_in_staging("search")
    async with asyncio.timeout(20):
        while True:
            await house.assistant.watcher.look()
            home = await house.dana.home("search: ")
            if "⚠️" in home.text and home.text.index("search: ") < home.text.index("cart: "):
                break
    await house.lee.home("search: ", "⚠️")
    content = {"template": {"spec": {"containers": [{"name": "app", "command": None}]}}}
    await house.edit("search", {"spec": content}, "shop-staging")
    async with asyncio.timeout(20):
        while "⚠️" in house.lee.home_text:
            await house.assistant.watcher.look()
            house.clock.advance(3)
    house.cluster_away(True)
    house.clock.advance(600)
    await house.dana.home("Your requests", without="3 ready")  # for ten minutes nobody could look


def without_a_watcher(content: dict[str, Any]) -> None:
    """Nobody looks at the clusters but for whoever opens their home."""
    content["watcher"] = {"enabled": False}


async def test_a_home_that_is_opened_before_anybody_has_looked_tells_how_the_services_run_in_a_moment() -> None:
    async with acme_house(platform=without_a_watcher) as house:
        await house.dana.home("Nothing waits for you.")
        await house.dana.watches_home("staging 1.4.2 ✅ 2 of 2 ready", "production 1.4.1 ✅ 3 of 3 ready")


async def test_a_cluster_that_cannot_be_looked_at_is_a_line_in_the_log_and_whoever_opens_theirs_later_sees_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with acme_house(platform=without_a_watcher, patience=Patience(tries=1)) as house:
        house.cluster_away(True)
        with caplog.at_level("INFO", "chatops.requests.health"):
            await house.dana.home("Nothing waits for you.", "Your requests", without="ready")
            await house.until(lambda: "how services do in production: " in caplog.text)
        house.cluster_away(False)
        house.clock.advance(31)
        await house.dana.home("✅ 3 of 3 ready")
        assert [one for one in caplog.records if one.levelname == "ERROR"] == []


async def test_an_incident_of_ones_team_appears_while_one_looks_and_whoever_is_on_call_sees_it_too(
    house: House,
) -> None:
    await house.lee.home("Nothing waits for you.")
    await house.olu.home("Nothing waits for you.")  # is of no team, and has the rota of this one
    await house.dana.types("/platform incident open checkout production because the cart is empty")
    await house.dana.sees("incidents", "INC-101")
    house.clock.advance(3)
    await house.lee.watches_home("Incidents", "INC-101")
    await house.olu.watches_home("Incidents", "INC-101")
    await house.sam.home("Nothing waits for you.", without="INC-101")


async def restarted(house: House) -> None:
    """Once it is known that Lee has opened theirs, the assistant is started again."""
    async with asyncio.timeout(20):
        while not await house.rows("SELECT 1 FROM homes WHERE person_id = :lee", lee=house.lee.id):
            await asyncio.sleep(0.02)
    await house.stop()
    await house.start()
    await house.until(lambda: house.assistant.homes.watched)


async def test_a_home_that_is_open_shows_what_changes_after_a_restart(house: House) -> None:
    await house.lee.home("Nothing waits for you.")
    await restarted(house)
    await house.dana.types(LINE)
    await house.lee.watches_home("Waiting for you (1)", "R-1001")
    await house.dana.types("/platform incident open checkout production because the cart is empty")
    await house.lee.watches_home("Incidents", "INC-101")


async def test_whoever_opened_theirs_last_sees_after_a_restart_how_the_services_run_by_now(house: House) -> None:
    await house.lee.home("Nothing waits for you.")
    await house.lee.watches_home("checkout: staging 1.4.2 ✅ 2 of 2 ready")
    await restarted(house)
    await house.staged("checkout", "1.4.1")
    await house.assistant.watcher.look()
    await house.lee.watches_home("checkout: staging 1.4.1 ✅ 2 of 2 ready")


async def test_a_home_that_was_opened_long_ago_is_forgotten(house: House) -> None:
    await house.lee.home("Nothing waits for you.")
    await restarted(house)
    house.clock.advance(8 * 3600 + 1)
    await house.assistant.forget()
    assert await house.rows("SELECT 1 FROM homes") == []


async def test_ones_own_line_shows_on_the_home_that_is_open(house: House) -> None:
    await house.dana.home("no daily digest · no quiet hours")
    await house.dana.types("/platform preferences digest=08:00")
    await house.dana.sees("general", "a daily digest at 08:00")
    house.clock.advance(3)
    await house.dana.watches_home("a daily digest at 08:00 · no quiet hours")
