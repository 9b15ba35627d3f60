"""The happy road, and every way in which people decide otherwise."""

import pytest

from chatops.kernel.people import Person
from chatops.slack.deciding import Deciding, Decision
from chatops.slack.payloads import Where
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house, straight_to_production

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"


@pytest.fixture
async def house():
    async with acme_house(platform=straight_to_production) as house:
        yield house


async def test_dana_asks_lee_approves_and_everyone_is_told_once(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION", "WAITING", "fixes the cart")
    reply = await card.thread("Approve")
    assert "@lee" in reply.text.lower()
    await reply.click("Approve")
    await card.becomes("SUCCEEDED", "Approved by Lee", within=10)
    notice = await house.olu.sees(DEPLOYS, "checkout", "1.4.1 → 1.4.2", "Dana", "Lee")
    assert await house.image("checkout") == "1.4.2"
    await house.quiet()
    assert len(await house.rows("SELECT id FROM posts WHERE kind = 'notice'")) == 1
    assert house.olu.screen(DEPLOYS).count("1.4.2") == notice.text.count("1.4.2")
    told = ["requested", "asked", "satisfied", "begun", "written", "became_healthy"]
    assert await house.history() == told


async def test_the_form_opens_shows_what_runs_there_and_makes_the_same_request(house: House) -> None:
    await house.dana.types("/platform deploy")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Service="checkout", Environment="production")
    await form.becomes("1.4.1", "production needs a lead")
    await form.fill(Version="1.4.2", Reason="fixes the cart")
    assert await form.submit() == {}
    await house.lee.sees(REQUESTS, "Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION", "WAITING")


