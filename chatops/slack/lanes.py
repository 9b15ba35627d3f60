"""Which message goes next, and when: queues that keep threads in order, and budgets that keep to Slack's limits.

Nothing here talks to Slack or the database. All times are the injected clock's.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from chatops.kernel.ports import Clock, Lane

PER_MINUTE = {2: 20, 3: 50, 4: 100}  # https://docs.slack.dev/apis/web-api/rate-limits
TIERS = {
    "chat.update": 3,
    "chat.postEphemeral": 4,
    "conversations.history": 3,
    "conversations.replies": 3,
    "conversations.join": 3,
    "conversations.open": 3,
    "conversations.list": 2,
}
POSTS_PER_MINUTE = 300  # "several hundred messages per minute" for the whole workspace, same page
# How much of a method's minute a lane may use: what is left over is there when a page has to go out.
SHARE = {Lane.PAGE: 1.0, Lane.APPROVAL: 0.9, Lane.ANSWER: 0.8, Lane.NOTICE: 0.6}
LONGEST_WAIT = {Lane.PAGE: 5.0, Lane.APPROVAL: 10.0, Lane.ANSWER: 20.0, Lane.NOTICE: 60.0}


def backoff(lane: Lane, failures: int, chance: float) -> float:
    """Seconds to wait after the n-th failure in a row: 0.5, 1, 2 … up to the lane's longest, ± a fifth by ``chance``.

    ``chance`` (0 to 1) spreads callers, so that they don't all come back at the same moment.
    """
    wait = 0.5 * 2.0 ** min(failures - 1, 16)
    return float(min(wait, LONGEST_WAIT[lane]) * (0.8 + 0.4 * chance))


async def pause(clock: Clock, changed: asyncio.Event, until: float) -> None:
    """Waits until the clock shows ``until`` (never, when infinite) or ``changed`` is set."""
    waits: list[asyncio.Task[Any]] = [asyncio.ensure_future(changed.wait())]
    if until < math.inf:
        waits.append(asyncio.ensure_future(clock.sleep(until - clock.now())))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class Closing(Exception):
    """The messenger stops: whoever waits for a turn does not get it any more."""


class Budget:
    """At most ``most`` calls in any ``per`` seconds; who waits is served by lane, then in order of arrival.

    ``taken``: when calls were made before, the oldest first.
    """

    def __init__(
        self, clock: Clock, most: int, per: float, *, shared: bool = True, taken: Iterable[float] = ()
    ) -> None:  # fmt: skip
        self._clock = clock
        self._most, self._per = most, per
        self._shares = SHARE if shared else dict.fromkeys(Lane, 1.0)
        self._taken = deque(taken)
        self._line: list[tuple[int, int]] = []
        self._number = count()
        self._changed = asyncio.Event()
        self._closed = False

    async def take(self, lane: Lane) -> bool:
        """Waits for a call's turn; whether it had to wait. Raises ``Closing``."""
        ticket = (int(lane), next(self._number))
        heapq.heappush(self._line, ticket)
        waited = False
        try:
            while not self._closed:
                at = self._free_at(lane) if self._line[0] == ticket else math.inf
                if at <= self._clock.now():
                    self._taken.append(self._clock.now())
                    return waited
                waited = True
                await pause(self._clock, self._changed, at)
            raise Closing
        finally:
            self._line.remove(ticket)
            heapq.heapify(self._line)
            self._wake()

    def close(self) -> None:
        """Sends everybody away who waits."""
        self._closed = True
        self._wake()

    @property
    def idle(self) -> bool:
        """Whether forgetting this budget changes nothing."""
        return not self._line and (not self._taken or self._taken[-1] + self._per <= self._clock.now())

    def _free_at(self, lane: Lane) -> float:
        now = self._clock.now()
        while self._taken and self._taken[0] + self._per <= now:
            self._taken.popleft()
        allowed = max(1, int(self._most * self._shares[lane]))
        return now if len(self._taken) < allowed else self._taken[len(self._taken) - allowed] + self._per

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


Posted = Callable[[str, int], Awaitable[Sequence[float]]]  # when the last few posts came to a channel, the oldest first


