"""Two replicas beside each other: people notice nothing of it, not even when one of them leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from chatops.kernel import audit
from chatops.main import Assistant
from tests.scenarios.test_incidents import INCIDENTS, alert, olu_is_on_call
from tests.support.canaries import everything_logged
from tests.support.databases import POSTGRES
from tests.support.house import DEPLOYS, HOOK_TOKEN, REQUESTS, straight_to_production
from tests.support.replicas import Replica, TwoReplicas, two_replicas

pytestmark = [
    pytest.mark.group("postgresql"),
    pytest.mark.skipif(not POSTGRES, reason="needs state that replicas can share: make test-postgresql"),
]

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
STAGING = "/platform deploy checkout 1.4.3 staging because fixes the cart"


def simple(content: dict[str, Any]) -> None:
    straight_to_production(content)
    olu_is_on_call(content)


@pytest.fixture
async def house() -> AsyncIterator[TwoReplicas]:
    async with two_replicas(platform=simple) as house:
        yield house


@contextmanager
def unheard(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What it rings meanwhile is lost, as when the connection that it is told on breaks."""
    with monkeypatch.context() as patch:
        patch.setattr(replica.assistant.replicas, "ring", lambda bell, what="": None)
        yield


async def once(house: TwoReplicas) -> None:
    """Nothing was said twice, and the audit trail verifies."""
    await house.all_quiet()
    said = [
        json.dumps(message["metadata"]["event_payload"]["id"])
        for messages in house.slack.state.messages.values()
        for message in messages
        if message.get("metadata")
    ]
    assert said
    assert len(said) == len(set(said))
    assert (await house.assistant.database.read(audit.verify)).bad is None


async def stored(house: TwoReplicas, sql: str) -> None:
    """Waits until there are such rows."""
    async with asyncio.timeout(30):
        while not await house.rows(sql):
            await asyncio.sleep(0.02)


# side by side -------------------------------------------------------------------------------------------------------


async def test_what_is_asked_for_through_one_is_approved_through_the_other(house: TwoReplicas) -> None:
    for asked, approved, version in (
        (house.leader, house.follower, "1.4.2"), (house.follower, house.leader, "1.4.3"),
    ):  # fmt: skip
        with house.through(asked):
            await house.dana.types(f"/platform deploy checkout {version} production because fixes the cart")
            card = await house.lee.sees(REQUESTS, "WAITING", f"→ {version}")
        with house.through(approved):
            await card.click("Approve")
            await card.becomes("SUCCEEDED", "Approved by Lee")
        await house.lee.sees(DEPLOYS, f"→ {version}", "Dana")
    assert await house.image("checkout") == "1.4.3"
    assert (await house.history()).count("written") == 2
    await once(house)


async def test_a_click_at_each_at_once_is_one_approval_and_the_other_is_told(house: TwoReplicas) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    for replica in (house.leader, house.follower):
        with house.through(replica):
            await card.click("Approve", stale=True)
    await card.becomes("SUCCEEDED", "Approved by Lee")
    assert (await house.history()).count("written") == 1
    await once(house)


