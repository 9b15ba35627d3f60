"""Who hears of a deploy: a message in each channel at once, or, where it is quiet and went well, a line in a digest.

What was told where is a row, and what waits for a digest is one until it is in it; so a restart loses and repeats
nothing, and a message goes on in its place when the routes change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chatops.kernel.catalog import Platform
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Outbox, Post, Row, Tx
from chatops.kernel.routes import digest_at, hearing, placed
from chatops.notices.comparisons import Kind

KEPT = 90 * 86400.0  # seconds
MOST_LINES = 25  # of a digest

# The message in the usual channel has the shortest id: the others' are made of it
TOLD = "SELECT channel, post FROM told WHERE kind = :kind AND subject = :subject ORDER BY length(post), post"
TELL = """
INSERT INTO told (kind, subject, channel, post, told_at) VALUES (:kind, :subject, :channel, :post, :now)
ON CONFLICT (kind, subject, channel) DO UPDATE SET told_at = excluded.told_at
"""
GATHER = """
INSERT INTO gathered (kind, subject, channel, service, environment, line, at, due_at)
VALUES (:kind, :subject, :channel, :service, :environment, :line, :now, :due_at) ON CONFLICT DO NOTHING
"""
NOT_GATHERED = "DELETE FROM gathered WHERE kind = :kind AND subject = :subject AND channel = :channel AND digest = 0"
DUE = "SELECT DISTINCT channel FROM gathered WHERE digest = 0 AND due_at <= :now LIMIT 50"
FIRST = "SELECT min(id) AS first FROM gathered WHERE digest = 0 AND channel = :channel AND due_at <= :now"
# Named by the first that it tells of: the same rows make the same digest
CLOSE = "UPDATE gathered SET digest = :digest WHERE digest = 0 AND channel = :channel AND due_at <= :now"
WHOLE = """
SELECT count(*) AS number, count(DISTINCT service) AS services, min(at) AS since, max(at) AS until
FROM gathered WHERE digest = :digest
"""
PLACES = """
SELECT environment, service, count(*) AS number, max(id) AS last FROM gathered WHERE digest = :digest
GROUP BY environment, service ORDER BY environment, service LIMIT :limit
"""
ONE = "SELECT kind, subject, line FROM gathered WHERE id = :id"
PRUNE_TOLD = """
DELETE FROM told WHERE (kind, subject, channel) IN (
    SELECT kind, subject, channel FROM told WHERE told_at < :before ORDER BY told_at LIMIT 500)
"""
PRUNE = """
DELETE FROM gathered WHERE id IN (SELECT id FROM gathered WHERE digest > 0 AND at < :before ORDER BY at LIMIT 500)
"""


@dataclass(frozen=True, slots=True)
class News:
    """How a deploy stands; ``post`` is the message about it in the usual channel, ``line`` what a digest says."""

    kind: Kind
    subject: int
    service: str
    environment: str
    post: Post
    line: str
    stage: Literal["under way", "well", "badly"]


@dataclass(frozen=True, slots=True)
class Place:
    """What a digest says of a service in an environment: how many, and the last; ``request`` R-1042 or empty."""

    service: str
    environment: str
    number: int
    line: str
    request: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """A digest: how many in all, of how many services, from when to when (epoch seconds), and the first places."""

    number: int
    services: int
    since: float
    until: float
    places: Sequence[Place]

    @property
    def left_out(self) -> int:
        """How many it counts without naming them."""
        return self.number - sum(one.number for one in self.places)


def messages(tx: Tx, platform: Platform, kind: Kind, subject: int) -> list[Post]:
    """The messages that tell of a deploy, the usual channel's first; none where it only waits for a digest."""
    return [_post(kind, subject, row) for row in tx.all(TOLD, kind=kind, subject=subject)]


def digest(tx: Tx, number: int) -> Gathered | None:
    """What a digest tells; None when it was forgotten."""
    whole = tx.one(WHOLE, digest=number)
    if whole is None or not whole["number"]:
        return None
    places = [_place(tx, row) for row in tx.all(PLACES, digest=number, limit=MOST_LINES)]
    return Gathered(int(whole["number"]), int(whole["services"]), whole["since"], whole["until"], places)


def prune(tx: Tx, now: float) -> int:
    """Forgets what was told long ago; how many."""
    return tx.run(PRUNE_TOLD, before=now - KEPT) + tx.run(PRUNE, before=now - KEPT)


@dataclass(slots=True)
class Teller:
    """Tells each channel what it wants to hear, once."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    clock: Clock

    def tell(self, tx: Tx, news: News) -> None:
        """A deploy moved or is over: in the transaction in which it did."""
        now, subject = self.clock.now(), {"kind": news.kind, "subject": news.subject}
        known = {row["channel"]: str(row["post"]) for row in tx.all(TOLD, **subject)}
        heard = hearing(self.configuration.platform, news.environment, news.service)
        quiet = {one.channel: one.digest for one in heard}
        for post in placed(news.post, quiet, known):
            digest = quiet.get(post.channel)
            if post.channel in known:
                self.outbox.show(tx, post)
            elif digest is None or news.stage == "badly":
                tx.run(TELL, **subject, channel=post.channel, post=post.id, now=now)
                tx.run(NOT_GATHERED, **subject, channel=post.channel)
                self.outbox.show(tx, post)
            elif news.stage == "well":
                tx.run(
                    GATHER, **subject, channel=post.channel, service=news.service, environment=news.environment,
                    line=news.line[:300], now=now, due_at=digest_at(digest, now),
                )  # fmt: skip

    async def look(self) -> None:
        """Posts the digests whose hour has come; may be called late, early or twice."""
        for row in await self.database.read(lambda tx: tx.all(DUE, now=self.clock.now())):
            await self.database.write(self._close, str(row["channel"]))

    def _close(self, tx: Tx, channel: str) -> None:
        due = {"channel": channel, "now": self.clock.now()}
        row = tx.one(FIRST, **due)
        if row is None or row["first"] is None:
            return
        number = int(row["first"])
        tx.run(CLOSE, digest=number, **due)
        self.outbox.show(tx, Post(f"gathered/{number}", Lane.NOTICE, "gathered", str(number), channel=channel))


def _post(kind: Kind, subject: int, row: Row) -> Post:
    name = "notice" if kind == "request" else "outside"
    return Post(row["post"], Lane.NOTICE, name, str(subject), channel=row["channel"])


def _place(tx: Tx, row: Row) -> Place:
    last = tx.one(ONE, id=row["last"]) or {"kind": "", "subject": 0, "line": ""}
    request = f"R-{last['subject']}" if last["kind"] == "request" else ""
    return Place(row["service"], row["environment"], int(row["number"]), last["line"], request)
