"""What people want to be asked for at a time, and what is counted of what was done."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m029_schedules(db: Database) -> None:
    """Schedules: ``look_at`` is when there is something to do about one, a day ahead and at its time ``next_at``."""
    db.execute(
        """CREATE TABLE schedules (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            person_id TEXT NOT NULL,
            look_at REAL NOT NULL,
            next_at REAL NOT NULL,
            ended_at REAL NOT NULL DEFAULT 0,
            body TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX schedules_due ON schedules (look_at) WHERE ended_at = 0")
    db.execute("CREATE INDEX schedules_next ON schedules (next_at) WHERE ended_at = 0")
    db.execute("CREATE INDEX schedules_of ON schedules (person_id) WHERE ended_at = 0")
    db.execute("CREATE INDEX schedules_old ON schedules (ended_at) WHERE ended_at > 0")


def m030_figures(db: Database) -> None:
    """The figures look at the ledger by time, and at when a version was first deployed anywhere."""
    db.execute("CREATE INDEX ledger_by_time ON ledger (ended_at)")
    db.execute("CREATE INDEX ledger_by_version ON ledger (service, after)")


def m031_workloads(db: Database) -> None:
    """What stood in the clusters when they were looked at last, so that a change without the assistant is told once."""
    db.execute(
        """CREATE TABLE workloads (
            service TEXT NOT NULL,
            environment TEXT NOT NULL,
            version TEXT NOT NULL,
            replicas INTEGER NOT NULL,
            seen_at REAL NOT NULL,
            PRIMARY KEY (service, environment)
        ) STRICT"""
    )


def m032_usage(db: Database) -> None:
    """How the platform is used is counted over the requests of a time."""
    db.execute("CREATE INDEX requests_by_time ON requests (created_at)")


STEPS = (m029_schedules, m030_figures, m031_workloads, m032_usage)
