from __future__ import annotations

import asyncio
import functools
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatops.adapters.sqlite import SQLite, reading
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.ports import Tx
from tests.store.facts import Gate, names, note, until
from tests.support.thoroughness import examples


def fail(tx: Tx, name: str, error: BaseException) -> None:
    note(tx, name)
    raise error


async def test_a_write_gives_its_result_and_a_read_sees_it(database: SQLite) -> None:
    assert await database.write(note, "paused") == "paused"
    assert await database.read(names) == ["paused"]


async def test_a_function_that_raises_undoes_only_itself(database: SQLite) -> None:
    gate = Gate()
    held = asyncio.create_task(database.write(gate.hold))
    await gate.reached()
    three = [database.write(note, "a"), database.write(fail, "b", KeyError("no")), database.write(note, "c")]
    waiting = asyncio.gather(*three, return_exceptions=True)
    await until(lambda: database.queued == 4)
    gate.open()
    first, second, third = await waiting
    assert (first, type(second), third, await held) == ("a", KeyError, "c", "gate")
    assert await database.read(names) == ["a", "c", "gate"]


@given(st.lists(st.sampled_from(["good", "raises", "stops", "bad sql", "twice"]), max_size=25))
@settings(max_examples=examples(25), deadline=None)
def test_whatever_others_do_every_function_is_kept_whole_or_not_at_all(kinds: list[str]) -> None:
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
            async with SQLite(Path(folder) / "chatops.db") as database:
                calls = [database.write(act, number, kind) for number, kind in enumerate(kinds)]
                results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
                good = [number for number, kind in enumerate(kinds) if kind == "good"]
                assert [result for result in results if isinstance(result, int)] == good
                assert await database.read(names) == [f"{number:02}-{part}" for number in good for part in "ab"]

    asyncio.run(run())


async def test_waiting_writes_share_one_commit_and_one_call_to_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points: list[str] = []
    calls: list[object] = []
    async with SQLite(tmp_path / "chatops.db", on_commit_point=points.append) as database:
        gate = Gate()
        held = asyncio.create_task(database.write(gate.hold))
        await gate.reached()
        waiting = asyncio.gather(*(database.write(functools.partial(note, name=str(n))) for n in range(20)))
        await until(lambda: database.queued == 21)
        loop = asyncio.get_running_loop()
        call = loop.call_soon_threadsafe

        def counted(*args: Any) -> object:
            calls.append(args[0])
            return call(*args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        gate.open()
        await held
        await waiting
        monkeypatch.undo()
    together = ",".join(["note"] * 20)
    assert points == [
        "before_commit hold",
        "after_commit hold",
        f"before_commit {together}",
        f"after_commit {together}",
    ]
    assert len(calls) == 2


async def test_a_batch_is_bounded(tmp_path: Path) -> None:
    points: list[str] = []
    async with SQLite(tmp_path / "chatops.db", batch=3, on_commit_point=points.append) as database:
        await asyncio.gather(*(database.write(note, str(n)) for n in range(10)))
    assert sum(point.count("note") for point in points if point.startswith("before")) == 10
    assert max(point.count("note") for point in points) <= 3


async def test_a_full_queue_makes_callers_wait_and_loses_nobody(tmp_path: Path) -> None:
    async with SQLite(tmp_path / "chatops.db", queue=2) as database:
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


async def test_reads_do_not_wait_for_a_slow_writer_and_see_what_was_committed(database: SQLite) -> None:
    await database.write(note, "before")
    gate = Gate()
    held = asyncio.create_task(database.write(gate.hold))
    await gate.reached()
    assert await database.read(names) == ["before"]
    gate.open()
    await held
    assert await database.read(names) == ["before", "gate"]


async def test_a_read_sees_one_moment_while_others_write(database: SQLite) -> None:
    loop = asyncio.get_running_loop()

    def twice(tx: Tx) -> tuple[list[str], list[str]]:
        first = names(tx)
        asyncio.run_coroutine_threadsafe(database.write(note, "meanwhile"), loop).result(10)
        return first, names(tx)

    assert await database.read(twice) == ([], [])
    assert await database.read(names) == ["meanwhile"]


async def test_a_read_cannot_write(database: SQLite) -> None:
    with pytest.raises(RuntimeError, match="changes nothing"):
        await database.read(note, "sneaky")
    with pytest.raises(Unavailable, match="may not be written to"):
        await database.read(lambda tx: tx.one("DELETE FROM settings RETURNING name"))
    with pytest.raises(RuntimeError, match="commits nothing"):
        await database.read(lambda tx: tx.after_commit(print))
    assert await database.read(names) == []


async def test_a_read_that_runs_past_an_iterator_fails_instead_of_hanging(database: SQLite) -> None:
    with pytest.raises(RuntimeError, match="past the end"):
        await asyncio.wait_for(database.read(lambda tx: next(iter(tx.all("SELECT 1 WHERE 1 = 0")))), 10)


async def test_returning_gives_its_first_row_and_the_commit_goes_through(database: SQLite) -> None:
    def take(tx: Tx) -> Any:
        for name in "abc":
            note(tx, name)
        return tx.one("DELETE FROM settings RETURNING name")

    assert await database.write(take) == {"name": "a"}
    assert await database.read(names) == []


async def test_after_commit_is_called_on_the_loop_once_it_is_true_and_never_for_what_was_undone(
    database: SQLite,
) -> None:
    loop = asyncio.get_running_loop()
    seen: list[str] = []

    def call(name: str) -> None:
        assert asyncio.get_running_loop() is loop
        with reading(database.path) as tx:
            assert name in names(tx)
        seen.append(name)

    def act(tx: Tx, name: str, error: Exception | None = None) -> None:
        note(tx, name)
        tx.after_commit(lambda: call(name))
        if error:
            raise error

    results = await asyncio.gather(
        database.write(act, "a"),
        database.write(act, "b", ValueError()),
        database.write(act, "c"),
        return_exceptions=True,
    )
    assert seen == ["a", "c"]
    assert isinstance(results[1], ValueError)


async def test_a_failing_call_after_commit_is_reported_and_disturbs_nobody(database: SQLite) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(repr(context["exception"])))

    def act(tx: Tx) -> str:
        tx.after_commit(lambda: 1 / 0)
        return note(tx, "a")

    assert await database.write(act) == "a"
    assert await database.write(note, "b") == "b"
    assert reported == ["ZeroDivisionError('division by zero')"]


