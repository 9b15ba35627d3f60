"""Which posts stand where."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m044_rooms_by_place(db: Database) -> None:
    """Which room somebody writes in is asked for each line without a name, and a channel may hold all that ever stood.

    Few posts are cards in rooms, so the index stays small; the condition is the question's own.
    """
    db.execute("CREATE INDEX posts_of_rooms ON posts (channel_id) WHERE ts <> '' AND id LIKE 'INC-%/room'")


STEPS = (m044_rooms_by_place,)
