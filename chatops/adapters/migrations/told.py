"""Where a deploy is told, and what is told of several at once."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m038_told(db: Database) -> None:
    """Which message tells of a deploy in which channel, since it may be several; and what waits for a digest there."""
    db.execute(
        """CREATE TABLE told (
            kind TEXT NOT NULL,
            subject INTEGER NOT NULL,
            channel TEXT NOT NULL,
            post TEXT NOT NULL,
            told_at REAL NOT NULL,
            PRIMARY KEY (kind, subject, channel)
        ) STRICT"""
    )
    db.execute("CREATE INDEX told_old ON told (told_at)")
    # What stands from before is still brought up to date, where it stands
    db.execute(
        """INSERT INTO told (kind, subject, channel, post, told_at)
           SELECT CASE kind WHEN 'notice' THEN 'request' ELSE kind END, CAST(subject AS INTEGER), channel, id,
                  updated_at
           FROM posts WHERE (kind = 'notice' AND id LIKE 'R-%/notice') OR kind = 'outside'"""
    )
    db.execute(
        """CREATE TABLE gathered (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            subject INTEGER NOT NULL,
            channel TEXT NOT NULL,
            service TEXT NOT NULL,
            environment TEXT NOT NULL,
            line TEXT NOT NULL,
            at REAL NOT NULL,
            due_at REAL NOT NULL,
            digest INTEGER NOT NULL DEFAULT 0,
            UNIQUE (kind, subject, channel)
        ) STRICT"""
    )
    db.execute("CREATE INDEX gathered_due ON gathered (channel, due_at) WHERE digest = 0")
    db.execute("CREATE INDEX gathered_in ON gathered (digest, environment, service)")
    db.execute("CREATE INDEX gathered_old ON gathered (at) WHERE digest > 0")


STEPS = (m038_told,)
