"""PostgreSQL loses connections, or is away for a while, and people notice as little as can be."""

import re
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters import postgres
from chatops.kernel.locks import Lock
from chatops.kernel.people import Person
from chatops.requests.clicks import DID
from chatops.requests.locks import LockDesk
from chatops.slack import intake
from chatops.slack.deciding import Deciding, Decision
from chatops.slack.payloads import Where
from tests.support.databases import name_of
from tests.support.house import REQUESTS, House, acme_house, straight_to_production
from tests.support.page import SlackSays
from tests.support.wire import Wire, wire

pytestmark = pytest.mark.group("postgresql")
LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"


@pytest.fixture
async def cut(tmp_path: Path) -> AsyncIterator[Wire]:
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        async with wire(name_of(tmp_path, "postgresql"), Path(folder)) as made:
            yield made


@pytest.fixture
async def house(cut: Wire) -> AsyncIterator[House]:
    async with acme_house(platform=straight_to_production, database=cut.url) as house:
        yield house


async def ready(house: House) -> int:
    async with house.sandbox.session.get(f"{house.assistant.http.address}/readyz") as answer:
        return answer.status


async def one_of_each(house: House) -> None:
    """One run, one card, one notice, and a trail that verifies."""
    await house.quiet()
    history = await house.history()
    assert [history.count(what) for what in ("requested", "satisfied", "begun", "written", "became_healthy")] == [1] * 5
    said = [
        message["metadata"]["event_payload"]["id"]
        for messages in house.slack.state.messages.values()
        for message in messages
        if message.get("metadata")
    ]
    assert len(said) == len(set(said))
    assert {"R-1001", "R-1001/notice"} <= set(said)


async def test_connections_that_are_lost_again_and_again_go_unnoticed(house: House, cut: Wire) -> None:
    cut.lose_before_commit, cut.lose_after_commit = 2, 2
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING", within=20)
    cut.cut()
    cut.lose_after_commit = 2
    await card.click("Approve")
    cut.cut()
    await card.becomes("SUCCEEDED", within=20)
    assert cut.lost >= 4
    await one_of_each(house)


async def test_while_the_server_is_away_nothing_is_acknowledged_and_afterwards_everything_goes_on(
    house: House, cut: Wire
) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await house.quiet()
    assert await ready(house) == 200
    await cut.close()
    assert await ready(house) == 503
    await card.click("Approve")
    assert "WAITING" in card.text
    await cut.open()
    assert await ready(house) == 200
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=20)
    await one_of_each(house)


@pytest.mark.parametrize("saved", [False, True])
async def test_a_press_is_decided_on_once_when_the_server_went_away_after_it_was_acknowledged(
    house: House, cut: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, saved: bool
) -> None:
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(postgres, "FATE_WITHIN", 0.0)
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await house.quiet()
    decide, keys = Deciding.decide, []

    async def gone_before(self: Deciding, decision: Decision, person: Person, key: str, where: Where) -> str:
        keys.append(key)
        if len(keys) == 1 and saved:  # and nobody can say so
            cut.of, cut.lose_after_commit, cut.then_away = b'"verdict"', 1, True
        elif len(keys) == 1:
            await cut.close()
        return await decide(self, decision, person, key, where)

    monkeypatch.setattr(Deciding, "decide", gone_before)
    await card.click("Approve")
    said = "it is not known whether it did" if saved else "Nothing was saved"
    waits = re.compile(rf"decision:\S+ waits: .*{said}")
    await house.until(lambda: bool(waits.search(caplog.text)))
    assert saved or await ready(house) == 503  # what was lost while it saved is one connection of several
    await cut.open()
    await card.becomes("SUCCEEDED", within=30)
    await one_of_each(house)
    assert len(keys) > 1
    assert len(set(keys)) == 1
    await house.lee.never_sees(REQUESTS, said)


@pytest.mark.parametrize(("saved", "told"), [(False, "Locked"), (True, "This was done already")])
async def test_a_line_is_worked_off_once_when_the_server_went_away_after_it_was_acknowledged(
    house: House, cut: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, saved: bool, told: str
) -> None:
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(postgres, "FATE_WITHIN", 0.0)
    cut.of = DID.encode()
    await house.quiet()
    take, takes = LockDesk.take, []

    async def gone_before(self: LockDesk, *given: Any) -> Lock:
        takes.append(given)
        if len(takes) == 1 and saved:  # and nobody can say so
            cut.lose_after_commit, cut.then_away = 1, True
        elif len(takes) == 1:
            await cut.close()
        return await take(self, *given)

    monkeypatch.setattr(LockDesk, "take", gone_before)
    await house.dana.types("/platform lock checkout production because migrating")
    said = "it is not known whether it did" if saved else "Nothing was saved"
    waits = re.compile(rf"line \S+ waits: .*{said}")
    await house.until(lambda: bool(waits.search(caplog.text)))
    await cut.open()
    await house.dana.sees("general", told, within=30)
    await house.quiet()
    assert len(await house.rows("SELECT seq FROM audit WHERE what = 'locked'")) == 1
    assert len(takes) == (1 if saved else 2)
    await house.dana.never_sees("general", said)


async def test_what_was_saved_when_nobody_could_say_so_is_taken_up_without_a_restart(
    house: House, cut: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "FATE_WITHIN", 0.0)
    cut.of = b'"where"'  # what somebody did, in the inbox; much else is written meanwhile
    looks = [look for job in house.assistant.scheduler.get_jobs() for look in job.args]
    assistant = house.assistant
    slow_net = [assistant.front.intake.look, assistant.engine.look, assistant.messenger.look]
    assert all(look in looks for look in slow_net)

    async def unsure(doing: Awaitable[object]) -> None:
        cut.lose_after_commit, cut.then_away = 1, True
        with suppress(SlackSays):
            await doing
        await house.until(lambda: cut.lost == 1)
        cut.lost, cut.then_away = 0, False
        await cut.open()
        for look in slow_net:
            await look()

    await unsure(house.dana.types(LINE))
    card = await house.lee.sees(REQUESTS, "WAITING", within=20)
    await house.quiet()
    await unsure(card.click("Approve"))
    for look in slow_net:
        await look()
    await card.becomes("SUCCEEDED", within=20)
    await one_of_each(house)


async def test_work_whose_waiting_could_not_be_stored_goes_on_when_the_server_is_back(
    house: House, cut: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    house.cluster_away(True)
    await card.click("Approve")
    await card.becomes("APPROVED")
    await cut.close()
    await house.until(lambda: "the work on R-1001 waits" in caplog.text, within=30)
    house.cluster_away(False)
    assert await ready(house) == 503
    await cut.open()
    await card.becomes("SUCCEEDED", within=30)
    await one_of_each(house)