async def test_a_card_whose_bell_was_lost_comes_with_the_leaders_next_look(
    house: TwoReplicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unheard(house.follower, monkeypatch), house.through(house.follower):
        await house.dana.types(LINE)
        await stored(house, "SELECT 1 FROM requests WHERE state = 'waiting'")
    assert "WAITING" not in house.dana.screen(REQUESTS)
    await house.leader.assistant.messenger.look()
    await house.dana.sees(REQUESTS, "WAITING")
    await once(house)


async def test_cancel_at_one_ends_what_the_other_is_at(house: TwoReplicas) -> None:
    house.cluster_away(True)
    with house.through(house.follower):
        await house.dana.types(STAGING)
        card = await house.dana.sees(REQUESTS, "PLANNING", "Cancel")
    assert house.follower.assistant.engine.tasks
    assert not house.leader.assistant.engine.tasks
    with house.through(house.leader):
        await card.click("Cancel")
        await card.becomes("CANCELLED")
    house.cluster_away(False)
    await once(house)
    assert await house.image("checkout", "shop-staging") == "1.4.2"


async def test_an_alert_that_the_follower_takes_pages_and_is_acknowledged_through_the_leader(
    house: TwoReplicas,
) -> None:
    await tell(house, house.follower)
    card = await house.dana.sees(INCIDENTS, "SEV1 · checkout · PRODUCTION · NOBODY HAS IT")
    page = await house.olu.sees("@platform", "You are paged.", "INC-101")
    with house.through(house.leader):
        await page.click("Acknowledge")
        await card.becomes("OLU HAS IT")
    with house.through(house.follower):
        await card.click("Resolve")
        await card.becomes("Resolved by Dana")
    await once(house)


async def tell(house: TwoReplicas, replica: Replica) -> None:
    """A monitor's alert comes in at this one."""
    one = alert()
    body = {
        "status": "firing", "name": one.name, "severity": one.severity, "summary": one.summary, "labels": one.labels,
    }  # fmt: skip
    address = f"{replica.assistant.http.address}/hooks/alert"
    headers = {"Authorization": f"Bearer {HOOK_TOKEN}"}
    async with house.sandbox.session.post(address, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def test_app_home_that_is_opened_at_the_follower_shows_and_follows_what_changes(house: TwoReplicas) -> None:
    with house.through(house.follower):
        await house.lee.home("Nothing waits for you.")
        await house.lee.watches_home("checkout: staging 1.4.2 ✅ 2 of 2 ready")
        await house.dana.types(LINE)
        card = await house.lee.sees(REQUESTS, "WAITING")
        house.clock.advance(3)
        home = await house.lee.watches_home("Waiting for you (1)", "R-1001")
    with house.through(house.leader):
        await home.click("Approve")
    await card.becomes("SUCCEEDED")
    house.clock.advance(3)
    await house.lee.watches_home("Nothing waits for you.")


async def test_what_is_locked_frozen_or_paused_at_one_is_so_at_the_other(house: TwoReplicas) -> None:
    with house.through(house.leader):
        await house.lee.types("/platform lock checkout staging until 16:00 because migrating the carts")
        await house.lee.sees("general", "Locked")
    with house.through(house.follower):
        await house.dana.types(STAGING)
        await house.dana.sees(REQUESTS, "DENIED", "locked by Lee", "Rule: lock")
        await house.lee.types("/platform freeze production until 16:00 because of the sale")
        await house.lee.sees("general", "Frozen")
    with house.through(house.leader):
        await house.dana.types(LINE)
        await house.dana.sees(REQUESTS, "DENIED", "production is frozen by Lee")
        await house.sam.types("/platform pause because of the audit")
        await house.sam.sees("general", "Paused")
    with house.through(house.follower):
        await house.dana.types("/platform restart web staging because it leaks")
        card = await house.dana.sees(REQUESTS, "Restart web", "paused")
        await house.sam.types("/platform resume")
    house.clock.advance(60)
    await card.becomes("SUCCEEDED")


async def test_an_entry_that_the_leader_finds_in_the_cluster_is_known_to_the_follower(house: TwoReplicas) -> None:
    data = {"name": "finder", "team": "shop", "image": "registry.acme.test/shop/search", "container": "app"}
    metadata = {"name": "finder", "labels": {"chatops/catalog": "service"}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    await house.cluster_call("POST", "/api/v1/namespaces/platform-catalog/configmaps", body)
    await house.leader.assistant.discovery.look()
    await house.until(lambda: "finder" in house.follower.assistant.configuration.platform.services)
    with house.through(house.follower):
        await house.dana.types("/platform service finder")
        await house.dana.sees("general", "Owner: team shop", "In the catalog by ConfigMap platform-catalog/finder")
    assert len(await house.rows("SELECT 1 FROM audit WHERE what = 'catalog_changed'")) == 1


async def test_a_configuration_that_becomes_invalid_is_told_once_and_again_once_when_it_is_valid(
    house: TwoReplicas,
) -> None:
    file = house.folder / "config" / "platform.yml"
    good = file.read_text()
    file.write_text(json.dumps({**json.loads(good), "nonsense": 1}))
    told = await house.sam.sees(REQUESTS, "The configuration was changed into something invalid", "nonsense")
    await house.until(lambda: house.follower.assistant.configuration.refused)
    await once(house)
    assert house.sam.screen(REQUESTS).count("something invalid") == 1
    await house.leaves(house.leader)
    await house.until(house.follower.assistant.bells.leads)
    file.write_text(good)
    await told.becomes("The configuration is valid again.")
    rows = await house.rows("SELECT what FROM audit WHERE what LIKE 'configuration_%' ORDER BY at, seq")
    assert [row["what"] for row in rows] == ["configuration_refused", "configuration_repaired"]


async def test_one_of_them_posts_for_both_so_that_they_share_slacks_one_post_a_second_and_channel() -> None:
    async with two_replicas(platform=simple, slack={"rate_limits": True}, burst=1) as house:
        for number, replica in enumerate((house.leader, house.follower) * 2):
            with house.through(replica):
                await house.dana.types(f"/platform restart {('web', 'cart')[number % 2]} staging because of {number}")
        for number in range(4):
            await house.dana.sees(REQUESTS, f"of {number}", within=30)
        await once(house)
        [sent, by_the_follower] = [await posts_of(house, one) for one in (house.leader, house.follower)]
        assert by_the_follower == 0
        assert sent == len([one for one in house.slack.traffic.after(0) if one["what"] == "chat.postMessage"]) > 8


async def posts_of(house: TwoReplicas, replica: Replica) -> int:
    """How many messages this one has posted, as its /metrics say."""
    async with house.sandbox.session.get(f"{replica.assistant.http.address}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    counts = [line for line in lines if line.startswith("chatops_call_seconds_count") and '"chat.postMessage"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)


# one leaves ---------------------------------------------------------------------------------------------------------


async def test_the_leader_leaves_in_the_middle_of_a_rollout_and_the_other_finishes_it(house: TwoReplicas) -> None:
    with house.through(house.leader):
        await house.dana.types(LINE)
        card = await house.lee.sees(REQUESTS, "WAITING")
        house.cluster.pace.set(1)  # the rollout takes seconds: it is not over before the leader has left
        await card.click("Approve")
        await card.becomes("RUNNING")
    await house.leaves(house.leader)
    house.cluster.pace.set(0.02)
    await card.becomes("SUCCEEDED", "Approved by Lee")
    await house.lee.sees(DEPLOYS, "1.4.1 → 1.4.2")
    assert (await house.history()).count("written") == 1
    await once(house)


async def test_what_the_leader_left_unsent_and_unpaged_is_said_by_the_other(house: TwoReplicas) -> None:
    await house.sandbox.fault("error", method="chat.postMessage", error="internal_error", times=0)
    await tell(house, house.follower)
    with house.through(house.follower):
        await house.dana.types(LINE)
        await stored(house, "SELECT 1 FROM requests WHERE state = 'waiting'")
    await house.leaves(house.leader)
    house.slack.faults.clear()
    await house.dana.sees(REQUESTS, "WAITING", within=30)
    await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu", within=30)
    await house.olu.sees("@platform", "You are paged.", "INC-101", within=30)
    house.clock.advance(601)
    await house.follower.assistant.paging.look()
    await house.lee.sees("@platform", "You are paged.", "INC-101")
    await once(house)


async def test_the_follower_leaves_in_the_middle_of_a_rollout_and_the_leader_finishes_it(house: TwoReplicas) -> None:
    with house.through(house.follower):
        await house.dana.types(STAGING)
        house.cluster.pace.set(1)
        card = await house.dana.sees(REQUESTS, "RUNNING")
    assert house.follower.assistant.engine.tasks
    await house.leaves(house.follower)
    house.cluster.pace.set(0.02)
    await card.becomes("SUCCEEDED")
    assert (await house.history()).count("written") == 1
    await once(house)


async def test_after_the_leader_has_left_app_home_is_shown_and_followed_by_the_other(house: TwoReplicas) -> None:
    await house.leaves(house.leader)
    await house.until(house.follower.assistant.bells.leads)
    await house.lee.home("Nothing waits for you.")
    await house.dana.types(LINE)
    await house.lee.sees(REQUESTS, "WAITING")
    house.clock.advance(3)
    await house.lee.watches_home("Waiting for you (1)", "R-1001")


async def test_a_home_that_the_leader_had_open_is_followed_by_the_other_once_it_leads(house: TwoReplicas) -> None:
    await house.lee.home("Nothing waits for you.")
    await stored(house, "SELECT 1 FROM homes")
    await house.leaves(house.leader)
    await house.until(lambda: house.follower.assistant.homes.watched)
    await house.dana.types(LINE)
    await house.lee.watches_home("Waiting for you (1)", "R-1001")


# one is given up ----------------------------------------------------------------------------------------------------


async def test_one_that_was_given_up_tells_it_in_lines_without_a_traceback(house: TwoReplicas) -> None:
    """Nothing is wrong with its code: what it begins is refused, and a new one comes."""
    given_up = house.follower.assistant
    with everything_logged() as log:
        bury(house, given_up)
        for job in given_up.scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))
        await asyncio.wait_for(given_up.replicas.lost.wait(), 30)
        with house.through(house.follower):
            await house.dana.types(STAGING)
            await house.dana.sees("general", "taken over the database")
        await house.until(lambda: sum("raised an exception: Another chatops" in line for line in log) >= 2)
    assert any("was taken over by another chatops" in line for line in log)
    assert [line for line in log if "Traceback" in line] == []


def bury(house: TwoReplicas, assistant: Assistant) -> None:
    """Takes its lease away, as the others do once it has run out."""
    with psycopg.connect(house.settings.database, autocommit=True) as connection:
        for table in ("_chatops_writers", "_chatops_replicas"):
            connection.execute(f"DELETE FROM {table} WHERE epoch = %s", (assistant.replicas.me,))
