"""Steps 21 and 22: what everyone follows and controls about deploys."""

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


def m022_outside(db: Database) -> None:
    """Deploys of other pipelines, and the ids by which they speak of them."""
    db.execute(
        """CREATE TABLE outside (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            service TEXT NOT NULL,
            environment TEXT NOT NULL,
            version TEXT NOT NULL,
            before TEXT NOT NULL DEFAULT '',
            stage TEXT NOT NULL,
            told_by TEXT NOT NULL DEFAULT '',
            source TEXT NOT NULL,
            text TEXT NOT NULL DEFAULT '',
            link TEXT NOT NULL DEFAULT '',
            started_at REAL NOT NULL,
            changed_at REAL NOT NULL,
            ended_at REAL NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX outside_by_place ON outside (service, environment, version, id)")
    db.execute("CREATE INDEX outside_old ON outside (changed_at)")
    db.execute(
        """CREATE TABLE outside_keys (
            source TEXT NOT NULL,
            key TEXT NOT NULL,
            deploy_id INTEGER NOT NULL REFERENCES outside (id) ON DELETE CASCADE,
            PRIMARY KEY (source, key)
        ) STRICT"""
    )
    db.execute("CREATE INDEX outside_keys_of ON outside_keys (deploy_id)")
    db.execute("CREATE INDEX ledger_outside ON ledger (body) WHERE request_id IS NULL")


STEPS = (m021_locks, m022_outside)
