"""The table of posts: what should stand in Slack, and what does. One statement per intent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from chatops.kernel.plan import canonical
from chatops.kernel.ports import Lane, Post, Row, Tx

# A post keeps its place once it stands or may stand: a reply must not wander to another channel with a new
# configuration. While it waits, the most urgent of what was wanted holds.
SHOW = """
INSERT INTO posts (id, lane, kind, subject, channel, person, thread_of, thread_ts, response_url, content, asked, wanted,
                   sent, created_at, updated_at)
VALUES (:id, :lane, :kind, :subject, :channel, :person, :thread_of, :thread_ts, :response_url, :content, :asked, 1,
        0, :now, :now)
ON CONFLICT (id) DO UPDATE SET
    wanted = posts.wanted + 1,
    lane = CASE WHEN posts.wanted > posts.sent AND posts.lane < excluded.lane THEN posts.lane ELSE excluded.lane END,
    kind = excluded.kind, subject = excluded.subject, content = excluded.content, asked = excluded.asked,
    response_url = excluded.response_url, updated_at = excluded.updated_at, tries = 0, next_at = 0,
    channel = CASE WHEN posts.ts = '' AND posts.posting_since IS NULL THEN excluded.channel ELSE posts.channel END,
    channel_id = CASE WHEN posts.ts = '' AND posts.posting_since IS NULL AND posts.channel <> excluded.channel
                 THEN '' ELSE posts.channel_id END
RETURNING id, lane, channel, channel_id, person, thread_of, thread_ts, ts, created_at
"""
PENDING = "SELECT * FROM posts WHERE wanted > sent ORDER BY lane, created_at, id"
WANTED = "SELECT * FROM posts WHERE id = :id AND wanted > sent"
LATEST = "SELECT ts FROM posts WHERE channel_id = :channel AND ts <> '' ORDER BY ts DESC LIMIT :most"
LOAD = """
SELECT posts.*, parent.ts AS parent_ts, parent.channel_id AS parent_channel, parent.id AS parent_id,
       parent.error AS parent_error, parent.wanted - parent.sent AS parent_lag
FROM posts LEFT JOIN posts parent ON parent.id = posts.thread_of AND posts.thread_of <> ''
WHERE posts.id = :id
"""
BEGIN = "UPDATE posts SET posting_since = :now, channel_id = :channel_id WHERE id = :id AND ts = ''"
NOT_POSTED = "UPDATE posts SET posting_since = NULL WHERE id = :id"
STANDS = """
UPDATE posts SET ts = :ts, channel_id = :channel_id, posting_since = NULL, sent = :version, sent_hash = :hash,
       response_url = '', tries = 0, next_at = 0, error = '', updated_at = :now
WHERE id = :id
"""
FOUND = """
UPDATE posts SET ts = :ts, posting_since = NULL, sent_hash = :hash, error = '', updated_at = :now WHERE id = :id
"""
PUT_OFF = "UPDATE posts SET tries = :tries, next_at = :next_at, error = :error WHERE id = :id"
# A public post of unknown fate stays so: wanted anew, it is looked up first. A private one can't be looked up.
GIVE_UP = """
UPDATE posts SET sent = :version, response_url = '', error = :error, updated_at = :now,
    posting_since = CASE WHEN response_url <> '' OR (channel <> '' AND person <> '') THEN NULL ELSE posting_since END
