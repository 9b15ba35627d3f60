"""Incidents without a monitor: the cluster itself tells what is wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatops.incidents.watcher import Watcher
from tests.support.house import REQUESTS, House, acme_house, straight_to_production

INCIDENTS = "incidents"
CHECKOUT = "/apis/apps/v1/namespaces/shop/deployments/checkout"


def unwatched(content: dict[str, Any]) -> None:
    del content["watcher"]
    straight_to_production(content)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=unwatched) as house:
        yield house


async def patched(house: House, path: str, change: dict[str, Any]) -> None:
    """Somebody changes an object past the assistant."""
    token = house.cluster.kubeconfig()["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/strategic-merge-patch+json"}
    async with house.sandbox.session.patch(house.cluster.url + path, json=change, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def runs(house: House, version: str) -> None:
    container = {"name": "app", "image": f"registry.acme.test/shop/checkout:{version}"}
    await patched(house, CHECKOUT, {"spec": {"template": {"spec": {"containers": [container]}}}})


async def crashing(house: House) -> None:
    """Waits until the cluster says that checkout crashes."""
    watcher = house.assistant.watcher
    environment = house.assistant.configuration.platform.environments["production"]

    async def crashes() -> bool:
        return any("CrashLoop" in one.name for one in await watcher._look_at(environment, house.clock.now()))

    for _ in range(500):
        if await crashes():
            return
        await house.clock.sleep(0.02)
    raise AssertionError("checkout never crashed")


async def look(house: House, after: float = 0.0) -> None:
    house.clock.advance(after)
    await house.assistant.watcher.look()


async def test_what_crashes_becomes_an_incident_that_pages_nobody_and_ends_by_itself_healing(house: House) -> None:
    await runs(house, "1.5.0-broken")
    await crashing(house)
    await look(house)
    await look(house, 29)
    await house.quiet()
    assert await house.rows("SELECT * FROM incidents") == []  # it may pass
    await look(house, 2)
    card = await house.dana.sees(INCIDENTS, "SEV3 · checkout · PRODUCTION · NOBODY HAS IT")
    assert "CrashLoopBackOff" in card.text
    assert "Nobody is paged for it" in card.text
    await card.thread("Pods")
    await look(house, 60)
    assert len(await house.rows("SELECT * FROM incidents")) == 1
    await runs(house, "1.4.1")
    for _ in range(40):
        await look(house, 10)
        if "All alerts are resolved." in card.text:
            break
        await house.clock.sleep(0.05)
    await card.becomes("All alerts are resolved.")
    assert await house.rows("SELECT * FROM paging") == []


async def test_what_happens_during_a_run_belongs_to_its_card(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.5.0-broken production because trying")
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes("RUNNING", within=10)
    for _ in range(200):
        await house.assistant.watcher.look()
        house.clock.advance(0.5)
        if "ROLLED BACK" in card.text:
            break
        await house.clock.sleep(0.05)
    await card.becomes("ROLLED BACK", within=20)
    assert await house.rows("SELECT * FROM incidents") == []


async def test_after_a_restart_nothing_is_told_twice_and_what_is_over_is_told(house: House) -> None:
    await runs(house, "1.5.0-broken")
    await crashing(house)
    await look(house)
    await look(house, 31)
    card = await house.dana.sees(INCIDENTS, "CrashLoopBackOff")
    await house.stop()
    await house.start()
    await look(house)
    await look(house, 31)
    told = await house.rows("SELECT name, changes FROM alerts")  # a rollout that is stuck may have come to it meanwhile
    assert {row["changes"] for row in told} == {0}
    assert [row["name"] for row in told].count("CrashLoopBackOff") == 1
    await runs(house, "1.4.1")
    for _ in range(40):
        await look(house, 10)
        if "All alerts are resolved." in card.text:
            break
        await house.clock.sleep(0.05)
    await card.becomes("All alerts are resolved.")


async def test_a_cluster_that_is_away_neither_begins_nor_ends_anything(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await runs(house, "1.5.0-broken")
    await crashing(house)
    await look(house)
    await look(house, 31)
    card = await house.dana.sees(INCIDENTS, "CrashLoopBackOff")
    house.cluster.fault(403, times=None)
    await look(house, 100)
    await look(house, 100)
    await house.quiet()
    assert "NOBODY HAS IT" in card.text
    assert "All alerts are resolved." not in card.text
    assert sum("production can't be watched" in one for one in caplog.messages) == 1


async def test_it_can_be_told_to_page_and_to_look_away() -> None:
    def pages(content: dict[str, Any]) -> None:
        content["watcher"] = {"pages": True}
        content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]

    async with acme_house(platform=pages) as house:
        await patched(house, CHECKOUT, {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
        await runs(house, "1.5.0-broken")
        await crashing(house)
        await look(house)
        await look(house, 31)
        await house.dana.sees(INCIDENTS, "SEV2 · checkout · PRODUCTION")
        await house.olu.sees("@platform", "You are paged.")

    def off(content: dict[str, Any]) -> None:
        content["watcher"] = {"enabled": False}

    async with acme_house(platform=off) as house:
        await runs(house, "1.5.0-broken")
        await crashing(house)
        await look(house)
        await look(house, 31)
        assert await house.rows("SELECT * FROM incidents") == []


async def test_a_look_that_the_end_cuts_off_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looking = asyncio.Event()

    async def look(_: Watcher) -> None:
        looking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Watcher, "look", look)
    monkeypatch.setattr("chatops.main.WATCH_EVERY", 0.01)
    async with acme_house():
        await looking.wait()
    errors = [one for one in caplog.records if one.name.startswith("apscheduler") and one.levelno >= logging.ERROR]
    assert [one.getMessage() for one in errors] == []
