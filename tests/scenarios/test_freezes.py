"""Nothing is changed: freezes of the configuration, and freezes made in Slack."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.house import REQUESTS, acme_house, straight_to_production

DEPLOY = "/platform deploy checkout 1.4.2 production because fixes the cart"
STAGING = "/platform deploy checkout 1.4.3 staging because fixes the cart"


def afternoon(content: dict[str, Any]) -> None:
    """The tests' clock stands at Monday 23 November 2026, 10:00 in Berlin."""
    straight_to_production(content)
    content["freezes"] = [
        {
            "name": "weekday afternoons", "from": "2026-11-02 12:00", "until": "2026-11-02 18:00",
            "rrule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "timezone": "Europe/Berlin", "tiers": ["production"],
            "break_glass": {"group": "sre"},
        }
    ]  # fmt: skip


async def test_a_freeze_ahead_is_told_in_the_form_and_on_the_card() -> None:
    async with acme_house(platform=afternoon) as house:
        await house.dana.types("/platform deploy checkout environment=production")
        await house.dana.modal("production freezes in 2 h (weekday afternoons)", title="Deploy")
        await house.dana.types(DEPLOY)
        await house.lee.sees(REQUESTS, "WAITING", "⚠ production freezes in 2 h (weekday afternoons)", "no freeze")
        await house.dana.types(STAGING)
        card = await house.dana.sees(REQUESTS, "STAGING", "SUCCEEDED")
        assert "freezes in" not in card.text


async def test_a_freeze_that_begins_while_a_request_waits_refuses_it_and_the_right_group_breaks_the_glass() -> None:
    async with acme_house(platform=afternoon) as house:
        await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        await (await house.lee.sees(REQUESTS, "WAITING")).click("Approve")
        await house.dana.sees(REQUESTS, "SUCCEEDED")
        await house.dana.types("/platform deploy checkout 1.4.3 production because fixes it more")
        await house.lee.sees(REQUESTS, "1.4.3", "WAITING")
        await house.later(3 * 3600)
        await (await house.lee.sees(REQUESTS, "1.4.3", "WAITING")).click("Approve")
        await house.dana.sees(REQUESTS, "DENIED", "Production is frozen: weekday afternoons (until 18:00 CET).")
        assert await house.image("checkout") == "1.4.2"
        await house.dana.types("/platform rollback checkout production because it is slow")
        await house.dana.sees(REQUESTS, "Roll back checkout", "WAITING")
        await house.olu.types("/platform deploy cart 2.3.1 production because orders stop")
        card = await house.olu.sees(REQUESTS, "Deploy cart", "DENIED", "sre may break the glass")
        assert "Tell me when it is free" not in card.buttons, "what the configuration freezes is no lock"


async def test_a_freeze_that_begins_during_a_rollout_lets_it_go_on() -> None:
    async with acme_house(platform=afternoon, pace=0.3) as house:
        await house.dana.types(DEPLOY)
        await house.later(2 * 3600 - 60)
        await (await house.lee.sees(REQUESTS, "WAITING")).click("Approve")
        async with asyncio.timeout(10):
            while await house.image("checkout") != "1.4.2":
                await asyncio.sleep(0.02)
        await house.later(120)
        await house.dana.sees(REQUESTS, "SUCCEEDED", within=30)
        assert await house.image("checkout") == "1.4.2"


