"""``chatops migrate --to URL``: everything moves and is compared, or nothing does."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.pq import TransactionStatus

from chatops.adapters import moving
from chatops.adapters.databases import reading
from chatops.adapters.postgres import Postgres
from chatops.adapters.postgres_server import Session
from chatops.adapters.sqlite import SQLite
from chatops.cli import cli
from chatops.kernel import audit
from chatops.kernel.ports import Tx
from tests.store.facts import names, note
from tests.store.test_migrations import TABLES
from tests.store.trails import add, fill
from tests.support.databases import name_of

pytestmark = pytest.mark.group("postgresql")
ASK = """INSERT INTO requests (key, action, requester_id, state, created_at, updated_at, body)
    VALUES (:key, 'deploy', 'U1', 'planning', 1.25, 1, '{}') RETURNING id"""

VOTE = """INSERT INTO votes (request_id, digest, person_id, verdict, body, at)
    VALUES (1001, 'd', 'U2', 'approve', :body, 2)"""
LEDGER = "INSERT INTO ledger (action, service, environment, started_at) VALUES ('deploy', 's', 'e', 1)"
ODD = "größer\n\t\\N \U0001f680 \0"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return name_of(tmp_path, "postgresql")


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """An installation with something in it, some of it removed again."""
    path = tmp_path / "chatops.db"

    def live(tx: Tx) -> None:
        for key in "abc":
            tx.run(ASK, key=key)
        tx.run("DELETE FROM requests WHERE key = 'c'")
        tx.run(VOTE, body=ODD)
        tx.run(LEDGER)
        fill(tx)
        note(tx, "kept")

    async with SQLite(path) as database:
        await database.write(live)
    return path


def migrate(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["migrate", *map(str, arguments)])


def asked(tx: Tx) -> Any:
    return tx.one(ASK, key="d")


async def test_everything_is_there_afterwards_and_goes_on(file: Path, url: str) -> None:
    done = migrate("--to", url, "--database", file)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"rows in {len(TABLES)} tables are the same on both sides." in done.stdout
    assert "8 rows of audit in 3 chains are as they were written." in done.stdout
    async with Postgres(url) as database:
        assert await database.read(names) == ["kept"]
        assert await database.write(asked) == {"id": 1004}  # 1003 was given once
        await database.write(add, "R-1001")
        verdict = await database.read(audit.verify)
        assert (verdict.rows, verdict.bad) == (9, None)
        [vote] = await database.read(lambda tx: tx.all("SELECT * FROM votes"))
        assert vote["body"] == ODD.replace("\0", "\N{REPLACEMENT CHARACTER}")
        assert await database.write(lambda tx: tx.one(f"{LEDGER} RETURNING id")) == {"id": 2}
    with reading(str(file)) as tx:
        assert names(tx) == ["kept"]


async def test_nothing_is_put_into_a_database_that_has_something(file: Path, url: str) -> None:
    async with Postgres(url) as database:
        await database.write(note, "theirs")
        busy = migrate("--to", url, "--database", file)
        assert (busy.exit_code, busy.stdout) == (1, "")
        assert "is in use by another chatops" in busy.stderr
    full = migrate("--to", url, "--database", file)
    assert full.exit_code == 1
    assert "has rows in settings already: it is not the database of a new installation." in full.stderr
    with reading(url) as tx:
        assert names(tx) == ["theirs"]


async def test_a_running_assistant_is_not_moved(file: Path, url: str) -> None:
    async with SQLite(file):
        refused = migrate("--to", url, "--database", file)
    assert refused.exit_code == 1
    assert "is in use by another chatops" in refused.stderr


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("UPDATE audit SET who = 'gus' WHERE chain = 'R-1001' AND seq = 2", "trail does not verify: R-1001 row 2"),
        ("DELETE FROM _sqlite_migrations WHERE name = 'm032_usage'", "older version: it has not the step 'm032_usage'"),
    ],
)
async def test_what_is_not_sound_is_not_moved(file: Path, url: str, wrong: str, says: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(wrong)
    connection.close()
    refused = migrate("--to", url, "--database", file)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert says in refused.stderr
    with reading(url) as tx:
        assert [tx.all(f"SELECT * FROM {table}") for table in sorted(TABLES)] == [[] for _ in TABLES]


async def test_a_row_that_changes_on_its_way_is_found(file: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = moving._copy

    def careless(source: Any, target: Any, table: moving.Table) -> None:
        copied(source, target, table)
        if table.name == "requests":
            target.execute("UPDATE requests SET created_at = 1.2500000001 WHERE key = 'a'")

    monkeypatch.setattr(moving, "_copy", careless)
    refused = migrate("--to", url, "--database", file)
    assert refused.exit_code == 1
    assert "requests has 2 rows in the file and 2 that were moved, and they are not the same." in refused.stderr
    with reading(url) as tx:
        assert tx.all("SELECT * FROM requests") == []


async def test_a_start_that_comes_in_between_keeps_everything_out(
    file: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection with the lock was lost, and somebody took the database before a row was copied."""
    checked = moving._must_be_ours

    def slow(source: sqlite3.Connection, path: Path) -> None:
        checked(source, path)
        with psycopg.connect(url) as successor:
            successor.execute("UPDATE _chatops_turn SET epoch = epoch + 1")

    monkeypatch.setattr(moving, "_must_be_ours", slow)
    refused = migrate("--to", url, "--database", file)
    assert refused.exit_code == 1
    assert "Another chatops has taken over the database." in refused.stderr
    with reading(url) as tx:
        assert names(tx) == []


