"""No statement looks at all of a table that grows: SQLite is asked how it would go about each."""

from __future__ import annotations

import re

import pytest
import sqlite_utils

from chatops.adapters import migrations
from chatops.adapters.postgres_sql import marked
from tests.store.test_statements import ALL

# A row for each thing that people made and that is not over, for each team or workload: a whole look is meant.
SMALL = {"settings", "schedules", "locks", "weekly", "workloads"}
# Read whole at the start alone: everybody whom the assistant has ever met.
AT_THE_START = {"chatops.slack.directory.LOAD"}
# Of these partial indexes a row goes as soon as the thing is over, sent, sealed or done.
OF_WHAT_IS_OPEN = {
    "requests_open", "requests_remind", "posts_unsent", "inbox_waiting", "incidents_open", "audit_heads_unsealed",
    "audit_anchors_unwritten", "schedules_next",
}  # fmt: skip
SCAN = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
NEWEST = re.compile(r"ORDER BY (?:id|seq|seal) DESC LIMIT (?:1|:limit)\s*\Z")  # stops after the first rows


def grows(db: sqlite_utils.Database, name: str, sql: str) -> list[str]:
    """The steps of a statement that look at every row of a table that only grows."""
    steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(marked(sql)[1]))]
    found = [(step, *scan.groups()) for step in steps if (scan := SCAN.match(step))]
    newest = "WHERE" not in sql and NEWEST.search(sql)
    return [
        step
        for step, table, index in found
        if table not in SMALL and index not in OF_WHAT_IS_OPEN and not newest and name not in AT_THE_START
    ]


@pytest.fixture(scope="module")
def db() -> sqlite_utils.Database:
    made = sqlite_utils.Database(memory=True)
    migrations.migrate(made)
    return made


def test_no_statement_looks_at_all_of_a_table_that_only_grows(db: sqlite_utils.Database) -> None:
    assert {name: bad for name, sql in ALL.items() if (bad := grows(db, name, sql))} == {}


@pytest.mark.parametrize("name", ["LATELY", "NEWEST_DIGEST"])
def test_an_incident_of_a_storm_looks_at_a_few_of_the_others(db: sqlite_utils.Database, name: str) -> None:
    sql = ALL[f"chatops.incidents.store.{name}"]
    steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(marked(sql)[1]))]
    assert any("incidents_lately (channel=? AND opened_at>?)" in step for step in steps)
    assert not [step for step in steps if "TEMP B-TREE" in step], "it sorts all that the storm has opened so far"


def test_a_look_at_a_whole_table_is_noticed(db: sqlite_utils.Database) -> None:
    assert grows(db, "", "SELECT chain FROM audit WHERE who = :who") == ["SCAN audit"]
    assert grows(db, "", "SELECT id FROM incidents WHERE digest <> ''")


def test_what_is_excepted_is_there(db: sqlite_utils.Database) -> None:
    indexes = {
        row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%'")
    }
    assert set(db.table_names()) >= SMALL
    assert indexes >= OF_WHAT_IS_OPEN
    assert set(ALL) >= AT_THE_START


@pytest.mark.parametrize("table", ["posts", "votes", "inbox", "audit_heads"])
def test_a_vote_writes_no_index_that_no_statement_reads(db: sqlite_utils.Database, table: str) -> None:
    made = db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql > '' AND tbl_name = ?", [table])
    plans = [
        row[3] for sql in ALL.values() for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(marked(sql)[1]))
    ]
    assert [name for (name,) in made if not any(name in plan.split() for plan in plans)] == []
