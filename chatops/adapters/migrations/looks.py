"""What people look at must not grow with what is behind it."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m041_open_incidents(db: Database) -> None:
    """In a storm a team has thousands of open incidents, of which a list shows the worst few without sorting them."""
    db.execute("DROP INDEX incidents_of_holder")
    db.execute("DROP INDEX incidents_of_team")
    db.execute("CREATE INDEX incidents_of_holder ON incidents (holder_id, severity, id) WHERE open_key IS NOT NULL")
    db.execute("CREATE INDEX incidents_of_team ON incidents (team, severity, id) WHERE open_key IS NOT NULL")


STEPS = (m041_open_incidents,)
