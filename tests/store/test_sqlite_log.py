from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatops.adapters.sqlite import SQLite, reading
from chatops.adapters.sqlite_log import LARGEST, ROOM, SMALL, WriteAhead
from tests.store.facts import names, note

NAMES = [f"{number:02}-" + "x" * 100_000 for number in range(6)]


def log_of(database: Path) -> int:
    return database.with_name(database.name + "-wal").stat().st_size


async def written(database: SQLite, wanted: list[str]) -> None:
    for name in wanted:
        await database.write(note, name)


async def test_a_log_that_grows_is_given_room_before_it_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "chatops.db"
    async with SQLite(path) as database:
        await written(database, NAMES)
        await database.write(note, "last")  # room is made after an answer, and before the next write
        length = log_of(path)
        assert length > ROOM
        await written(database, ["a", "b", "c"])
        assert log_of(path) == length


async def test_a_database_that_is_hardly_written_to_has_a_small_log(tmp_path: Path) -> None:
    async with SQLite(tmp_path / "chatops.db") as database:
        await written(database, ["a", "b", "c"])
        assert log_of(tmp_path / "chatops.db") < ROOM


async def test_what_was_committed_before_a_crash_is_read_from_a_log_with_room(tmp_path: Path) -> None:
    path, crashed = tmp_path / "chatops.db", tmp_path / "crashed.db"
    async with SQLite(path) as database:
        await written(database, [*NAMES, "last"])
        for end in ("", "-wal"):  # as the disk has them at this moment
            shutil.copy(f"{path}{end}", f"{crashed}{end}")
    with reading(crashed) as tx:
        assert names(tx) == [*NAMES, "last"]
    async with SQLite(crashed) as database:
        await database.write(note, "more")
        assert await database.read(names) == sorted([*NAMES, "last", "more"])
    with closing(sqlite3.connect(crashed)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_log_that_is_long_enough_is_let_be(tmp_path: Path) -> None:
    path = tmp_path / "chatops.db"
    log, ahead = path.with_name("chatops.db-wal"), WriteAhead(path)
    log.write_bytes(bytes(SMALL))
    ahead.make_room()
    assert log_of(path) == SMALL
    log.write_bytes(bytes(SMALL + 1))
    ahead.make_room()
    ahead.make_room()
    assert log_of(path) == SMALL + 1 + ROOM
    log.write_bytes(bytes(LARGEST))
    ahead.make_room()
    assert log_of(path) == LARGEST


async def test_without_room_for_a_longer_log_writing_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async with SQLite(tmp_path / "chatops.db") as database:
        monkeypatch.setattr("chatops.adapters.sqlite_log.os.fsync", full)
        await written(database, [*NAMES, "last"])
        monkeypatch.undo()
        assert await database.read(names) == [*NAMES, "last"]
    assert "no room for the database's log could be made" in caplog.text
