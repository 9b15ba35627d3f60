"""``chatops migrate --to URL``: an installation on SQLite moved to a PostgreSQL, whole and compared, or not at all.

Both are held meanwhile. Everything is one transaction on the PostgreSQL; before it is committed, every table is read
again there, its rows are counted and hashed against the file's, and the audit trail is verified. The file stays as it
is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from json import JSONEncoder
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from chatops.adapters import migrations
from chatops.adapters.filelock import FileLock
from chatops.adapters.postgres_membership import Membership
from chatops.adapters.postgres_server import Address, Reading, Session, explained, storable
from chatops.adapters.sqlite_file import explained as explained_file
from chatops.adapters.sqlite_file import open_for_reading, reading
from chatops.adapters.sqliteutils import Database
from chatops.kernel.audit import Verdict, verify
from chatops.kernel.errors import Refused, Unavailable

PAGE = 1000  # rows in memory at once
_BEGIN = """
SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
BEGIN; LOCK TABLE _chatops_turn IN EXCLUSIVE MODE; SELECT epoch FROM _chatops_turn
"""
_said = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, by which its rows are in an order, and what numbers its rows, if anything does."""

    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...]
    numbered: str
    last: int  # the highest number that was given


@dataclass(frozen=True, slots=True)
class Moved:
    """How much was moved."""

    tables: int
    rows: int
    verdict: Verdict


def move(file: Path, url: str) -> Moved:
    """Moves everything; raises ``Unavailable`` or ``Refused`` with why not, and then nothing was moved."""
    address = Address(url)
    lock, turn = FileLock(file.with_name(file.name + ".lock")), Membership(address, alone=True)
    with reading(file):  # says in words what is wrong with it
        pass
    lock.acquire()
    try:
        turn.join()
        with explained_file(file), closing(open_for_reading(file)) as source, explained(address):
            _must_be_ours(source, file)
            source.execute("BEGIN")
            return _moved(source, address, turn)
    finally:
        turn.leave()
        lock.release()


def _must_be_ours(source: sqlite3.Connection, file: Path) -> None:
    db = Database(source, execute_plugins=False)
    migrations.check_ours(db, str(file))
    applied = {step.name for step in migrations.migrations.applied(db)}
    if missing := [name for name in migrations.names() if name not in applied]:
        raise Refused(
            f"{file} is of an older version: it has not the step {missing[0]!r}.", rule="database",
            hint="Start this version on it once, and stop it again.",
        )  # fmt: skip


def _moved(source: sqlite3.Connection, address: Address, turn: Membership) -> Moved:
    session = Session(address)
    try:
        # The connection with the lock may be lost meanwhile; who starts then waits for this one, or was first.
        row = session.several(_BEGIN)
        if row is None or int(row["epoch"]) != turn.epoch:
            turn.lose()
            turn.check()
        tables = list(_tables(source))
        _must_be_empty(session, address, tables)
        for table in tables:
            _copy(source, session.connection, table)
        rows = sum(_compared(source, session, table) for table in tables)
        verdict = verify(Reading(session))
        if verdict.bad is not None:
            raise Refused(f"The audit trail does not verify: {verdict.bad}.", rule="database")
        _commit(session, address)
        with suppress(psycopg.Error):  # the server does it by itself later; what was moved is there
            session.several("ANALYZE")
    finally:
        session.close()
    return Moved(len(tables), rows, verdict)


def _commit(session: Session, address: Address) -> None:
    try:
        session.several("COMMIT")
    except psycopg.OperationalError as error:
        if not session.lost:
            raise
        raise Unavailable(
            f"The connection to {address} was lost at the very end: it is not known whether everything was moved.",
            hint="Move it again: either it goes through, or you are told that the rows are there already.",
        ) from error


def _tables(source: sqlite3.Connection) -> Iterator[Table]:
    """In the order in which they were made: what a row refers to was there before its table."""
    found = source.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY rowid"
    ).fetchall()
    given = dict(source.execute("SELECT name, seq FROM sqlite_sequence"))
    for (name,) in found:
        rows = source.execute("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", (name,)).fetchall()
        columns = tuple(str(column) for column, _, _ in rows)
        key = tuple(str(column) for column, _, pk in sorted(rows, key=lambda row: row[2]) if pk)
        numbered = key[0] if key == ("id",) and ("id", "INTEGER") in {row[:2] for row in rows} else ""
        last = max(given.get(name, 0), _highest(source, name)) if numbered else 0
        yield Table(str(name), columns, key or columns, numbered, last)


def _highest(source: sqlite3.Connection, table: str) -> int:
    return int(source.execute(f'SELECT coalesce(max(id), 0) FROM "{table}"').fetchone()[0])  # noqa: S608 (our names)


def _must_be_empty(session: Session, address: Address, tables: Iterable[Table]) -> None:
    for table in tables:
        if session.several(f'SELECT 1 AS found FROM "{table.name}" LIMIT 1'):  # noqa: S608 (our names)
            raise Refused(
                f"{address} has rows in {table.name} already: it is not the database of a new installation.",
                rule="database", hint="Make an empty one: createdb chatops.",
            )  # fmt: skip


def _rows(source: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    columns, order = (", ".join(f'"{name}"' for name in names) for names in (table.columns, table.order))
    cursor = source.execute(f'SELECT {columns} FROM "{table.name}" ORDER BY {order}')  # noqa: S608 (our names)
    while page := cursor.fetchmany(PAGE):
        yield from (tuple(map(storable, row)) for row in page)


def _copy(source: sqlite3.Connection, target: psycopg.Connection[Any], table: Table) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    with target.cursor() as cursor, cursor.copy(statement) as copy:
        for row in _rows(source, table):
            copy.write_row(row)
    if table.numbered and table.last:
        target.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (table.name, table.last))


def _compared(source: sqlite3.Connection, session: Session, table: Table) -> int:
    """How many rows there are, the same ones on both sides."""
    ours = _counted(_rows(source, table))
    names, order = (sql.SQL(", ").join(map(sql.Identifier, some)) for some in (table.columns, table.order))
    with session.connection.cursor("compared") as cursor:  # the server hands out a page at a time
        cursor.itersize = PAGE
        cursor.execute(sql.SQL("SELECT {} FROM {} ORDER BY {}").format(names, sql.Identifier(table.name), order))
        theirs = _counted(cursor)
    if ours != theirs:
        raise Refused(
            f"{table.name} has {ours[0]} rows in the file and {theirs[0]} that were moved, and they are not the same.",
            rule="database", hint="Nothing was moved.",
        )  # fmt: skip
    return ours[0]


def _counted(rows: Iterable[Sequence[Any]]) -> tuple[int, str]:
    number, digest = 0, sha256()
    for row in rows:
        digest.update(_said(list(row)).encode("utf-8", "surrogatepass") + b"\n")
        number += 1
    return number, digest.hexdigest()
