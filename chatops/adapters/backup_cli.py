"""``chatops backup|restore FILE``: the whole state in one file that was checked, and the way back."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from chatops.adapters.audit_cli import told
from chatops.adapters.databases import is_postgres, shown
from chatops.adapters.disk import durable
from chatops.adapters.filelock import FileLock
from chatops.adapters.migrations import check_ours
from chatops.adapters.sqlite_file import explained, open_for_reading, reading
from chatops.adapters.sqliteutils import Database
from chatops.kernel.audit import Verdict, verify
from chatops.kernel.errors import Refused, Unavailable

BESIDE = ("", "-wal", "-shm")  # the file and what SQLite keeps beside it

_database = click.option(
    "--database", envvar="CHATOPS_DATABASE", default="chatops.db", show_default=True, metavar="FILE",
    help="The database file.",
)  # fmt: skip


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@_database
def backup_command(file: Path, database: str) -> None:
    """Copies the whole state into FILE, also beside a running assistant, and checks the copy."""
    with told():
        verdict = backup(_file(database), file)
    click.echo(f"{file}: {verdict.rows} rows of audit in {verdict.chains} chains are as they were written.")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_database
def restore_command(file: Path, database: str) -> None:
    """Puts the backup FILE in the place of the database of a stopped assistant; what was there is kept beside it."""
    with told():
        kept = restore(file, _file(database), datetime.now(UTC))
    click.echo(f"{database} is the backup {file} now; start the assistant.")
    if kept is not None:
        click.echo(f"What was there before is kept: {kept}")


def _file(database: str) -> Path:
    if is_postgres(database):
        raise Refused(
            f"{shown(database)} is no file: PostgreSQL copies its databases by itself.", rule="backup",
            hint="pg_dump makes a backup and pg_restore puts it back: docs/operations.md.",
        )  # fmt: skip
    return Path(database)


def backup(database: Path, file: Path) -> Verdict:
    """Writes a copy of what is committed now, readable for its owner alone.

    FILE is there whole and checked, or not at all. Raises ``Refused`` when it is there already or the copy does not
    verify, ``Unavailable`` for what the disk says.
    """
    if file.exists():
        raise Refused(f"{file} is there already.", rule="backup", hint="Name another file: no backup is overwritten.")
    with reading(database):  # says in words what is wrong with it
        pass
    with _beside(file) as part:
        _copy(database, part)
        verdict = _checked(part, "The copy")
        durable(part)
        try:
            os.link(part, file)  # unlike a rename, this refuses a file that came up meanwhile
        except OSError as error:
            raise Unavailable(f"{file} cannot be written: {error.strerror}.") from error
        durable(file.parent)
    return verdict


def restore(file: Path, database: Path, now: datetime) -> Path | None:
    """Puts a backup in a database's place and returns where the one that was there is kept.

    Raises ``Unavailable`` while an assistant has the database, ``Refused`` for a file that is no backup of this or an
    earlier version, or whose audit trail does not verify.
    """
    lock = FileLock(database.with_name(database.name + ".lock"))
    lock.acquire()
    try:
        with _beside(database) as part:
            with reading(file):
                pass
            _copy(file, part)
            _checked(part, str(file))
            durable(part)
            kept = _set_aside(database, now)
            os.replace(part, database)
        durable(database.parent)
    finally:
        lock.release()
    return kept


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A file to write to, in the same folder, that nobody else can read and that is gone afterwards."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
    except OSError as error:
        raise Unavailable(f"{file.parent} cannot be written to: {error.strerror}.") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
    finally:
        for end in BESIDE:
            part.with_name(part.name + end).unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with explained(target), closing(open_for_reading(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # a backup is one file


def _checked(part: Path, name: str) -> Verdict:
    """Raises ``Refused`` for what is damaged, foreign, newer than this version, or has an audit trail that is not."""
    with explained(part), closing(open_for_reading(part)) as connection:
        check_ours(Database(connection, execute_plugins=False), name)
        said = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    if said != "ok":
        raise Refused(f"{name} is damaged: {said}.", rule="backup", hint="Take the backup before it.")
    with reading(part) as tx:
        verdict = verify(tx)
    if verdict.bad is not None:
        raise Refused(f"{name}: the audit trail does not verify: {verdict.bad}.", rule="backup")
    return verdict


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Gives the database a second name, under which it stays; killed in between, it is still where it was.

    The newest commits may be in the file beside it: they are brought in first, and of a damaged one kept as they are.
    """
    if not database.exists():
        return None
    kept = database.with_name(f"{database.name}.before-restore-{now:%Y%m%dT%H%M%S}")
    if kept.exists():
        raise Refused(f"{kept} is there already.", rule="backup", hint="Wait a second, or move it away.")
    with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for end in BESIDE[1:]:  # left behind, they would be taken for the restored file's
        beside = database.with_name(database.name + end)
        if beside.exists():
            os.replace(beside, kept.with_name(kept.name + end))
    os.link(database, kept)
    return kept
