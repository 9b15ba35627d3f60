"""The tables on PostgreSQL, made by the same steps as on SQLite, and those by which replicas know of each other."""

from __future__ import annotations

import logging
import time
from collections.abc import Container

from chatops.adapters.migrations import STEPS, check_steps
from chatops.adapters.postgres_server import Address, Session
from chatops.adapters.postgres_sql import table_sql
from chatops.kernel.errors import Refused

log = logging.getLogger(__name__)

OLDEST = 130000  # PostgreSQL 13: nobody maintains an older one
# Our own tables begin with an underscore. ``_chatops_turn`` has one row, whose ``epoch`` grows with every start;
# ``_chatops_replicas`` has those that live and ``_chatops_claims`` what they are at (``postgres_membership``).
# ``_chatops_writers`` has a row for each writing thread, which counts what it saved; its pages are kept nearly empty,
# so that a count needs no new entry of the index, whose pages the threads share (one that writes where another has
# looked may be refused).
_OURS = """
CREATE TABLE IF NOT EXISTS _chatops_steps (name TEXT PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS _chatops_writers (
    epoch BIGINT, writer BIGINT, number BIGINT NOT NULL, PRIMARY KEY (epoch, writer)
) WITH (fillfactor = 10);
CREATE TABLE IF NOT EXISTS _chatops_replicas (
    epoch BIGINT PRIMARY KEY, name TEXT NOT NULL, beat TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE IF NOT EXISTS _chatops_claims (work TEXT PRIMARY KEY, epoch BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS _chatops_turn (one INTEGER PRIMARY KEY CHECK (one = 1), epoch BIGINT NOT NULL);
INSERT INTO _chatops_turn (one, epoch) VALUES (1, 0) ON CONFLICT DO NOTHING
"""
_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relname NOT LIKE '\\_chatops\\_%'
"""
_SERVER = """
SELECT current_setting('server_version_num')::bigint AS version, current_setting('server_encoding') AS encoding,
       to_regclass('_chatops_steps') IS NOT NULL AS known, current_schema() AS schema,
       current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('lock_timeout') AS lock_timeout
"""


class _Tables:
    """What a step of the migrations gets in the place of sqlite-utils' database."""

    def __init__(self, session: Session, step: str) -> None:
        self._session = session
        self._step = step

    def execute(self, sql: str) -> None:
        if said := table_sql(sql, self._step):
            self._session.ask(said)


def prepare(session: Session, address: Address) -> set[str]:
    """Makes our own tables where they are not, and gives the steps that a database has behind it.

    Raises ``Refused`` for a server that is too old or keeps texts otherwise, and as ``migrations.check_steps`` does.
    """
    applied = _check_ours(session, address)
    session.several(_OURS)
    return applied


def migrate(session: Session, applied: Container[str]) -> None:
    """Brings a database up to the newest step; the caller sees to it that nobody else does so meanwhile."""
    for step in STEPS:
        if step.__name__ in applied:
            continue
        session.several("BEGIN; SET LOCAL statement_timeout = 0")  # an index of a large table takes its time
        try:
            step(_Tables(session, step.__name__))
            values = (step.__name__, time.time())
            session.ask("INSERT INTO _chatops_steps (name, applied_at) VALUES ($1, $2)", values)
            session.several("COMMIT")
        except BaseException:
            if not session.lost:
                session.several("ROLLBACK")
            raise


def _check_ours(session: Session, address: Address) -> set[str]:
    server = session.ask(_SERVER).fetchone()
    if server is None or server["version"] < OLDEST or server["encoding"] != "UTF8" or not server["schema"]:
        raise Refused(
            f"{address} cannot be used: it has to be a PostgreSQL {OLDEST // 10000} or newer, with a database in UTF8 "
            "and a schema that we may use.",
            rule="database",
            hint="CREATE DATABASE chatops ENCODING 'UTF8' TEMPLATE template0;",
        )
    if server["lock_timeout"] == "0":
        raise Refused(
            f"{address} cannot be used: what we set for each connection does not reach it.",
            rule="database",
            hint="Take `options` out of the pooler's ignore_startup_parameters.",
        )
    for setting in ("fsync", "synchronous_commit"):
        if server[setting] == "off":
            log.warning(
                "%s does not wait for its disk (%s is off): what was acknowledged is lost when its machine fails",
                address, setting,
            )  # fmt: skip
    steps = session.ask("SELECT name FROM _chatops_steps ORDER BY name").fetchall() if server["known"] else []
    tables = [str(row["relname"]) for row in session.ask(_TABLES)]
    check_steps(applied := [str(row["name"]) for row in steps], tables, str(address))
    return set(applied)
