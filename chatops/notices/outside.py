"""Deploys that other pipelines made: one message for each, brought up to date as it moves, and a line in the ledger.

The same deploy told by two senders is one: by the sender's own id, else by service, environment, version and time. What
the assistant deploys itself has a card, and is told by nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from approvals.store import holder
from chatops.kernel.catalog import Platform
from chatops.kernel.commits import Comparison, comparison
from chatops.kernel.deployed import OVER, STAGES, Deployed, Released
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Post, Row, Tx
from chatops.notices import releases
from chatops.notices.aftermath import Over
from chatops.notices.comparisons import Kind
from chatops.notices.telling import News, Teller
from chatops.requests.register import UNDER_WAY

TOGETHER = 3600.0  # seconds within which two senders speak of the same deploy
LATE = 60.0  # seconds that one sender tells later of what another has told
KEPT = 90 * 86400.0  # seconds; the ledger keeps them for ever

BY_KEY = """
SELECT outside.* FROM outside JOIN outside_keys ON outside_keys.deploy_id = outside.id
WHERE outside_keys.source = :source AND outside_keys.key = :key
"""
ALIKE = """
SELECT * FROM outside WHERE service = :service AND environment = :environment AND version = :version
AND changed_at >= :since ORDER BY id DESC LIMIT 1
"""
OURS = """
SELECT 1 AS found FROM ledger WHERE service = :service AND environment = :environment AND after = :version
AND request_id IS NOT NULL AND ended_at >= :since ORDER BY id DESC LIMIT 1
"""
NAMED = "SELECT 1 AS found FROM outside_keys WHERE deploy_id = :id AND source = :source"
BEFORE = "SELECT after FROM ledger WHERE service = :service AND environment = :environment ORDER BY id DESC LIMIT 1"
STANDING = "SELECT version FROM workloads WHERE service = :service AND environment = :environment"
INSERT = """
INSERT INTO outside (service, environment, version, before, stage, told_by, source, text, link, started_at, changed_at)
VALUES (:service, :environment, :version, :before, :stage, :told_by, :source, :text, :link, :at, :at) RETURNING *
"""
KEY = "INSERT INTO outside_keys (source, key, deploy_id) VALUES (:source, :key, :id) ON CONFLICT DO NOTHING"
MOVE = """
UPDATE outside SET stage = :stage, changed_at = :at, ended_at = :ended, told_by = :told_by, source = :source,
    text = :text, link = :link, started_at = :started WHERE id = :id RETURNING *
"""
LEDGER = """
INSERT INTO ledger (request_id, action, service, environment, before, after, requested_by, approved_by, started_at,
                    ended_at, outcome, body)
