"""What came later to automated responses and to what people do at once: turns, reviews, storms."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m023_automations_withdraw(db: Database) -> None:
    """Which request serves a run, so that it is withdrawn with its last alert; a turn for each time one comes back.

    The turn belongs to a run's key, which only a new table can have.
    """
    db.execute("ALTER TABLE triggers ADD COLUMN turn INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE automation_runs RENAME TO automation_runs_before")
    db.execute("DROP INDEX automation_runs_lately")
    db.execute("DROP INDEX automation_runs_old")
    db.execute(
        """CREATE TABLE automation_runs (
            rule TEXT NOT NULL,
            incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            round INTEGER NOT NULL,
            source TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            turn INTEGER NOT NULL DEFAULT 0,
            at REAL NOT NULL,
            outcome TEXT NOT NULL DEFAULT '',
            request_id INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (rule, incident_id, round, source, fingerprint, turn)
        ) STRICT"""
    )
    db.execute(
        """INSERT INTO automation_runs (rule, incident_id, round, source, fingerprint, at, outcome)
        SELECT rule, incident_id, round, source, fingerprint, at, outcome FROM automation_runs_before"""
    )
    db.execute("DROP TABLE automation_runs_before")
    db.execute("CREATE INDEX automation_runs_lately ON automation_runs (rule, at)")
    db.execute("CREATE INDEX automation_runs_old ON automation_runs (at) WHERE outcome <> ''")
    db.execute("CREATE INDEX automation_runs_of_request ON automation_runs (request_id) WHERE request_id > 0")
    db.execute("CREATE INDEX automation_runs_of_alert ON automation_runs (incident_id, source, fingerprint)")


STEPS = (m023_automations_withdraw,)
