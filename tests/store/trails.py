"""Small audit trails for tests, on a database in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any

import sqlite_utils

from chatops.adapters.migrations import migrate
from chatops.adapters.sqlite_file import Writing
from chatops.kernel import audit


@cache
def empty() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(sqlite_utils.Database(connection, execute_plugins=False))
        return connection.serialize()


@contextmanager
def memory() -> Iterator[Writing]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(empty())
        yield Writing(connection)


def add(tx: Any, chain: str = "R-1042", *, what: str = "approved", at: float = 1000.5, **data: Any) -> str:
    return audit.append(tx, chain=chain, who="lee@acme.test", what=what, data=data, at=at, configuration="c0ffee")


def fill(tx: Any) -> None:
    """Three chains of 4, 3 and 1 rows in two seals, the last row of the first chain in none."""
    for number in range(3):
        add(tx, "R-1001", n=number, at=1000.0 + number)
        add(tx, "R-1002", reason="größer & <b>", at=1010.0 + number)
    audit.seal(tx, 1020.0)
    add(tx, "platform", what="paused", at=1030.0)
    audit.seal(tx, 1040.0)
    add(tx, "R-1001", n=3, at=1050.0)
