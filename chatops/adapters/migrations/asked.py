"""What somebody waits for."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m043_asked(db: Database) -> None:
    """Whether a message's person waits for it, and gets it in their quiet hours, too: answers, and one-time pages."""
    db.execute("ALTER TABLE posts ADD COLUMN asked INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """UPDATE posts SET asked = 1
           WHERE wanted > sent AND (id LIKE 'answer/%' OR id LIKE 'R-%/page/%' OR id LIKE 'test-page/%')"""
    )


STEPS = (m043_asked,)