WHERE id = :id
"""
GONE = """
UPDATE posts SET ts = '', posting_since = NULL, sent_hash = '', error = '', wanted = wanted + 1
WHERE id = :id AND ts = :ts RETURNING *
"""
NO_URL = "UPDATE posts SET response_url = '', posting_since = NULL WHERE id = :id"
TO_PERSON = """
UPDATE posts SET response_url = '', channel = '', channel_id = '', thread_of = '', thread_ts = '', posting_since = NULL
WHERE id = :id
"""
AGAIN = "UPDATE posts SET wanted = wanted + 1 WHERE id = :id AND ts <> '' AND wanted = sent RETURNING *"
ANEW = """
UPDATE posts SET wanted = wanted + 1, sent_hash = '' WHERE id = :id AND ts = :ts RETURNING *
"""
# What nobody wants again, a while after it was said. Cards and the approvers' replies have buttons: a click on them,
# years later, shows them again, and without their row they would be posted anew. Kinds not named here are kept, too.
PRUNE = """
DELETE FROM posts WHERE id IN (
    SELECT id FROM posts
    WHERE wanted = sent AND kind IN ('answer', 'asked', 'end', 'note', 'notice') AND updated_at < :before
        AND subject NOT IN (SELECT CAST(id AS TEXT) FROM requests WHERE ended_at = 0)
    ORDER BY updated_at LIMIT :limit
)
"""
KEPT = 30 * 86400.0  # seconds
AT_ONCE = 500  # rows deleted in one transaction, for others wait behind it


@dataclass(slots=True)
class Wanted:
    """A post that is to be sent or updated, as far as its turn depends on it."""

    id: str
    lane: Lane
    target: str  # what shares a queue: the channel; for private answers the person
    thread: str  # what is kept in order: a thread's replies; a message that stands already is its own
    order: float
    new: bool  # it is yet to be posted in its channel
    parent: str  # under which post


def _wanted(row: Row) -> Wanted:
    stands = bool(row["ts"])
    thread = "" if stands else row["thread_of"] or row["thread_ts"]
    return Wanted(
        id=row["id"],
        lane=Lane(row["lane"]),
        target=f"@{row['person']}" if row["person"] else row["channel_id"] or row["channel"],
        thread=f"in {thread}" if thread else row["id"],
        order=row["created_at"],
        new=not stands and not row["person"],
        parent="" if stands else row["thread_of"],
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """One row: the post, what of it was sent, and where it stands."""

    post: Post
    wanted: int
    sent: int
    sent_hash: str
    posting_since: float | None
    ts: str
    channel_id: str
    order: float
    tries: int
    next_at: float
    thread_ts: str = ""  # where to reply, known; its own thread_ts or its parent's ts
    waits_for: str = ""  # the parent that does not stand yet
    quiet_until: float = 0.0  # before which its person wants to hear nothing
    parent_failed: str = ""  # why the parent could not be posted

    @property
    def private(self) -> bool:
        """For one person's eyes, and nowhere to be found again: a response_url or an ephemeral."""
        return bool(self.post.response_url or (self.post.channel and self.post.person))


def stored(row: Row) -> Stored:
    """A row of the table, with its parent when it was loaded with one."""
    post = Post(
        id=row["id"],
        lane=Lane(row["lane"]),
        kind=row["kind"],
        subject=row["subject"],
        channel=row["channel"],
        person=row["person"],
        thread_of=row["thread_of"],
        thread_ts=row["thread_ts"],
        response_url=row["response_url"],
        content=json.loads(row["content"]),
        asked=bool(row["asked"]),
    )
    parent_ts = row.get("parent_ts") or ""
    return Stored(
        post=post,
        wanted=row["wanted"],
        sent=row["sent"],
        sent_hash=row["sent_hash"],
        posting_since=row["posting_since"],
        ts=row["ts"],
        channel_id=row["channel_id"] or (row.get("parent_channel") or "" if post.thread_of else ""),
        order=row["created_at"],
        tries=row["tries"],
        next_at=row["next_at"],
        thread_ts=parent_ts or post.thread_ts,
        waits_for=post.thread_of if post.thread_of and not parent_ts else "",
        parent_failed=_failed(row) if post.thread_of and not parent_ts else "",
    )


def _failed(row: Row) -> str:
    """Why the parent will not come to stand by itself; empty while it may."""
    given_up = row.get("parent_lag") is not None and row["parent_lag"] <= 0
    return str(row["parent_error"] or "it is not shown") if given_up else ""


