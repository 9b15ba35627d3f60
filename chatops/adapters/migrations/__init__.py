"""Every table, as ordered steps that are only ever added to.

A database that is out there has the early steps behind it: an edited step would never run again there, so a change
of a table is a new step at the end (``tests/store/migrations.txt`` holds the committed names).

What holds in all tables: times are seconds since the epoch (REAL, UTC) and 0 means "not yet"; JSON is TEXT; booleans
are 0 and 1; NULL only where a column says so. Partial indexes are used by queries that repeat their condition
literally (``… WHERE ended_at = 0 AND …``). The steps are written in SQLite's words; ``postgres_sql.table_sql`` says
them to PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatops.adapters.migrations import (
    anchors,
    asked,
    commits,
    deploys,
    figures,
    flat,
    freezes,
    homes,
    incidents,
    lean,
    looks,
    notices,
    people,
    places,
    replicas,
    requests,
    responses,
    retention,
    schedules,
    told,
)
from chatops.adapters.sqliteutils import Database, Migrations
from chatops.kernel.errors import Refused

MODULES = (
    requests, incidents, deploys, responses, commits, schedules, figures, anchors, notices, people, told, retention,
    freezes,
    looks, asked, places, flat, replicas, lean, homes,
)  # fmt: skip
STEPS = tuple(step for module in MODULES for step in module.STEPS)
migrations = Migrations("chatops")
for step in STEPS:
    migrations()(step)


def names() -> list[str]:
    """The steps in order."""
    return [step.__name__ for step in STEPS]


def migrate(db: Database) -> None:
    """Brings a database up to the newest step; the caller holds the lock that keeps a second process out.

    Raises ``Refused`` as ``check_ours`` does.
    """
    if check_ours(db) == len(STEPS):
        return
    with db.atomic():  # one commit: of fifty each would wait for the disk, and an update that fails leaves what was
        migrations.apply(db)


def check_ours(db: Database, what: str = "This database") -> int:
    """How many steps a database has behind it.

    Raises ``Refused`` for one that a newer chatops has written to, and for one that is another program's.
    """
    ours = {Migrations.migrations_table, "sqlite_sequence"}
    applied = [step.name for step in migrations.applied(db)]
    check_steps(applied, set(db.table_names()) - ours, what)
    return len(applied)


def check_steps(applied: Sequence[str], tables: Iterable[str], what: str = "This database") -> None:
    """The same, told which steps a database has behind it and which tables it has."""
    known, found = names(), sorted(tables)
    if not applied and found:
        raise Refused(
            f"{what} belongs to another program: it has the table {found[0]!r} and none of ours.",
            rule="database",
            hint="Let CHATOPS_DATABASE name one of chatops's own.",
        )
    newer = [name for name in applied if name not in known]
    if newer:
        raise Refused(
            f"{what} was written by a newer chatops: it has the step {newer[0]!r}, this version ends with "
            f"{known[-1]!r}.",
            rule="database",
            hint="Start the newer version, or restore the backup taken before it was first started.",
        )