VALUES (NULL, 'deploy', :service, :environment, :before, :version, :told_by, '', :started_at, :ended_at, :stage, :body)
"""
AGAIN = "UPDATE ledger SET outcome = :stage, ended_at = :ended_at WHERE request_id IS NULL AND body = :body"
FIND = "SELECT * FROM outside WHERE id = :id"
PRUNE = """
DELETE FROM outside WHERE id IN (SELECT id FROM outside WHERE changed_at < :before ORDER BY changed_at LIMIT 500)
"""


@dataclass(frozen=True, slots=True)
class Outside:
    """One deploy as it is told. Times: epoch seconds."""

    id: int
    service: str
    environment: str
    version: str
    before: str
    stage: str
    by: str
    source: str  # GitHub; of two senders both
    text: str
    link: str
    started_at: float
    changed_at: float


class Wanted(Protocol):
    """What is asked of GitHub beside."""

    def want(self, tx: Tx, asked: Comparison | None, kind: Kind, subject: int) -> None:
        """Wants to know the commits between, for the message about a deploy."""
        ...

    def failed(
        self, tx: Tx, kind: Kind, subject: int, asked: Comparison | None, login: str, place: tuple[str, str]
    ) -> None:
        """A deploy failed: whose commits they were is to be mentioned."""
        ...


def find(tx: Tx, number: int) -> Outside | None:
    """One deploy, None when it was forgotten."""
    row = tx.one(FIND, id=number)
    return _read(row) if row is not None else None


def is_told(tx: Tx, service: str, environment: str, version: str, since: float) -> bool:
    """Whether another pipeline has told of this deploy itself."""
    return tx.one(ALIKE, service=service, environment=environment, version=version, since=since) is not None


def message(platform: Platform, number: int, service: str, environment: str) -> Post:
    """The one message about a deploy, as the usual channel has it."""
    channel = platform.channel("deploys", environment, service)
    return Post(f"outside/{number}", Lane.NOTICE, "outside", str(number), channel=channel)


def prune(tx: Tx, now: float) -> int:
    """Forgets what moved long ago; how many."""
    return tx.run(PRUNE, before=now - KEPT)


@dataclass(slots=True)
class OutsideDeploys:
    """Takes in what is told; returns after the commit. ``over`` is told of each deploy that is over."""

    database: Database
    configuration: Configuration
    clock: Clock
    commits: Wanted
    teller: Teller
    over: Callable[[Tx, Over], None] = field(default=lambda tx, deploy: None)

    async def take(self, told: Deployed | Released) -> str:
        """What became of it: ``told``, ``known`` (nothing new) or ``ours``; of a release ``kept`` or ``removed``."""
        if isinstance(told, Released):
            return await self.database.write(releases.keep, told, self.clock.now())
        return await self.database.write(self._take, told)

    def _take(self, tx: Tx, told: Deployed) -> str:
        now = self.clock.now()
        at = min(told.at, now) if told.at else now  # a sender whose clock is ahead does not tell of the future
        place = {"service": told.service, "environment": told.environment, "version": told.version}
        row = tx.one(BY_KEY, source=told.source, key=told.key) if told.key else None
        row = row or _alike(tx, told, at)
        if row is None:
            if self._is_ours(tx, told, at):
                return "ours"
            before = told.before or _last(tx, told)
            row = tx.one(
                INSERT, **place, before=before, stage=told.stage, told_by=told.by, source=told.source, text=told.text,
                link=told.link, at=at,
            )  # fmt: skip
        elif not _is_news(row, told, at):
            if told.key:
                tx.run(KEY, source=told.source, key=told.key, id=row["id"])
            return "known"
        if row is None:
            raise TypeError("an insert that returns gives a row")
        self._move(tx, row, told, at)
        return "told"

    def _is_ours(self, tx: Tx, told: Deployed, at: float) -> bool:
        if tx.one(OURS, service=told.service, environment=told.environment, version=told.version, since=at - TOGETHER):
            return True
        held = holder(tx, told.service, told.environment)
        return held is not None and held.state in UNDER_WAY and held.inputs.get("version") == told.version

    def _move(self, tx: Tx, row: Row, told: Deployed, at: float) -> None:
        over, was_over = told.stage in OVER, row["stage"] in OVER and row["ended_at"] > 0
        both = row["source"] if told.source in row["source"].split(", ") else f"{row['source']}, {told.source}"
        moved = tx.one(
            MOVE, id=row["id"], stage=told.stage, at=max(at, row["changed_at"]), ended=at if over else 0.0,
            told_by=row["told_by"] or told.by, source=both[:200], text=told.text or row["text"],
            link=told.link or row["link"], started=min(at, row["started_at"]),
        )  # fmt: skip
        if moved is None:
            raise TypeError("an update that returns gives a row")
        if told.key:
            tx.run(KEY, source=told.source, key=told.key, id=row["id"])
        if over:
            body = f'{{"outside": {row["id"]}}}'
            values = {"stage": told.stage, "ended_at": at, "body": body}
            if not was_over:
                names = ("service", "environment", "before", "version", "told_by", "started_at")
                tx.run(LEDGER, **values, **{name: moved[name] for name in names})
                self.over(tx, _over(moved))
            else:
                tx.run(AGAIN, **values)
        number, platform = int(row["id"]), self.configuration.platform
        asked = comparison(platform, told.service, row["before"], told.version)
        self.commits.want(tx, asked, "outside", number)
        if told.stage == "failed":
            self.commits.failed(tx, "outside", number, asked, told.login, (told.service, told.environment))
        self.teller.tell(tx, _news(platform, moved))


def _news(platform: Platform, moved: Row) -> News:
    number, stage = int(moved["id"]), moved["stage"]
    by = moved["told_by"] or moved["source"]
    return News(
        "outside", number, moved["service"], moved["environment"],
        message(platform, number, moved["service"], moved["environment"]),
        f"{' → '.join(filter(None, (moved['before'], moved['version'])))} by {by}",
        "well" if stage == "succeeded" else "badly" if stage in OVER else "under way",
    )  # fmt: skip


def _over(moved: Row) -> Over:
    versions = " → ".join(filter(None, (moved["before"], moved["version"])))
    return Over(
        "outside", int(moved["id"]), moved["service"], moved["environment"], f"{moved['service']} {versions}",
        moved["started_at"], moved["ended_at"],
    )  # fmt: skip


def _alike(tx: Tx, told: Deployed, at: float) -> Row | None:
    """The same deploy as another sender tells it; one that was over before this began is another."""
    row = tx.one(ALIKE, service=told.service, environment=told.environment, version=told.version, since=at - TOGETHER)
    if row is None or (told.key and tx.one(NAMED, id=row["id"], source=told.source)):
        return None
    begins_anew = row["stage"] in OVER and told.stage not in OVER and at > row["ended_at"] + LATE
    return None if begins_anew else row


def _is_news(row: Row, told: Deployed, at: float) -> bool:
    """Whether it moves on: what comes late or twice changes nothing."""
    if row["stage"] in OVER:
        return told.stage in OVER and told.stage != row["stage"] and at > row["changed_at"]
    return STAGES.index(told.stage) > STAGES.index(row["stage"])


def _last(tx: Tx, told: Deployed) -> str:
    """The version before: the ledger's newest, else what was last seen in the cluster; empty: not known."""
    place = {"service": told.service, "environment": told.environment}
    row = tx.one(BEFORE, **place)
    if row is None:
        seen = tx.one(STANDING, **place)
        before = str(seen["version"]) if seen is not None else ""
    else:
        before = str(row["after"])
    return before if before != told.version else ""


def _read(row: Row) -> Outside:
    return Outside(
        id=int(row["id"]), service=row["service"], environment=row["environment"], version=row["version"],
        before=row["before"], stage=row["stage"], by=row["told_by"], source=row["source"], text=row["text"],
        link=row["link"], started_at=row["started_at"], changed_at=row["changed_at"],
    )  # fmt: skip
