"""What everyone is told about deploys, and when."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m035_aftermaths(db: Database) -> None:
    """Deploys that are over, and when to look at how their service does since; ``due_at`` 0: that is done."""
    db.execute(
        """CREATE TABLE aftermaths (
            kind TEXT NOT NULL,
            subject INTEGER NOT NULL,
            service TEXT NOT NULL,
            environment TEXT NOT NULL,
            title TEXT NOT NULL,
            begun_at REAL NOT NULL,
            done_at REAL NOT NULL,
            due_at REAL NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (kind, subject)
        ) STRICT"""
    )
    db.execute("CREATE INDEX aftermaths_due ON aftermaths (due_at) WHERE due_at > 0")
    db.execute("CREATE INDEX aftermaths_old ON aftermaths (done_at)")


STEPS = (m035_aftermaths,)