async def test_a_start_waits_until_what_is_being_moved_is_there(
    file: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, tried = moving._copy, []

    def watched(source: Any, target: Any, table: moving.Table) -> None:
        copied(source, target, table)
        if not tried:
            with psycopg.connect(url, options="-c lock_timeout=100ms") as successor:
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    successor.execute("LOCK TABLE _chatops_turn IN EXCLUSIVE MODE")
                tried.append(table)

    monkeypatch.setattr(moving, "_copy", watched)
    assert migrate("--to", url, "--database", file).exit_code == 0
    assert tried


@pytest.mark.parametrize(
    ("lost", "code", "says"),
    [("COMMIT", 1, "it is not known whether everything was moved"), ("ANALYZE", 0, "")],
)
async def test_a_connection_that_is_lost_at_the_end_is_told_as_what_it_is(
    file: Path, url: str, monkeypatch: pytest.MonkeyPatch, lost: str, code: int, says: str
) -> None:
    asked = Session.several

    def loses(session: Session, sql: str) -> Any:
        found = asked(session, sql)
        if sql == lost and session.connection.info.transaction_status == TransactionStatus.IDLE and moved:
            session.close()
            raise psycopg.OperationalError("the server closed the connection")
        return found

    moved: list[moving.Verdict] = []
    verified = moving.verify

    def remembered(tx: Tx) -> moving.Verdict:
        moved.append(verified(tx))
        return moved[-1]

    monkeypatch.setattr(moving, "verify", remembered)
    monkeypatch.setattr(Session, "several", loses)
    told = migrate("--to", url, "--database", file)
    assert told.exit_code == code
    assert says in told.stderr
    monkeypatch.undo()
    again = migrate("--to", url, "--database", file)
    assert "has rows in" in again.stderr


def test_a_file_that_there_is_not_and_a_way_that_there_is_not_are_told(tmp_path: Path, url: str) -> None:
    missing = migrate("--to", url, "--database", tmp_path / "no.db")
    assert (missing.exit_code, missing.stderr.split("\n")[0]) == (1, f"There is no database at {tmp_path / 'no.db'}.")
    back = migrate("--to", tmp_path / "chatops.db", "--database", url)
    assert "It goes from the file of an SQLite database to postgresql://HOST:5432/NAME." in back.stderr
