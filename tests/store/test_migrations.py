from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlite_utils

from chatops.adapters import migrations
from chatops.adapters.sqlite import SQLite
from chatops.kernel.errors import Refused
from chatops.kernel.ports import Tx

FIRST_WITH_REPLICAS = "m046_inbox_replica"  # from its release on, two versions may run beside each other
# Steps that take something away, and which earlier release no longer needed it.
CONTRACT = {"m047_posts_in_thread": "that of m046 has the index only because it was made: it looks for nothing by it"}
LIST = Path(__file__).with_name("migrations.txt")
TABLES = {
    "requests", "votes", "inbox", "posts", "audit", "audit_heads", "audit_seals", "ledger", "settings", "people",
    "pages", "page_visits", "objects", "drafts", "incidents", "alerts", "paging", "overrides",
    "pagerduty_incidents", "pagerduty_events", "pagerduty_changes", "page_calls", "rooms", "triggers",
    "automation_runs", "locks", "lock_watchers", "outside", "outside_keys", "reviews",
    "releases", "comparisons", "comparison_readers", "failed_changes", "schedules", "workloads", "weekly",
    "audit_anchors",
    "aftermaths", "preferences", "forms", "told", "gathered", "homes",
}  # fmt: skip


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLite]:
    async with SQLite(tmp_path / "chatops.db") as database:
        yield database


def steps() -> list[str]:
    """Each step's name and a digest of what it makes of the schema before it."""
    found = []
    for name, following in zip(names := migrations.names(), [*names[1:], None], strict=True):
        db = sqlite_utils.Database(memory=True)
        migrations.migrations.apply(db, stop_before=following)
        made = db.query(
            "SELECT sql FROM sqlite_master WHERE sql > '' AND tbl_name NOT LIKE :ours", {"ours": "_sqlite_%"}
        )
        digest = hashlib.sha256("\n".join(sorted(row["sql"] for row in made)).encode()).hexdigest()[:12]
        found.append(f"{name} {digest}")
    return found


def test_steps_that_are_out_there_are_never_edited_only_added_to() -> None:
    committed = LIST.read_text().split("\n")[:-1]
    assert steps() == committed, "add a new step at the end, and its line to tests/store/migrations.txt"