async def test_a_whole_environment_is_frozen_and_thawed_in_slack() -> None:
    async with acme_house() as house:
        await house.dana.types("/platform freeze staging because of me")
        await house.dana.sees("general", "Only the leads of a team and the platform team can freeze staging.")
        await house.lee.types("/platform freeze staging until 14:00 because the auditors are here")
        await house.lee.sees("general", "staging is frozen by Lee until 14:00 CET: the auditors are here", "yours too")
        await house.dana.sees("deploys", "🧊 staging is frozen by Lee until 13:00 UTC: the auditors are here")
        for person in (house.dana, house.lee):
            await person.types(STAGING)
            await person.sees(REQUESTS, "DENIED", "staging is frozen by Lee until 14:00 CET", "Rule: freeze")
        await (await house.dana.sees(REQUESTS, "DENIED", "Rule: freeze", "Dana:")).click("Tell me when it is free")
        await house.dana.sees(REQUESTS, "I tell you in a direct message when staging is free.")
        await house.dana.types("/platform freezes")
        await house.dana.sees("general", "Freezes", "staging is frozen by Lee")
        await house.dana.types("/platform thaw staging")
        await house.dana.sees("general", "Lee has frozen it")
        await house.sam.types("/platform thaw staging because they left")
        await house.sam.sees("general", "staging is free.")
        await house.lee.sees("@platform", "Sam ended your freeze of staging: they left")
        await house.dana.sees("@platform", "staging is free: Sam thawed it: they left.")
        await house.lee.types("/platform thaw staging")
        await house.lee.sees("general", "staging is not frozen.")


async def test_app_home_shows_what_is_locked_and_what_freezes_soon() -> None:
    async with acme_house(platform=afternoon) as house:
        await house.dana.home("Your requests")
        await house.lee.types("/platform lock checkout staging until 16:00 because migrating")
        await house.lee.sees("general", "Locked")
        await house.dana.home(
            "Locked and frozen", "checkout in staging is locked by Lee until 16:00 CET: migrating",
            "⏳ production freezes in 2 h (weekday afternoons)",
        )  # fmt: skip
        house.clock.advance(3 * 3600)
        await house.olu.home("🧊 Production is frozen: weekday afternoons (until 18:00 CET).")


async def test_what_is_frozen_and_what_will_be_is_listed() -> None:
    async with acme_house(platform=afternoon) as house:
        await house.dana.types("/platform freezes")
        await house.dana.sees("general", "weekday afternoons (production) from 12:00 CET")
        house.clock.advance(3 * 3600)
        await house.dana.types("/platform freezes")
        await house.dana.sees("general", "🧊 weekday afternoons (production) until 18:00 CET")


async def test_a_tier_or_what_a_team_owns_is_frozen_in_slack_and_nothing_else() -> None:
    async with acme_house(platform=straight_to_production) as house:
        await house.lee.types("/platform freeze tier=staging team=payments until 14:00 because the bank is away")
        await house.lee.sees("general", "team payments in tier staging is frozen by Lee until 14:00 CET: the bank")
        await house.dana.sees("deploys", "🧊 team payments in tier staging is frozen by Lee until 13:00 UTC")
        await house.dana.types("/platform deploy payments 2.0.2 staging because it is faster")
        await house.dana.sees(REQUESTS, "Deploy payments", "DENIED", "team payments in tier staging is frozen by Lee")
        await house.dana.types(STAGING)
        await house.dana.sees(REQUESTS, "Deploy checkout", "STAGING", "SUCCEEDED")
        await house.dana.types("/platform deploy payments 2.0.2 production because it is faster")
        await house.lee.sees(REQUESTS, "Deploy payments", "PRODUCTION", "WAITING")
        await house.lee.types("/platform freeze tier=production because the auditors are here")
        await house.lee.sees("general", "tier production is frozen by Lee until 14:00 CET: the auditors are here")
        await (await house.sam.sees(REQUESTS, "Deploy payments", "PRODUCTION", "WAITING")).click("Approve")
        await house.dana.sees(REQUESTS, "Deploy payments", "PRODUCTION", "DENIED", "tier production is frozen by Lee")
        await house.dana.types("/platform freezes")
        await house.dana.sees("general", "team payments in tier staging is frozen", "tier production is frozen")
        answer = await house.lee.sees("general", "Frozen", "tier production is frozen")
        await answer.click("Thaw tier production")
        await house.dana.sees("deploys", "🔓 tier production is free: Lee thawed it.")
        await house.dana.types(DEPLOY)
        await house.lee.sees(REQUESTS, "Deploy checkout", "PRODUCTION", "WAITING")


