"""What every change of a message had to write and nobody asked for."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m047_posts_in_thread(db: Database) -> None:
    """Replies are found by their parent in memory; the index was written twice for each vote."""
    db.execute("DROP INDEX posts_in_thread")


STEPS = (m047_posts_in_thread,)
