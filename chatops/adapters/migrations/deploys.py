"""Step 21 and on: what everyone follows and controls about deploys."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m021_locks(db: Database) -> None:
    """Locks: one at a time of a service in an environment, which UNIQUE sees to; and who wants to hear of the end."""
    db.execute(
        """CREATE TABLE locks (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            service TEXT NOT NULL,
            environment TEXT NOT NULL,
            holder_id TEXT NOT NULL,
            holder TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            made_at REAL NOT NULL,
            until_at REAL NOT NULL,
            ended_at REAL NOT NULL DEFAULT 0,
            ended_by TEXT NOT NULL DEFAULT ''
        ) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX locks_held ON locks (service, environment) WHERE ended_at = 0")
    db.execute("CREATE INDEX locks_due ON locks (until_at) WHERE ended_at = 0")
    db.execute("CREATE INDEX locks_old ON locks (ended_at) WHERE ended_at > 0")
    db.execute(
        """CREATE TABLE lock_watchers (
            lock_id INTEGER NOT NULL REFERENCES locks (id) ON DELETE CASCADE,
            person_id TEXT NOT NULL,
            PRIMARY KEY (lock_id, person_id)
        ) STRICT"""
    )


STEPS = (m021_locks,)
