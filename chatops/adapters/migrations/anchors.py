"""The audit trail's anchors."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m034_anchors(db: Database) -> None:
    """Seals of the audit trail that were noted elsewhere; ``written`` is 1 once an anchor is in its file."""
    db.execute(
        """CREATE TABLE audit_anchors (
            seal INTEGER NOT NULL PRIMARY KEY,
            hash TEXT NOT NULL,
            at REAL NOT NULL,
            key TEXT NOT NULL,
            signature TEXT NOT NULL,
            written INTEGER NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX audit_anchors_unwritten ON audit_anchors (seal) WHERE written = 0")


STEPS = (m034_anchors,)
