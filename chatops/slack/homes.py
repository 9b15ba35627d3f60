"""App Home: what waits for this person first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.background import Background
from chatops.kernel.errors import PlatformError, Unavailable
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Database, Directory, Lane, Row, Tx
from chatops.requests.health import Health
from chatops.slack import errors
from chatops.slack.lanes import Budget, Closing
from chatops.slack.ports import Road
from chatops.slack.views.blocks import section
from chatops.slack.views.home import home

log = logging.getLogger(__name__)


PAUSE = 2.0  # seconds between a change and the home that shows it, and between two of them
OPEN_FOR = 8 * 3600.0  # seconds after it was opened in which somebody may still look at it
ROUGHLY = 600.0  # seconds in which those who open theirs again and again, or click there, are written down once
MOST_OPEN = 2000
# Slack takes a hundred a minute (https://docs.slack.dev/reference/methods/views.publish, tier 4): some are left for
# whoever opens theirs.
A_MINUTE = 100
LATEST = 30  # of those open at a start that are made anew: whoever opened theirs last may look at it still

KEEP = """
INSERT INTO homes (person_id, opened_at, body) VALUES (:person, :at, :body)
ON CONFLICT (person_id) DO UPDATE SET opened_at = excluded.opened_at, body = excluded.body
"""
OPEN = "SELECT person_id, opened_at, body FROM homes WHERE opened_at > :since ORDER BY opened_at DESC LIMIT :most"
PRUNE = """
DELETE FROM homes WHERE person_id IN (
    SELECT person_id FROM homes WHERE opened_at <= :before ORDER BY opened_at LIMIT 500
)
"""


@dataclass(slots=True)
class Homes:
    """Publishes App Homes; of them nothing is kept but who has opened theirs."""

    client: AsyncWebClient
    road: Road
    directory: Directory
    database: Database
    health: Health
    clock: Clock
    background: Background = field(default_factory=Background)
    _opened: dict[str, float] = field(default_factory=dict)  # the latest last
    _people: dict[str, Person] = field(default_factory=dict)  # who those are
    _changed: set[str] = field(default_factory=set)
    _unlooked: set[str] = field(default_factory=set)  # whose homes were made when nobody had looked at some cluster
    _budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        """All homes share what Slack takes."""
        self._budget = Budget(self.clock, A_MINUTE, 60.0)

    async def open(self) -> None:
        """Takes up the homes that were opened in an earlier run, or while another replica showed them."""
        rows = await self.database.read(_open, self.clock.now())
        for row in rows:
            if row["opened_at"] <= self._opened.get(row["person_id"], 0.0):
                continue
            self._opened[row["person_id"]] = row["opened_at"]
            try:
                self._people[row["person_id"]] = Person.model_validate_json(row["body"])
            except ValidationError:  # of another version: what names them is shown all the same
                continue
        self._opened = dict(sorted(self._opened.items(), key=lambda one: one[1]))
        self._unlooked.update(row["person_id"] for row in rows[:LATEST])

    async def close(self) -> None:
        """Shows nothing any more."""
        self._budget.close()
        await self.background.close()

    async def show(self, user_id: str) -> None:
        """Publishes the home of who opened it, and keeps it up to date for some hours."""
        now = self.clock.now()
        if anew := now - self._opened.get(user_id, -OPEN_FOR) >= ROUGHLY:
            self._opened.pop(user_id, None)
            self._opened[user_id] = now
        if len(self._opened) > MOST_OPEN:
            oldest = next(iter(self._opened))
            del self._opened[oldest]
            self._people.pop(oldest, None)
            self._unlooked.discard(oldest)
        await self._publish(user_id, Lane.PAGE)
        if user_id in self._unlooked:
            self.background.spawn(self.health.look(), key="look")
        if anew and user_id in self._people:
            self.background.spawn(self._keep(self._people[user_id], now))

    @property
    def watched(self) -> bool:
        """Whether anybody has opened theirs."""
        return bool(self._people)

    def changed(self, users: Iterable[str]) -> None:
        """Something that these people's homes show has changed: those that may be open are published anew, shortly."""
        for user in set(users):
            if self.clock.now() - self._opened.get(user, -OPEN_FOR) < OPEN_FOR:
                self._changed.add(user)
                self.background.spawn(self._refresh(user), key=user)

    def concerns(self, whom: Callable[[Person], bool]) -> None:
        """The same for whoever it concerns among those whose home may be open."""
        self.changed(user for user, person in list(self._people.items()) if whom(person))

    def looked(self) -> None:
        """Somebody has looked at a cluster of which nothing was known: homes made until now are made anew, shortly."""
        self.changed(self._unlooked)
        self._unlooked.clear()

    async def _keep(self, person: Person, at: float) -> None:
        try:
            await self.database.write(_keep, person, at)
        except Unavailable as away:
            log.warning("that App Home is open will be forgotten: %s", away.message)

    async def _refresh(self, user: str) -> None:
        while user in self._changed:
            await self.clock.sleep(PAUSE)
            self._changed.discard(user)
            if again := await self._publish(user, Lane.NOTICE):
                await self.clock.sleep(again)
                self._changed.add(user)

    async def _publish(self, user_id: str, lane: Lane) -> float:
        """A stranger's says why it is empty. Returns after how many seconds Slack wants to be asked again, or 0."""
        try:
            await self._budget.take(lane)
        except Closing:
            return 0.0
        person = await self.directory.person(user_id)
        if user_id in self._opened:
            self._people[user_id] = person
        if person.teams and self.health.unknown:  # asked before the page is made: what is seen meanwhile is told
            self._unlooked.add(user_id)
        try:
            page = await self.road.home(person=person)
        except PlatformError as no:
            view = {"type": "home", "blocks": [section(line) for line in errors.said_lines(no)]}
        else:
            now = self.clock.now()
            view = home(
                waiting=page.waiting, mine=page.mine, buttons=page.buttons, now=now, paused=page.paused,
                incidents=page.incidents, oncall=page.oncall, held=page.held, services=page.services,
                scheduled=page.scheduled, current=page.current, wishes=page.wishes, change=page.change,
            )  # fmt: skip
        try:
            await self.client.views_publish(user_id=user_id, view=view)
        except SlackApiError as error:
            if error.response.get("error") == "ratelimited":
                return float(error.response.headers.get("Retry-After", 30))
            log.warning("views.publish: %s", error.response.get("error"))
        except errors.AWAY as error:
            log.warning("views.publish: %s", type(error).__name__)
        return 0.0


def _keep(tx: Tx, person: Person, at: float) -> None:
    tx.run(KEEP, person=person.id, at=at, body=person.model_dump_json())


def _open(tx: Tx, now: float) -> list[Row]:
    return tx.all(OPEN, since=now - OPEN_FOR, most=MOST_OPEN)


def prune(tx: Tx, now: float) -> int:
    """Forgets who opened theirs so long ago that nobody looks at it any more; how many."""
    return tx.run(PRUNE, before=now - OPEN_FOR)
