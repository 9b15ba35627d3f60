"""What people chose, and what they see first."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m036_preferences(db: Database) -> None:
    """What people chose about being told; ``due_at`` is when their daily digest comes next, 0: they want none."""
    db.execute(
        """CREATE TABLE preferences (
            person_id TEXT NOT NULL PRIMARY KEY,
            due_at REAL NOT NULL DEFAULT 0,
            body TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX preferences_due ON preferences (due_at) WHERE due_at > 0")


def m037_home(db: Database) -> None:
    """App Home looks up what somebody has under way, and what of theirs failed lately, among a million requests."""
    db.execute("CREATE INDEX requests_open_of ON requests (requester_id, id) WHERE ended_at = 0")
    db.execute(
        "CREATE INDEX requests_failed_of ON requests (requester_id, ended_at) WHERE state IN ('failed', 'rolled_back')"
    )


STEPS = (m036_preferences, m037_home)
