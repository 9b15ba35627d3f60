"""Every table, as ordered steps that are only ever added to.

A database that is out there has the early steps behind it: an edited step would never run again there, so a change
of a table is a new step at the end (``tests/store/migrations.txt`` holds the committed names).

What holds in all tables: times are seconds since the epoch (REAL, UTC) and 0 means "not yet"; JSON is TEXT; booleans
are 0 and 1; NULL only where a column says so. Partial indexes are used by queries that repeat their condition
literally (``… WHERE ended_at = 0 AND …``).
"""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database, Migrations
from chatops.kernel.errors import Refused

migrations = Migrations("chatops")


@migrations()
def m001_requests(db: Database) -> None:
    """Requests: the columns are what is searched, ``body`` is the whole record.

    AUTOINCREMENT, because R-1042 names an audit chain and a thread for ever: a number is never given twice, even
    after old requests were removed. ``slot`` is "service/environment" while a change occupies it: UNIQUE is the lock.
    """
    db.execute(
        """CREATE TABLE requests (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            action TEXT NOT NULL,
            service TEXT NOT NULL DEFAULT '',
            environment TEXT NOT NULL DEFAULT '',
            requester_id TEXT NOT NULL,
            state TEXT NOT NULL,
            version INTEGER NOT NULL DEFAULT 0,
            slot TEXT UNIQUE,
            deadline_at REAL NOT NULL DEFAULT 0,
            remind_at REAL,
            approved_at REAL NOT NULL DEFAULT 0,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            ended_at REAL NOT NULL DEFAULT 0,
            body TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('requests', 1000)")
    db.execute("CREATE INDEX requests_open ON requests (state, id) WHERE ended_at = 0")
    db.execute("CREATE INDEX requests_due ON requests (deadline_at) WHERE ended_at = 0")
    db.execute("CREATE INDEX requests_remind ON requests (remind_at) WHERE ended_at = 0")
    db.execute("CREATE INDEX requests_by_requester ON requests (requester_id, id)")
    db.execute("CREATE INDEX requests_by_place ON requests (service, environment, id)")


@migrations()
def m002_votes(db: Database) -> None:
    """Votes: one of a person on a plan; withdrawing keeps the row, so that the audit trail and this table agree."""
    db.execute(
        """CREATE TABLE votes (
            request_id INTEGER NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
            digest TEXT NOT NULL,
            person_id TEXT NOT NULL,
            verdict TEXT NOT NULL,
            body TEXT NOT NULL,
            at REAL NOT NULL,
            withdrawn_at REAL NOT NULL DEFAULT 0,
            PRIMARY KEY (request_id, digest, person_id)
        ) STRICT"""
    )


@migrations()
def m003_inbox(db: Database) -> None:
    """Inbox: what Slack or a sender gave us, committed before it is acknowledged; ``done_at`` is NULL until handled.

    ``key`` is the sender's own id of the delivery, so that a redelivery finds itself here.
    """
    db.execute(
        """CREATE TABLE inbox (
            key TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            body TEXT NOT NULL,
            received_at REAL NOT NULL,
            done_at REAL,
            tries INTEGER NOT NULL DEFAULT 0,
            error TEXT NOT NULL DEFAULT ''
        ) STRICT"""
    )
    db.execute("CREATE INDEX inbox_waiting ON inbox (received_at) WHERE done_at IS NULL")
    db.execute("CREATE INDEX inbox_done ON inbox (done_at) WHERE done_at IS NOT NULL")


@migrations()
def m004_posts(db: Database) -> None:
    """Posts: messages that should stand in Slack; ``wanted`` counts what we want said, ``sent`` what Slack has.

    ``posting_since`` (NULL: not now) marks a call whose answer we don't have: it is looked up before posting again.
    """
    db.execute(
        """CREATE TABLE posts (
            id TEXT NOT NULL PRIMARY KEY,
            lane INTEGER NOT NULL,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL DEFAULT '',
            channel TEXT NOT NULL DEFAULT '',
            person TEXT NOT NULL DEFAULT '',
            thread_of TEXT NOT NULL DEFAULT '',
            thread_ts TEXT NOT NULL DEFAULT '',
            response_url TEXT NOT NULL DEFAULT '',
            content TEXT NOT NULL DEFAULT '{}',
            wanted INTEGER NOT NULL DEFAULT 1,
            sent INTEGER NOT NULL DEFAULT 0,
            posting_since REAL,
            ts TEXT NOT NULL DEFAULT '',
            channel_id TEXT NOT NULL DEFAULT '',
            tries INTEGER NOT NULL DEFAULT 0,
            next_at REAL NOT NULL DEFAULT 0,
            error TEXT NOT NULL DEFAULT '',
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX posts_unsent ON posts (lane, next_at) WHERE wanted > sent")
    db.execute("CREATE INDEX posts_in_thread ON posts (thread_of) WHERE wanted > sent")


@migrations()
def m005_audit(db: Database) -> None:
    """The audit trail (see ``chatops.kernel.audit``): a chain for each request or incident, their heads, the seals.

    ``audit_heads.sealed`` is the number of the seal that holds this head, 0 while none does.
    """
    db.execute(
        """CREATE TABLE audit (
            chain TEXT NOT NULL,
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            who TEXT NOT NULL,
            what TEXT NOT NULL,
            data TEXT NOT NULL,
            configuration TEXT NOT NULL,
            previous TEXT NOT NULL,
            hash TEXT NOT NULL,
            PRIMARY KEY (chain, seq)
        ) STRICT"""
    )
    db.execute("CREATE INDEX audit_by_time ON audit (at)")
    db.execute(
        """CREATE TABLE audit_heads (
            chain TEXT NOT NULL PRIMARY KEY,
            seq INTEGER NOT NULL,
            hash TEXT NOT NULL,
            sealed INTEGER NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX audit_heads_unsealed ON audit_heads (chain) WHERE sealed = 0")
    db.execute(
        """CREATE TABLE audit_seals (
            seq INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            heads TEXT NOT NULL,
            previous TEXT NOT NULL,
            hash TEXT NOT NULL
        ) STRICT"""
    )


@migrations()
def m006_ledger(db: Database) -> None:
    """The deploy ledger; ``request_id`` is NULL for what another pipeline deployed, so it refers to no request."""
    db.execute(
        """CREATE TABLE ledger (
            id INTEGER PRIMARY KEY,
            request_id INTEGER UNIQUE,
            action TEXT NOT NULL,
            service TEXT NOT NULL,
            environment TEXT NOT NULL,
            before TEXT NOT NULL DEFAULT '',
            after TEXT NOT NULL DEFAULT '',
            requested_by TEXT NOT NULL DEFAULT '',
            approved_by TEXT NOT NULL DEFAULT '',
            started_at REAL NOT NULL,
            ended_at REAL NOT NULL DEFAULT 0,
            outcome TEXT NOT NULL DEFAULT '',
            body TEXT NOT NULL DEFAULT '{}'
        ) STRICT"""
    )
    db.execute("CREATE INDEX ledger_by_place ON ledger (service, environment, id)")


@migrations()
def m007_settings_and_people(db: Database) -> None:
    """Settings that people change while we run (paused), and who people are, so that a restart need not ask Slack."""
    db.execute(
        "CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, updated_at REAL NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE people (id TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL, fetched_at REAL NOT NULL) STRICT"
    )


@migrations()
def m008_what_slack_shows(db: Database) -> None:
    """A hash of what a post last said in Slack, so that a card that has not changed is not sent again after a restart.

    Empty: not known.
    """
    db.execute("ALTER TABLE posts ADD COLUMN sent_hash TEXT NOT NULL DEFAULT ''")


@migrations()
def m009_pages(db: Database) -> None:
    """One-time pages and the browsers that opened them; tokens and sessions are kept as hashes (sha256, hex)."""
    db.execute(
        """CREATE TABLE pages (
            token TEXT NOT NULL PRIMARY KEY,
            request_id INTEGER NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
            person_id TEXT NOT NULL,
            expires_at REAL NOT NULL,
            closed_at REAL NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX pages_by_request ON pages (request_id)")
    db.execute("CREATE INDEX pages_expired ON pages (expires_at)")
    db.execute(
        """CREATE TABLE page_visits (
            session TEXT NOT NULL PRIMARY KEY,
            token TEXT NOT NULL REFERENCES pages (token) ON DELETE CASCADE,
            code TEXT NOT NULL,
            opened_at REAL NOT NULL,
            confirmed_at REAL NOT NULL DEFAULT 0
        ) STRICT"""
    )
    db.execute("CREATE INDEX page_visits_by_page ON page_visits (token)")


@migrations()
def m010_objects(db: Database) -> None:
    """What requests made in clusters, by uid: the only objects that are ever removed when their time is over.

    ``look_at`` is when something is due next (a warning, the end, another try), 0 when nothing is; ``period`` is the
    life in seconds that an extension gives anew.
    """
    db.execute(
        """CREATE TABLE objects (
            uid TEXT NOT NULL PRIMARY KEY,
            request_id INTEGER NOT NULL,
            environment TEXT NOT NULL,
            service TEXT NOT NULL DEFAULT '',
            team TEXT NOT NULL DEFAULT '',
            requester_id TEXT NOT NULL,
            api_version TEXT NOT NULL,
            kind TEXT NOT NULL,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            made_at REAL NOT NULL,
            period REAL NOT NULL DEFAULT 0,
            expires_at REAL NOT NULL DEFAULT 0,
            annotated_at REAL NOT NULL DEFAULT 0,
            look_at REAL NOT NULL DEFAULT 0,
            warned INTEGER NOT NULL DEFAULT 0,
            removing_at REAL NOT NULL DEFAULT 0,
            removed_at REAL NOT NULL DEFAULT 0,
            fate TEXT NOT NULL DEFAULT '',
            tries INTEGER NOT NULL DEFAULT 0,
            error TEXT NOT NULL DEFAULT ''
        ) STRICT"""
    )
    db.execute("CREATE INDEX objects_of_request ON objects (request_id) WHERE removed_at = 0")
    db.execute("CREATE INDEX objects_of_requester ON objects (requester_id, made_at) WHERE removed_at = 0")
    db.execute("CREATE INDEX objects_of_team ON objects (team, made_at) WHERE removed_at = 0")
    db.execute("CREATE INDEX objects_due ON objects (look_at) WHERE removed_at = 0 AND look_at > 0")


@migrations()
def m011_old_posts(db: Database) -> None:
    """Finds the messages that may be forgotten without a look at those that are kept: cards, and what is to be sent."""
    db.execute(
        "CREATE INDEX posts_old ON posts (updated_at) "
        "WHERE wanted = sent AND kind IN ('answer', 'asked', 'end', 'note', 'notice')"
    )


@migrations()
def m012_drafts(db: Database) -> None:
    """What was filled in on the earlier steps of a form, for Slack hands back the step that is sent alone."""
    db.execute(
        """CREATE TABLE drafts (
            id TEXT NOT NULL PRIMARY KEY,
            person_id TEXT NOT NULL,
            action TEXT NOT NULL,
            body TEXT NOT NULL,
            masked INTEGER NOT NULL DEFAULT 0,
            updated_at REAL NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX drafts_old ON drafts (updated_at)")


@migrations()
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


@migrations()
def m014_digests(db: Database) -> None:
    """In which digest an incident is named: in a storm, cards come at Slack's pace of one a second, digests before."""
    db.execute("ALTER TABLE incidents ADD COLUMN channel TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE incidents ADD COLUMN digest TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX incidents_lately ON incidents (channel, opened_at)")
    db.execute("CREATE INDEX incidents_in_digest ON incidents (digest, id) WHERE digest <> ''")


@migrations()
def m015_posts_by_place(db: Database) -> None:
    """A reply in a thread names where it is: which card that thread belongs to is looked up by it."""
    db.execute("CREATE INDEX posts_at ON posts (channel_id, ts) WHERE ts <> ''")


@migrations()
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


@migrations()
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


@migrations()
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


@migrations()
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


@migrations()
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


def names() -> list[str]:
    """The steps in order."""
    return [step.name for step in migrations.pending(Database(memory=True, execute_plugins=False))]


def migrate(db: Database) -> None:
    """Brings a database up to the newest step; the caller holds the lock that keeps a second process out.

    Raises ``Refused`` for a database that a newer chatops has written to, and for one that is another program's.
    """
    applied = [step.name for step in migrations.applied(db)]
    known = names()
    foreign = sorted(set(db.table_names()) - {Migrations.migrations_table, "sqlite_sequence"})
    if not applied and foreign:
        raise Refused(
            f"This database belongs to another program: it has the table {foreign[0]!r} and none of ours.",
            rule="database",
            hint="Let CHATOPS_DATABASE name a file of chatops's own.",
        )
    newer = [name for name in applied if name not in known]
    if newer:
        raise Refused(
            f"This database was written by a newer chatops: it has the step {newer[0]!r}, this version ends with "
            f"{known[-1]!r}.",
            rule="database",
            hint="Start the newer version, or restore the backup taken before it was first started.",
        )
    migrations.apply(db)
