"""The deploy ledger: one row for each change that was carried out, and what everyone is told about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from approvals.lifecycle import names
from approvals.request import Request, State
from chatops.kernel.catalog import Platform
from chatops.kernel.dora import MOST_CHANGES, Change
from chatops.kernel.ports import Configuration, Database, Deployed, Lane, Outbox, Post, Tx
from chatops.notices.aftermath import Over
from chatops.notices.between import VERSIONED
from chatops.notices.telling import News, Teller
from chatops.requests import preferences

log = logging.getLogger(__name__)

ADD = """
INSERT INTO ledger (request_id, action, service, environment, before, after, requested_by, approved_by, started_at,
                    ended_at, outcome, body)
VALUES (:request_id, :action, :service, :environment, :before, :after, :requested_by, :approved_by, :started_at,
        :ended_at, :outcome, '{}')
ON CONFLICT (request_id) DO NOTHING
"""
LAST = """
SELECT before, after, requested_by, ended_at, outcome, request_id IS NOT NULL AS own FROM ledger
WHERE service = :service AND environment = :environment AND action IN ('deploy', 'rollback')
ORDER BY id DESC LIMIT :limit
"""
# What runs longer back than a version's first mention is found by an index (service, after).
CHANGES = """
SELECT l.service, l.environment, l.action, l.before, l.after, l.started_at, l.ended_at, l.outcome,
       (SELECT min(COALESCE(r.created_at, f.started_at)) FROM ledger AS f LEFT JOIN requests AS r ON r.id = f.request_id
        WHERE f.service = l.service AND f.after = l.after AND f.action = 'deploy') AS first_at
FROM ledger AS l WHERE l.ended_at >= :since AND l.ended_at < :until AND l.action IN ('deploy', 'rollback')
ORDER BY l.ended_at DESC, l.id DESC LIMIT :limit
"""
CARRIED_OUT = frozenset({State.SUCCEEDED, State.FAILED, State.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class Entry:
    """One deploy as ``status`` tells it."""

    version: str
    by: str
    at: float
    outcome: str
    before: str
    own: bool


def _last(tx: Tx, service: str, environment: str, limit: int) -> list[Deployed]:
    rows = tx.all(LAST, service=service, environment=environment, limit=limit)
    return [
        Entry(row["after"], row["requested_by"], row["ended_at"], row["outcome"], row["before"], bool(row["own"]))
        for row in rows
    ]


def _latest(tx: Tx, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Deployed]:
    found = ((place, _last(tx, *place, 1)) for place in places)
    return {place: last[0] for place, last in found if last}


def _changes(tx: Tx, since: float, until: float) -> list[Change]:
    rows = tx.all(CHANGES, since=since, until=until, limit=MOST_CHANGES)
    names = ("service", "environment", "action", "before", "after", "started_at", "ended_at", "outcome")
    return [
        Change(**{name: row[name] for name in names}, first_at=row["first_at"] or row["started_at"])
        for row in reversed(rows)
    ]


def is_told(request: Request) -> bool:
    """Whether the deploys channel has a notice of it: what was carried out on a service."""
    return request.state in CARRIED_OUT and bool(request.started_at and request.service)


def notice(platform: Platform, request: Request) -> Post:
    """The one notice of a request, as the usual channel has it."""
    channel = platform.channel("deploys", request.environment, request.service)
    return Post(f"{request.name}/notice", Lane.NOTICE, "notice", str(request.id), channel=channel)


@dataclass(slots=True)
class DeployLedger:
    """Implements ``kernel.ports.Ledger`` and writes what it reads; ``over`` is told of each deploy that is over."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    teller: Teller
    over: Callable[[Tx, Over], None] = field(default=lambda tx, deploy: None)

    async def last(self, service: str, environment: str, limit: int = 5) -> list[Deployed]:
        """What was deployed there, newest first."""
        return await self.database.read(_last, service, environment, limit)

    async def latest(self, places: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Deployed]:
        """What was deployed last at each of these services and environments, where anything was."""
        return await self.database.read(_latest, list(places))

    async def changes(self, since: float, until: float) -> list[Change]:
        """The deploys and rollbacks that ended between two moments (epoch s), in order; the newest of too many."""
        found = await self.database.read(_changes, since, until)
        if len(found) >= MOST_CHANGES:
            begin = datetime.fromtimestamp(found[0].ended_at, UTC)
            log.warning("only the newest %d deploys are counted, those since %s", MOST_CHANGES, begin.isoformat())
        return found

    def ended(self, tx: Tx, request: Request) -> None:
        """Enters what was carried out, tells the deploys channel once, and the requester where they want to be told."""
        platform = self.configuration.platform
        if is_told(request):
            plan = request.plan
            tx.run(
                ADD, request_id=request.id, action=request.action, service=request.service,
                environment=request.environment, before=plan.before if plan else "", after=plan.after if plan else "",
                requested_by=request.requester_name, approved_by=names(request.votes, "and"),
                started_at=request.started_at, ended_at=request.ended_at, outcome=request.state.value,
            )  # fmt: skip
            self.teller.tell(tx, _news(platform, request))
            if request.action in VERSIONED and request.step != "writing":  # else nothing was written
                self.over(tx, _over(request))
        name, subject = f"{request.name}/end/{request.version}", str(request.id)
        if preferences.of(tx, request.requester_id).told == "dm":
            post = Post(name, Lane.ANSWER, "end", subject, person=request.requester_id)
        else:
            channel = platform.channel("requests", request.environment, request.service)
            post = Post(name, Lane.ANSWER, "end", subject, channel=channel, thread_of=request.name)
        self.outbox.show(tx, post)


def _news(platform: Platform, request: Request) -> News:
    plan, what = request.plan, request.title
    if plan is not None and request.action in VERSIONED:
        what = " → ".join(filter(None, (plan.before, plan.after)))
    elif plan is not None:
        what = f"{request.title} {plan.summary}"
    return News(
        "request", request.id, request.service, request.environment, notice(platform, request),
        f"{what} by {request.requester_name}", "well" if request.state is State.SUCCEEDED else "badly",
    )  # fmt: skip


def _over(request: Request) -> Over:
    title = request.plan.summary if request.plan else request.service
    return Over(
        "request", request.id, request.service, request.environment, title, request.started_at, request.ended_at
    )