def show(tx: Tx, post: Post, now: float) -> Wanted:
    """Wants a post, or wants it again."""
    row = tx.one(
        SHOW,
        id=post.id,
        lane=int(post.lane),
        kind=post.kind,
        subject=post.subject,
        channel=post.channel,
        person=post.person,
        thread_of=post.thread_of,
        thread_ts=post.thread_ts,
        response_url=post.response_url,
        content=canonical(dict(post.content)) if post.content else "{}",
        asked=int(post.asked),
        now=now,
    )
    if row is None:
        raise RuntimeError(f"the post {post.id} was not stored")
    return _wanted(row)


def pending(tx: Tx) -> list[Wanted]:
    """Everything Slack does not yet have as it is wanted, the most urgent first."""
    return [_wanted(row) for row in tx.all(PENDING)]


def wanted(tx: Tx, post_id: str) -> Wanted | None:
    """One post, if Slack does not yet have it as it is wanted."""
    row = tx.one(WANTED, id=post_id)
    return _wanted(row) if row else None


def latest(tx: Tx, channel: str, most: int) -> list[float]:
    """When the last posts came to a channel, by Slack's clock, the oldest first."""
    return sorted(float(row["ts"]) for row in tx.all(LATEST, channel=channel, most=most))


def load(tx: Tx, post_id: str) -> Stored | None:
    """One post with its parent."""
    row = tx.one(LOAD, id=post_id)
    return stored(row) if row else None


def begin(tx: Tx, post_id: str, channel_id: str, now: float) -> bool:
    """Says, before Slack is called, that the post may stand from now on; False when it stands already."""
    return tx.run(BEGIN, id=post_id, channel_id=channel_id, now=now) == 1


def not_posted(tx: Tx, post_id: str) -> None:
    """It is certain that the call left nothing in Slack."""
    tx.run(NOT_POSTED, id=post_id)


def stands(tx: Tx, post_id: str, *, ts: str, channel_id: str, version: int, shown: str, now: float) -> None:
    """Slack has this version of the post."""
    tx.run(STANDS, id=post_id, ts=ts, channel_id=channel_id, version=version, hash=shown, now=now)


def found(tx: Tx, post_id: str, *, ts: str, shown: str, now: float) -> None:
    """A post of unknown fate was found in the channel, saying what has the hash ``shown``."""
    tx.run(FOUND, id=post_id, ts=ts, hash=shown, now=now)


def put_off(tx: Tx, post_id: str, *, tries: int, next_at: float, error: str) -> None:
    """Slack could not take it now; ``next_at`` is when it is tried again."""
    tx.run(PUT_OFF, id=post_id, tries=tries, next_at=next_at, error=error)


def give_up(tx: Tx, post_id: str, *, version: int, error: str, now: float) -> None:
    """Trying again would not help; a new ``show`` tries anew."""
    tx.run(GIVE_UP, id=post_id, version=version, error=error, now=now)


def gone(tx: Tx, post_id: str, ts: str) -> Wanted | None:
    """The message at ``ts`` was deleted in Slack: wants the post anew; None when that was noticed before."""
    row = tx.one(GONE, id=post_id, ts=ts)
    return _wanted(row) if row else None


def without_url(tx: Tx, post_id: str) -> None:
    """The response_url is spent; the answer takes the next way."""
    tx.run(NO_URL, id=post_id)


def to_person(tx: Tx, post_id: str) -> None:
    """The person cannot be answered where they asked; the answer becomes a direct message."""
    tx.run(TO_PERSON, id=post_id)


def again(tx: Tx, post_ids: Iterable[str]) -> list[Wanted]:
    """Wants these posts once more, where they stand, to repair what Slack may show wrong."""
    rows = (tx.one(AGAIN, id=post_id) for post_id in post_ids)
    return [_wanted(row) for row in rows if row is not None]


def anew(tx: Tx, post_id: str, ts: str) -> Wanted | None:
    """Wants the message at ``ts`` to be written once more, whatever it says; None when another one stands."""
    row = tx.one(ANEW, id=post_id, ts=ts)
    return _wanted(row) if row else None


def prune(tx: Tx, now: float) -> int:
    """Forgets old messages that are only said once; returns how many, none when that was all."""
    return tx.run(PRUNE, before=now - KEPT, limit=AT_ONCE)
