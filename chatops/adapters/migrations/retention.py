"""What is forgotten."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m039_old_requests(db: Database) -> None:
    """Finds the requests that may be forgotten without a look at those that are open."""
    db.execute("CREATE INDEX requests_old ON requests (ended_at) WHERE ended_at > 0")


STEPS = (m039_old_requests,)
