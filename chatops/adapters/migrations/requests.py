"""Steps 1 to 12: requests, what comes from Slack and what stands there, the audit trail, what was made."""

from __future__ import annotations

from chatops.adapters.sqliteutils import Database


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


def m007_settings_and_people(db: Database) -> None:
    """Settings that people change while we run (paused), and who people are, so that a restart need not ask Slack."""
    db.execute(
        "CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, updated_at REAL NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE people (id TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL, fetched_at REAL NOT NULL) STRICT"
    )


def m008_what_slack_shows(db: Database) -> None:
    """A hash of what a post last said in Slack, so that a card that has not changed is not sent again after a restart.

    Empty: not known.
    """
    db.execute("ALTER TABLE posts ADD COLUMN sent_hash TEXT NOT NULL DEFAULT ''")


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


def m011_old_posts(db: Database) -> None:
    """Finds the messages that may be forgotten without a look at those that are kept: cards, and what is to be sent."""
    db.execute(
        "CREATE INDEX posts_old ON posts (updated_at) "
        "WHERE wanted = sent AND kind IN ('answer', 'asked', 'end', 'note', 'notice')"
    )


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


STEPS = (
    m001_requests,
    m002_votes,
    m003_inbox,
    m004_posts,
    m005_audit,
    m006_ledger,
    m007_settings_and_people,
    m008_what_slack_shows,
    m009_pages,
    m010_objects,
    m011_old_posts,
    m012_drafts,
)
