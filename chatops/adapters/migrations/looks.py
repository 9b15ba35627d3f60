"""What people look at must not grow with what is behind it."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m041_open_incidents(db: Database) -> None:
    """In a storm a team has thousands of open incidents, of which a list shows the worst few without sorting them."""
    db.execute("DROP INDEX incidents_of_holder")
    db.execute("DROP INDEX incidents_of_team")
    db.execute("CREATE INDEX incidents_of_holder ON incidents (holder_id, severity, id) WHERE open_key IS NOT NULL")
    db.execute("CREATE INDEX incidents_of_team ON incidents (team, severity, id) WHERE open_key IS NOT NULL")


def m042_forms(db: Database) -> None:
    """Forms that were opened, and when they were sent; 0: they were not. For the figures of the platform's use."""
    db.execute(
        """CREATE TABLE forms (
            view_id TEXT NOT NULL PRIMARY KEY,
            action TEXT NOT NULL,
            opened_at REAL NOT NULL,
            sent_at REAL NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX forms_by_time ON forms (opened_at)")


STEPS = (m041_open_incidents, m042_forms)
