"""The real stores with the real road, engine and clicks on them; only time, people and plans are as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings

from approvals import store
from approvals.request import Approver, Request
from chatops.adapters import databases
from chatops.kernel import audit
from chatops.kernel.catalog import Channels, Environment, Group, Platform, Service, Team
from chatops.kernel.errors import Refused
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import Ask, Change, Decision, ObjectRef, Plan, Write, digest
from chatops.kernel.ports import Database, Post, Row, Tx
from chatops.requests.deadlines import Deadlines
from chatops.requests.engine import Engine
from chatops.requests.planning import Made
from chatops.requests.register import Register
from chatops.requests.reviews import ask as ask_review
from chatops.requests.road import Road
from chatops.requests.run import Runner
from chatops.slack import posts
from tests.support.clock import START
from tests.support.thoroughness import EVERYTHING


def member(name: str, *groups: str, id: str = "", **given: Any) -> Person:
    """A full member of the home workspace."""
    mail, teams = f"{name.lower()}@acme.test", given.pop("teams", ())
    given = {"standing": Standing.MEMBER, "email": mail, **given}
    return Person(id=id or f"U0{name.upper()}", name=name, groups=groups, teams=teams, **given)


DANA, OLU = member("Dana", "oncall"), member("Olu", "oncall", teams=("shop",))
DANA_TOO = member("Dana", "leads", "oncall", id="U0DANATOO")  # her second account, and a lead's at that
LEE, SAM = member("Lee", "leads"), member("Sam", "leads", "security")
GUS = member("Gus", "leads", standing=Standing.GUEST)
PEOPLE = {one.id: one for one in (DANA, DANA_TOO, OLU, LEE, SAM, GUS)}

PLATFORM = Platform(
    channels=Channels(requests="platform-requests", deploys="deploys", incidents="incidents"),
    environments={"production": Environment(name="production", tier="production", namespace="shop")},
    groups={name: Group(name=name) for name in ("leads", "security", "oncall")},
    teams={"shop": Team(name="shop", members=("olu@acme.test",), leads=("lee@acme.test",))},
    services={name: Service(name=name, team="shop") for name in ("checkout", "cart")},
    digest="c0ffee",
)


@dataclass
class Fixed:
    """The configuration of a test."""

    platform: Platform = PLATFORM


class StillClock:
    """Time that the test moves; nobody may wait for it."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody sleeps here, and somebody wanted to for {seconds} s")


class Board:
    """``kernel.ports.Outbox``: keeps what should stand in Slack in the real table, and sends nothing."""

    def __init__(self) -> None:
        self.order = START

    def show(self, tx: Tx, post: Post) -> None:
        self.order += 1e-6
        posts.show(tx, post, self.order)


class People:
    """``kernel.ports.Directory`` that knows these people."""

    async def person(self, user_id: str, team_id: str = "") -> Person:
        return PEOPLE[user_id]

    def known(self, user_id: str, team_id: str = "") -> Person | None:
        return PEOPLE[user_id]

    async def members(self, source: str, team: str = "") -> tuple[Person, ...]:
        kind, _, name = source.partition(":")
        if kind == "user":
            return tuple(one for one in PEOPLE.values() if one.is_named(name))
        leads = PLATFORM.teams[team].leads if source == "team-leads" and team in PLATFORM.teams else ()
        return tuple(one for one in PEOPLE.values() if name in one.groups or any(map(one.is_named, leads)))

    def unsaid(self, source: str, team: str = "") -> tuple[str, ...]:
        return ()


ONE_LEAD = (Ask(rule="a lead", approvals=1, sources=("group:leads",), expires=3600.0),)
TWO = (*ONE_LEAD, Ask(rule="security", approvals=1, sources=("group:security",), expires=7200.0))
TWO_LEADS = (Ask(rule="leads", approvals=2, sources=("group:leads",), expires=3600.0),)


CHECKOUT = ObjectRef(kind="Deployment", namespace="shop", name="checkout")


def plan(version: str = "1.4.2") -> Plan:
    """A plan that sets an image: 1.4.1 runs already, and 1.5.0 is rolled back when it fails."""
    changes = (Change(object="Deployment/checkout", field="image", before="1.4.1", after=version),)
    undo = (Write(ref=CHECKOUT, manager="chatops-deploy", body={"image": "1.4.1"}),) if version == "1.5.0" else ()
    changes = () if version == "1.4.1" else changes
    return Plan(summary=f"checkout 1.4.1 → {version}", changes=changes, now="1.4.1", undo=undo)


