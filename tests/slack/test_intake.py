"""Nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.metrics import Metrics
from chatops.kernel.background import Background
from chatops.kernel.errors import DatabaseAway
from chatops.kernel.ports import Database, Tx
from chatops.slack import intake
from chatops.slack.intake import ADD, CLOSED, KEPT, MOST_TRIES, WAITS, Intake, Item, done, prune
from tests.slack.desk import desk
from tests.support.clock import MovableClock
from tests.support.databases import database as database_in

LINE = "deploy checkout 1.4.2 production because fixes the cart"


class Worker:
    """An intake on a real database, and what it did."""

    def __init__(self, database: Database, work: Callable[[Item], Awaitable[object]] | None = None) -> None:
        self.database, self.clock = database, MovableClock()
        self.done: list[Item] = []
        self.failed: list[tuple[str, str]] = []
        self.background = Background()
        self.intake = Intake(
            database, self.clock, {"line": work or self.work, "decision": self.work}, self.gave_up, Metrics(),
            self.background, most=2,
        )  # fmt: skip

    async def work(self, item: Item) -> None:
        self.done.append(item)

    async def gave_up(self, item: Item, error: BaseException) -> None:
        self.failed.append((item.key, str(error)))

    async def waiting(self) -> list[str]:
        def keys(tx: Tx) -> list[str]:
            return [row["key"] for row in tx.all("SELECT key FROM inbox WHERE done_at IS NULL ORDER BY key")]

        return await self.database.read(keys)


async def test_a_fact_is_on_disk_before_accept_returns_and_marked_when_it_is_done(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        gate = asyncio.Event()

        async def slow(item: Item) -> None:
            await gate.wait()

        worker = Worker(database, slow)
        assert await worker.intake.accept("k", "line", {"text": "ä"})
        assert await worker.waiting() == ["k"]
        gate.set()
        await worker.background.idle()
        assert await worker.waiting() == []


async def test_half_a_character_is_stored_as_it_is_worked_off(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        worker = Worker(database)
        await worker.intake.accept("k", "line", {"people": {"l\ud800e": "U1"}, "text": "\ud83e\udd8a"})
        await worker.background.idle()
        [row] = await database.read(lambda tx: tx.all("SELECT body FROM inbox"))
        assert [item.body["people"] for item in worker.done] == [{"l?e": "U1"}] == [json.loads(row["body"])["people"]]


class Sometimes:
    """A database that may be away, or not know whether it saved what it did save."""

    def __init__(self, real: Database) -> None:
        self.real, self.away, self.unsure = real, False, False

    async def write(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        if self.away:
            raise DatabaseAway("Nothing was saved: the server is away.")
        saved = await self.real.write(fn, *args, **kwargs)
        if self.unsure:
            raise DatabaseAway("It is not known whether it was saved.")
        return saved

    async def read(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await self.real.read(fn, *args, **kwargs)


def until_the_third(database: Sometimes, done: list[Item]) -> Callable[[Item], Awaitable[object]]:
    """Work after which the database is away, but for the third time."""

    async def work(item: Item) -> None:
        done.append(item)
        database.away = len(done) < 3

    return work


async def test_work_whose_end_could_not_be_stored_is_done_again_when_the_database_is_back(tmp_path: Path) -> None:
    async with database_in(tmp_path) as real:
        database, done = Sometimes(real), list[Item]()
        worker = Worker(database, until_the_third(database, done))
        await worker.intake.accept("k", "line", {})
        for tried, pause in ((1, 1.0), (2, 2.0)):
            async with asyncio.timeout(10):
                while worker.clock.sleepers != 1:
                    await asyncio.sleep(0)
            assert len(done) == tried
            assert await worker.waiting() == ["k"]
            await worker.clock.advance(pause)
        await worker.background.idle()
        assert [item.again for item in done] == [False, True, True]
        assert (await worker.waiting(), worker.failed) == ([], [])


async def test_what_waits_for_the_database_goes_before_what_comes_in_once_it_is_back(tmp_path: Path) -> None:
    async with database_in(tmp_path) as real:
        database, done = Sometimes(real), list[Item]()
        worker = Worker(database, until_the_third(database, done))
        for key in ("vote", "other"):
            await worker.intake.accept(key, "line", {})
        async with asyncio.timeout(10):
            while worker.clock.sleepers != 2:
                await asyncio.sleep(0)
        database.away = False
        await worker.intake.accept("withdrawal", "line", {})
        await worker.background.idle()
        assert [item.key for item in done] == ["vote", "other", "vote", "other", "withdrawal"]
        assert await worker.waiting() == []


async def test_what_was_saved_is_begun_also_when_its_caller_hears_that_nobody_knows(tmp_path: Path) -> None:
    async with database_in(tmp_path) as real:
        database = Sometimes(real)
        worker = Worker(database)
        database.unsure = True
        with pytest.raises(DatabaseAway):
            await worker.intake.accept("k", "line", {})
        database.unsure = False
        assert not await worker.intake.accept("k", "line", {})  # Slack, which was not answered, brings it again
        await worker.background.idle()
        assert [item.key for item in worker.done] == ["k"]
        assert await worker.waiting() == []


async def test_what_nobody_is_at_is_found_by_a_look_and_what_somebody_is_at_is_left_to_them(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        gate = asyncio.Event()

        async def slow(item: Item) -> None:
            worker.done.append(item)
            await gate.wait()

        worker = Worker(database, slow)
        await database.write(lambda tx: tx.run(ADD, key="lost", kind="line", body="{}", now=1.0, replica=0))
        await worker.intake.look()  # not before the start is through: it does not know yet who we are
        assert len(worker.background) == 0
        await worker.intake.open()
        await worker.intake.accept("k", "line", {})
        await worker.intake.look()
        gate.set()
        await worker.background.idle()
        await worker.intake.look()
        assert sorted((item.key, item.again) for item in worker.done) == [("k", False), ("lost", True)]
        assert await worker.waiting() == []


async def test_what_comes_in_together_is_committed_before_the_first_of_it_is_worked_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LULL", "LONGEST_LULL", "LATEST"):
        monkeypatch.setattr(intake, name, 3600.0)
    async with database_in(tmp_path) as database:
        worker = Worker(database)
        for number in range(20):
            await worker.intake.accept(f"{number:02}", "line", {})
        assert (worker.done, len(await worker.waiting())) == ([], 20)
        await worker.background.close()  # a crash, while all of it waits for a lull
        again = Worker(database)
        await again.intake.open()
        await again.background.idle()
        assert [item.key for item in again.done] == [f"{number:02}" for number in range(20)]
        assert await again.waiting() == []


async def test_work_begins_also_when_no_lull_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("LULL", 3600.0), ("LONGEST_LULL", 3600.0), ("LATEST", 0.02)):
        monkeypatch.setattr(intake, name, seconds)
    async with database_in(tmp_path) as database:
        worker = Worker(database)
        for number in range(3):
            await worker.intake.accept(str(number), "line", {})
        await worker.background.idle()
        assert [item.key for item in worker.done] == ["0", "1", "2"]


async def test_one_alone_begins_on_what_came_in_however_it_comes(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        beginning: list[int] = []

        async def work(item: Item) -> None:
            worker.done.append(item)
            if len(worker.done) < 20:
                await worker.intake.accept(str(len(worker.done)), "line", {})
            beginning.append(sum(task.get_name() == WAITS for task in asyncio.all_tasks()))

        worker = Worker(database, work)
        await worker.intake.accept("0", "line", {})
        await worker.background.idle()
        assert len(worker.done) == 20
        assert max(beginning) == 1


async def test_a_decision_does_not_wait_for_lines_that_take_long(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        gate = asyncio.Event()

        async def slow(item: Item) -> None:
            await gate.wait()

        worker = Worker(database, slow)
        for number in range(5):
            await worker.intake.accept(f"line:{number}", "line", {})
        await worker.intake.accept("decision", "decision", {})
        async with asyncio.timeout(10):
            while "decision" in await worker.waiting():
                await asyncio.sleep(0.01)
        assert len(await worker.waiting()) == 5
        gate.set()
        await worker.background.idle()
        assert await worker.waiting() == []


async def test_who_acknowledges_does_not_wait_for_those_who_look_something_up(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        gate = asyncio.Event()

        async def work(item: Item) -> None:
            if item.body["text"].startswith("status"):
                await gate.wait()

        worker = Worker(database, work)
        for number in range(5):
            await worker.intake.accept(f"line:{number}", "line", {"text": "status checkout production"})
        await worker.intake.accept("ack", "line", {"text": "Incident ack INC-101"})
        async with asyncio.timeout(10):
            while "ack" in await worker.waiting():
                await asyncio.sleep(0.01)
        assert len(await worker.waiting()) == 5
        gate.set()
        await worker.background.idle()
        assert await worker.waiting() == []


async def test_work_of_which_nobody_knows_whether_it_was_saved_is_done_again_and_told_to_nobody(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:

        async def unsure(item: Item) -> object:
            worker.done.append(item)
            if len(worker.done) < 3:
                raise DatabaseAway("It is not known whether it was saved.")
            return None

        worker = Worker(database, unsure)
        await worker.intake.accept("k", "line", {})
        for pause in (1.0, 2.0):
            async with asyncio.timeout(10):
                while worker.clock.sleepers != 1:
                    await asyncio.sleep(0)
            assert await worker.waiting() == ["k"]
            await worker.clock.advance(pause)
        await worker.background.idle()
        assert [item.again for item in worker.done] == [False, True, True]
        assert (await worker.waiting(), worker.failed) == ([], [])


async def test_a_row_that_the_effect_has_closed_is_left_to_it(tmp_path: Path) -> None:
    async def closing(item: Item) -> object:
        await database.write(done, item.key, 7.0)
        return CLOSED

    async with database_in(tmp_path) as database:
        worker = Worker(database, closing)
        await worker.intake.accept("k", "line", {})
        await worker.background.idle()
        [row] = await database.read(lambda tx: tx.all("SELECT done_at FROM inbox"))
        assert row["done_at"] == 7.0


async def test_the_same_delivery_three_times_is_worked_off_once(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        worker = Worker(database)
        fresh = await asyncio.gather(*(worker.intake.accept("k", "line", {}) for _ in range(3)))
        await worker.background.idle()
        assert sorted(fresh) == [False, False, True]
        assert [item.key for item in worker.done] == ["k"]


async def test_what_a_crash_left_is_worked_off_by_the_next_start(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        worker = Worker(database, lambda item: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
        await worker.intake.accept("k", "line", {"text": "x"})
        await worker.background.close()
        again = Worker(database)
        await again.intake.open()
        await again.background.idle()
        assert [(item.key, item.again, item.body) for item in again.done] == [("k", True, {"text": "x"})]
        assert await again.waiting() == []


async def test_what_came_in_while_starting_is_not_done_a_second_time_by_the_start(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        gate = asyncio.Event()
        seen: list[str] = []

        async def slow(item: Item) -> None:
            seen.append(item.key)
            await gate.wait()

        worker = Worker(database, slow)
        await worker.intake.accept("k", "line", {})
        await worker.intake.open()
        gate.set()
        await worker.background.idle()
        assert seen == ["k"]


async def test_a_row_that_always_kills_us_is_given_up_after_some_starts(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        first = Worker(database, lambda item: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
        await first.intake.accept("k", "line", {})
        await first.background.close()
        for _ in range(MOST_TRIES - 1):
            crashed = Worker(database, lambda item: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
            await crashed.intake.open()
            assert crashed.failed == []
            await crashed.background.close()
        last = Worker(database)
        await last.intake.open()
        await last.background.idle()
        assert last.done == []
        assert [key for key, _ in last.failed] == ["k"]
        assert await last.waiting() == []


async def test_what_an_earlier_run_left_is_taken_up_in_few_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(tx: Tx) -> None:
        for number in range(120):
            tx.run(ADD, key=f"k{number}", kind="line", body="{}", now=float(number), replica=0)

    def commit(name: str) -> None:
        commits.append(name)

    commits: list[str] = []
    monkeypatch.setattr(intake, "AT_ONCE", 50)
    async with database_in(tmp_path, on_commit_point=commit) as database:
        await database.write(leave)
        worker = Worker(database)
        await worker.intake.open()
        assert sum(name.startswith("after_commit") and "_taken" in name for name in commits) == 3
        await worker.background.idle()
        assert [item.key for item in worker.done] == [f"k{number}" for number in range(120)]
        assert await worker.waiting() == []


async def test_what_begins_while_leftovers_are_taken_up_is_begun_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meanwhile(Sometimes):
        """The last of what is left has just been committed: its commit is told while the first is taken up."""

        async def write(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            if fn is intake._taken and not worker.done:
                worker.intake._begin(Item("k1", "line", {}, 1.0))
            return await super().write(fn, *args, **kwargs)

    monkeypatch.setattr(intake, "AT_ONCE", 1)
    async with database_in(tmp_path) as real:
        for key in ("k0", "k1"):
            await real.write(lambda tx, key=key: tx.run(ADD, key=key, kind="line", body="{}", now=1.0, replica=0))
        worker = Worker(Meanwhile(real))  # type: ignore[arg-type]
        await worker.intake.open()
        await worker.background.idle()
        assert sorted(item.key for item in worker.done) == ["k0", "k1"]


async def test_what_a_newer_version_took_in_is_left_to_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with database_in(tmp_path) as database:
        older = Worker(database)
        await database.write(lambda tx: tx.run(ADD, key="k", kind="thought", body="{}", now=1.0, replica=0))
        await older.intake.open()
        await older.background.idle()
        assert (older.done, older.failed, await older.waiting()) == ([], [], ["k"])
        assert "k waits: this version does not know what thought is" in caplog.text


async def test_a_failure_is_told_and_closes_the_row(tmp_path: Path) -> None:
    async def broken(item: Item) -> None:
        raise ValueError("boom")

    async with database_in(tmp_path) as database:
        worker = Worker(database, broken)
        await worker.intake.accept("k", "line", {})
        await worker.background.idle()
        assert worker.failed == [("k", "boom")]
        assert await worker.waiting() == []


async def test_when_not_even_the_telling_works_the_row_stays_for_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(item: Item) -> None:
        raise ValueError("boom")

    async def mute(item: Item, error: BaseException) -> None:
        raise OSError("disk full")

    async with database_in(tmp_path) as database:
        worker = Worker(database, broken)
        worker.intake._gave_up = mute
        await worker.intake.accept("k", "line", {})
        await worker.background.idle()
        assert await worker.waiting() == ["k"]
        assert "background work failed" in caplog.text
        await worker.intake.open()
        assert len(worker.background) == 0  # not every minute


async def test_no_more_than_the_bound_run_at_once(tmp_path: Path) -> None:
    running, most = 0, 0
    gate = asyncio.Event()

    async def counted(item: Item) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    async with database_in(tmp_path) as database:
        worker = Worker(database, counted)
        await asyncio.gather(*(worker.intake.accept(str(number), "line", {}) for number in range(10)))
        while running < 2:
            await asyncio.sleep(0)
        gate.set()
        await worker.background.idle()
        assert most == 2
        assert await worker.waiting() == []


async def test_done_rows_are_forgotten_after_a_week_and_waiting_ones_never(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        worker = Worker(database)
        await worker.intake.accept("done", "line", {})
        await worker.background.idle()
        stuck = Worker(database, lambda item: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
        await stuck.intake.accept("waiting", "line", {})
        await stuck.background.close()
        assert await database.write(prune, worker.clock.now() + KEPT - 1) == 0
        assert await database.write(prune, worker.clock.now() + KEPT + 1) == 1
        assert await worker.waiting() == ["waiting"]


async def test_an_event_delivered_three_times_asks_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.joins()
        await acme.sandbox.fault("redeliver", method="app_mention", copies=3)
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types(f"@platform {LINE}", channel="platform-requests")
        await acme.dana.sees("platform-requests", "card of R-1042")
        await acme.sandbox.settled()
        assert len(await acme.sandbox.traffic("app_mention")) == 3
        assert len(acme.road.called("ask")) == 1


def left_over(text: str, key: str = "line:t1") -> Mapping[str, Any]:
    where = {"user": "U0DANA", "team": "T0ACME", "channel": "C0GENERAL"}
    body = {"where": {**where, "thread_ts": "", "response_url": "", "visible": False}, "text": text, "trigger": "t1"}
    return {"key": key, "body": json.dumps({**body, "ask_key": "", "masked": False})}


async def start_with(path: Path, *rows: Mapping[str, Any]) -> None:
    async with database_in(path) as database:
        for row in rows:
            await database.write(insert, row)


def insert(tx: Tx, row: Mapping[str, Any]) -> None:
    sql = "INSERT INTO inbox (key, kind, body, received_at, tries) VALUES (:key, 'line', :body, 1.0, 1)"
    tx.run(sql, **row)


async def test_a_line_that_a_crash_left_is_asked_for_by_the_next_start(tmp_path: Path) -> None:
    await start_with(tmp_path, left_over(LINE))
    asked: list[Any] = []
    async with desk(tmp_path, start=False) as acme:
        await acme.client.conversations_join(channel="C0GENERAL")
        acme.road.plan("ask", lambda *arguments: (asked.append(arguments), acme.asked())[1])
        await acme.front.intake.open()
        await acme.dana.sees("general", "R-1042 Deploy")
        assert [one[3] for one in asked] == ["line:t1"]


async def test_a_form_that_a_crash_kept_from_opening_comes_as_a_button(tmp_path: Path) -> None:
    await start_with(tmp_path, left_over("deploy checkout"))
    async with desk(tmp_path, start=False) as acme:
        await acme.client.conversations_join(channel="C0GENERAL")
        await acme.front.intake.open()
        seen = await acme.dana.sees("general", "Once more, please")
        await seen.click("Open the form")
        form = await acme.dana.modal("Deploy")
        assert form.values["Service"] == "checkout"
