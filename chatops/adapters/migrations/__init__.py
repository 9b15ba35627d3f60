"""Every table, as ordered steps that are only ever added to.

A database that is out there has the early steps behind it: an edited step would never run again there, so a change
of a table is a new step at the end (``tests/store/migrations.txt`` holds the committed names).

What holds in all tables: times are seconds since the epoch (REAL, UTC) and 0 means "not yet"; JSON is TEXT; booleans
are 0 and 1; NULL only where a column says so. Partial indexes are used by queries that repeat their condition
literally (``… WHERE ended_at = 0 AND …``).
"""

from __future__ import annotations

from chatops.adapters.migrations import (
    anchors,
    commits,
    deploys,
    figures,
    freezes,
    incidents,
    looks,
    notices,
    people,
    requests,
    responses,
    retention,
    schedules,
    told,
)
from chatops.adapters.sqliteutils import Database, Migrations
from chatops.kernel.errors import Refused

migrations = Migrations("chatops")
MODULES = (
    requests, incidents, deploys, responses, commits, schedules, figures, anchors, notices, people, told, retention,
    freezes,
    looks,
)  # fmt: skip
for module in MODULES:
    for step in module.STEPS:
        migrations()(step)


def names() -> list[str]:
    """The steps in order."""
    return [step.name for step in migrations.pending(Database(memory=True, execute_plugins=False))]


def migrate(db: Database) -> None:
    """Brings a database up to the newest step; the caller holds the lock that keeps a second process out.

    Raises ``Refused`` as ``check_ours`` does.
    """
    check_ours(db)
    migrations.apply(db)


def check_ours(db: Database, what: str = "This database") -> None:
    """Raises ``Refused`` for a database that a newer chatops has written to, and for one that is another program's."""
    applied = [step.name for step in migrations.applied(db)]
    known = names()
    foreign = sorted(set(db.table_names()) - {Migrations.migrations_table, "sqlite_sequence"})
    if not applied and foreign:
        raise Refused(
            f"{what} belongs to another program: it has the table {foreign[0]!r} and none of ours.",
            rule="database",
            hint="Let CHATOPS_DATABASE name a file of chatops's own.",
        )
    newer = [name for name in applied if name not in known]
    if newer:
        raise Refused(
            f"{what} was written by a newer chatops: it has the step {newer[0]!r}, this version ends with "
            f"{known[-1]!r}.",
            rule="database",
            hint="Start the newer version, or restore the backup taken before it was first started.",
        )