class Said:
    """Stands in for the database of a step, and keeps what it is told to execute; anything else is no addition."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, sql: str) -> None:
        self.statements += [" ".join(one.split()) for one in sql.split(";") if one.strip()]


def takes_away(statement: str) -> bool:
    """Whether a version that does not know of this step may miss something, or write what it forbids."""
    if re.match(r"CREATE (TABLE|INDEX) ", statement):
        return False
    added = re.match(r"ALTER TABLE \w+ ADD COLUMN \w+ (.*)", statement)
    return not (added and "REFERENCES" not in added[1] and ("NOT NULL" not in added[1] or "DEFAULT" in added[1]))


def test_a_step_that_replicas_of_the_version_before_live_through_only_adds() -> None:
    """Expand, then contract: during a rolling upgrade the version before goes on writing to the newest tables."""
    newest = migrations.names()[migrations.names().index(FIRST_WITH_REPLICAS) :]
    found = {}
    for step in (step for step in migrations.STEPS if step.__name__ in newest):
        said = Said()
        step(said)  # type: ignore[arg-type]
        found[step.__name__] = [one for one in said.statements if takes_away(one)]
    contracting = {name for name, statements in found.items() if statements}
    assert contracting == set(CONTRACT), "only add, or name in CONTRACT the release that no longer used what goes"


@pytest.mark.parametrize(
    ("statement", "takes"),
    [
        ("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT", False),
        ("CREATE INDEX later_due ON later (due_at) WHERE due_at > 0", False),
        ("ALTER TABLE requests ADD COLUMN later TEXT NOT NULL DEFAULT ''", False),
        ("ALTER TABLE requests ADD COLUMN later REAL", False),
        ("ALTER TABLE requests ADD COLUMN later TEXT NOT NULL", True),
        ("ALTER TABLE requests ADD COLUMN later INTEGER REFERENCES posts (id)", True),
        ("ALTER TABLE requests DROP COLUMN body", True),
        ("ALTER TABLE requests RENAME COLUMN body TO content", True),
        ("CREATE UNIQUE INDEX one_each ON requests (service)", True),
        ("DROP INDEX posts_unsent", True),
        ("DROP TABLE votes", True),
        ("UPDATE requests SET state = 'x'", True),
        ("DELETE FROM settings", True),
    ],
)
def test_what_only_adds_is_told_from_what_takes_away(statement: str, takes: bool) -> None:
    assert takes_away(statement) is takes


def test_every_step_says_why() -> None:
    for step in migrations.migrations.pending(sqlite_utils.Database(memory=True)):
        assert len((step.fn.__doc__ or "").split()) > 8, step.name


async def test_a_first_run_makes_every_table_strict(database: SQLite) -> None:
    def tables(tx: Tx) -> dict[str, int]:
        rows = tx.all(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE '\\_%' ESCAPE '\\'"
        )
        return {row["name"]: row["strict"] for row in rows if not row["name"].startswith("sqlite_")}

    assert await database.read(tables) == dict.fromkeys(TABLES, 1)


async def test_requests_are_numbered_from_1001_and_a_number_is_never_given_twice(database: SQLite) -> None:
    def ask(tx: Tx, key: str) -> int:
        row = tx.one(
            "INSERT INTO requests (key, action, requester_id, state, created_at, updated_at, body)"
            " VALUES (:key, 'deploy', 'U1', 'planning', 1, 1, '{}') RETURNING id",
            key=key,
        )
        assert row
        return int(row["id"])

    assert [await database.write(ask, key) for key in "ab"] == [1001, 1002]
    await database.write(lambda tx: tx.run("DELETE FROM requests WHERE id = 1002"))
    assert await database.write(ask, "c") == 1003


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT id FROM requests WHERE ended_at = 0 AND deadline_at > 0 AND deadline_at <= :x", "requests_due"),
        ("SELECT id FROM requests WHERE ended_at = 0 AND remind_at <= :x", "requests_remind"),
        ("SELECT id FROM requests WHERE ended_at = 0 AND state = :x ORDER BY id", "requests_open"),
        ("SELECT id FROM requests WHERE requester_id = :x ORDER BY id DESC LIMIT 20", "requests_by_requester"),
        ("SELECT id FROM requests WHERE service = :x AND environment = :x ORDER BY id DESC", "requests_by_place"),
        ("SELECT request_id FROM reviews WHERE remind_at <= :x ORDER BY remind_at LIMIT 100", "reviews_due"),
        ("SELECT rule FROM automation_runs WHERE request_id > 0 AND request_id = :x", "automation_runs_of_request"),
        (
            "SELECT count(*) FROM automation_runs WHERE rule = :x AND at > :x "
            "AND outcome IN ('', 'asked', 'dry_run', 'withdrawn')",
            "automation_runs_asked",
        ),
        (
            "SELECT round FROM automation_runs WHERE rule = :x AND incident_id = :x AND outcome = 'asked' "
            "ORDER BY at DESC LIMIT 1",
            "automation_runs_came",
        ),
        (
            "SELECT made_at FROM triggers WHERE due_at > 0 AND due_at <= :x "
            "ORDER BY due_at, incident_id, source, fingerprint LIMIT 250",
            "triggers_due",
        ),
        ("SELECT incident_id FROM rooms WHERE work_at > 0 AND work_at <= :x", "rooms_work"),
        ("SELECT incident_id FROM rooms WHERE remind_at > 0 AND remind_at <= :x", "rooms_remind"),
        ("SELECT id FROM posts WHERE wanted > sent AND lane = 1 ORDER BY next_at", "posts_unsent"),
        (
            "SELECT id FROM comparisons WHERE due_at > 0 AND due_at <= :x ORDER BY due_at, id LIMIT 20",
            "comparisons_due",
        ),
        (
            "SELECT kind FROM failed_changes WHERE due_at > 0 AND due_at <= :x ORDER BY due_at LIMIT 20",
            "failed_changes_due",
        ),
        ("SELECT key FROM inbox WHERE done_at IS NULL ORDER BY received_at", "inbox_waiting"),
        ("DELETE FROM inbox WHERE done_at IS NOT NULL AND done_at < :x", "inbox_done"),
        ("SELECT id FROM ledger WHERE service = :x AND environment = :x ORDER BY id DESC LIMIT 5", "ledger_by_place"),
        ("SELECT chain FROM audit_heads WHERE sealed = 0 ORDER BY chain LIMIT 500", "audit_heads_unsealed"),
    ],
)
async def test_what_is_looked_for_often_has_an_index(database: SQLite, sql: str, index: str) -> None:
    plan = await database.read(lambda tx: [row["detail"] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}", x=1)])
    assert any(index in line for line in plan), plan
    assert not any("TEMP B-TREE" in line for line in plan), plan


async def test_a_newer_versions_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "chatops.db"
    async with SQLite(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('chatops', 'm999_telepathy', '')"
        )
    connection.close()
    with pytest.raises(Refused, match="written by a newer chatops: it has the step 'm999_telepathy'") as refused:
        await SQLite(path).open()
    assert "Start the newer version, or restore the backup" in refused.value.hint


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cookies.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cookies (name TEXT)")
    connection.close()
    with pytest.raises(Refused, match="belongs to another program: it has the table 'cookies'"):
        await SQLite(path).open()


async def test_a_start_that_was_cut_off_between_steps_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "chatops.db"
    db = sqlite_utils.Database(path)
    migrations.migrations.apply(db, stop_before="m003_inbox")
    db.close()
    async with SQLite(path) as database:
        assert await database.read(lambda tx: len(tx.all("SELECT * FROM inbox"))) == 0


async def test_an_update_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chatops.db"
    db = sqlite_utils.Database(path)
    migrations.migrations.apply(db, stop_before="m003_inbox")
    before = list(db.query("SELECT sql FROM sqlite_master"))
    steps = list(migrations.migrations._migrations)

    def m999_broken(db: sqlite_utils.Database) -> None:
        db.execute("CREATE TABLE twice (id)")
        db.execute("CREATE TABLE twice (id)")

    broken = type(migrations.migrations)("chatops")
    broken._migrations = steps
    broken()(m999_broken)
    monkeypatch.setattr(migrations, "migrations", broken)
    with pytest.raises(sqlite3.OperationalError, match="twice already exists"):
        migrations.migrate(db)
    assert list(db.query("SELECT sql FROM sqlite_master")) == before
    assert [step.name for step in broken.applied(db)] == [steps[0].name, steps[1].name]
    db.close()


async def test_two_that_start_at_once_leave_one_running_and_one_told_why(tmp_path: Path) -> None:
    both = [SQLite(tmp_path / "chatops.db") for _ in range(2)]
    results = await asyncio.gather(*(one.open() for one in both), return_exceptions=True)
    told = [result for result in results if result is not None]
    assert len(told) == 1
    assert "is in use by another chatops" in str(told[0])
    for one in both:
        await one.close()


def test_what_somebody_waits_for_during_the_update_still_comes_in_their_quiet_hours() -> None:
    db = sqlite_utils.Database(memory=True)
    migrations.migrations.apply(db, stop_before="m043_asked")
    asked, other = ("answer/1", "R-1001/page/link-1", "test-page/U0/1/mail/page_sent"), "R-1001/end/7"
    for name, sent in (*((one, 0) for one in asked), (other, 0), ("answer/2", 1)):
        row = {"id": name, "lane": 2, "kind": "note", "wanted": 1, "sent": sent}
        db["posts"].insert({**row, "created_at": 1.0, "updated_at": 1.0})
    migrations.migrations.apply(db)
    assert {row["id"] for row in db.query("SELECT id FROM posts WHERE asked = 1")} == set(asked)
