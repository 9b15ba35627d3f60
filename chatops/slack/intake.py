"""Nothing acknowledged is lost: what Slack brings is committed before the ack, worked off after it, once.

A row of ``inbox`` is the fact. Its key is Slack's own id of the delivery, so a retry and a replay find it there; what a
double click means is for the work to say. Work is done at least once (a crash repeats it): what it asks for and decides
is kept under the row's key, and done once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chatops.adapters.metrics import Metrics
from chatops.kernel.background import Background
from chatops.kernel.errors import DatabaseAway
from chatops.kernel.ports import Clock, Database, Row, Tx
from chatops.kernel.replicas import ALONE, Replicas
from chatops.kernel.texts import whole

log = logging.getLogger(__name__)

ADD = """
INSERT INTO inbox (key, kind, body, received_at, done_at, tries, error, replica)
VALUES (:key, :kind, :body, :now, NULL, 1, '', :replica) ON CONFLICT (key) DO NOTHING
"""
DONE = "UPDATE inbox SET done_at = :now, error = :error WHERE key = :key AND done_at IS NULL"
WAITING = "SELECT key, kind, body, received_at, tries, replica FROM inbox WHERE done_at IS NULL ORDER BY received_at"
TRIED = """
UPDATE inbox SET tries = tries + 1, replica = :replica WHERE key = :key AND done_at IS NULL AND replica = :before
"""
PRUNE = """
DELETE FROM inbox WHERE key IN (
    SELECT key FROM inbox WHERE done_at IS NOT NULL AND done_at < :before ORDER BY done_at LIMIT :limit
)
"""

KEPT = 7 * 86400.0  # seconds a done row guards against a late repetition
AT_ONCE = 500  # rows deleted or taken up in one transaction, for others wait behind it
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before work is tried again whose end could not be stored
# Work begins in a lull, for Slack waits three seconds for an acknowledgement, and a card for the work behind it: what
# comes in together is acknowledged before the first of it is worked off.
LULL, LONGEST_LULL = 0.005, 0.05  # seconds without anything more, for each that waits and at most
LATEST = 1.0  # seconds after it came in, lull or not
FEW, BREATH = 4, 0.002  # begun together, so that more may come in; seconds until the next few
URGENT = frozenset({"incident", "page"})  # lines that wait for no others, such as those that look something up
MOST_TRIES = 5  # starts that a row may spoil before it is given up; a row that kills us must not do so for ever

WAITS = "what came in waits for a lull"
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened in Slack; ``again`` when its work was begun before, by an earlier run perhaps."""

    key: str
    kind: str
    body: Mapping[str, Any]
    received_at: float
    again: bool = False
    tries: int = 1  # starts that have begun it


# Both return CLOSED when the commit of the effect, or of what is told, has closed the row. Work raises DatabaseAway
# when nobody knows whether there was an effect: it is tried again until that is known, or the work tells the person
# instead.
Work = Callable[[Item], Awaitable[object]]
GaveUp = Callable[[Item, BaseException], Awaitable[object]]


def why(error: BaseException) -> str:
    """What the row says of work that failed."""
    return f"{type(error).__name__}: {error}"


def done(tx: Tx, key: str, now: float, error: str = "") -> None:
    """Marks a row as worked off; called in the transaction of its effect where there is one."""
    tx.run(DONE, key=key, now=now, error=error[:500])


def prune(tx: Tx, now: float) -> int:
    """Forgets rows that were done a week ago; returns how many, none when that was all."""
    return tx.run(PRUNE, before=now - KEPT, limit=AT_ONCE)


def _slot(item: Item) -> str:
    """Those of which so many are at work at once; a page is answered also while a cluster keeps all else waiting."""
    first, *_ = (*str(item.body.get("text") or "").casefold().split(maxsplit=1), "")
    return f"{item.kind} {first}" if first in URGENT else item.kind


def _waiting(tx: Tx) -> list[Row]:
    return tx.all(WAITING)


def _taken(tx: Tx, rows: Sequence[Row], me: int) -> set[str]:
    """The keys of those that nobody else was faster with."""
    return {
        str(row["key"])
        for row in rows
        if tx.run(TRIED, key=row["key"], replica=me, before=int(row["replica"])) == 1
    }  # fmt: skip


