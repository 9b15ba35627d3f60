"""What is frozen in Slack."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m040_frozen_where(db: Database) -> None:
    """Freezes made in Slack are of a tier or a team as well, and there is one at a time of each of these."""
    db.execute("ALTER TABLE locks ADD COLUMN tier TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE locks ADD COLUMN team TEXT NOT NULL DEFAULT ''")
    db.execute("DROP INDEX locks_held")
    db.execute("CREATE UNIQUE INDEX locks_held ON locks (service, environment, tier, team) WHERE ended_at = 0")


STEPS = (m040_frozen_where,)
