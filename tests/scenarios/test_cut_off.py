"""The process ends between two commits of what somebody asked for: it is neither done again nor left unsaid."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatops.slack.answers import Answers
from chatops.slack.files import Attachments
from tests.support.house import REQUESTS, House, acme_house

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"


@pytest.fixture
async def house():
    async with acme_house() as house:
        yield house


async def never(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


async def test_what_came_of_a_press_is_said_also_when_the_process_ends_right_after_it_was_decided(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.dana.types(LINE)
    card = await house.dana.sees(REQUESTS, "WAITING")
    await house.quiet()
    with monkeypatch.context() as cut:
        cut.setattr(Answers, "tell", never)
        await card.click("Cancel")
        await card.becomes("CANCELLED")
        await house.stop()
    await house.start()
    await house.dana.sees(REQUESTS, "R-1001 is cancelled.")


ONCE = {
    "a note": ("incident note INC-101 because seen it", "SELECT count(*) AS n FROM audit WHERE what = 'noted'"),
    "a report": (
        "incident open checkout production because slow",
        "SELECT count(*) AS n FROM audit WHERE what = 'reported'",
    ),
    "an escalation": ("incident escalate INC-101", "SELECT count(*) AS n FROM audit WHERE what = 'escalated'"),
    "a schedule": (
        "schedule restart checkout staging at tomorrow 9:00 because nightly",
        "SELECT count(*) AS n FROM schedules",
    ),
    "an override": (
        "oncall override tomorrow 9-12 for @sam because dentist",
        "SELECT count(*) AS n FROM overrides",
    ),
    "a lock": ("lock checkout production because migrating", "SELECT count(*) AS n FROM audit WHERE what = 'locked'"),
    "the end of a lock": (
        "unlock checkout production",
        "SELECT count(*) AS n FROM audit WHERE what = 'unlocked'",
        "lock checkout production because migrating",
    ),
    "an acknowledgement": ("incident ack INC-101", "SELECT count(*) AS n FROM audit WHERE what = 'acknowledged'"),
    "a pause": ("pause because of an outage", "SELECT count(*) AS n FROM audit WHERE what = 'paused'"),
    "a test": ("oncall test", "SELECT count(*) AS n FROM posts WHERE id LIKE 'test-page/%'"),
}


@pytest.mark.parametrize("what", ONCE)
async def test_what_was_done_before_the_process_ended_is_not_done_again_and_that_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    line, counted, *earlier = ONCE[what]
    for one in earlier or ["incident open cart production because broken"] * ("INC-101" in line):
        await house.olu.types(f"/platform {one}")
        await house.quiet()
    [before] = await house.rows(counted)

    async def done() -> bool:
        return bool((await house.rows(counted))[0]["n"] > before["n"])

    with monkeypatch.context() as cut:
        cut.setattr(Attachments, "of", never)
        await house.olu.types(f"/platform {line}")
        async with asyncio.timeout(10):
            while not await done():
                await asyncio.sleep(0.02)
        await house.stop()
    await house.start()
    await house.quiet()
    assert (await house.rows(counted))[0]["n"] == before["n"] + 1
    await house.olu.sees("general", "This was done already")


async def test_who_asked_once_is_not_told_that_it_was_asked_for_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(Answers, "asked", never)
        await house.dana.types(LINE)
        await house.lee.sees(REQUESTS, "WAITING")
        await house.stop()
    await house.start()
    said = await house.dana.sees("general", "R-1001", "its card is in")
    assert "before" not in said.text