def made(
    outcome: str, asks: Sequence[Ask] = (), version: str = "1.4.2", approvers: Sequence[Person] = (), **decided: Any
) -> Made:
    """What a planning comes to."""
    denial = {"denial": "Production is frozen."} if outcome == "deny" else {}
    decision = Decision.model_validate({"outcome": outcome, "asks": tuple(asks), **denial, **decided})
    wanted = {source for ask in asks for source in ask.sources}
    found = tuple(
        Approver(id=one.id, name=one.name, email=one.email, sources=given)
        for one in approvers or (LEE, SAM)
        if (given := tuple(sorted(wanted & {f"group:{group}" for group in one.groups})))
    )
    return Made(plan(version), decision, digest("deploy", {"service": "checkout"}, plan(version), decision), found)


class Plans:
    """In the planner's place: makes what the test says, or raises it."""

    def __init__(self, clock: StillClock, configuration: Fixed) -> None:
        self.clock, self.configuration = clock, configuration
        self.next: Made | Exception = Refused("nobody said what to plan")

    async def make(self, request: Request) -> Made:
        if isinstance(self.next, Exception):
            raise self.next
        return self.next


@dataclass
class Office:
    """What a test holds; ``database`` may be one that hands every transaction to the test."""

    database: Any
    clock: StillClock = field(default_factory=StillClock)
    board: Board = field(default_factory=Board)
    configuration: Fixed = field(default_factory=Fixed)
    ended: list[int] = field(default_factory=list)  # the requests that were told to have ended

    def __post_init__(self) -> None:
        database, clock, nobody = self.database, self.clock, Any
        self.people = People()
        self.plans: Any = Plans(clock, self.configuration)
        self.register = Register(self.board, self.configuration, clock, self._ended, ask_review)
        self.road = Road(
            {}, database, self.register, self.plans, nobody, self.configuration, self.people, clock
        )  # fmt: skip
        self.runner = Runner({}, database, self.register, self.plans, clock, nobody)
        self.engine = Engine(database, self.register, self.plans, self.runner, nobody, clock)
        self.deadlines = Deadlines(database, self.register, clock)

    def _ended(self, tx: Tx, request: Request) -> None:
        self.ended.append(request.id)

    def wish(self, person: Person = DANA, service: str = "checkout", **given: Any) -> Request:
        """A request that is yet to be asked."""
        at = self.clock.now()
        return Request(
            id=0, action="deploy", title="Deploy", inputs={"service": service, "version": "1.4.2"}, service=service,
            environment="production", tier="production", requester_id=person.id, requester_name=person.name,
            requester_email=person.email, created_at=at, updated_at=at, **given,
        )  # fmt: skip

    def ask(self, tx: Tx, key: str, request: Request) -> int:
        """Takes a request in; the same key again gives the same."""
        return self.road._ask(tx, request, key).id


def clear(tx: Tx) -> None:
    """Nothing was ever asked, decided, told or said."""
    for table in TABLES:
        tx.run(f"DELETE FROM {table}")


TABLES = (
    "votes", "requests", "posts", "inbox", "audit", "audit_heads", "audit_seals", "paging", "alerts", "rooms",
    "incidents",
)  # fmt: skip


def trail(tx: Tx, chain: str) -> list[tuple[str, str]]:
    """Who did what, by a chain of the audit trail; raises when it does not verify."""
    rows = tx.all("SELECT * FROM audit WHERE chain = :chain ORDER BY seq", chain=chain)
    head = tx.one("SELECT * FROM audit_heads WHERE chain = :chain", chain=chain)
    bad = audit.verify_chain(rows, head)
    assert bad is None, bad
    return [(str(row["who"]), str(row["what"])) for row in rows]


def find(tx: Tx, number: int) -> Request:
    """The stored request."""
    return store.load(tx, number)


def wanted(tx: Tx, post: str) -> Row | None:
    """The row of a message that should stand."""
    return tx.one("SELECT * FROM posts WHERE id = :id", id=post)


def thoroughness(examples: int, steps: int) -> settings:
    """How much a machine tries: all of it in ``make fire``, a few short examples, always the same, in ``make test``."""
    few = settings(max_examples=4, stateful_step_count=20)
    return settings(max_examples=examples, stateful_step_count=steps) if EVERYTHING else few


Run = Callable[[Awaitable[Any]], Any]


@contextmanager
def opened(name: str) -> Iterator[tuple[Database, Run]]:
    """A database and what runs something on its event loop; a test without a loop of its own holds it open."""
    with asyncio.Runner() as runner:
        database = databases.database(name)

        async def awaited(work: Awaitable[Any]) -> Any:
            return await work

        def run(work: Awaitable[Any]) -> Any:
            return runner.run(awaited(work))

        run(database.__aenter__())
        try:
            yield database, run
        finally:
            run(database.__aexit__(None, None, None))


def told(answer: Any) -> str:
    """What somebody was told: a sentence, or why not."""
    return answer if isinstance(answer, str) else str(getattr(answer, "message", answer))


def rows(tx: Tx, sql: str, **values: Any) -> list[Mapping[str, Any]]:
    """Rows as plain mappings."""
    return [dict(row) for row in tx.all(sql, **values)]
