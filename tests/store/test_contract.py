"""What every database promises its callers, on both engines."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatops.adapters import databases
from chatops.adapters.databases import Opening, reading
from chatops.kernel.errors import Unavailable
from chatops.kernel.ports import Tx
from tests.store.facts import Gate, names, note, one_writer, until
from tests.support.databases import ENGINES, name_of
from tests.support.thoroughness import examples


def fail(tx: Tx, name: str, error: BaseException) -> None:
    note(tx, name)
    raise error


@pytest.fixture
async def single(name: str) -> AsyncIterator[Any]:
    """A database on which writes wait for each other."""
    async with one_writer(name) as database:
        yield database


async def test_a_write_gives_its_result_and_a_read_sees_it(database: Opening) -> None:
    assert await database.write(note, "paused") == "paused"
    assert await database.read(names) == ["paused"]


async def test_a_function_that_raises_undoes_only_itself(single: Any) -> None:
    gate = Gate()
    held = asyncio.create_task(single.write(gate.hold))
    await gate.reached()
    three = [single.write(note, "a"), single.write(fail, "b", KeyError("no")), single.write(note, "c")]
    waiting = asyncio.gather(*three, return_exceptions=True)
    await until(lambda: single.queued == 4)
    gate.open()
    first, second, third = await waiting
    assert (first, type(second), third, await held) == ("a", KeyError, "c", "gate")
    assert await single.read(names) == ["a", "c", "gate"]


@pytest.mark.parametrize("engine", ENGINES)
@given(st.lists(st.sampled_from(["good", "raises", "stops", "bad sql", "twice"]), max_size=25))
@settings(max_examples=examples(25), deadline=None)
def test_whatever_others_do_every_function_is_kept_whole_or_not_at_all(engine: str, kinds: list[str]) -> None:
    def act(tx: Tx, number: int, kind: str) -> int:
        note(tx, f"{number:02}-a")
        if kind == "raises":
            raise ValueError(number)
        if kind == "stops":
            next(iter(()))
        if kind == "bad sql":
            tx.run("INSERT INTO nowhere VALUES (1)")
        if kind == "twice":
            note(tx, f"{number:02}-a")
        note(tx, f"{number:02}-b")
        return number

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with databases.database(name_of(Path(folder), engine)) as database:
                calls = [database.write(act, number, kind) for number, kind in enumerate(kinds)]
                results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
                good = [number for number, kind in enumerate(kinds) if kind == "good"]
                assert [result for result in results if isinstance(result, int)] == good
                assert await database.read(names) == [f"{number:02}-{part}" for number in good for part in "ab"]

    asyncio.run(run())


async def test_a_full_queue_makes_callers_wait_and_loses_nobody(name: str) -> None:
    async with one_writer(name, queue=2) as database:
        gate = Gate()
        held = asyncio.create_task(database.write(gate.hold))
        await gate.reached()
        waiting = [asyncio.create_task(database.write(note, f"n{n}")) for n in range(6)]
        for _ in range(50):
            await asyncio.sleep(0)
        assert database.queued == 2
        gate.open()
        assert await asyncio.gather(held, *waiting) == ["gate", *(f"n{n}" for n in range(6))]
        assert database.queued == 0


async def test_reads_do_not_wait_for_a_slow_writer_and_see_what_was_committed(database: Opening) -> None:
    await database.write(note, "before")
    gate = Gate()
    held = asyncio.create_task(database.write(gate.hold))
    await gate.reached()
    assert await database.read(names) == ["before"]
    gate.open()
    await held
    assert await database.read(names) == ["before", "gate"]


async def test_a_read_sees_one_moment_while_others_write(database: Opening) -> None:
    loop = asyncio.get_running_loop()

    def twice(tx: Tx) -> tuple[list[str], list[str]]:
        first = names(tx)
        asyncio.run_coroutine_threadsafe(database.write(note, "meanwhile"), loop).result(10)
        return first, names(tx)

    assert await database.read(twice) == ([], [])
    assert await database.read(names) == ["meanwhile"]


async def test_a_read_cannot_write(database: Opening) -> None:
    with pytest.raises(RuntimeError, match="changes nothing"):
        await database.read(note, "sneaky")
    with pytest.raises(Unavailable, match="may not be written to"):
        await database.read(lambda tx: tx.one("DELETE FROM settings RETURNING name"))
    with pytest.raises(RuntimeError, match="commits nothing"):
        await database.read(lambda tx: tx.after_commit(print))
    assert await database.read(names) == []


async def test_a_read_that_runs_past_an_iterator_fails_instead_of_hanging(database: Opening) -> None:
    with pytest.raises(RuntimeError, match="past the end"):
        await asyncio.wait_for(database.read(lambda tx: next(iter(tx.all("SELECT 1 WHERE 1 = 0")))), 10)


async def test_returning_gives_its_first_row_and_the_commit_goes_through(database: Opening) -> None:
    def take(tx: Tx) -> Any:
        for name in "abc":
            note(tx, name)
        return tx.one("DELETE FROM settings RETURNING name")

    assert await database.write(take) == {"name": "a"}
    assert await database.read(names) == []


async def test_after_commit_is_called_on_the_loop_once_it_is_true_and_never_for_what_was_undone(
    database: Opening, name: str,
) -> None:  # fmt: skip
    loop = asyncio.get_running_loop()
    seen: list[str] = []

    def call(fact: str) -> None:
        assert asyncio.get_running_loop() is loop
        with reading(name) as tx:
            assert fact in names(tx)
        seen.append(fact)

    def act(tx: Tx, fact: str, error: Exception | None = None) -> None:
        note(tx, fact)
        tx.after_commit(lambda: call(fact))
        if error:
            raise error

    results = await asyncio.gather(
        database.write(act, "a"),
        database.write(act, "b", ValueError()),
        database.write(act, "c"),
        return_exceptions=True,
    )
    assert sorted(seen) == ["a", "c"]
    assert isinstance(results[1], ValueError)


async def test_a_failing_call_after_commit_is_reported_and_disturbs_nobody(database: Opening) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(repr(context["exception"])))

    def act(tx: Tx) -> str:
        tx.after_commit(lambda: 1 / 0)
        return note(tx, "a")

    assert await database.write(act) == "a"
    assert await database.write(note, "b") == "b"
    assert reported == ["ZeroDivisionError('division by zero')"]


async def test_a_caller_that_leaves_disturbs_nobody(single: Any) -> None:
    gate = Gate()
    held = asyncio.create_task(single.write(gate.hold))
    await gate.reached()
    before, leaving, after = (asyncio.create_task(single.write(note, name)) for name in ("a", "b", "c"))
    await until(lambda: single.queued == 4)
    leaving.cancel()
    held.cancel()  # has begun: runs to its end
    await asyncio.gather(leaving, held, return_exceptions=True)
    gate.open()
    assert list(await asyncio.gather(before, after)) == ["a", "c"]
    assert await single.read(names) == ["a", "c", "gate"]
    assert single.queued == 0


async def test_when_the_commit_fails_nobody_is_told_done(name: str) -> None:
    fails = True

    def hook(point: str) -> None:
        if fails and point.startswith("before_commit") and "hold" not in point:
            raise OSError("the disk is gone")

    called: list[str] = []

    def act(tx: Tx) -> None:
        tx.after_commit(lambda: called.append("told"))
        note(tx, "x")

    async with one_writer(name, on_commit_point=hook) as database:
        gate = Gate()
        held = asyncio.create_task(database.write(gate.hold))
        await gate.reached()
        lost = [database.write(note, "a"), database.write(act), database.write(fail, "b", KeyError("own"))]
        waiting = asyncio.gather(*lost, return_exceptions=True)
        await until(lambda: database.queued == 4)
        gate.open()
        await held
        first, second, third = await waiting
        assert isinstance(first, Unavailable)
        assert isinstance(second, Unavailable)
        assert first is not second
        assert first.message == "Nothing was saved: the disk is gone."
        assert isinstance(third, KeyError)
        assert called == []
        fails = False
        assert await database.write(note, "c") == "c"
        assert await database.read(names) == ["c", "gate"]


async def test_a_closed_database_says_so_and_finishes_what_waited(name: str) -> None:
    database = one_writer(name, queue=2)
    with pytest.raises(Unavailable, match="closed"):
        await database.write(note, "early")
    await database.open()
    gate = Gate()
    held = asyncio.create_task(database.write(gate.hold))
    await gate.reached()
    queued, waiting = (asyncio.create_task(database.write(note, fact)) for fact in ("queued", "waiting"))
    await until(lambda: database.queued == 2)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    gate.open()
    assert list(await asyncio.gather(held, queued)) == ["gate", "queued"]
    with pytest.raises(Unavailable, match="closed"):
        await waiting
    await closing
    await database.close()
    for call in (database.write, database.read):
        with pytest.raises(Unavailable, match="closed"):
            await call(names)
    with reading(name) as tx:
        assert names(tx) == ["gate", "queued"]


async def test_what_is_given_back_can_be_opened_again(name: str) -> None:
    for fact in ("a", "b"):
        async with databases.database(name) as database:
            await database.write(note, fact)
            assert fact in await database.read(names)


async def test_references_are_checked(database: Opening) -> None:
    vote = "INSERT INTO votes (request_id, digest, person_id, verdict, body, at) VALUES (1, '', '', '', '', 0)"
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.ForeignKeyViolation)):
        await database.write(lambda tx: tx.run(vote))


async def test_texts_and_numbers_come_back_as_they_were_and_in_one_order(database: Opening) -> None:
    texts = ["", "Z", "a", "B", "ä", "Ω", "R-1042", "R-999", "'; DROP TABLE votes --", "100 %s", "$1 :name", "\\", "\n"]
    at = 1_795_000_000.123457

    def put(tx: Tx) -> None:
        for text in texts:
            tx.run("INSERT INTO settings (name, value, updated_at) VALUES (:text, :text, :at)", text=text, at=at)

    await database.write(put)
    rows = await database.read(lambda tx: tx.all("SELECT * FROM settings ORDER BY name"))
    assert [row["name"] for row in rows] == sorted(texts, key=str.encode)
    assert {(row["value"] == row["name"], row["updated_at"]) for row in rows} == {(True, at)}
    sums = await database.read(
        lambda tx: tx.one(
            "SELECT count(*) AS n, coalesce(sum(lane), 0) AS whole, max(:big) AS big FROM posts", big=2**53 + 1
        )
    )
    assert sums == {"n": 0, "whole": 0, "big": None}


async def test_yes_and_no_are_kept_as_one_and_nothing(database: Opening) -> None:
    sql = """INSERT INTO drafts (id, person_id, action, body, masked, updated_at)
        VALUES (:id, 'U1', 'deploy', '{}', :masked, 1)"""
    await database.write(lambda tx: [tx.run(sql, id=str(masked), masked=masked) for masked in (True, False)])
    rows = await database.read(lambda tx: tx.all("SELECT masked FROM drafts ORDER BY id"))
    assert [row["masked"] for row in rows] == [0, 1]


async def test_a_change_says_how_many_rows_it_touched(database: Opening) -> None:
    def change(tx: Tx) -> list[int]:
        for fact in "abc":
            note(tx, fact)
        again = "INSERT INTO settings (name, value, updated_at) VALUES ('a', 'y', 2) ON CONFLICT DO NOTHING"
        return [
            tx.run(again), tx.run("UPDATE settings SET value = 'z' WHERE name <> 'a'"),
            tx.run("DELETE FROM settings WHERE name = :name", name="nobody"),
        ]  # fmt: skip

    assert await database.write(change) == [0, 2, 0]
