"""What tells of figures by itself, and what people choose about being told."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m033_weekly(db: Database) -> None:
    """When each team's week is told next, so that a restart forgets none and tells none twice."""
    db.execute("CREATE TABLE weekly (team TEXT NOT NULL PRIMARY KEY, due_at REAL NOT NULL) STRICT")


STEPS = (m033_weekly,)
