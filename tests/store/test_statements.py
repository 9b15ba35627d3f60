"""Every statement of every store, as both engines read it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Iterator

import psycopg
import pytest
import sqlite_utils

import approvals
import chatops
from chatops.adapters import migrations
from chatops.adapters.postgres_sql import marked
from tests.support import postgres

SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s")
ELSEWHERE = (
    "chatops.sandbox",
    "chatops.adapters",
)  # no database of ours, or an engine's own words


def statements() -> Iterator[tuple[str, str]]:
    """The constants of our modules that are SQL, by "module.NAME"."""
    for package in (approvals, chatops):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.startswith(ELSEWHERE) or module.name.endswith("__main__"):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, str) and SQL.match(value):
                    yield f"{module.name}.{name}", value


ALL = dict(statements())


def test_there_are_statements_to_look_at() -> None:
    assert len(ALL) > 150
    assert "approvals.store.INSERT" in ALL


def test_sqlite_takes_every_statement() -> None:
    db = sqlite_utils.Database(memory=True)
    migrations.migrate(db)
    wrong = {}
    for name, sql in ALL.items():
        try:
            db.execute(f"EXPLAIN {sql}", dict.fromkeys(marked(sql)[1]))
        except sqlite3.Error as error:
            wrong[name] = str(error)
    assert not wrong


@pytest.mark.group("postgresql")
def test_postgresql_takes_every_statement() -> None:
    wrong = {}
    with psycopg.connect(postgres.url_for("statements"), autocommit=True) as connection:
        for name, sql in ALL.items():
            made = connection.pgconn.prepare(b"", marked(sql)[0].encode())
            if made.status != psycopg.pq.ExecStatus.COMMAND_OK:
                wrong[name] = made.get_error_message()
    assert not wrong
