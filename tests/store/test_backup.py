from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatops.adapters.backup_cli import backup, restore
from chatops.adapters.sqlite import SQLite
from chatops.cli import cli
from chatops.kernel.errors import PlatformError, Refused, Unavailable
from tests.store.trails import add, fill

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLite]:
    async with SQLite(tmp_path / "chatops.db") as database:
        yield database


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM audit").fetchone()[0])


def spoil(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


async def test_a_backup_is_taken_beside_a_running_assistant_and_has_what_was_committed(
    database: SQLite, tmp_path: Path
) -> None:
    await database.write(fill)
    copy = tmp_path / "backup.db"
    done = run("backup", copy, "--database", database.path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{copy}: 8 rows of audit in 3 chains are as they were written.\n"
    await database.write(add)
    assert rows(copy) == 8
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {one.name for one in tmp_path.iterdir() if one.name.startswith((".", "backup"))} == {"backup.db"}


async def test_a_restore_brings_back_what_was_and_keeps_what_came_after(tmp_path: Path) -> None:
    file, copy = tmp_path / "chatops.db", tmp_path / "backup.db"
    async with SQLite(file) as database:
        await database.write(fill)
        backup(file, copy)
        await database.write(add)
    restored = run("restore", copy, "--database", file)
    assert (restored.exit_code, restored.stderr) == (0, "")
    kept = Path(restored.stdout.split()[-1])
    assert kept.name.startswith("chatops.db.before-restore-")
    assert (rows(file), rows(kept)) == (8, 9)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with SQLite(file) as database:  # the assistant starts on it and goes on
        await database.write(add)
    assert rows(file) == 9
    assert run("audit", "verify", "--database", file).exit_code == 0


async def test_what_a_killed_assistant_left_beside_its_file_is_kept_with_it(tmp_path: Path) -> None:
    file, copy = tmp_path / "chatops.db", tmp_path / "backup.db"
    async with SQLite(file) as database:
        await database.write(fill)
        backup(file, copy)
        await database.write(add)
        left = {end: file.with_name(file.name + end).read_bytes() for end in ("", "-wal", "-shm")}
    for end, content in left.items():  # as a kill leaves them: the newest row is in the -wal alone
        file.with_name(file.name + end).write_bytes(content)
    kept = restore(copy, file, NOW)
    assert kept == tmp_path / "chatops.db.before-restore-20261130T090000"
    assert (rows(file), rows(kept)) == (8, 9)


async def test_a_damaged_database_is_kept_as_it_is(tmp_path: Path) -> None:
    file, copy = tmp_path / "chatops.db", tmp_path / "backup.db"
    async with SQLite(file) as database:
        await database.write(fill)
    backup(file, copy)
    damaged = b"no database any more" * 500
    file.write_bytes(damaged)
    file.with_name("chatops.db-wal").write_bytes(b"nor this")
    kept = restore(copy, file, NOW)
    assert kept is not None
    assert kept.read_bytes() == damaged
    assert rows(file) == 8
    assert not file.with_name("chatops.db-wal").exists()


async def test_killed_before_the_last_step_the_database_is_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, copy = tmp_path / "chatops.db", tmp_path / "backup.db"
    async with SQLite(file) as database:
        await database.write(fill)
        backup(file, copy)
        await database.write(add)

    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chatops.adapters.backup_cli.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        restore(copy, file, NOW)
    assert rows(file) == 9


async def test_nothing_is_restored_under_a_running_assistant(database: SQLite, tmp_path: Path) -> None:
    await database.write(fill)
    copy = tmp_path / "backup.db"
    backup(database.path, copy)
    refused = run("restore", copy, "--database", database.path)
    assert refused.exit_code == 1
    assert f"is in use by another chatops (process {os.getpid()})" in refused.stderr


async def test_a_restore_onto_a_new_machine_needs_no_database_there(tmp_path: Path) -> None:
    async with SQLite(tmp_path / "chatops.db") as database:
        await database.write(fill)
    copy, fresh = tmp_path / "backup.db", tmp_path / "new" / "chatops.db"
    backup(tmp_path / "chatops.db", copy)
    fresh.parent.mkdir()
    assert restore(copy, fresh, NOW) is None
    assert rows(fresh) == 8


def _not_a_database(copy: Path) -> None:
    copy.write_text("certainly no database, though it has the right name\n" * 100)


def _foreign(copy: Path) -> None:
    copy.unlink()
    spoil(copy, "CREATE TABLE recipes (name TEXT)")


def _newer(copy: Path) -> None:
    spoil(copy, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('chatops', 'from_2030', '')")


def _forged(copy: Path) -> None:
    spoil(copy, "UPDATE audit SET who = 'gus@acme.test' WHERE chain = 'R-1001' AND seq = 2")


def _cut_off(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-8192])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_not_a_database, "is not a database"),
        (_foreign, "belongs to another program: it has the table 'recipes' and none of ours"),
        (_newer, "was written by a newer chatops: it has the step 'from_2030'"),
        (_forged, "the audit trail does not verify: R-1001 row 2: changed"),
        (_cut_off, "damaged"),
    ],
)
async def test_what_is_no_good_backup_is_refused_and_nothing_is_touched(
    make: Callable[[Path], None], says: str, tmp_path: Path
) -> None:
    file, copy = tmp_path / "chatops.db", tmp_path / "backup.db"
    async with SQLite(file) as database:
        await database.write(fill)
    backup(file, copy)
    make(copy)
    before = file.read_bytes()
    with pytest.raises(PlatformError, match=says):
        restore(copy, file, NOW)
    assert file.read_bytes() == before
    assert not [one for one in tmp_path.iterdir() if "before-restore" in one.name or one.name.endswith(".part")]


async def test_no_backup_is_overwritten_and_a_forged_trail_is_not_called_a_backup(tmp_path: Path) -> None:
    file, copy = tmp_path / "chatops.db", tmp_path / "backup.db"
    async with SQLite(file) as database:
        await database.write(fill)
    backup(file, copy)
    with pytest.raises(Refused, match="is there already"):
        backup(file, copy)
    _forged(file)
    with pytest.raises(Refused, match="The copy: the audit trail does not verify"):
        backup(file, tmp_path / "another.db")
    assert not (tmp_path / "another.db").exists()


def test_what_the_disk_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="There is no database at"):
        backup(tmp_path / "no.db", tmp_path / "backup.db")
    file = tmp_path / "chatops.db"
    spoil(file, "CREATE TABLE t (x)")
    with pytest.raises(Unavailable, match="no-folder cannot be written to"):
        backup(file, tmp_path / "no-folder" / "backup.db")
