"""Steps 13 to 20: alerts, incidents, paging, rooms, automations."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


def m013_incidents(db: Database) -> None:
    """Incidents, what was last told of each alert, and who is to be paged.

    ``open_key`` is the key while the incident is not resolved: UNIQUE is why many alerts make one incident. ``due_at``
    is when somebody has to be paged next. An alert belongs to the incident that it was last counted in. ``paging`` has
    a row for each person and step of a round of paging; ``page_id`` is the message that carries it, empty while the
    person may not be disturbed yet.
    """
    db.execute(
        """CREATE TABLE incidents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL,
            open_key TEXT UNIQUE,
            state TEXT NOT NULL,
            severity TEXT NOT NULL,
            environment TEXT NOT NULL DEFAULT '',
            service TEXT NOT NULL DEFAULT '',
            team TEXT NOT NULL DEFAULT '',
            holder_id TEXT NOT NULL DEFAULT '',
            version INTEGER NOT NULL DEFAULT 0,
            opened_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            resolved_at REAL NOT NULL DEFAULT 0,
            due_at REAL NOT NULL DEFAULT 0,
            body TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('incidents', 100)")
    db.execute("CREATE INDEX incidents_by_key ON incidents (key, id)")
    db.execute("CREATE INDEX incidents_open ON incidents (severity, id) WHERE open_key IS NOT NULL")
    db.execute("CREATE INDEX incidents_of_holder ON incidents (holder_id) WHERE open_key IS NOT NULL")
    db.execute("CREATE INDEX incidents_of_team ON incidents (team) WHERE open_key IS NOT NULL")
    db.execute("CREATE INDEX incidents_due ON incidents (due_at) WHERE open_key IS NOT NULL AND due_at > 0")
    db.execute("CREATE INDEX incidents_by_place ON incidents (service, environment, id)")
    db.execute(
        """CREATE TABLE alerts (
            source TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            status TEXT NOT NULL,
            name TEXT NOT NULL,
            rank INTEGER NOT NULL DEFAULT 0,
            starts_at REAL NOT NULL,
            ends_at REAL NOT NULL DEFAULT 0,
            seen_at REAL NOT NULL,
            changes INTEGER NOT NULL DEFAULT 0,
            body TEXT NOT NULL,
            PRIMARY KEY (source, fingerprint)
        ) STRICT"""
    )
    db.execute("CREATE INDEX alerts_of_incident ON alerts (incident_id, status, rank)")
    db.execute(
        """CREATE TABLE paging (
            incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            round INTEGER NOT NULL,
            step INTEGER NOT NULL,
            person_id TEXT NOT NULL,
            name TEXT NOT NULL,
            asked_at REAL NOT NULL,
            page_id TEXT NOT NULL DEFAULT '',
            paged_at REAL NOT NULL DEFAULT 0,
            PRIMARY KEY (incident_id, round, step, person_id)
        ) STRICT"""
    )
    db.execute("CREATE INDEX paging_waiting ON paging (person_id) WHERE page_id = ''")
    db.execute("CREATE INDEX paging_of_person ON paging (person_id, paged_at)")
    db.execute("CREATE INDEX paging_on_page ON paging (page_id)")


def m014_digests(db: Database) -> None:
    """In which digest an incident is named: in a storm, cards come at Slack's pace of one a second, digests before."""
    db.execute("ALTER TABLE incidents ADD COLUMN channel TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE incidents ADD COLUMN digest TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX incidents_lately ON incidents (channel, opened_at)")
    db.execute("CREATE INDEX incidents_in_digest ON incidents (digest, id) WHERE digest <> ''")


def m015_posts_by_place(db: Database) -> None:
    """A reply in a thread names where it is: which card that thread belongs to is looked up by it."""
    db.execute("CREATE INDEX posts_at ON posts (channel_id, ts) WHERE ts <> ''")


