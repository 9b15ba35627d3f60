"""What lies between the versions that are deployed."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m026_releases(db: Database) -> None:
    """Versions that were published, with the page about each, which the messages of their deploys link."""
    db.execute(
        """CREATE TABLE releases (
            service TEXT NOT NULL,
            version TEXT NOT NULL,
            link TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (service, version)
        ) STRICT"""
    )
    db.execute("CREATE INDEX releases_old ON releases (at)")


def m027_comparisons(db: Database) -> None:
    """The commits between two versions, asked of GitHub beside the requests; and whose messages tell of them."""
    db.execute(
        """CREATE TABLE comparisons (
            id INTEGER PRIMARY KEY,
            repository TEXT NOT NULL,
            base TEXT NOT NULL,
            head TEXT NOT NULL,
            found TEXT NOT NULL DEFAULT '',
            problem TEXT NOT NULL DEFAULT '',
            tries INTEGER NOT NULL DEFAULT 0,
            wanted_at REAL NOT NULL,
            due_at REAL NOT NULL,
            ended_at REAL NOT NULL DEFAULT 0,
            UNIQUE (repository, base, head)
        ) STRICT"""
    )
    db.execute("CREATE INDEX comparisons_due ON comparisons (due_at, id) WHERE due_at > 0")
    db.execute("CREATE INDEX comparisons_old ON comparisons (wanted_at)")
    db.execute(
        """CREATE TABLE comparison_readers (
            comparison_id INTEGER NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            subject INTEGER NOT NULL,
            PRIMARY KEY (comparison_id, kind, subject)
        ) STRICT"""
    )


def m028_failed_changes(db: Database) -> None:
    """Deploys that failed, under whose message the authors of what they brought are mentioned once they are known."""
    db.execute(
        """CREATE TABLE failed_changes (
            kind TEXT NOT NULL,
            subject INTEGER NOT NULL,
            repository TEXT NOT NULL,
            base TEXT NOT NULL,
            head TEXT NOT NULL,
            login TEXT NOT NULL,
            place TEXT NOT NULL,
            made_at REAL NOT NULL,
            due_at REAL NOT NULL,
            PRIMARY KEY (kind, subject)
        ) STRICT"""
    )
    db.execute("CREATE INDEX failed_changes_due ON failed_changes (due_at) WHERE due_at > 0")
    db.execute("CREATE INDEX failed_changes_old ON failed_changes (made_at)")


STEPS = (m026_releases, m027_comparisons, m028_failed_changes)
