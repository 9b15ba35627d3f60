"""From one environment to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.clock import ShiftedClock
from tests.support.house import REQUESTS, House, acme_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


async def test_what_differs_stands_first_and_is_promoted_from_there(house: House) -> None:
    await house.dana.types("/platform compare staging production")
    seen = await house.dana.sees("general", "Compare", "differ between staging and production")
    first = next(line for line in seen.text.splitlines() if "1.4.2" in line)
    assert first.split()[:3] == ["checkout", "1.4.2", "1.4.1"]
    await seen.click("Promote checkout")
    offer = await house.dana.sees("general", "Promote checkout to production", "checkout 1.4.2 is healthy in staging")
    assert "production runs 1.4.1" in offer.text
    await offer.click("Deploy 1.4.2")
    form = await house.dana.modal("Now: 1.4.1", title="Deploy")
    assert await form.submit() == {}
    await (await house.lee.sees(REQUESTS, "WAITING", "checkout 1.4.1 → 1.4.2")).click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED")
    await house.dana.types("/platform promote checkout")
    await house.dana.sees("general", "production runs checkout 1.4.2 already.")


async def test_what_is_not_healthy_before_is_not_promoted(house: House) -> None:
    await house.crashes_in_staging("checkout")
    await house.dana.types("/platform promote checkout")
    await house.dana.sees("general", "checkout is not healthy in staging: 1.4.2", "What is promoted is what runs")


async def test_a_cluster_that_is_away_is_said(house: House) -> None:
    house.cluster_away(True)
    await house.dana.types("/platform promote checkout production")
    await house.dana.sees("general", "checkout is not healthy in staging", "does not answer", within=30)
    house.cluster_away(False)


async def test_what_did_not_run_well_before_is_refused_and_the_right_group_breaks_the_glass(house: House) -> None:
    await house.dana.types("/platform why deploy checkout 1.4.3 production")
    await house.dana.sees("general", "Refused.", "1.4.3 has to run well in staging first: 1.4.2 runs there.")
    await house.olu.types("/platform deploy checkout 1.4.3 production because orders stop")
    denied = await house.olu.sees(
        REQUESTS, "DENIED", "Rule: promotion", "1.4.3 has to run well in staging first: 1.4.2 runs there."
    )
    assert "Break glass" in denied.buttons
    await denied.click("Break glass")
    form = await house.olu.modal(title="Break glass R-1001")
    await form.fill(Reason="orders stop")
    assert await form.submit() == {}
    await (await house.lee.sees(REQUESTS, "WAITING", "→ 1.4.3", "GLASS BROKEN")).click("Approve")
    done = await house.olu.sees(REQUESTS, "SUCCEEDED", "→ 1.4.3", "GLASS BROKEN: “orders stop”", "To be reviewed by")
    await house.olu.types("/platform review R-1001 because I know what I did")
    await house.olu.sees("general", "Nobody reviews their own change.")
    await house.sam.types("/platform review R-1001 because it was an outage")
    await done.becomes("Reviewed by Sam: “it was an outage”")
    await house.dana.types("/platform rollback checkout production because slow")
    await (await house.lee.sees(REQUESTS, "WAITING", "1.4.3 → 1.4.1")).click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED", "1.4.3 → 1.4.1")


async def test_what_would_be_denied_replaces_nothing_and_who_may_lift_that_reads_how(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    first = await house.lee.sees(REQUESTS, "→ 1.4.2", "WAITING")
    await house.olu.types("/platform deploy checkout 1.4.9 production because orders stop")
    own = await house.olu.sees(REQUESTS, "Deploy checkout 1.4.9 ·", "WAIT OR REPLACE?")
    await own.click("Replace")
    denied = await house.olu.sees(REQUESTS, "R-1001 was not replaced", "1.4.9 has to run well in staging first")
    assert "With break_glass=yes on the line, members of the group sre can lift that." in denied.text
    assert "WAITING" in first.text


async def test_a_newer_version_before_takes_nothing_away_but_a_failure_there_does(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    waiting = await house.lee.sees(REQUESTS, "WAITING", "1.4.1 → 1.4.2")
    await house.staged("checkout", "1.4.3")
    await waiting.click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED", "1.4.1 → 1.4.2")

    await house.staged("cart", "2.4.0")
    await house.dana.types("/platform deploy cart 2.4.0 production because new")
    waiting = await house.lee.sees(REQUESTS, "WAITING", "→ 2.4.0")
    await house.crashes_in_staging("cart")
    await waiting.click("Approve")
    await house.dana.sees(REQUESTS, "DENIED", "cart 2.4.0 has to run well in staging first")


async def test_scaled_to_nothing_counts_what_was_seen_healthy_and_no_hooks_word(house: House) -> None:
    await house.edit("checkout", {"spec": {"replicas": 0}}, "shop-staging")
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    await house.dana.sees(REQUESTS, "DENIED", "1.4.2 has to run well in staging first: it is scaled to 0 there.")
    told = {"service": "cart", "environment": "staging", "version": "2.4.0", "state": "succeeded"}
    assert await house.hook("deploy", told) == 200
    await house.staged("cart", "2.4.0")
    await house.edit("cart", {"spec": {"replicas": 0}}, "shop-staging")
    await house.dana.types("/platform deploy cart 2.4.0 production because new")
    await house.dana.sees(REQUESTS, "DENIED", "cart 2.4.0 has to run well in staging first: it is scaled to 0 there.")
    await house.dana.types("/platform deploy search 0.9.9 staging because new")
    await house.dana.sees(REQUESTS, "SUCCEEDED", "→ 0.9.9")
    await house.dana.types("/platform scale search staging replicas=0 because night")
    await house.dana.sees(REQUESTS, "SUCCEEDED", "→ 0")
    await house.dana.types("/platform deploy search 0.9.9 production because new")
    await house.lee.sees(REQUESTS, "WAITING", "→ 0.9.9")


async def test_what_cannot_be_looked_at_is_not_let_through(house: House) -> None:
    house.cluster.fault(500, verb="get", resource="deployments", namespace="shop-staging", times=None)
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    await house.dana.sees(REQUESTS, "PLANNING", "cluster")
    house.cluster.faults.clear()
    await house.lee.sees(REQUESTS, "WAITING", "1.4.1 → 1.4.2", within=20)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("promote checkout staging", "Nothing is promoted to staging."),
        ("promote chekout", "Did you mean checkout?"),
        ("compare staging", "between staging and production"),
        ("compare production staging", "between production and staging"),
    ],
)
async def test_who_names_one_environment_means_its_partner(house: House, line: str, answer: str) -> None:
    await house.dana.types(f"/platform {line}")
    await house.dana.sees("general", answer)


async def test_the_card_says_how_long_the_version_has_run_well_in_the_environment_before() -> None:
    async with acme_house(clock=ShiftedClock(0.0)) as house:  # the cluster goes by the clock on the wall
        house.clock.advance(3 * 86400)
        await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        card = await house.lee.sees(REQUESTS, "WAITING", "Healthy in staging since")
        [line] = [line for line in card.text.splitlines() if "Healthy in staging" in line]
        assert "(3 days)" in line
        await card.click("Approve")
        done = await house.dana.sees(REQUESTS, "SUCCEEDED")
        assert "Healthy in staging" not in done.text


async def test_what_was_deployed_to_the_environment_before_just_now_is_said_to_be_new_there(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 staging because fixes the cart")
    await house.dana.sees(REQUESTS, "STAGING", "SUCCEEDED")
    await house.dana.types("/platform deploy checkout 1.4.3 production because fixes the cart")
    card = await house.lee.sees(REQUESTS, "WAITING", "PRODUCTION", "Healthy in staging since")
    [line] = [line for line in card.text.splitlines() if "Healthy in staging" in line]
    assert "days" not in line
