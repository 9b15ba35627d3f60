"""Indexes for questions that looked at all of a table that grows."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m045_flat(db: Database) -> None:
    """Digests of late are asked for every ten seconds, PagerDuty's notes at each of its events; and what to forget."""
    # Not `<> ''`: the index by digest has that condition, and would be taken for its order, all of it.
    db.execute("CREATE INDEX incidents_digested ON incidents (opened_at) WHERE digest > ''")
    db.execute("CREATE INDEX pagerduty_changes_of ON pagerduty_changes (pagerduty_id, what)")
    db.execute("CREATE INDEX pagerduty_changes_old ON pagerduty_changes (made_at) WHERE ended <> ''")
    db.execute("CREATE INDEX page_calls_old ON page_calls (made_at) WHERE ended <> ''")


STEPS = (m045_flat,)
