"""What is PostgreSQL's own: transactions beside each other, one process at a time, a server that goes away."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from chatops.adapters import databases, migrations, postgres, postgres_server
from chatops.adapters.postgres import Postgres
from chatops.adapters.postgres_membership import Membership
from chatops.adapters.postgres_server import Address
from chatops.adapters.postgres_sql import marked, table_sql
from chatops.cli import cli
from chatops.http.health import Readiness
from chatops.kernel import audit
from chatops.kernel.errors import PlatformError, Refused, Unavailable
from chatops.kernel.ports import Tx
from chatops.settings import Settings
from tests.store.facts import DEADLINE, Gate, names, note, until
from tests.support.databases import name_of
from tests.support.postgres import create, own_server
from tests.support.wire import Wire, wire

pytestmark = pytest.mark.group("postgresql")
SECRET = "hunter2-of-the-database"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return name_of(tmp_path, "postgresql")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Postgres]:
    async with Postgres(url) as database:
        yield database


@pytest.fixture
async def cut(url: str) -> AsyncIterator[Wire]:
    """What leads to the database and can be cut; a unix socket's path may not be long."""
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        async with wire(url, Path(folder)) as made:
            yield made


def count(tx: Tx, name: str) -> int:
    """Looks, then writes: what two that look at once would get wrong."""
    row = tx.one("SELECT value FROM settings WHERE name = :name", name=name)
    number = int(row["value"]) + 1 if row else 1
    tx.run(
        "INSERT INTO settings (name, value, updated_at) VALUES (:name, :value, 1) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name=name, value=str(number),
    )  # fmt: skip
    return number


async def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return list(await (await connection.execute(sql.encode())).fetchall())


# waiting for the disk ------------------------------------------------------------------------------------------------


