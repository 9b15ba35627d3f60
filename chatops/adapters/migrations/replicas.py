"""Which replica is at what."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m046_inbox_replica(db: Database) -> None:
    """What a replica took in it works off itself, unless it is gone; 0 where one process has the database."""
    db.execute("ALTER TABLE inbox ADD COLUMN replica INTEGER NOT NULL DEFAULT 0")


STEPS = (m046_inbox_replica,)
