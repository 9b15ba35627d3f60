"""A line that waits, for its database or for a restart, does what was meant when it was typed, or says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatops.incidents.desk import Desk
from chatops.incidents.silencing import Silencing
from chatops.kernel.action import Answer
from chatops.kernel.errors import TooLate
from chatops.requests.reading import parse
from tests.model.watch import Silences
from tests.scenarios.test_incidents import alert, tell
from tests.support.house import House, acme_house

STANDING = {
    "resume": "SELECT value FROM settings WHERE name = 'paused' AND value <> '{}'",
    "unlock": "SELECT id FROM locks WHERE service = 'checkout' AND ended_at = 0",
    "thaw": "SELECT id FROM locks WHERE service = '' AND ended_at = 0",
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


async def works_off(house: House, text: str, asked_at: float = 0.0, user: str = "U0OLU", key: str = "") -> Answer:
    """What a line answers; with ``asked_at`` one that has waited since then."""
    line = parse(text, house.assistant.actions, house.assistant.configuration.platform)
    person, inputs = await house.assistant.directory.person(user), line.inputs(house.assistant.actions[line.action])
    again = bool(asked_at)
    return await house.assistant.road.answer(
        line.action, inputs, person=person, asked_at=asked_at, key=key or f"{text} {house.clock.now()}", again=again
    )


@pytest.mark.parametrize(
    ("does", "undoes"),
    [
        ("pause because the cluster moves", "resume"),
        ("lock checkout production because migrating", "unlock checkout production"),
        ("freeze staging because auditors", "thaw staging"),
    ],
)
async def test_it_does_not_undo_what_somebody_did_after_it_was_typed(house: House, does: str, undoes: str) -> None:
    await works_off(house, does)
    house.clock.advance(60)
    typed = house.clock.now()
    house.clock.advance(60)
    await works_off(house, undoes)
    await works_off(house, does)
    standing = STANDING[undoes.partition(" ")[0]]
    with pytest.raises(TooLate, match="after you asked, and stays so"):
        await works_off(house, undoes, typed)
    assert await house.rows(standing)
    await works_off(house, undoes, house.clock.now() + 1)
    assert not await house.rows(standing)


@pytest.mark.parametrize("verb", ["ack", "resolve", "close", "status"])
async def test_it_ends_nobodys_paging_for_what_began_anew_after_it_was_typed(house: House, verb: str) -> None:
    await tell(house, alert())
    typed = house.clock.now()
    house.clock.advance(60)
    await tell(house, alert(status="resolved"))
    await works_off(house, "incident resolve INC-101")
    await tell(house, alert())
    line = f"incident {verb} INC-101{' resolved' if verb == 'status' else ''} because it is over"
    line = line if verb != "ack" else "incident ack INC-101"
    with pytest.raises(TooLate, match="INC-101 has begun anew after you asked: look at it again"):
        await works_off(house, line, typed)
    [found] = await house.rows("SELECT state FROM incidents")
    assert found["state"] == "open"
    await works_off(house, line, house.clock.now() + 1)


async def test_it_does_not_end_a_silence_that_was_made_after_it_was_typed(house: House) -> None:
    silencing = house.assistant.planner.desks.silences
    assert isinstance(silencing, Silencing)
    silencing.silencer = silences = Ended()
    await tell(house, alert())
    await works_off(house, "silence INC-101 1h because known")
    house.clock.advance(60)
    typed = house.clock.now()
    house.clock.advance(60)
    await works_off(house, "silence INC-101 2h because known")
    said = await works_off(house, "unsilence INC-101", typed)
    assert "silenced it anew meanwhile, and that goes on" in str(said.lines)
    with pytest.raises(TooLate, match="silenced anew after you asked, and that goes on"):
        await works_off(house, "unsilence INC-101", typed)
    assert len(silences.ended) == 1


async def test_a_silence_that_was_made_is_kept_also_when_there_is_nothing_to_silence_any_more(house: House) -> None:
    silencing = house.assistant.planner.desks.silences
    assert isinstance(silencing, Silencing)
    silencing.silencer = Made()
    await tell(house, alert())
    typed = house.clock.now()
    await tell(house, alert(status="resolved"))
    said = await works_off(house, "silence INC-101 2h because known", typed)
    assert said.lines[0].endswith("UTC: alertname=ErrorRate.")
    await works_off(house, "unsilence INC-101")


class Made(Silences):
    """Has made what it was asked for before whoever asked was cut off."""

    async def standing(self, why: str, end: float) -> tuple[str, list[dict[str, Any]]] | None:
        return "https://alertmanager.acme.test/#/silences/1", [{"name": "alertname", "value": "ErrorRate"}]


class Ended(Silences):
    """Knows what was ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def end(self, address: str) -> None:
        self.ended.append(address)


@pytest.mark.parametrize("what", ["lock checkout production until=2h because x", "freeze staging until=2h because x"])
async def test_how_long_it_holds_counts_from_when_it_was_typed(house: House, what: str) -> None:
    typed = house.clock.now()
    house.clock.advance(3600)
    await works_off(house, what, typed)
    assert [row["until_at"] for row in await house.rows("SELECT until_at FROM locks")] == [typed + 7200]


@pytest.mark.parametrize(
    "what",
    [
        "lock checkout production until=30m because x",
        "freeze staging because x until 30m",
        "schedule restart checkout staging at 30m because x",
    ],
)
async def test_what_would_be_over_by_now_is_not_begun(house: House, what: str) -> None:
    typed = house.clock.now()
    house.clock.advance(3600)
    with pytest.raises(TooLate, match="I came to it late"):
        await works_off(house, what, typed)
    assert not await house.rows("SELECT id FROM locks UNION ALL SELECT id FROM schedules")


async def test_who_takes_over_today_does_so_on_the_day_on_which_that_was_typed(house: House) -> None:
    typed = house.clock.now()
    house.clock.advance(86400)
    with pytest.raises(TooLate, match="I came to it late"):
        await works_off(house, "oncall override today 9-23 for sam@acme.test because dentist", typed)
    assert not await house.rows("SELECT id FROM overrides")


async def test_what_was_reported_and_is_over_by_now_is_not_opened_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, typed = "incident open cart production because slow", house.clock.now()

    def cut_off(*_: object) -> Answer:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(Desk, "_reported", cut_off)
        with pytest.raises(ConnectionError):
            await works_off(house, line, key="the line's")
    await works_off(house, "incident resolve INC-101")
    await works_off(house, line, typed, key="the line's")
    [found] = await house.rows("SELECT state FROM incidents")
    assert found["state"] == "resolved"
