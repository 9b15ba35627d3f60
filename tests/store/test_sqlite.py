from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.sqlite import SQLite, reading
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.ports import Tx
from tests.store.facts import Gate, names, note, until


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLite]:
    async with SQLite(tmp_path / "chatops.db") as database:
        yield database


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


async def test_what_comes_in_turn_by_turn_shares_a_commit_too(tmp_path: Path) -> None:
    points: list[str] = []
    async with SQLite(tmp_path / "chatops.db", on_commit_point=points.append) as database:
        writes = []
        for number in range(5):
            writes.append(asyncio.create_task(database.write(functools.partial(note, name=str(number)))))
            await asyncio.sleep(0)
        await asyncio.gather(*writes)
    together = ",".join(["note"] * 5)
    assert points == [f"before_commit {together}", f"after_commit {together}"]


async def test_a_stream_of_writes_that_never_pauses_is_committed_all_the_same(tmp_path: Path) -> None:
    async with SQLite(tmp_path / "chatops.db", queue=100_000, batch=100_000) as database:
        first = asyncio.create_task(database.write(note, "first"))
        others = []
        while not first.done():
            others.append(asyncio.create_task(database.write(note, str(len(others)))))
            await asyncio.sleep(0)
        await asyncio.gather(*others)
        assert await first == "first"
        assert len(await database.read(names)) == len(others) + 1


async def test_a_batch_is_bounded(tmp_path: Path) -> None:
    points: list[str] = []
    async with SQLite(tmp_path / "chatops.db", batch=3, on_commit_point=points.append) as database:
        await asyncio.gather(*(database.write(note, str(n)) for n in range(10)))
    assert sum(point.count("note") for point in points if point.startswith("before")) == 10
    assert max(point.count("note") for point in points) <= 3


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


async def test_only_its_owner_may_read_the_file(database: SQLite) -> None:
    assert os.stat(database.path).st_mode & 0o077 == 0


async def test_commits_wait_for_the_disk(database: SQLite) -> None:
    def pragmas(tx: Tx) -> list[Any]:
        return [next(iter((tx.one(f"PRAGMA {name}") or {}).values())) for name in ("journal_mode", "synchronous")]

    assert await database.write(pragmas) == ["wal", 2]


async def test_a_closed_database_leaves_one_file_behind(database: SQLite) -> None:
    await database.write(note, "kept")
    await database.close()
    assert not Path(f"{database.path}-wal").exists() or os.path.getsize(f"{database.path}-wal") == 0


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