class Budgets:
    """Every budget and every Retry-After: one post a second and channel, the methods' tiers, and what Slack said."""

    def __init__(self, clock: Clock, *, burst: int = 1) -> None:
        self._clock = clock
        self._burst = burst
        self._channels: dict[str, Budget] = {}
        self._methods: dict[str, Budget] = {}
        self._held: dict[tuple[str, str], float] = {}
        self._posted: Posted | None = None
        self._alone_from = 0.0
        self._closing = asyncio.Event()

    def follow(self, posted: Posted) -> None:
        """From now on we post, and nobody else; what others posted a moment ago counts still."""
        self._posted, self._alone_from = posted, self._clock.now() + self._burst

    def close(self) -> None:
        """Nobody is admitted any more; calls under way are not touched."""
        self._closing.set()
        for budget in (*self._channels.values(), *self._methods.values()):
            budget.close()

    async def admit(self, method: str, channel: str, lane: Lane) -> bool:
        """Waits until ``method`` may be called for ``channel``; whether it had to wait. Raises ``Closing``."""
        waited = False
        if method == "chat.postMessage" and channel not in self._channels:
            await self._begin(channel)
        while True:
            while (until := self.held(method, channel)) > self._clock.now() and not self._closing.is_set():
                waited = True
                await pause(self._clock, self._closing, until)
            if self._closing.is_set():
                raise Closing
            self._held.pop((method, channel), None)
            for budget in self._budgets(method, channel):
                waited |= await budget.take(lane)
            if (method, channel) not in self._held:  # Slack may have said 429 to another call while this one waited
                return waited

    def held(self, method: str, channel: str) -> float:
        """Until when Slack wants no such call; a moment in the past when it may be made."""
        return self._held.get((method, channel), 0.0)

    def hold(self, method: str, channel: str, seconds: float) -> None:
        """Slack said 429: no call of this method for this channel before Retry-After is over."""
        key = (method, channel)
        self._held[key] = max(self._held.get(key, 0.0), self._clock.now() + seconds)

    def _budgets(self, method: str, channel: str) -> Iterator[Budget]:
        if method == "chat.postMessage":
            yield self._pace(channel)
        if method in TIERS or method == "chat.postMessage":
            if method not in self._methods:
                most = PER_MINUTE[TIERS[method]] if method in TIERS else POSTS_PER_MINUTE
                self._methods[method] = Budget(self._clock, most, 60.0)
            yield self._methods[method]

    async def _begin(self, channel: str) -> None:
        """Asks for what was posted there before us, while that counts."""
        if self._posted is not None and self._clock.now() < self._alone_from:
            posted = await self._posted(channel, self._burst)
            if channel not in self._channels:
                self._pace(channel, posted)

    def _pace(self, channel: str, posted: Sequence[float] = ()) -> Budget:
        if channel not in self._channels:
            if len(self._channels) > 1000:  # direct messages: one a person
                self._channels = {name: one for name, one in self._channels.items() if not one.idle}
            self._channels[channel] = Budget(self._clock, self._burst, float(self._burst), shared=False, taken=posted)
        return self._channels[channel]


@dataclass(slots=True)
class Job:
    """A post that Slack does not yet have as it is wanted."""

    id: str
    lane: Lane
    target: str  # what shares a queue: a channel, or a person
    thread: str  # what is kept in order: a thread's replies; a message that stands already is its own
    order: float
    new: bool = False  # it is yet to be posted in its channel
    parent: str = ""  # under which post
    ready_at: float = 0.0
    tries: int = 0
    unsure_at: float = 0.0  # when it last became unknown whether the post arrived
    calm: bool = False  # put off only because it was updated a moment ago
    busy: bool = False
    joined: bool = False  # its channel was joined for it
    picture_since: float = 0.0  # since when Slack does not have its picture ready
    bare: bool = False  # it goes out without its picture


@dataclass(slots=True)
class Queue:
    """The jobs of one lane for one target, worked off by one worker at a time; replies of a thread stay in order."""

    lane: Lane
    target: str
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0
    pause_until: float = 0.0
    no_posts_until: float = 0.0  # Slack takes no new ones here before: nobody is looked up only to hear so
    _threads: dict[str, deque[Job]] = field(default_factory=dict)
    _ready: list[tuple[float, str, str]] = field(default_factory=list)
    _later: list[tuple[float, str, str]] = field(default_factory=list)

    def add(self, job: Job) -> None:
        """Puts a job behind the others of its thread."""
        line = self._threads.setdefault(job.thread, deque())
        line.append(job)
        if line[0] is job:
            self._put(job)
        self.changed.set()

    def next(self, now: float) -> Job | None:
        """The oldest job that may be sent now; it stays the first of its thread until ``done``."""
        while self._later and self._later[0][0] <= now:
            _, thread, wanted = heapq.heappop(self._later)
            job = self._first(thread, wanted)
            if job is not None and job.ready_at <= now:
                heapq.heappush(self._ready, (job.order, thread, wanted))
        if now < self.pause_until:
            return None
        while self._ready:
            _, thread, wanted = heapq.heappop(self._ready)
            job = self._first(thread, wanted)
            if job is None or job.ready_at > now:  # an entry from before it was put off says nothing
                continue
            if not job.new or now >= self.no_posts_until:
                return job
            self.later(job, self.no_posts_until)
        return None

    def wait_until(self) -> float | None:
        """When to look again; None when there is nothing left to do."""
        if not self._threads:
            return None
        soonest = self._later[0][0] if self._later else math.inf
        if self._ready:
            soonest = min(soonest, self.pause_until)
        return max(soonest, self.pause_until) if soonest < math.inf else math.inf

    def later(self, job: Job, at: float) -> None:
        """Tries the job again at that time; the rest of its thread waits behind it."""
        job.ready_at = at
        self._put(job)

    def sooner(self, job: Job, at: float) -> None:
        """A job that was put off may go at ``at`` already."""
        if at < job.ready_at:
            job.ready_at = at
            if self._threads.get(job.thread, deque([job]))[0] is job:
                self._put(job)
        self.changed.set()

    def done(self, job: Job) -> None:
        """Takes the job out and lets the next of its thread come forward."""
        line = self._threads.get(job.thread)
        if line is None or job not in line:
            return
        first = line[0] is job
        line.remove(job)
        if not line:
            del self._threads[job.thread]
        elif first:
            self._put(line[0])

    def _put(self, job: Job) -> None:
        heapq.heappush(self._later, (job.ready_at, job.thread, job.id))

    def _first(self, thread: str, wanted: str) -> Job | None:
        line = self._threads.get(thread)
        return line[0] if line and line[0].id == wanted else None
