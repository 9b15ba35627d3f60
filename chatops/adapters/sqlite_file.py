"""One SQLite file: opening it, a transaction on it, and its troubles in words that people can act on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

from chatops.adapters.migrations import migrate
from chatops.adapters.postgres_sql import marked
from chatops.adapters.sqliteutils import Database
from chatops.kernel.errors import DatabaseAway, PlatformError, Refused, Unavailable
from chatops.kernel.ports import Row, Tx

T = TypeVar("T")

# What the machine does to us, by SQLite's primary result code (https://sqlite.org/rescode.html), as people read it.
_TROUBLE = {
    sqlite3.SQLITE_FULL: "the disk that holds the database is full",
    sqlite3.SQLITE_READONLY: "the database file may not be written to",
    sqlite3.SQLITE_IOERR: "the disk that holds the database answers with errors",
    sqlite3.SQLITE_BUSY: "another program holds the database",
    sqlite3.SQLITE_LOCKED: "another program holds the database",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
    sqlite3.SQLITE_PERM: "the database file may not be opened",
}


@contextmanager
def reading(path: str | Path) -> Iterator[Tx]:
    """One read-only snapshot of a database file, also beside a running assistant; for programs without a loop.

    Raises ``Unavailable`` when it cannot be read, ``Refused`` when it is no database.
    """
    file = Path(path)
    if not file.is_file():
        raise Unavailable(f"There is no database at {file}.", hint="CHATOPS_DATABASE names the file.")
    with explained(file):
        connection = open_for_reading(file)
        try:
            connection.execute("BEGIN")
            yield Reading(connection)
        finally:
            connection.close()


@lru_cache(maxsize=2048)
def _placed(sql: str) -> tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
    """A statement with ``?1``, ``?2`` … for its ``:named`` values, and what puts the values in that order.

    The sqlite3 module looks up each name anew at each execution, which costs a tenth of an INSERT.
    """
    placed, names = marked(sql, "?")
    if len(names) > 1:
        return placed, itemgetter(*names)
    return placed, lambda values: tuple(values[name] for name in names)


class Reading:
    """A transaction that only looks."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        placed, in_order = _placed(sql)
        cursor = self._connection.execute(placed, in_order(values))
        names = _names(cursor)
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def one(self, sql: str, /, **values: Any) -> Row | None:
        placed, in_order = _placed(sql)
        cursor = self._connection.execute(placed, in_order(values))
        row = cursor.fetchone()
        found = None if row is None else dict(zip(_names(cursor), row, strict=True))
        cursor.close()  # a RETURNING that still has rows to give would make COMMIT fail
        return found

    def run(self, sql: str, /, **values: Any) -> int:
        raise RuntimeError("a read changes nothing: use write()")

    def after_commit(self, call: Callable[[], object]) -> None:
        raise RuntimeError("a read commits nothing: use write()")


def _names(cursor: sqlite3.Cursor) -> list[str]:
    return [column[0] for column in cursor.description or ()]


class Writing(Reading):
    """A transaction that changes things and remembers whom to call once it is durable."""

    __slots__ = ("calls",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.calls: list[Callable[[], object]] = []

    def run(self, sql: str, /, **values: Any) -> int:
        placed, in_order = _placed(sql)
        return self._connection.execute(placed, in_order(values)).rowcount

    def after_commit(self, call: Callable[[], object]) -> None:
        self.calls.append(call)


def open_for_writing(path: Path) -> sqlite3.Connection:
    with suppress(OSError):  # names and reasons of people are in it: nobody else's to read; SQLite tells what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    try:
        connection.execute("PRAGMA busy_timeout = 5000")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise Refused(f"{path} cannot be used: its file system has no shared memory.", hint="Use a local disk.")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16000")  # kilobytes: the inner pages of a week's audit trail
        connection.execute("PRAGMA temp_store = MEMORY")  # or what a savepoint would bring back goes through a file
        # Pages in the WAL before they go into the file: that syncs the file too, while all who write wait.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA journal_size_limit = 67108864")  # a storm's WAL is given back to the disk
        migrate(Database(connection, execute_plugins=False))
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    # Closed from another thread at the end, hence check_same_thread; used by one at a time.
    uri = f"file:{quote(str(path.resolve()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=256, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA query_only = ON")
    return connection


def snapshot(connection: sqlite3.Connection, fn: Callable[[Tx], T]) -> T:
    connection.execute("BEGIN")
    try:
        return fn(Reading(connection))
    except StopIteration as error:
        raise presentable(error) from error
    finally:
        connection.rollback()


def presentable(error: BaseException) -> BaseException:
    """What a future can carry: the machine's trouble in our words, and no StopIteration, which futures refuse."""
    if isinstance(error, StopIteration):
        wrapped: BaseException = RuntimeError("a function of a transaction ran past the end of an iterator")
    elif isinstance(error, sqlite3.OperationalError) and _trouble(error):
        wrapped = unavailable(error, "Nothing was saved")
    else:
        return error
    wrapped.__cause__ = error
    return wrapped


def _trouble(error: BaseException) -> str:
    return _TROUBLE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")


def unavailable(error: BaseException, what: str) -> DatabaseAway:
    return DatabaseAway(
        f"{what}: {_trouble(error) or error}.", hint="Try again once that is cured; nothing else is lost."
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's own words about the file become a sentence; mistakes in SQL stay what they are."""
    try:
        yield
    except sqlite3.Error as error:
        _explain(path, error)


def _explain(path: Path, error: sqlite3.Error) -> NoReturn:
    trouble = _trouble(error)
    if not trouble:
        raise error
    problem: PlatformError
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        hint = "Restore the latest backup, or let CHATOPS_DATABASE name another file."
        problem = Refused(f"{path} cannot be used: {trouble}.", rule="database", hint=hint)
    else:
        hint = "Look at the folder, its rights and the space on its disk; CHATOPS_DATABASE names the file."
        problem = Unavailable(f"{path} cannot be used: {trouble}.", hint=hint)
    raise problem from error
