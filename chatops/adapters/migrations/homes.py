"""Which App Homes somebody may be looking at."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m048_homes(db: Database) -> None:
    """A restart goes on showing what changes on the homes that are open; ``body`` is whom it may concern."""
    db.execute(
        """CREATE TABLE homes (
            person_id TEXT NOT NULL PRIMARY KEY,
            opened_at REAL NOT NULL,
            body TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX homes_opened ON homes (opened_at)")


STEPS = (m048_homes,)
