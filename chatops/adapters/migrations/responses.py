"""Steps 23 to 25: what came later to automated responses and to what people do at once: turns, reviews, storms."""

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


def m024_reviews(db: Database) -> None:
    """Changes of which nobody has said yet that they looked at them afterwards, and when people are reminded of that.

    Those that were left open lately are reminded of as well; older ones would come as a flood.
    """
    db.execute(
        """CREATE TABLE reviews (
            request_id INTEGER PRIMARY KEY REFERENCES requests (id) ON DELETE CASCADE,
            remind_at REAL NOT NULL,
            reminders INTEGER NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX reviews_due ON reviews (remind_at)")
    db.execute(
        """INSERT INTO reviews (request_id, remind_at)
        SELECT id, ended_at + 86400.0 FROM requests
        WHERE ended_at > (SELECT max(updated_at) FROM requests) - 30 * 86400.0
              AND json_extract(body, '$.started_at') > 0 AND json_extract(body, '$.reviewed') IS NULL
              AND json_array_length(body, '$.decision.reviewers') > 0"""
    )


def m025_automations_in_a_storm(db: Database) -> None:
    """Finds what a rule asked for lately, and what came of it in one incident, without a look at all that came of it.

    In a storm thousands of alerts are beyond the limit, and each would count all those before it.
    """
    db.execute("DROP INDEX automation_runs_lately")
    db.execute(
        "CREATE INDEX automation_runs_asked ON automation_runs (rule, at) "
        "WHERE outcome IN ('', 'asked', 'dry_run', 'withdrawn')"
    )
    db.execute("CREATE INDEX automation_runs_came ON automation_runs (rule, incident_id, outcome, at)")
    db.execute("DROP INDEX triggers_due")
    db.execute("CREATE INDEX triggers_due ON triggers (due_at, incident_id, source, fingerprint) WHERE due_at > 0")


STEPS = (m023_automations_withdraw, m024_reviews, m025_automations_in_a_storm)