async def test_a_commit_waits_for_the_disk_also_where_the_database_says_that_none_needs_to(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off".encode())

    def waits(tx: Tx) -> str:
        row = tx.one("SELECT current_setting('synchronous_commit') AS waits")
        assert row
        return str(row["waits"])

    async with Postgres(url) as database:
        assert (await database.write(waits), await database.read(waits)) == ("on", "on")


async def test_who_asks_for_commits_that_wait_for_no_disk_is_told_what_that_means(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Postgres(url):
        told = "(fsync is off): what was acknowledged is lost when its machine fails"
        assert told in caplog.text, "the tests' server is such a one"
        assert "synchronous_commit" not in caplog.text
    async with Postgres(f"{url}{'&' if '?' in url else '?'}options=-c%20synchronous_commit%3Doff"):
        assert "does not wait for its disk (synchronous_commit is off)" in caplog.text


# beside each other -------------------------------------------------------------------------------------------------


async def test_writers_at_once_count_as_if_one_came_after_the_other(database: Postgres) -> None:
    numbers = await asyncio.gather(*(database.write(count, "n") for _ in range(60)))
    assert sorted(numbers) == list(range(1, 61))


async def test_of_two_who_each_see_that_there_is_still_room_one_is_refused_and_looks_again(database: Postgres) -> None:
    """Write skew: neither touches what the other wrote, and still both may not have it."""
    met = asyncio.Barrier(2)
    loop = asyncio.get_running_loop()
    looked: list[str] = []

    def take(tx: Tx, name: str) -> bool:
        free = not names(tx)
        looked.append(name)
        if len(looked) <= 2:
            asyncio.run_coroutine_threadsafe(met.wait(), loop).result(10)  # both have looked before either writes
        if free:
            note(tx, name)
        return free

    assert sorted(await asyncio.gather(database.write(take, "a"), database.write(take, "b"))) == [False, True]
    assert len(looked) == 3
    assert len(await database.read(names)) == 1


async def test_the_chains_of_the_audit_trail_hold_with_many_writers_and_sealers(database: Postgres) -> None:
    def add(tx: Tx, number: int) -> str:
        return audit.append(tx, chain=f"R-{number % 3}", who="lee", what="x", data={"n": number}, at=1.0)

    work = [database.write(add, number) if number % 7 else database.write(audit.seal, 2.0) for number in range(140)]
    await asyncio.gather(*work)
    await database.write(audit.seal, 3.0)
    verdict = await database.read(audit.verify)
    assert (verdict.rows, verdict.chains, verdict.bad) == (120, 3, None)


async def test_what_is_refused_again_and_again_runs_alone_in_the_end(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "TRIES", 1)
    others = Gate()
    tries = 0

    def meddled(tx: Tx) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            count(tx, "n")
            raise psycopg.errors.SerializationFailure("somebody else was first")
        return count(tx, "n")

    held = asyncio.create_task(database.write(others.hold))
    await others.reached()
    work = asyncio.create_task(database.write(meddled))
    await until(lambda: tries == 1)
    await until(lambda: database.again == 1)
    assert not work.done()  # alone: not while another transaction is under way
    others.open()
    await held
    assert (await work, tries) == (1, 2)


async def test_a_duplicate_is_told_only_when_it_is_one_also_alone(database: Postgres) -> None:
    tries = []

    def insert(tx: Tx) -> str:
        tries.append(1)
        return note(tx, "a")

    await database.write(note, "a")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.write(insert)
    assert len(tries) == 2


async def test_a_function_that_swallows_a_failed_statement_is_not_taken_for_saved(database: Postgres) -> None:
    def careless(tx: Tx) -> str:
        try:
            tx.run("INSERT INTO nowhere VALUES (1)")
        except psycopg.Error:
            return "fine"
        return "finer"

    with pytest.raises(RuntimeError, match="careless went on after a statement had failed: nothing was saved"):
        await database.write(careless)


# several processes, and one alone -----------------------------------------------------------------------------------


async def test_while_somebody_has_it_alone_no_replica_joins_and_the_sentence_says_who(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Membership.__init__.__kwdefaults__, "patience", 0.0)
    alone = Membership(Address(url), alone=True)
    await asyncio.to_thread(alone.join)
    with pytest.raises(Unavailable, match=r"is in use by another chatops \(\S+ \d+: its machine") as told:
        await Postgres(url).open()
    assert "let CHATOPS_DATABASE name another database" in told.value.hint
    monkeypatch.undo()
    await asyncio.to_thread(alone.leave)
    async with Postgres(url) as database:  # a connection may be ending still: there is some patience
        assert await database.write(note, "goes on") == "goes on"
        with pytest.raises(Unavailable, match="in use by another chatops"):
            await asyncio.to_thread(Membership(Address(url), alone=True, patience=0.0).join)


async def test_a_step_of_the_migrations_waits_for_writes_of_somebody_who_left_no_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = create("older")
    monkeypatch.setattr("chatops.adapters.postgres_schema.STEPS", migrations.STEPS[:-1])
    before, gate = Postgres(url), Gate()
    await before.open()
    monkeypatch.undo()
    held = asyncio.create_task(before.write(gate.hold))
    await gate.reached()
    successor = Postgres(url)
    opening = asyncio.create_task(successor.open())
    async with asyncio.timeout(DEADLINE):
        while not await rows(url, "SELECT 1 FROM pg_locks WHERE relation = '_chatops_turn'::regclass AND NOT granted"):
            assert not opening.done()
    assert len(await rows(url, "SELECT name FROM _chatops_steps")) == len(migrations.STEPS) - 1
    gate.open()
    await asyncio.gather(held, opening)
    assert len(await rows(url, "SELECT name FROM _chatops_steps")) == len(migrations.STEPS)
    await successor.close()
    await before.close()


# a server that goes away -------------------------------------------------------------------------------------------


async def test_a_connection_that_was_lost_in_between_costs_nobody_anything(cut: Wire) -> None:
    async with Postgres(cut.url) as database:
        assert await database.write(note, "a") == "a"
        assert await database.read(names) == ["a"]
        cut.cut()
        assert await database.write(note, "b") == "b"
        assert await database.read(names) == ["a", "b"]


async def test_a_commit_that_never_reached_the_server_is_done_again(cut: Wire) -> None:
    async with Postgres(cut.url) as database:
        cut.lose_before_commit = 1
        assert await database.write(count, "n") == 1
        assert (cut.lost, database.again) == (1, 1)
        assert await database.write(count, "n") == 2


async def test_a_commit_whose_answer_was_lost_is_not_done_twice(cut: Wire) -> None:
    told: list[str] = []

    def act(tx: Tx) -> int:
        tx.after_commit(lambda: told.append("told"))
        return count(tx, "n")

    async with Postgres(cut.url) as database:
        cut.lose_after_commit = 1
        assert await database.write(act) == 1
        assert (cut.lost, database.again, told) == (1, 0, ["told"])
        assert await database.write(count, "n") == 2


async def test_when_nobody_can_say_whether_it_was_saved_the_caller_hears_just_that(
    cut: Wire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "FATE_WITHIN", 0.3)
    async with Postgres(cut.url) as database:
        await database.write(count, "other")
        cut.lose_after_commit, cut.then_away = 1, True
        with pytest.raises(Unavailable, match="it is not known whether it did"):
            await database.write(count, "n")
        await cut.open()
        assert await database.read(names) == ["n", "other"]


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("by", ["the next write", "a look"])
async def test_what_waits_for_a_commit_of_which_nobody_knew_is_called_once_it_is_known(
    cut: Wire, monkeypatch: pytest.MonkeyPatch, saved: bool, by: str
) -> None:
    monkeypatch.setattr(postgres, "FATE_WITHIN", 0.0)
    monkeypatch.setattr(postgres, "KEEP_EVERY", 3600.0 if by == "the next write" else 1.0)
    told: list[str] = []

    def act(tx: Tx) -> str:
        tx.after_commit(lambda: told.append("told"))
        return note(tx, "act")

    async with Postgres(cut.url, writers=1) as database:
        await database.write(note, "before")
        cut.lose_before_commit, cut.lose_after_commit, cut.then_away = int(not saved), int(saved), True
        with pytest.raises(Unavailable, match="it is not known whether it did"):
            await database.write(act)
        assert (told, len(database._doubts)) == ([], 1)
        await cut.open()
        if by == "the next write":
            await database.write(note, "next")
        await until(lambda: not database._doubts)
        await database.write(note, "later")
        assert told == ["told"] * saved
        assert ("act" in await database.read(names)) == saved


async def test_a_commit_that_a_crash_of_the_server_lost_is_done_again_also_where_another_got_its_number() -> None:
    ours: list[tuple[int, int]] = []
    fates: list[str] = []

    def act(tx: Tx) -> int:
        me = tx.one("SELECT pg_backend_pid() AS pid, pg_current_xact_id()::text AS xid")
        assert me is not None
        ours.append((int(me["pid"]), int(me["xid"])))
        return count(tx, "n")

    def crash(point: str) -> None:
        if point == "before_commit act" and not fates:
            pid, xid = ours[0]
            os.kill(pid, signal.SIGKILL)  # a backend's: the server ends all others, and starts again from its log
            fates.append(_fate_once_given_again(url, xid))

    with tempfile.TemporaryDirectory(prefix="crash-") as folder, own_server(Path(folder) / "data") as server:
        url = str(server.get_uri("postgres"))
        async with Postgres(url, on_commit_point=crash) as database:
            await database.write(note, "before")
            assert await database.write(act) == 1
            assert fates == ["committed"]  # says the server of the number, which is another's by now
            assert (len(ours), await database.read(names)) == (2, ["before", "n"])
            assert await database.write(act) == 2


def _fate_once_given_again(url: str, xid: int) -> str:
    """Uses up the numbers of transactions up to ``xid`` once the server is back; what it says became of that one."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                given = 0
                while given < xid:
                    row = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
                    given = int(row[0]) if row else 0
                row = connection.execute("SELECT pg_xact_status(%s::text::xid8)", (str(xid),)).fetchone()
                return str(row[0]) if row else ""
        except psycopg.OperationalError:
            assert time.monotonic() < end


async def test_a_server_that_refuses_is_told_at_once_and_found_again(cut: Wire) -> None:
    async with Postgres(cut.url) as database:
        ready = Readiness(database, ())
        assert await ready.missing() == ()
        await cut.close()
        for call, fact in ((database.write, "a"), (database.read, "b")):
            with pytest.raises(Unavailable) as told:
                await call(note, fact)
            assert "Connection refused" in told.value.message or "No such file" in told.value.message
        assert await ready.missing() == ("database",)
        await cut.open()
        assert await database.write(note, "c") == "c"
        assert await ready.missing() == ()


async def test_a_server_that_says_nothing_is_left_after_a_while(cut: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "ANSWER_WITHIN", -4.5)  # seconds; five more for an answer that is on its way
    monkeypatch.setattr(postgres_server, "CONNECT_WITHIN", 1)
    async with Postgres(cut.url) as database:
        await database.write(note, "a")
        cut.speaking.clear()
        with pytest.raises(Unavailable):
            await database.write(note, "b")
        cut.speaking.set()
        assert await database.write(note, "c") == "c"


async def test_a_server_that_is_not_there_is_told_in_words_and_without_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unavailable, match=r"postgresql://127\.0\.0\.1:1/chatops cannot be used: .*refused") as told:
        await Postgres(f"postgresql://chatops:{SECRET}@127.0.0.1:1/chatops").open()
    with pytest.raises(PlatformError, match="cannot be read as the address of a PostgreSQL") as unread:
        Postgres(f"postgresql://chatops:{SECRET}@[127.0.0.1/x?what=ever")
    said = "".join(f"{error.value!r}{error.value.hint}{error.value.__context__}" for error in (told, unread))
    assert SECRET not in said + caplog.text + repr(Address(f"postgresql://chatops:{SECRET}@db.acme.test/chatops"))


@pytest.mark.parametrize(
    "name",
    [
        f"postgresql+psycopg://chatops:{SECRET}@db.acme.test/chatops", f"POSTGRESQL://chatops:{SECRET}@db/chatops",
        f"mysql://chatops:{SECRET}@db/chatops", f"host=db user=chatops password={SECRET}", f"Password = {SECRET}",
    ],
)  # fmt: skip
def test_an_address_of_another_kind_is_refused_and_never_repeated(name: str, tmp_path: Path) -> None:
    said = []
    for use in (databases.database, databases.reading, databases.shown):
        with pytest.raises(PlatformError, match="neither the path of a file") as told:
            use(name)  # type: ignore[operator]
        said.append(f"{told.value!r}{told.value.hint}")
    with pytest.raises(PlatformError, match="CHATOPS_DATABASE: The database is neither the path of a file") as told:
        Settings.from_environment(tmp_path, {"CHATOPS_DATABASE": name})
    said.append(repr(told.value))
    moving = "migrate --to postgresql:///chatops"
    commands = ("audit verify", "audit export", "audit bundle R-1001", f"backup {tmp_path}/copy", moving)
    for command in commands:
        done = CliRunner().invoke(cli, command.split(), env={"CHATOPS_DATABASE": name})
        assert (done.exit_code, "neither the path of a file" in done.stderr) == (1, True), command
        said.append(done.output + done.stderr)
    assert SECRET not in "".join(said)


async def test_a_lock_that_somebody_holds_for_long_is_told_and_costs_nothing_afterwards(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_server._OPTIONS, "lock_timeout", "100ms")
    async with Postgres(url, writers=1) as database:
        await database.write(note, "a")
        async with await psycopg.AsyncConnection.connect(url) as somebody:
            await somebody.execute("LOCK TABLE _chatops_turn IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Unavailable, match="Nothing was saved: somebody else holds a lock there"):
                await database.write(note, "b")
        assert await database.write(note, "c") == "c"
        assert await database.read(names) == ["a", "c"]


async def test_a_database_that_there_is_not_is_told(url: str) -> None:
    with pytest.raises(Unavailable, match=r"postgresql:///nowhere cannot be used: .*nowhere.* does not exist"):
        await Postgres(url.replace(Address(url)._given["dbname"], "nowhere", 1)).open()


def test_without_its_driver_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(PlatformError, match="its driver is not installed") as told:
        databases.database("postgresql:///chatops")
    assert told.value.hint == "pip install 'platform-chatops[postgres]'"


# the tables --------------------------------------------------------------------------------------------------------


async def test_a_newer_versions_database_is_refused_and_left_alone(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("INSERT INTO _chatops_steps VALUES ('m999_telepathy', 0)")
    with pytest.raises(Refused, match="written by a newer chatops: it has the step 'm999_telepathy'"):
        await Postgres(url).open()


async def test_another_programs_database_is_refused() -> None:
    url = create("cookies")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("CREATE TABLE cookies (name TEXT)")
    with pytest.raises(Refused, match="belongs to another program: it has the table 'cookies'"):
        await Postgres(url).open()
    assert await rows(url, "SELECT relname FROM pg_class WHERE relname LIKE '\\_chatops%'") == []


async def test_a_start_that_was_cut_off_between_steps_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = create("half")
    monkeypatch.setattr("chatops.adapters.postgres_schema.STEPS", migrations.STEPS[:2])
    async with Postgres(url):
        pass
    monkeypatch.undo()
    async with Postgres(url) as database:
        assert await database.read(lambda tx: tx.all("SELECT * FROM workloads")) == []
    assert len(await rows(url, "SELECT name FROM _chatops_steps")) == len(migrations.STEPS)


async def test_a_step_may_take_longer_than_any_other_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(tables: Any) -> None:
        tables.execute("SELECT pg_sleep(0.4)")

    url = create("large")
    async with Postgres(url):
        pass
    monkeypatch.setitem(postgres_server._OPTIONS, "statement_timeout", "200ms")
    monkeypatch.setattr("chatops.adapters.postgres_schema.STEPS", (*migrations.STEPS, slow))
    async with Postgres(url) as database:
        assert await rows(url, "SELECT name FROM _chatops_steps WHERE name = 'slow'") == [("slow",)]
        with pytest.raises(Unavailable, match="it did not answer within"):
            await database.write(slow_statement)


def slow_statement(tx: Tx) -> None:
    tx.all("SELECT pg_sleep(0.4)")


async def test_both_engines_have_the_same_tables_columns_and_indexes(database: Postgres, url: str) -> None:
    import sqlite_utils

    lite = sqlite_utils.Database(memory=True)
    migrations.migrate(lite)
    ours = {
        (table.name, column.name, column.type.lower(), bool(column.notnull) or bool(column.is_pk))
        for table in lite.tables
        for column in table.columns
        if not table.name.startswith(("_", "sqlite_"))
    }
    kinds = {"bigint": "integer", "double precision": "real"}
    theirs = {
        (table, column, kinds.get(kind, kind), nullable == "NO")
        for table, column, kind, nullable in await rows(
            url,
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%'",
        )
    }
    assert theirs == ours
    made = lite.query("SELECT name FROM sqlite_master WHERE type = 'index' AND sql > ''")
    indexes = {str(row["name"]) for row in made if "_sqlite_" not in row["name"]}
    assert {str(name) for (name,) in await rows(url, "SELECT indexname FROM pg_indexes")} >= indexes


async def test_requests_are_numbered_from_1001_and_incidents_from_101(database: Postgres) -> None:
    ask = """INSERT INTO requests (key, action, requester_id, state, created_at, updated_at, body)
        VALUES ('a', 'deploy', 'U1', 'planning', 1, 1, '{}') RETURNING id"""
    tell = """INSERT INTO incidents (key, state, severity, opened_at, updated_at, body)
        VALUES ('a', 'firing', 'sev1', 1, 1, '{}') RETURNING id"""
    assert await database.write(lambda tx: [tx.one(ask), tx.one(tell)]) == [{"id": 1001}, {"id": 101}]


def test_the_marks_of_values_are_found_outside_of_texts() -> None:
    sql = "SELECT ':a', 'it''s :b', x FROM t WHERE y = :c AND z < :d - :c AND w = a::text"
    assert marked(sql) == ("SELECT ':a', 'it''s :b', x FROM t WHERE y = $1 AND z < $2 - $1 AND w = a::text", ("c", "d"))


def test_later_steps_move_their_rows_on_postgresql_too() -> None:
    move = "INSERT INTO a (x) SELECT y FROM b"
    assert table_sql(move, "m024_reviews") == ""
    assert table_sql(move, "m040_and_on") == move
