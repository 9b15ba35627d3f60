"""What people chose about being told, and the digest that some of them get once a day.

When a digest is due is a row, moved on in the transaction that sends it: it comes once, also after a restart. At an
hour that many chose they go out a few a minute, for each asks Slack about a person, and so do approvals. One that is
more than three hours late is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import time

from chatops.kernel.accidents import recorded
from chatops.kernel.action import Answer, RequestList
from chatops.kernel.people import Person, Standing
from chatops.kernel.ports import Clock, Database, Directory, Lane, Outbox, Post, Tx
from chatops.kernel.preferences import NONE, Preferences
from chatops.kernel.spans import zone_of
from chatops.kernel.weeks import moment_after
from chatops.requests.clicks import only_once
from chatops.requests.homes import HomePage

log = logging.getLogger(__name__)

LATEST = 3 * 3600.0  # seconds after its time in which a digest is still sent
LISTED = 10
AT_ONCE = 30  # digests a look: of the hundred people a minute about whom Slack can be asked, approvals need the rest

FIND = "SELECT body FROM preferences WHERE person_id = :person"
SAVE = """
INSERT INTO preferences (person_id, due_at, body) VALUES (:person, :due, :body)
ON CONFLICT (person_id) DO UPDATE SET due_at = excluded.due_at, body = excluded.body
"""
# Goes on after the last that was tried: those that stay due keep nobody behind them from theirs.
DUE = """
SELECT person_id, due_at FROM preferences
WHERE due_at > 0 AND due_at <= :now AND (due_at, person_id) > (:after, :person) ORDER BY due_at, person_id LIMIT :limit
"""
DONE = "UPDATE preferences SET due_at = :next WHERE person_id = :person AND due_at = :due"


def of(tx: Tx, person_id: str) -> Preferences:
    """What this person chose."""
    row = tx.one(FIND, person=person_id)
    return Preferences() if row is None else Preferences.model_validate_json(row["body"])


def quiet_until(tx: Tx, post: Post, now: float) -> float:
    """When a message may go out (epoch seconds), 0: now. What is for one person alone waits for the end of their quiet.

    Pages don't, nor what they wait for.
    """
    alone = post.person and not post.channel and not post.response_url
    if not alone or post.lane is Lane.PAGE or post.asked:
        return 0.0
    return of(tx, post.person).quiet_until(now)


@dataclass(slots=True)
class Wishes:
    """Implements ``kernel.preferences.Preferring``; ``look`` sends digests and may be called late, early or twice.

    ``home`` gives what App Home shows of a person.
    """

    database: Database
    outbox: Outbox
    directory: Directory
    home: Callable[[Person], Awaitable[HomePage]]
    clock: Clock
    _tried: tuple[float, str] = field(default=(0.0, ""))  # the last digest of the look before, while more are due

    async def of(self, person: Person) -> Preferences:
        """What this person chose."""
        return await self.database.read(of, person.id)

    async def choose(self, person: Person, chosen: Mapping[str, str], key: str = "") -> Preferences:
        """``kernel.preferences.Preferring.choose``."""
        return await self.database.write(self._choose, person, chosen, key)

    async def look(self) -> int:
        """Sends the digests that are due, and returns how many."""
        due = await self.database.read(_due, self.clock.now(), self._tried)
        self._tried = due[-1] if len(due) == AT_ONCE else (0.0, "")
        return sum([await self._digest(person, at) for at, person in due])

    def _choose(self, tx: Tx, person: Person, chosen: Mapping[str, str], key: str) -> Preferences:
        only_once(tx, key, self.clock.now())
        after = of(tx, person.id).model_copy(update={**chosen, "timezone": person.tz})
        tx.run(SAVE, person=person.id, due=self._next(after), body=after.model_dump_json())
        return after

    def _next(self, wanted: Preferences) -> float:
        if wanted.digest == NONE:
            return 0.0
        return moment_after(self.clock.now(), None, time.fromisoformat(wanted.digest), zone_of(wanted.timezone))

    async def _digest(self, person_id: str, due: float) -> int:
        """One digest; while it cannot be said what is in it, or whose it is, it stays due."""
        answer = None
        try:
            if self.clock.now() - due <= LATEST:
                person = await self.directory.person(person_id)
                if person.standing is Standing.UNKNOWN:
                    return 0
                answer = _said(await self.home(person)) if person.is_member else None
            return await self.database.write(self._send, person_id, due, answer)
        except Exception as error:  # whatever is wrong with one, the others get theirs
            recorded(log, error, f"making the daily digest of {person_id}")
            return 0

    def _send(self, tx: Tx, person_id: str, due: float, answer: Answer | None) -> int:
        """Together with the next time, so that it is sent once whoever else looks."""
        if not tx.run(DONE, person=person_id, due=due, next=self._next(of(tx, person_id))) or answer is None:
            return 0
        post = Post(f"daily/{person_id}/{round(due)}", Lane.NOTICE, "answer", person=person_id, content=asdict(answer))
        self.outbox.show(tx, post)
        return 1


def _due(tx: Tx, now: float, tried: tuple[float, str]) -> list[tuple[float, str]]:
    after, person = tried
    rows = tx.all(DUE, now=now, after=after, person=person, limit=AT_ONCE)
    return [(row["due_at"], row["person_id"]) for row in rows]


def _said(page: HomePage) -> Answer | None:
    """The day's digest; None when there is nothing to tell."""
    lists = (RequestList("Waiting for you", page.waiting[:LISTED]), RequestList("Yours", page.current[:LISTED]))
    shown = tuple(one for one in lists if one.rows)
    lines = tuple(line for part in (page.incidents, page.held) for line in part)
    if not shown and not lines:
        return None
    return Answer("Your day", lines, shown, context="`/platform preferences` says when this comes, and whether")
