"""What is forgotten."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m039_old_requests(db: Database) -> None:
    """Finds the requests that may be forgotten without a look at those that are open, and what was theirs."""
    db.execute("CREATE INDEX requests_old ON requests (ended_at) WHERE ended_at > 0")
    db.execute("CREATE INDEX objects_gone ON objects (request_id) WHERE removed_at > 0")


STEPS = (m039_old_requests,)