async def test_staging_is_free_and_needs_nobody(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 staging because trying it")
    await house.dana.sees(REQUESTS, "Deploy checkout", "STAGING", "SUCCEEDED", within=10)
    assert await house.image("checkout", "shop-staging") == "1.4.3"


async def test_lee_rejects_with_a_reason_and_nothing_is_written(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Reject")
    form = await house.lee.modal()
    await form.fill(Reason="not on a Friday")
    await form.submit()
    await card.becomes("REJECTED", "Lee", "not on a Friday")
    assert await house.image("checkout") == "1.4.1"
    assert "written" not in await house.history()


async def test_a_request_nobody_decides_on_expires_after_a_reminder(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await house.later(2 * 3600 + 60)
    await card.thread("Half of the time")
    await house.later(2 * 3600)
    await card.becomes("EXPIRED")
    await card.click("Approve", stale=True)
    await house.lee.sees(REQUESTS, "R-1001 expired before enough people approved it.")
    assert await house.image("checkout") == "1.4.1"


async def test_a_press_is_told_when_the_request_expires_before_it_is_decided_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    decide = Deciding.decide

    async def hours_later(self: Deciding, decision: Decision, person: Person, key: str, where: Where) -> str:
        await house.later(4 * 3600 + 60)
        return await decide(self, decision, person, key, where)

    monkeypatch.setattr(Deciding, "decide", hours_later)
    await card.click("Approve")
    await house.lee.sees(REQUESTS, "R-1001 expired before enough people approved it.")
    await card.becomes("EXPIRED")
    await house.quiet()
    assert "satisfied" not in await house.history()


async def test_a_vote_after_the_deadline_comes_too_late_also_before_the_next_look_at_what_is_due(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    house.clock.advance(4 * 3600 + 60)
    await card.click("Approve")
    await house.lee.sees(REQUESTS, "R-1001 expired before enough people approved it.")
    await card.becomes("EXPIRED")
    await house.quiet()
    assert {"voted", "satisfied"}.isdisjoint(await house.history())


async def test_dana_cancels_what_she_asked_for_and_nobody_else_can(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Cancel")
    await house.lee.sees(REQUESTS, "Only Dana, who asked for R-1001, can do that.")
    own = await house.dana.sees(REQUESTS, "WAITING")
    await own.click("Cancel")
    await card.becomes("CANCELLED")


async def test_a_late_click_is_told_who_was_first(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Reject")
    form = await house.lee.modal()
    await form.fill(Reason="no")
    await form.submit()
    await card.becomes("REJECTED")
    await card.click("Approve", stale=True)
    await house.lee.sees(REQUESTS, "R-1001 was already rejected by Lee.")


async def test_dana_cannot_approve_her_own_request(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.dana.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await house.dana.sees(REQUESTS, "Nobody approves their own request.")
    assert "satisfied" not in await house.history()


async def test_gus_of_another_company_can_neither_ask_nor_approve(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.gus.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await house.gus.sees(REQUESTS, "People from other workspaces can't decide on changes here.")
    await house.gus.types("/platform deploy checkout 1.4.9 staging because mine", channel=REQUESTS)
    await house.gus.sees(REQUESTS, "home workspace")
    assert len(await house.rows("SELECT id FROM requests")) == 1


@pytest.mark.parametrize("change", [{"is_ultra_restricted": True}, {"is_restricted": True}])
async def test_a_lead_who_was_made_a_guest_cannot_approve_any_more(house: House, change: dict) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await house.sandbox.change_person("U0LEE", **change)
    house.clock.advance(600)  # standing is asked anew after five minutes
    await card.click("Approve")
    await house.quiet()
    assert "satisfied" not in await house.history()
    await card.becomes("WAITING")


async def test_a_double_click_makes_one_approval_and_one_run(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.click("Approve", stale=True)
    await card.becomes("SUCCEEDED", within=10)
    history = await house.history()
    assert history.count("satisfied") == history.count("begun") == history.count("written") == 1


async def test_the_same_line_works_as_a_mention_and_the_same_event_three_times_is_one_request(house: House) -> None:
    await house.sandbox.fault("redeliver", copies=3)
    await house.attending()
    await house.dana.types("@platform deploy checkout 1.4.2 production because fixes the cart", channel=REQUESTS)
    await house.lee.sees(REQUESTS, "Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION", "WAITING")
    await house.quiet()
    assert len(await house.rows("SELECT id FROM requests")) == 1


async def test_two_approvers_from_two_groups_are_needed_for_danger_and_one_can_withdraw() -> None:
    def two_teams(content: dict) -> None:
        content["policies"][0]["require"] = [
            {"approvals": 1, "from": ["team-leads"]},
            {"approvals": 1, "from": ["group:security"]},
        ]

    async with acme_house(platform=two_teams) as house:
        await house.dana.types(LINE)
        card = await house.lee.sees(REQUESTS, "WAITING")
        await card.click("Approve")
        await card.becomes("WAITING", "Approved by Lee")
        await card.click("Withdraw approval")
        await house.lee.sees(REQUESTS, "Your approval of R-1001 is withdrawn.")
        await card.click("Approve")
        await card.becomes("Approved by Lee")
        sam = await house.sam.sees(REQUESTS, "WAITING")
        await sam.click("Approve")
        await card.becomes("SUCCEEDED", "Lee", "Sam", within=10)


async def test_policy_denies_and_the_right_group_breaks_the_glass_with_a_reason() -> None:
    def frozen(content: dict) -> None:
        content["policies"].append(
            {
                "name": "frozen today",
                "when": 'env.tier == "production" && action.risk != "read"',
                "deny": "Production is frozen today.",
                "break_glass": {"group": "sre"},
            }
        )

    async with acme_house(platform=frozen) as house:
        await house.dana.types(LINE)
        await house.dana.sees(REQUESTS, "DENIED", "Production is frozen today.", "frozen today")
        await house.olu.types("/platform deploy checkout 1.4.2 production because checkout is down")
        card = await house.olu.sees(REQUESTS, "DENIED", "checkout is down")
        await card.click("Break glass")
        form = await house.olu.modal()
        await form.fill(Reason="checkout is down, nobody can pay")
        await form.submit()
        await card.becomes("WAITING", "GLASS BROKEN")
        await house.dana.sees(DEPLOYS, "broke the glass", "nobody can pay")
        lead = await house.lee.sees(REQUESTS, "WAITING", "To be reviewed afterwards by Sam")
        await lead.click("Approve")
        await card.becomes("SUCCEEDED", "To be reviewed by Sam", within=10)
        await card.thread("To be reviewed: Olu broke the glass", "@sam")
        await house.lee.types("/platform review R-1002 because fine")
        await house.lee.sees("general", "R-1002 is reviewed by Sam.")
        await house.sam.types("/platform review R-1002 because it was an outage")
        await card.becomes("Reviewed by Sam: “it was an outage”")


async def test_a_second_change_waits_or_replaces_the_first(house: House) -> None:
    await house.dana.types(LINE)
    first = await house.lee.sees(REQUESTS, "→ 1.4.2", "WAITING")
    await house.olu.types("/platform deploy checkout 1.4.3 production because newer")
    second = await house.olu.sees(REQUESTS, "1.4.3", "WAIT OR REPLACE?")
    await second.click("Wait")
    await second.becomes("QUEUED")
    await house.sam.types("/platform deploy checkout 1.4.4 production because newest")
    third = await house.sam.sees(REQUESTS, "1.4.4", "WAIT OR REPLACE?")
    await third.click("Replace")
    await first.becomes("CANCELLED", "Sam")
    await third.becomes("WAITING", "→ 1.4.4")
    await first.thread("CANCELLED by Sam: replaced with R-1003")
    own = await house.sam.sees(REQUESTS, "→ 1.4.4", "WAITING")
    await own.click("Cancel")
    await second.becomes("WAITING", "→ 1.4.3")


async def test_a_denial_can_be_lifted_for_a_day_and_no_longer() -> None:
    def frozen(content: dict) -> None:
        content["policies"].append(
            {"name": "frozen", "when": 'action.risk != "read"', "deny": "Frozen.", "break_glass": {"group": "sre"}}
        )

    async with acme_house(platform=frozen) as house:
        await house.olu.types("/platform deploy checkout 1.4.2 production because checkout is down")
        card = await house.olu.sees(REQUESTS, "DENIED", "checkout is down")
        await house.later(25 * 3600)
        await card.click("Break glass")
        form = await house.olu.modal()
        await form.fill(Reason="checkout is down, nobody can pay")
        await form.submit()
        await house.olu.sees(REQUESTS, "R-1001 was denied more than a day ago. Ask for it anew.")
        await house.quiet()
        assert "Break glass" not in card.buttons
        assert "glass_broken" not in await house.history()