def m016_overrides(db: Database) -> None:
    """Who is on call instead of whoever a rota says; what is removed stays as a record."""
    db.execute(
        """CREATE TABLE overrides (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            rota TEXT NOT NULL,
            person_id TEXT NOT NULL,
            person TEXT NOT NULL,
            name TEXT NOT NULL,
            starts_at REAL NOT NULL,
            ends_at REAL NOT NULL,
            made_by TEXT NOT NULL,
            made_at REAL NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            removed_at REAL NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX overrides_of_rota ON overrides (rota, ends_at) WHERE removed_at = 0")


def m017_pagerduty(db: Database) -> None:
    """Incidents that PagerDuty has as well: where they stand there, which events came, what it is to be told."""
    db.execute(
        """CREATE TABLE pagerduty_incidents (
            id TEXT PRIMARY KEY,
            status TEXT NOT NULL,
            changed_at REAL NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE TABLE pagerduty_events (id TEXT PRIMARY KEY, taken_at REAL NOT NULL) STRICT")
    db.execute("CREATE INDEX pagerduty_events_taken ON pagerduty_events (taken_at)")
    db.execute(
        """CREATE TABLE pagerduty_changes (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            pagerduty_id TEXT NOT NULL,
            incident_id INTEGER NOT NULL,
            what TEXT NOT NULL,
            note TEXT NOT NULL DEFAULT '',
            email TEXT NOT NULL,
            made_at REAL NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0,
            due_at REAL NOT NULL,
            ended TEXT NOT NULL DEFAULT ''
        ) STRICT"""
    )
    db.execute("CREATE INDEX pagerduty_changes_due ON pagerduty_changes (due_at) WHERE ended = ''")


def m018_page_calls(db: Database) -> None:
    """Pages that go another way than Slack: a row for each way."""
    db.execute(
        """CREATE TABLE page_calls (
            page_id TEXT NOT NULL,
            path TEXT NOT NULL,
            name TEXT NOT NULL,
            email TEXT NOT NULL,
            made_at REAL NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0,
            due_at REAL NOT NULL,
            ended TEXT NOT NULL DEFAULT '',
            ended_at REAL NOT NULL DEFAULT 0,
            UNIQUE (page_id, path)
        ) STRICT"""
    )
    db.execute("CREATE INDEX page_calls_due ON page_calls (due_at) WHERE ended = ''")


def m019_rooms(db: Database) -> None:
    """What is still to be done in Slack for an incident's room, and when people are reminded to tell the status."""
    db.execute(
        """CREATE TABLE rooms (
            incident_id INTEGER PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
            work_at REAL NOT NULL DEFAULT 0,
            remind_at REAL NOT NULL DEFAULT 0,
            body TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX rooms_work ON rooms (work_at) WHERE work_at > 0")
    db.execute("CREATE INDEX rooms_remind ON rooms (remind_at) WHERE remind_at > 0")


def m020_automations(db: Database) -> None:
    """What came up in incidents and automations are to look at, and what each made of it.

    ``due_at`` is 0 when it was looked at. ``round``: how often the incident had been opened anew.
    """
    db.execute(
        """CREATE TABLE triggers (
            incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            round INTEGER NOT NULL,
            source TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            made_at REAL NOT NULL,
            due_at REAL NOT NULL,
            PRIMARY KEY (incident_id, round, source, fingerprint)
        ) STRICT"""
    )
    db.execute("CREATE INDEX triggers_due ON triggers (due_at) WHERE due_at > 0")
    db.execute("CREATE INDEX triggers_old ON triggers (made_at) WHERE due_at = 0")
    db.execute(
        """CREATE TABLE automation_runs (
            rule TEXT NOT NULL,
            incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            round INTEGER NOT NULL,
            source TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            at REAL NOT NULL,
            outcome TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (rule, incident_id, round, source, fingerprint)
        ) STRICT"""
    )
    db.execute("CREATE INDEX automation_runs_lately ON automation_runs (rule, at)")
    db.execute("CREATE INDEX automation_runs_old ON automation_runs (at) WHERE outcome <> ''")


STEPS = (
    m013_incidents,
    m014_digests,
    m015_posts_by_place,
    m016_overrides,
    m017_pagerduty,
    m018_page_calls,
    m019_rooms,
    m020_automations,
)
