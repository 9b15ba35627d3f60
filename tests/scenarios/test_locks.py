"""Somebody keeps everyone else's changes away from a service for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import REQUESTS, House, acme_house

LOCK = "/platform lock checkout staging until 16:00 because migrating the carts"
DEPLOY = "/platform deploy checkout 1.4.3 staging because fixes the cart"
HELD = "checkout in staging is locked by Lee until 16:00 CET: migrating the carts"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


async def test_what_is_locked_refuses_the_changes_of_others_and_says_who_why_and_until_when(house: House) -> None:
    await house.lee.types(LOCK)
    await house.lee.sees("general", "Locked", HELD, "yours and rollbacks go on")
    await house.dana.sees("deploys", "🔒", "locked by Lee until 15:00 UTC: migrating the carts")
    await house.dana.types(DEPLOY)
    card = await house.dana.sees(REQUESTS, "DENIED", HELD, "Rule: lock")
    assert "Break glass" not in card.buttons, "nobody was named who may"
    assert await house.image("checkout", "shop-staging") == "1.4.2"


async def test_whoever_wants_to_is_told_when_it_is_free_and_deploys_from_there(house: House) -> None:
    await house.lee.types(LOCK)
    await house.lee.sees("general", HELD)
    await house.dana.types(DEPLOY)
    card = await house.dana.sees(REQUESTS, "DENIED", "Rule: lock")
    await card.click("Tell me when it is free")
    await house.dana.sees(REQUESTS, "I tell you in a direct message when checkout in staging is free.")
    await house.lee.types("/platform unlock checkout staging")
    await house.lee.sees("general", "Unlocked", "checkout in staging is free.")
    told = await house.dana.sees("@platform", "checkout in staging is free: Lee unlocked it.")
    await house.dana.sees("deploys", "🔓", "checkout in staging is free: Lee unlocked it.")
    await told.click("Deploy")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Version="1.4.3")
    assert await form.submit() == {}
    await house.dana.sees(REQUESTS, "SUCCEEDED", "1.4.2 → 1.4.3")


async def test_the_holders_own_changes_and_everyones_rollbacks_go_on(house: House) -> None:
    await house.lee.types(DEPLOY)
    await house.lee.sees(REQUESTS, "SUCCEEDED", "1.4.2 → 1.4.3")
    await house.lee.types(LOCK)
    await house.lee.sees("general", HELD)
    await house.lee.types("/platform restart checkout staging because it leaks")
    await house.lee.sees(REQUESTS, "Restart checkout", "SUCCEEDED")
    await house.dana.types("/platform rollback checkout staging because the cart is empty")
    await house.dana.sees(REQUESTS, "Roll back checkout", "SUCCEEDED")


async def test_a_lock_that_comes_while_a_request_waits_stops_it_before_anything_is_written(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    await house.dana.sees(REQUESTS, "WAITING")
    await house.olu.types("/platform lock checkout production until 2h because the bank is away")
    await house.olu.sees("general", "Locked")
    await (await house.lee.sees(REQUESTS, "WAITING")).click("Approve")
    await house.dana.sees(REQUESTS, "DENIED", "is locked by Olu")
    assert await house.image("checkout") == "1.4.1"


async def test_of_two_who_lock_at_once_one_has_it_and_the_other_is_told_who(house: House) -> None:
    await asyncio.gather(
        house.lee.types("/platform lock checkout staging until 2h because of me"),
        house.dana.types("/platform lock checkout staging until 3h because of me"),
    )
    for person in (house.lee, house.dana):
        await person.sees("general", "checkout in staging is locked by")
    held = await house.rows("SELECT holder FROM locks")
    assert len(held) == 1
    one, other = (house.lee, house.dana) if held[0]["holder"] == "Lee" else (house.dana, house.lee)
    await one.sees("general", "Locked")
    await other.sees("general", f"checkout in staging is locked by {held[0]['holder']}")


async def test_it_is_over_by_itself_and_the_same_message_says_so(house: House) -> None:
    await house.lee.types("/platform lock checkout staging because migrating until 2h")
    await house.lee.sees("general", "Locked", "until 12:00 CET: migrating")
    await house.dana.types("/platform lock watch checkout staging")
    await house.dana.sees("general", "You will hear of it")
    house.clock.advance(2 * 3600 + 1)
    await house.assistant.locks.look()
    await house.dana.sees("@platform", "checkout in staging is free: Lee's lock is over.")
    await house.dana.sees("deploys", "checkout in staging is free: Lee's lock is over.")
    assert len(await house.rows("SELECT id FROM posts WHERE id LIKE 'lock/1'")) == 1
    await house.dana.types("/platform locks")
    await house.dana.sees("general", "Nothing is locked.")
    await house.dana.types(DEPLOY)
    await house.dana.sees(REQUESTS, "SUCCEEDED")


async def test_after_its_time_it_holds_no_more_also_before_anybody_has_looked(house: House) -> None:
    await house.lee.types(LOCK)
    await house.lee.sees("general", HELD)
    house.clock.advance(8 * 3600)
    await house.dana.types("/platform lock checkout staging because it is my turn")
    await house.dana.sees("general", "checkout in staging is locked by Dana")
    assert [row["what"] for row in await house.rows("SELECT what FROM audit WHERE chain = 'platform'")] == [
        "locked", "unlocked", "locked",
    ]  # fmt: skip


async def test_only_the_holder_the_leads_and_who_breaks_the_glass_unlock(house: House) -> None:
    await house.olu.types("/platform lock checkout production until 2h because the bank is away")
    await house.olu.sees("general", "Locked")
    await house.dana.types("/platform unlock checkout production")
    await house.dana.sees("general", "Olu has locked it: they, the leads of its team and the platform team end that.")
    await house.lee.types("/platform unlock checkout production because the bank is back")
    await house.lee.sees("general", "Unlocked")
    await house.olu.sees("@platform", "Lee ended your lock of checkout in production: the bank is back")
    await house.lee.types("/platform unlock checkout production")
    await house.lee.sees("general", "checkout in production is not locked.")


def glass(content: dict[str, Any]) -> None:
    content["locks"] = {"break_glass": {"group": "security"}}
    content["teams"]["payments"]["members"] = []


async def test_who_may_break_the_glass_changes_or_unlocks_it_with_a_reason_that_everyone_hears() -> None:
    async with acme_house(platform=glass) as house:
        await house.lee.types("/platform lock payments staging until 2h because migrating")
        await house.lee.sees("general", "Locked")
        await house.dana.types("/platform lock payments production because I like it")
        await house.dana.sees("general", "Only team payments, who owns it, and the platform team can lock payments.")
        await house.dana.types("/platform why deploy service=payments environment=staging")
        await house.dana.sees(
            "general", "Refused.", "locked by Lee", "Members of the group security may break the glass"
        )
        await house.dana.types("/platform deploy payments 2.0.2 staging because it is urgent")
        card = await house.dana.sees(REQUESTS, "DENIED", "security may break the glass")
        assert {"Break glass", "Tell me when it is free"} <= set(card.buttons)
        await house.sam.types("/platform deploy payments 2.0.2 staging break_glass=yes because the bank asks for it")
        await house.sam.sees(REQUESTS, "SUCCEEDED", "Sam")
        assert any("broke the glass" in row["lines"] for row in await house.rows(
            "SELECT content AS lines FROM posts WHERE content LIKE '%broke the glass%'"
        ))  # fmt: skip


async def test_a_time_that_is_over_or_none_at_all_is_said_at_its_field(house: House) -> None:
    for said, answer in (
        ("until 99:00 because x", "I don't know when '99:00' is."),
        ("until 2026-11-01 because x", "That time is over already."),
        ("until 40d because x", "That is longer than 30 days."),
    ):
        await house.lee.types(f"/platform lock checkout staging {said}")
        await house.lee.sees("general", answer)
    await house.lee.types("/platform lock checkout staging until 2h")
    form = await house.lee.modal(title="Lock")
    await form.fill(Reason="migrating", Until="soon")
    assert "I don't know when 'soon' is." in (await form.submit())["Until"]
    assert await house.rows("SELECT id FROM locks") == []
