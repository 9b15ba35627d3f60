"""Each promise of the design, tried at the moment when it is easiest to break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chatops.adapters.kubernetes import Patience
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
WRITE = {"verb": "patch", "resource": "deployments", "dry_run": False}
CHECKOUT = "registry.acme.test/shop/checkout"


def rule(**policy: Any) -> Callable[[dict[str, Any]], None]:
    """One more policy than Acme has."""
    return lambda content: content["policies"].append(policy)


def freeze_from(hour: int) -> Callable[[dict[str, Any]], None]:
    """Production is frozen from that hour on (UTC); the house's clock starts at 9:00."""
    when = f'env.tier == "production" && now >= timestamp("2026-11-23T{hour:02}:00:00Z")'
    return rule(name="frozen later", when=when, deny="Production is frozen.", break_glass={"group": "sre"})


# Waiting is for production: nothing here asserts how long it took.
HURRIED = Patience(total=0.3, tries=2, pause=0.01, longest_pause=0.05)


@pytest.fixture
async def house():
    async with acme_house(patience=HURRIED) as house:
        yield house


# what was approved is what is applied ------------------------------------------------------------------------------


async def test_a_freeze_that_began_while_it_waited_for_approval_stops_it() -> None:
    async with acme_house(platform=freeze_from(10)) as house:
        await house.dana.types(LINE)
        card = await house.lee.sees(REQUESTS, "WAITING")
        house.clock.advance(3600)
        await card.click("Approve")
        await card.becomes("DENIED", "Production is frozen.")
        await house.quiet()
        assert await house.image("checkout") == "1.4.1"
        assert "begun" not in await house.history()
        await card.thread("void", "Production is frozen.")


async def test_approvals_do_not_come_back_with_the_plan_they_were_given_for(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "1.4.1 → 1.4.2", "WAITING")
    await set_image(house, "1.4.0")
    await card.click("Approve")
    await card.becomes("1.4.0 → 1.4.2", "WAITING", "void")
    await set_image(house, "1.4.1")
    await card.click("Approve")
    await card.becomes("1.4.1 → 1.4.2", "WAITING", "void")
    assert "Approved by" not in card.text
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=10)


async def test_a_lead_who_approved_before_a_freeze_is_asked_again_after_the_glass_was_broken() -> None:
    async with acme_house(platform=freeze_from(10)) as house:
        await house.olu.types(LINE)
        card = await house.lee.sees(REQUESTS, "WAITING")
        house.clock.advance(3600)
        await card.click("Approve")
        await card.becomes("DENIED")
        own = await house.olu.sees(REQUESTS, "Deploy checkout", "DENIED")
        await own.click("Break glass")
        form = await house.olu.modal()
        await form.fill(Reason="nobody can pay")
        await form.submit()
        await card.becomes("WAITING", "GLASS BROKEN")
        await card.click("Approve")
        await card.becomes("SUCCEEDED", within=10)


# the card tells the truth ------------------------------------------------------------------------------------------


async def test_glass_broken_in_advance_is_told_when_the_freeze_began_before_the_run() -> None:
    async with acme_house(platform=freeze_from(10)) as house:
        await house.olu.types("/platform deploy checkout 1.4.2 production break_glass=yes because nobody can pay")
        card = await house.lee.sees(REQUESTS, "WAITING")
        assert "GLASS BROKEN" not in card.text, "nothing was lifted yet"
        house.clock.advance(3600)
        await card.click("Approve")
        await card.becomes("SUCCEEDED", "GLASS BROKEN", "It lifts “frozen later”", within=10)
        await house.dana.sees(DEPLOYS, "broke the glass", "nobody can pay")
        [begun] = await house.rows("SELECT data FROM audit WHERE what = 'begun'")
        assert '"lifted":true' in begun["data"]


async def test_a_card_does_not_speak_of_broken_glass_when_who_asked_may_not_break_it() -> None:
    async with acme_house(platform=freeze_from(9)) as house:
        await house.dana.types("/platform deploy checkout 1.4.2 production break_glass=yes because I want to")
        card = await house.dana.sees(REQUESTS, "DENIED", "Rule: ")
        assert "GLASS BROKEN" not in card.text


async def rolled_out(house: House) -> None:
    """Hurries the cluster until it has three new pods and none of the old, whether it answers or not."""
    house.cluster.pace.set(0.01)
    wanted = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}.items()
    async with asyncio.timeout(15):
        while not wanted <= house.cluster.store.get(("apps", "deployments"), "shop", "checkout")["status"].items():
            await asyncio.sleep(0.02)


async def test_a_cluster_that_cannot_be_asked_for_long_is_no_failed_rollout(house: House) -> None:
    house.cluster.pace.set(1)  # the rollout takes seconds: it is not over before the test says so
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes("RUNNING", "pods ready")
    house.cluster_away(True)
    house.clock.advance(20 * 60)
    await card.becomes("RUNNING", "does not answer", within=10)
    assert "undo_begun" not in await house.history()
    await rolled_out(house)
    house.cluster_away(False)
    await card.becomes("SUCCEEDED", within=15)
    assert await house.image("checkout") == "1.4.2"


async def test_a_rollout_that_became_healthy_while_the_assistant_was_down_for_long_is_not_rolled_back(
    house: House,
) -> None:
    house.cluster.pace.set(1)  # the rollout takes seconds: it is not over before the test says so
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes("RUNNING", "pods ready")
    await house.stop()
    house.clock.advance(20 * 60)
    await rolled_out(house)
    await house.start()
    await card.becomes("SUCCEEDED", within=10)
    assert "undo_begun" not in await house.history()


# pauses, deadlines, strangers --------------------------------------------------------------------------------------


async def set_image(house: House, version: str) -> None:
    """A person sets the version by hand."""
    containers = [{"name": "app", "image": f"{CHECKOUT}:{version}"}]
    await house.edit("checkout", {"spec": {"template": {"spec": {"containers": containers}}}}, manager="kubectl-set")


async def test_a_click_on_a_card_of_long_ago_is_answered_and_the_card_stands_once(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    reply = await card.thread("Lee")
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=10)
    await house.quiet()
    await house.later(60 * 86400)
    await house.assistant.forget()
    kinds = {row["kind"] for row in await house.rows("SELECT kind FROM posts")}
    assert kinds == {"request", "approvers"}
    assert await house.rows("SELECT 1 AS one FROM inbox") == []
    await card.click("Approve", stale=True)
    await house.lee.sees(REQUESTS, "R-1001 is done; approved by Lee.")
    await reply.click("Approve", stale=True)
    await house.quiet()
    await house.lee.catches_up()
    where = house.lee.messages[house.lee.channel_id(REQUESTS)].values()
    assert sum("fixes the cart" in str(one) for one in where) == 1
    assert (await house.rows("SELECT count(*) AS n FROM posts WHERE kind IN ('request', 'approvers')"))[0]["n"] == 2