async def test_a_caller_that_leaves_does_not_break_the_batch(database: SQLite) -> None:
    gate = Gate()
    held = asyncio.create_task(database.write(gate.hold))
    await gate.reached()
    before, leaving, after = (asyncio.create_task(database.write(note, name)) for name in ("a", "b", "c"))
    await until(lambda: database.queued == 4)
    leaving.cancel()
    held.cancel()  # has begun: runs to its end
    await asyncio.gather(leaving, held, return_exceptions=True)
    gate.open()
    assert list(await asyncio.gather(before, after)) == ["a", "c"]
    assert await database.read(names) == ["a", "c", "gate"]
    assert database.queued == 0


async def test_when_the_commit_fails_nobody_is_told_done(tmp_path: Path) -> None:
    fails = True

    def hook(point: str) -> None:
        if fails and point.startswith("before_commit") and "note" in point:
            raise OSError("the disk is gone")

    called: list[str] = []

    def act(tx: Tx) -> None:
        tx.after_commit(lambda: called.append("told"))
        note(tx, "x")

    async with SQLite(tmp_path / "chatops.db", on_commit_point=hook) as database:
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


async def test_a_full_database_is_told_in_words_and_works_again_with_space(database: SQLite) -> None:
    def fill(tx: Tx) -> None:
        note(tx, "large")
        tx.run("UPDATE settings SET value = :value", value="x" * 10_000_000)

    def limit(tx: Tx, pages: int) -> None:
        tx.all(f"PRAGMA max_page_count = {pages}")

    await database.write(limit, 100)
    with pytest.raises(Unavailable, match="Nothing was saved: the disk that holds the database is full"):
        await database.write(fill)
    await database.write(limit, 1_000_000)
    assert await database.write(note, "small") == "small"
    assert await database.read(names) == ["small"]


async def test_a_closed_database_says_so_and_finishes_what_waited(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "chatops.db", queue=2)
    with pytest.raises(Unavailable, match="closed"):
        await database.write(note, "early")
    await database.open()
    gate = Gate()
    held = asyncio.create_task(database.write(gate.hold))
    await gate.reached()
    queued, waiting = (asyncio.create_task(database.write(note, name)) for name in ("queued", "waiting"))
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
    with reading(tmp_path / "chatops.db") as tx:
        assert names(tx) == ["gate", "queued"]
    assert not Path(f"{database.path}-wal").exists() or os.path.getsize(f"{database.path}-wal") == 0


async def test_a_second_writer_is_refused_with_a_sentence_and_a_reader_is_not(database: SQLite) -> None:
    with pytest.raises(Unavailable, match=rf"chatops\.db is in use by another chatops \(process {os.getpid()}\)"):
        await SQLite(database.path).open()
    other = subprocess.run(
        [sys.executable, "-m", "tests.store.child", "acknowledge", str(database.path), "1"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert f"is in use by another chatops (process {os.getpid()})" in other.stderr
    assert other.returncode != 0
    await database.write(note, "seen beside it")
    with reading(database.path) as tx:
        assert names(tx) == ["seen beside it"]


async def test_a_file_that_is_given_back_can_be_opened_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        async with SQLite(tmp_path / "chatops.db") as database:
            await database.write(note, name)
            assert name in await database.read(names)


async def test_only_its_owner_may_read_the_file(database: SQLite) -> None:
    assert os.stat(database.path).st_mode & 0o077 == 0


async def test_commits_wait_for_the_disk_and_references_are_checked(database: SQLite) -> None:
    def pragmas(tx: Tx) -> list[Any]:
        return [next(iter((tx.one(f"PRAGMA {name}") or {}).values())) for name in ("journal_mode", "synchronous")]

    assert await database.write(pragmas) == ["wal", 2]
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        await database.write(
            lambda tx: tx.run(
                "INSERT INTO votes (request_id, digest, person_id, verdict, body, at) VALUES (1,'','','','',0)"
            )
        )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a database at all, just some text\n" * 40, "is not a database"),
        (b"SQLite format 3\0" + b"\xff" * 4080, ""),
    ],
)
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "chatops.db"
    path.write_bytes(content)
    with pytest.raises(Refused, match=f"cannot be used: .*{says}") as refused:
        await SQLite(path).open()
    assert "backup" in refused.value.hint
    assert path.read_bytes() == content


async def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nowhere cannot hold a database: No such file or directory"):
        await SQLite(tmp_path / "nowhere" / "chatops.db").open()
    with pytest.raises(Unavailable, match="There is no database at"), reading(tmp_path / "chatops.db"):
        pass
