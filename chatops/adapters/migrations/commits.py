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


STEPS = (m026_releases,)
