"""What people ask before they ask for a change, the way a second change waits, pausing, and whose vote counts."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatops.adapters.kubernetes import Patience
from tests.support.house import REQUESTS, House, acme_house, straight_to_production
from tests.support.people import Person
from tests.support.rendering import render_text

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=straight_to_production) as house:
        yield house


# looking around ----------------------------------------------------------------------------------------------------


async def test_platform_alone_shows_what_this_person_may_do_and_what_waits_for_them() -> None:
    def only_sre_scales(content: dict[str, Any]) -> None:
        content["policies"].append(
            {
                "name": "scaling is for SRE",
                "when": 'action.name == "scale" && !("sre" in requester.groups)',
                "deny": "Only SRE scales.",
            }
        )

    async with acme_house(platform=only_sre_scales) as house:
        await house.dana.types(LINE)
        await house.lee.sees(REQUESTS, "WAITING")
        await house.dana.sees("general", "R-1001 Deploy: its card is in")
        await house.dana.types("/platform")
        page = await house.dana.sees("general", "What you can do", "/platform deploy SERVICE VERSION ENVIRONMENT")
        assert "Your recent requests" in page.text
        assert "R-1001 · Deploy checkout 1.4.1 → 1.4.2 in production · waiting · Dana" in page.text
        for word in ("scale", "pause", "resume"):
            assert word not in page.text, word
        assert page.buttons == ["Deploy", "Roll back", "Status", "Services", "Logs", "Diagnose", "My requests"]
        await page.click("Deploy")
        await (await house.dana.modal(title="Deploy")).close()
        await house.olu.types("/platform")
        page = await house.olu.sees("general", "What you can do", "scale", "pause")
        assert "R-1001" not in page.text
        await house.lee.types("/platform")
        await house.lee.sees("general", "Waiting for you", "R-1001 · Deploy checkout 1.4.1 → 1.4.2")
        await is_told_no(house.dana, "/platform help scale", "You can't ask for 'scale'")
        for line in ("help pause", "pause", "pause now", "pauze", "why pause", "pause because I say so"):
            no = "You can't ask for 'pause'" if line == "help pause" else "Only the platform team can ask for pause"
            await is_told_no(house.dana, f"/platform {line}", no)
        await house.dana.types("/platform frobnicate")
        known = await house.dana.sees("general", "There is no action called 'frobnicate'", "I know deploy")
        assert "pause" not in known.text
        await house.dana.types("/platform why")
        form = await house.dana.modal(title="Why")
        assert "'pause'" not in str(form.view)
        await form.close()
        await house.gus.types("/platform", channel=REQUESTS)
        await house.gus.sees(REQUESTS, "home workspace")


async def is_told_no(person: Person, line: str, no: str) -> None:
    """The answer to a line says no, without a button that leads to the same no."""
    there = person.messages[person.channel_id("general")]
    before = set(there)
    await person.types(line)
    ts = await person.wait(lambda: next(iter(set(there) - before), None), 5, lambda: f"an answer to {line}")
    assert no in render_text(there[ts]), line
    assert "actions" not in [block["type"] for block in there[ts]["blocks"]], line


async def test_help_why_requests_and_status_answer_in_words(house: House) -> None:
    await house.dana.types("/platform help")
    await house.dana.sees("general", "What you can ask for", "/platform help ACTION tells more", "mention me")
    await house.dana.types("/platform why deploy checkout production")
    why = await house.dana.sees("general", "deploy checkout in production", "production needs a lead: 1 approval")
    assert "Does not apply here" in why.text
    await why.click("Open the form")
    form = await house.dana.modal(title="Deploy")
    assert (form.values["Service"], form.values["Environment"]) == ("checkout", "production")
    await form.close()
    await house.dana.types(LINE)
    await house.lee.sees(REQUESTS, "WAITING")
    await house.dana.types("/platform requests")
    mine = await house.dana.sees("general", "Your requests", "R-1001", "Deploy checkout 1.4.1 → 1.4.2", "waiting")
    await mine.click("Waiting for you")
    await house.dana.sees("general", "Nothing waits for you.")
    await house.lee.types("/platform requests waiting")
    await house.lee.sees("general", "Waiting for you", "R-1001", "Dana")
    await house.dana.types("/platform status checkout production")
    await house.dana.sees("general", "checkout in production", "1.4.1 healthy", "not deployed through the platform")
    await house.dana.types("/platform status staging")
    await house.dana.sees("general", "6 of 6 services are healthy", "payments", "5.0.3")


async def test_why_says_what_would_not_be_taken_and_what_would_be_refused_as_things_are(house: House) -> None:
    await house.dana.types("/platform why scale checkout production replicas=999")
    await house.dana.sees(
        "general", "It would not be taken: Replicas must be between 0 and", "needs a lead: 1 approval"
    )
    await house.dana.types("/platform why deploy checkout")
    await house.dana.sees("general", "Without all inputs this is what policy can say so far", "depends on the env")
    await house.dana.types("/platform why rollback checkout production")
    await house.dana.sees(
        "general", "As things are it is refused: checkout has no earlier revision to go back to. Deploy the version",
        "Policy alone would say", "needs a lead: 1 approval",
    )  # fmt: skip
    house.cluster.fault(503, times=None)
    await house.dana.types("/platform why deploy checkout 1.4.2 production")
    await house.dana.sees("general", "Without looking at the cluster (", "needs a lead: 1 approval", within=15)


async def test_lists_app_home_and_the_notice_lead_to_the_card(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 staging because try")
    card = await house.dana.sees(REQUESTS, "→ 1.4.3", "SUCCEEDED", within=10)
    leads = f"/archives/{card.channel}/p{card.ts.replace('.', '')}|R-1001>"
    notice = await house.dana.sees("deploys", "Dana deployed checkout", "R-1001")
    assert leads in str(notice.message["blocks"])
    await house.dana.types("/platform requests")
    mine = await house.dana.sees(
        "general", "Your requests", "R-1001 · Deploy checkout 1.4.2 → 1.4.3 in staging · succeeded"
    )
    assert leads in str(mine.message["blocks"])
    await house.dana.types("/platform")
    page = await house.dana.sees("general", "What you can do", "R-1001")
    assert leads in str(page.message["blocks"])
    await house.dana.home("Your requests (1)", "R-1001")
    assert leads in str(house.dana.home_view)


async def test_a_card_asked_for_elsewhere_is_linked_and_leads_on_to_its_diff_and_to_rolling_back(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 staging because try")
    await house.dana.sees("general", "R-1001 Deploy: its card is in #platform-requests")
    card = await house.dana.sees(REQUESTS, "→ 1.4.3", "SUCCEEDED", within=10)
    said = [one for one in house.dana.messages[house.dana.channel_id("general")].values() if "R-1001" in str(one)]
    assert f"/archives/{card.channel}/p{card.ts.replace('.', '')}" in str(said[0])
    await card.click("Full diff")
    heading = "R-1001: Deploy checkout 1.4.2 → 1.4.3, in staging"
    diff = await house.dana.modal(heading, "shop/checkout:1.4.3", title="R-1001")
    await diff.close()
    await card.click("Roll back")
    form = await house.dana.modal(title="Roll back")
    assert (form.values["Service"], form.values["Environment"]) == ("checkout", "staging")
    await form.fill(Reason="it is slow")
    assert await form.submit() == {}
    await house.dana.sees(REQUESTS, "Roll back checkout", "it is slow", "SUCCEEDED", within=10)
    assert await house.image("checkout", "shop-staging") == "1.4.2"


async def test_what_evaluates_policies_stands_before_anybody_asks(house: House) -> None:
    async with asyncio.timeout(30):
        while not house.assistant.evaluator.stands:
            await asyncio.sleep(0.02)
    assert (await house.rows("SELECT count(*) AS n FROM inbox"))[0]["n"] == 0


async def test_the_form_opens_and_can_be_sent_while_the_cluster_hangs() -> None:
    async with acme_house(patience=Patience(total=0.2, pause=0.01)) as house:
        house.cluster.fault("hang", times=None, resource="deployments")
        await house.dana.types("/platform deploy checkout")
        form = await house.dana.modal(title="Deploy")
        await form.fill(Environment="production", Version="1.4.2", Reason="fixes the cart")
        await form.becomes("Now: The cluster does not answer", "production needs a lead")
        assert form.values["Version"] == "1.4.2"
        assert await form.submit() == {}
        card = await house.dana.sees(REQUESTS, "PLANNING", "does not answer")
        house.cluster.faults.clear()
        await card.becomes("WAITING", "1.4.1 → 1.4.2")


async def test_one_of_five_thousand_services_is_found_while_typing() -> None:
    def large(content: dict[str, Any]) -> None:
        content["services"] |= {f"svc-{number:04d}-api": {"team": "shop"} for number in range(5000)}

    async with acme_house(platform=large) as house:
        await house.dana.types("/platform deploy")
        form = await house.dana.modal(title="Deploy")
        assert len(await form.fields.suggestions("Service", "")) == 100
        assert (await form.fields.suggestions("Service", "svc-4711"))[0] == "svc-4711-api"
        assert "checkout" in await form.fields.suggestions("Service", "chekout")
        await house.dana.types("/platform status staging")
        await house.dana.sees(
            "general",
            "6 of 6 services are healthy; 5000 more of the catalog are not there",
            "more are not shown; name a service",
        )


# pausing -----------------------------------------------------------------------------------------------------------


async def test_while_the_platform_team_pauses_nothing_is_written_and_everything_else_goes_on(house: House) -> None:
    await house.dana.types("/platform pause because I can")
    await house.dana.sees("general", "Only the platform team can ask for pause.")
    await house.sam.types("/platform pause")
    await house.sam.sees("general", "Say why: everybody who asks meanwhile reads it.")
    await house.sam.types("/platform pause because the registry moves")
    await house.sam.sees("general", "New writes are paused. Planning, approvals and running rollouts go on.")
    await house.olu.types("/platform pause because me too")
    await house.olu.sees("general", "already paused by Sam")
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes("APPROVED by Lee", "waits: new writes are paused by Sam: the registry moves")
    await house.dana.types("/platform")
    await house.dana.sees("general", "What you can do", "paused by Sam: the registry moves")
    await house.dana.types("/platform resume")
    await house.dana.sees("general", "Refused", "Only the platform team can ask for pause.")
    assert await house.image("checkout") == "1.4.1"
    await house.olu.types("/platform resume")
    await house.olu.sees("general", "New writes go on.")
    await card.becomes("SUCCEEDED", within=10)
    trail = await house.rows("SELECT who, what FROM audit WHERE chain = 'platform' ORDER BY seq")
    assert [tuple(row.values()) for row in trail] == [("sam@acme.test", "paused"), ("olu@acme.test", "resumed")]


# a second change ---------------------------------------------------------------------------------------------------


async def test_changes_that_wait_run_one_after_the_other_in_the_order_they_were_asked(house: House) -> None:
    await house.dana.types(LINE)
    first = await house.lee.sees(REQUESTS, "→ 1.4.2", "WAITING")
    for version in ("1.4.3", "1.4.4"):
        await house.dana.types(f"/platform deploy checkout {version} production because more")
        own = await house.dana.sees(
            REQUESTS, version, "WAIT OR REPLACE?", "R-1001 (Deploy checkout 1.4.1 → 1.4.2, asked by Dana) comes first"
        )
        await own.click("Wait")
        await own.becomes("QUEUED")
    await first.click("Approve")
    await first.becomes("SUCCEEDED", within=10)
    second = await house.lee.sees(REQUESTS, "1.4.2 → 1.4.3", "WAITING")
    third = await house.lee.sees(REQUESTS, "1.4.4", "QUEUED")
    await second.click("Approve")
    await second.becomes("SUCCEEDED", within=10)
    await third.becomes("1.4.3 → 1.4.4", "WAITING")
    await third.click("Approve")
    await third.becomes("SUCCEEDED", within=10)
    assert await house.image("checkout") == "1.4.4"


async def test_who_is_replaced_hears_of_it_once_and_who_does_not_choose_in_time_expires(house: House) -> None:
    await house.dana.types(LINE)
    first = await house.dana.sees(REQUESTS, "→ 1.4.2", "WAITING")
    await house.olu.types("/platform deploy checkout 1.4.3 production because newer")
    undecided = await house.olu.sees(REQUESTS, "1.4.3", "WAIT OR REPLACE?")
    await house.sam.types("/platform deploy checkout 1.4.4 production because newest")
    newest = await house.sam.sees(REQUESTS, "1.4.4", "WAIT OR REPLACE?")
    await undecided.person.click(undecided.message, "Cancel", channel=undecided.channel, message_ts=undecided.ts)
    await undecided.becomes("CANCELLED by Olu")
    await house.olu.types("/platform deploy checkout 1.4.5 production because newest of all")
    late = await house.olu.sees(REQUESTS, "1.4.5", "WAIT OR REPLACE?")
    await newest.click("Replace")
    await first.becomes("CANCELLED by Sam: replaced with R-1003")
    await first.thread("@dana", "CANCELLED by Sam: replaced with R-1003")
    await newest.becomes("WAITING", "→ 1.4.4")
    await house.later(3601)
    await late.becomes("EXPIRED", "nobody chose in time")
    await late.thread("@olu", "EXPIRED")
    await late.click("Wait", stale=True)
    await house.olu.sees(REQUESTS, "R-1004 expired: nobody chose in time whether it waits or replaces.")
    await house.quiet()
    rung = [one for one in house.dana.messages[first.channel].values() if "<@U0DANA>" in str(one["text"])]
    assert len(rung) == 1


async def test_replace_cancels_only_what_the_card_named(house: House) -> None:
    await house.dana.types(LINE)
    first = await house.dana.sees(REQUESTS, "→ 1.4.2", "WAITING")
    await house.sam.types("/platform deploy checkout 1.4.3 production because mine")
    second = await house.sam.sees(
        REQUESTS, "1.4.3", "WAIT OR REPLACE? R-1001 (Deploy checkout 1.4.1 → 1.4.2, asked by Dana) comes first"
    )
    await house.olu.types("/platform deploy checkout 1.4.4 production because hurry")
    third = await house.olu.sees(REQUESTS, "1.4.4", "WAIT OR REPLACE? R-1001")
    await second.click("Wait")
    await second.becomes("QUEUED: waits for R-1001 (Deploy checkout 1.4.1 → 1.4.2, asked by Dana)")
    await first.click("Cancel")
    await second.becomes("WAITING", "→ 1.4.3")
    await third.becomes("WAIT OR REPLACE? R-1002 (Deploy checkout 1.4.3, asked by Sam) comes first for checkout")
    await third.click("Replace", stale=True)
    await house.olu.sees(
        REQUESTS, "Nothing was replaced: R-1002 (Deploy checkout 1.4.3, asked by Sam) comes first now."
    )
    assert "WAITING" in second.text
    await third.click("Replace")
    await second.becomes("CANCELLED by Olu: replaced with R-1003")


async def test_nobody_loses_their_place_to_what_can_not_be_done(house: House) -> None:
    await house.dana.types(LINE)
    first = await house.dana.sees(REQUESTS, "→ 1.4.2", "WAITING")
    await house.sam.types("/platform rollback checkout production because worse")
    undo = await house.sam.sees(REQUESTS, "Roll back checkout", "WAIT OR REPLACE?")
    await undo.click("Replace")
    await house.sam.sees(REQUESTS, "R-1001 was not replaced, for R-1002 can't be done", "earlier revision")
    await house.olu.types("/platform deploy checkout 1.4.1 production because as it was")
    same = await house.olu.sees(REQUESTS, "Deploy checkout 1.4.1 ·", "WAIT OR REPLACE?")
    await same.click("Replace")
    await house.olu.sees(REQUESTS, "R-1001 was not replaced, for R-1003 would change nothing")
    await house.sam.types("/platform deploy checkout 1.4.4 production because newest")
    newest = await house.sam.sees(REQUESTS, "1.4.4", "WAIT OR REPLACE?")
    house.cluster_away(True)
    await newest.click("Replace")
    await house.sam.sees(REQUESTS, "R-1001 was not replaced: whether R-1004 can be done is not known", within=20)
    house.cluster_away(False)
    assert "WAITING" in first.text
    assert "cancelled" not in await house.history()
    await newest.click("Replace")
    await first.becomes("CANCELLED by Sam: replaced with R-1004", within=20)


# whose vote counts -------------------------------------------------------------------------------------------------


async def test_who_is_in_both_groups_counts_once_where_two_people_are_asked_for() -> None:
    def two_people(content: dict[str, Any]) -> None:
        content["groups"]["leads"]["members"].append("sam@acme.test")
        content["policies"][0]["require"] = [
            {"approvals": 1, "from": ["group:leads"]},
            {"approvals": 1, "from": ["group:security"]},
        ]

    async with acme_house(platform=two_people) as house:
        await house.dana.types(LINE)
        card = await house.sam.sees(REQUESTS, "WAITING", "2 approvals", "1 from leads and 1 from security")
        await card.click("Approve")
        await card.becomes("WAITING", "Approved by Sam", "1 approval")
        await card.click("Approve")
        await house.sam.sees(REQUESTS, "You have already approved R-1001.")
        assert "satisfied" not in await house.history()
        lead = await house.lee.sees(REQUESTS, "WAITING")
        await lead.click("Approve")
        await card.becomes("SUCCEEDED", "Sam", "Lee", within=10)