class Intake:
    """Commits what comes in and works it off with at most ``most`` of a kind at once.

    No vote, and nobody who acknowledges an incident, waits for slow lines.

    ``work`` gives the handler of each kind; ``gave_up`` tells the person when a handler raised.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        work: Mapping[str, Work],
        gave_up: GaveUp,
        metrics: Metrics,
        background: Background,
        most: int = 32,
        replicas: Replicas = ALONE,
    ) -> None:
        self._database = database
        self._replicas = replicas
        self._clock = clock
        self._work = work
        self._gave_up = gave_up
        self._metrics = metrics
        self._slots = defaultdict[str, asyncio.Semaphore](partial(asyncio.Semaphore, most))
        self._background = background
        self._coming: deque[tuple[float, Item]] = deque()  # since when, on the loop's clock; waiting for a lull
        self._last = 0.0  # when something came in last
        self._asleep: list[asyncio.Future[None]] = []  # pauses of what the database did not take
        self._at_work: set[str] = set()  # also what ended with a defect of ours: the next start tries it again
        self._opened = False

    async def open(self) -> None:
        """Starts on what an earlier run left over."""
        self._opened = True
        await self.look()

    async def look(self) -> None:
        """Starts on what nobody is at: left by an earlier run, or committed when nobody could say that it was."""
        left = await self._database.read(_waiting) if self._opened else []
        for begin in range(0, len(left), AT_ONCE):
            some = [row for row in left[begin : begin + AT_ONCE] if self._may_take(row)]
            keys, taken = {str(row["key"]) for row in some}, set[str]()
            self._at_work |= keys
            try:
                taken = await self._database.write(_taken, some, self._replicas.me) if some else set()
            finally:
                self._at_work -= keys - taken
            for row in some:
                if row["key"] in taken:
                    body, tries = json.loads(row["body"]), int(row["tries"]) + 1
                    item = Item(row["key"], row["kind"], body, row["received_at"], again=True, tries=tries)
                    self._background.spawn(self._do(item))

    def _may_take(self, row: Row) -> bool:
        """Asked just before it is taken: what came in since the look began is at work already."""
        key, whose = str(row["key"]), int(row["replica"])
        if key in self._at_work or not (whose == self._replicas.me or self._replicas.gone(whose)):
            return False
        if row["kind"] not in self._work:  # for a newer version than this one, which an upgrade brings
            log.warning("%s waits: this version does not know what %s is", key, row["kind"])
            return False
        return True

    async def accept(self, key: str, kind: str, body: Mapping[str, Any]) -> bool:
        """Commits a fact and starts on it; False when it was there before. Returns after the commit."""
        now, told = self._clock.now(), json.dumps(body, ensure_ascii=False)
        if (stored := whole(told)) != told:
            body = json.loads(stored)
        fresh = await self._database.write(self._add, Item(key, kind, body, now), stored)
        if not fresh:
            self._metrics.repeated.labels(kind).inc()
        return fresh

    def _add(self, tx: Tx, item: Item, body: str) -> bool:
        me = self._replicas.me
        fresh = tx.run(ADD, key=item.key, kind=item.kind, body=body, now=item.received_at, replica=me) == 1
        if fresh:  # by the commit and not by whoever waits for it: that one may have gone, or be told of a failure
            tx.after_commit(partial(self._begin, item))
        return fresh

    def _begin(self, item: Item) -> None:
        if item.key in self._at_work:  # a look may have been faster
            return
        self._at_work.add(item.key)
        for pause in self._asleep:  # the database is back, and what waits for it came first
            pause.cancel()
        self._last = asyncio.get_running_loop().time()
        self._coming.append((self._last, item))
        if len(self._coming) == 1:  # as long as there is something, somebody is at it
            self._background.spawn(self._begin_all(), name=WAITS)

    async def _begin_all(self) -> None:
        """A few at a time, so that it stops as soon as more comes in."""
        loop = asyncio.get_running_loop()
        while True:
            lull = min(LULL * len(self._coming), LONGEST_LULL)
            left = min(self._last + lull, self._coming[0][0] + LATEST) - loop.time()
            if left <= 0:
                for _ in range(min(FEW, len(self._coming))):
                    self._background.spawn(self._do(self._coming.popleft()[1]))
            if not self._coming:
                return
            await asyncio.sleep(max(left, BREATH))

    async def _do(self, item: Item) -> None:
        pause = FIRST_PAUSE
        while not await self._done_or_away(item):
            await self._sleep(pause)
            item, pause = replace(item, again=True), min(2 * pause, LONGEST_PAUSE)
        self._at_work.discard(item.key)

    async def _sleep(self, seconds: float) -> None:
        """Until it is time to try again, or something else could be saved."""
        pause = asyncio.ensure_future(self._clock.sleep(seconds))
        self._asleep.append(pause)
        try:
            await asyncio.wait({pause})
        finally:
            self._asleep.remove(pause)
            pause.cancel()

    async def _done_or_away(self, item: Item) -> bool:
        """False when the database did not take the work, or its end, or that it failed: nobody would hear of it."""
        async with self._slots[_slot(item)]:
            try:
                await self._done(item)
            except DatabaseAway as away:
                log.warning("%s %s waits: %s", item.kind, item.key, away.message)
                return False
            return True

    async def _done(self, item: Item) -> None:
        try:
            if item.tries > MOST_TRIES:
                raise RuntimeError(f"{item.kind} {item.key} was begun {MOST_TRIES} times and never ended")
            closed = await self._work[item.kind](item)
        except DatabaseAway:
            raise
        except Exception as error:
            await self._give_up(item, error)
            return
        if closed is not CLOSED:
            await self._database.write(done, item.key, self._clock.now())
        self._metrics.intake.labels(item.kind).observe(max(0.0, self._clock.now() - item.received_at))

    async def _give_up(self, item: Item, error: BaseException) -> None:
        """Tells the person, then closes the row; when a defect of ours keeps us from it, the next start tries again."""
        if await self._gave_up(item, error) is not CLOSED:
            await self._database.write(done, item.key, self._clock.now(), why(error))