async def test_what_a_team_owns_is_frozen_by_its_own_leads_and_the_platform_team() -> None:
    def leads_apart(content: dict[str, Any]) -> None:
        content["teams"]["payments"]["leads"] = ["sam@acme.test"]

    async with acme_house(platform=leads_apart) as house:
        await house.lee.types("/platform freeze team=payments because of me")
        await house.lee.sees("general", "Only the leads of payments and the platform team can freeze team payments.")
        await house.lee.types("/platform freeze team=shop because we are away")
        await house.lee.sees("general", "team shop is frozen by Lee")
        await house.dana.types(STAGING)
        card = await house.dana.sees(REQUESTS, "STAGING", "DENIED", "team shop is frozen")
        await card.click("Tell me when it is free")
        await house.dana.sees(REQUESTS, "I tell you in a direct message when team shop is free.")
        await house.olu.types("/platform thaw team=shop because they are back")
        await house.dana.sees("@platform", "team shop is free: Olu thawed it: they are back.")


async def test_a_freeze_of_nothing_or_of_what_is_not_there_is_said_and_not_made() -> None:
    async with acme_house() as house:
        await house.lee.types("/platform freeze tier=prodution because of me")
        await house.lee.sees("general", "There is no tier prodution.", "Did you mean production?")
        await house.lee.types("/platform freeze because of me")
        await house.lee.sees("general", "Which environment, tier or team?")
        await house.lee.types("/platform freeze")
        form = await house.lee.modal(title="Freeze")
        await form.fill(Reason="of them")
        assert await form.submit() == {}
        await house.quiet()
        assert await house.rows("SELECT id FROM locks") == []


async def test_a_freeze_that_could_cover_nothing_is_refused_at_its_field_and_not_told() -> None:
    def without_services(content: dict[str, Any]) -> None:
        content["teams"]["data"] = {"members": ["lee@acme.test"], "leads": ["lee@acme.test"]}

    async with acme_house(platform=without_services) as house:
        await house.lee.types("/platform freeze staging tier=production because the auditors are here")
        await house.lee.sees("general", "staging is of the tier staging, not production.", "Name staging alone")
        await house.lee.types("/platform freeze team=data because of them")
        await house.lee.sees("general", "The team data owns no service: there is nothing to freeze.")
        assert await house.rows("SELECT id FROM locks") == []
        await house.lee.types("/platform freeze staging tier=staging because the auditors are here")
        await house.dana.sees("deploys", "🧊 staging is frozen by Lee")
        await house.dana.types(STAGING)
        await house.dana.sees(REQUESTS, "DENIED", "staging is frozen by Lee")


async def test_who_breaks_the_glass_of_a_freeze_is_told_of_everywhere_and_a_second_person_closes_the_review() -> None:
    def reviewed(content: dict[str, Any]) -> None:
        afternoon(content)
        content["routes"] = [{"channels": ["team-shop"], "tiers": ["production"]}]

    async with acme_house(platform=reviewed) as house:
        house.clock.advance(3 * 3600)
        await house.dana.types(DEPLOY)
        await house.dana.sees(REQUESTS, "DENIED", "weekday afternoons")
        await house.dana.types("/platform deploy cart 2.3.1 production break_glass=yes because I like it")
        await house.dana.sees(REQUESTS, "Deploy cart", "DENIED", "Dana: “I like it”", "sre may break the glass")
        line = "/platform deploy cart 2.3.1 production break_glass=yes because orders stop"
        await house.olu.types(line)
        card = await house.olu.sees(REQUESTS, "Deploy cart", "WAITING", "GLASS BROKEN: “orders stop”")
        for channel in ("deploys", "team-shop"):
            await house.dana.sees(channel, "Olu broke the glass", "orders stop")
        await (await house.lee.sees(REQUESTS, "Deploy cart", "WAITING")).click("Approve")
        await card.becomes("SUCCEEDED", "To be reviewed by")
        await house.olu.types("/platform review R-1003 because I know what I did")
        await house.olu.sees("general", "Nobody reviews their own change.")
        await house.sam.types("/platform review R-1003 because it was an outage")
        await card.becomes("Reviewed by Sam: “it was an outage”")
