"""The messenger: keeps what stands in Slack equal to what the inner parts want to stand there.

``show`` writes a row in the caller's transaction; after its commit a job goes into the queue of its lane and target,
where one worker at a time delivers (``chatops.slack.delivery``). A restart finds unsent rows by a partial index. A
channel that is limited or refuses holds up only its own queues; a failing Slack makes each of them come back ever
more slowly, in order.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import SystemRandom

from slack_sdk.web.async_client import AsyncWebClient

from approvals import store
from chatops.kernel.accidents import recorded
from chatops.kernel.errors import Unavailable
from chatops.kernel.ports import Clock, Database, Lane, Post, Tx
from chatops.slack import posts
from chatops.slack.calls import Away, Caller, Hook
from chatops.slack.delivery import Behind, Delivery, Later, Reposted
from chatops.slack.lanes import Budgets, Closing, Job, Queue, backoff, pause
from chatops.slack.late import Late
from chatops.slack.posts import Wanted
from chatops.slack.standing import Outcome, Renderer, Standing
from chatops.slack.steady import SteadyClock

__all__ = ["Messenger", "Renderer"]

log = logging.getLogger(__name__)

_CHANCE = SystemRandom().random
TOGETHER = 50  # open requests whose messages are looked over at once
NO_LONGER = 5.0  # seconds until the next ones: a channel that takes nothing holds up no other
LOAD_AGAIN = 1.0  # seconds between tries to learn what is unsent
TRIES = 5  # of what fails by a defect of ours; Slack's and the database's absences are waited out


class Messenger:
    """``kernel.ports.Outbox`` over one Slack workspace.

    ``renderers`` by kind of post. Seconds: ``timeout`` of a call, ``settle`` before a post that is not found counts as
    not arrived, ``calm`` between two updates of one message that only show progress. ``burst`` posts may go to a
    channel at once before one a second holds. ``on_call`` hears of every call (see ``chatops.slack.calls``);
    ``outcome`` what became of each post the first time, in the transaction that notes it. Of several replicas one runs
    its messenger, so that they share Slack's limits; in the others ``elsewhere`` hears which post is wanted.
    ``unnoted`` hears, once this one has closed, of each post that may say something new in Slack of which its row does
    not know: its id, channel and ts.
    """

    def __init__(
        self,
        database: Database,
        client: AsyncWebClient,
        clock: Clock,
        renderers: Mapping[str, Renderer],
        *,
        timeout: float = 10.0,
        settle: float = 3.0,
        calm: float = 1.5,
        burst: int = 1,
        on_call: Hook | None = None,
        outcome: Outcome = lambda tx, post, error: None,
        chance: Callable[[], float] = _CHANCE,
        elsewhere: Callable[[str], object] = lambda post: None,
        unnoted: Callable[[str, str, str], object] = lambda post, channel, ts: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._steady = steady = SteadyClock(clock)
        self._chance = chance
        self._elsewhere, self._unnoted = elsewhere, unnoted
        caller = Caller(client, timeout=timeout, on_call=on_call)
        self._budgets = Budgets(steady, burst=burst)
        self._standing = Standing(database, clock, steady, renderers, calm=calm, outcome=outcome)
        self._delivery = Delivery(database, caller, clock, steady, self._budgets, self._standing, settle=settle)
        self.late = Late(database, caller, self._budgets, clock, self._want, settle)
        self._jobs: dict[str, Job] = {}
        self._wanted: dict[str, Wanted] = {}  # wanted anew while being delivered
        self._queues: dict[tuple[Lane, str], Queue] = {}
        self._behind: dict[str, list[Job]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._finished = asyncio.Event()  # a job has
        self._loaded = False
        self._workers: set[asyncio.Task[None]] = set()
        self._last_order = 0.0
        self._ordering = threading.Lock()

    def show(self, tx: Tx, post: Post) -> None:
        """Wants this post, or wants it updated when its id is known; in the caller's transaction."""
        with self._ordering:  # transactions may be under way on several threads
            # Strictly increasing, so that two notes of one transaction keep their order.
            self._last_order = order = max(self._clock.now(), self._last_order + 1e-6)
        tx.after_commit(partial(self._want, posts.show(tx, post, order)))

    async def run(self) -> None:
        """Delivers until ``close``; first what an earlier process left unsent. Raises what is a defect of its own."""
        if self._group is not None:
            raise RuntimeError("a messenger runs once")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._budgets.follow(self._posted)
                try:
                    await self._load()
                    await self._stopping.wait()
                finally:
                    # Before the group ends, also when run() is cancelled: a new worker would keep it from ending.
                    self._stopping.set()
                for queue in self._queues.values():
                    queue.changed.set()
        finally:
            self._stopped.set()

    async def close(self, grace: float = 3.0) -> None:
        """Lets calls under way come to their end for ``grace`` seconds, then gives up on them; rows keep the rest."""
        self._stopping.set()
        self._budgets.close()
        if self._group is None:
            return
        try:
            async with asyncio.timeout(grace):
                await self._stopped.wait()
        except TimeoutError:
            for worker in self._workers:
                worker.cancel()
            await self._stopped.wait()
        for post, (channel, ts) in self._standing.unnoted.items():
            self._unnoted(post, channel, ts)

    async def look(self) -> None:
        """Wants what is unsent and nobody brings: it may have been committed when nobody could say that it was."""
        for wanted in await self._database.read(posts.pending) if self._loaded else ():
            if wanted.id not in self._jobs:
                self._want(wanted)

    async def heard(self, post_id: str) -> None:
        """Another replica wants this post."""
        if self._group is not None and (wanted := await self._database.read(posts.wanted, post_id)):
            self._want(wanted)

    async def audit_cards(self) -> int:
        """Wants the messages of all open requests once more and returns how many; those that are right cost nothing.

        A few at a time: they are older than a card that is new now, which waits behind them.
        """
        numbers, found = await self._database.read(store.open_requests), 0
        for first in range(0, len(numbers), TOGETHER):
            cards = await self._database.read(_cards, numbers[first : first + TOGETHER])
            wanted = await self._database.write(self._audit, cards)
            found += len(wanted)
            with suppress(TimeoutError):
                async with asyncio.timeout(NO_LONGER):
                    await self._delivered(wanted)
        return found

    @property
    def settled(self) -> bool:
        """Whether Slack has everything that is wanted, or never will; not before the table was read."""
        return self._loaded and not self._jobs

    @property
    def waiting(self) -> int:
        """How many posts are not yet in Slack as they are wanted."""
        return len(self._jobs)

    def _audit(self, tx: Tx, cards: Sequence[str]) -> list[str]:
        found = posts.again(tx, cards)
        for wanted in found:
            tx.after_commit(partial(self._want, wanted))
        return [one.id for one in found]

    async def _delivered(self, ids: Sequence[str]) -> None:
        while not self._stopping.is_set() and any(one in self._jobs for one in ids):
            self._finished.clear()
            await self._finished.wait()

    async def _load(self) -> None:
        """Wants what is unsent, once the database can say what that is."""
        while not self._loaded and not self._stopping.is_set():
            try:
                for wanted in await self._database.read(posts.pending):
                    self._want(wanted)
                self._loaded = True
            except Unavailable as away:
                log.warning("what is unsent is not known yet: %s", away.message)
                await pause(self._steady, self._stopping, self._steady.now() + LOAD_AGAIN)

    async def _posted(self, channel: str, most: int) -> list[float]:
        """By our clock; Slack's may be ahead of it."""
        found = await self._database.read(posts.latest, channel, most)
        return [min(self._steady.at(moment), self._steady.now()) for moment in found]

    # Jobs and queues -----------------------------------------------------------------------------------------------

    def _want(self, wanted: Wanted) -> None:
        if self._group is None or self._stopping.is_set():
            self._elsewhere(wanted.id)  # and the row is enough: the next start finds it
            return
        job = self._jobs.get(wanted.id)
        if job is None:
            job = Job(wanted.id, wanted.lane, wanted.target, wanted.thread, wanted.order, wanted.new, wanted.parent)
            self._jobs[wanted.id] = job
            self._queue(job).add(job)
        elif job.busy:
            self._wanted[job.id] = wanted
        elif wanted.lane < job.lane:
            self._queue(job).done(job)
            job.lane, job.ready_at, job.calm = wanted.lane, 0.0, False
            self._queue(job).add(job)
        elif job.calm:
            self._queue(job).sooner(job, self._steady.now())

    def _queue(self, job: Job) -> Queue:
        """The queue a job belongs to; a new one gets a worker."""
        key = (job.lane, job.target)
        queue = self._queues.get(key)
        if queue is None:
            if self._group is None:
                raise RuntimeError("the messenger is not running")
            queue = self._queues[key] = Queue(job.lane, job.target)
            worker = self._group.create_task(self._work(key, queue), name=f"messenger {job.lane.name} {job.target}")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return queue

    async def _work(self, key: tuple[Lane, str], queue: Queue) -> None:
        while not self._stopping.is_set():
            queue.changed.clear()
            job = queue.next(self._steady.now())
            if job is not None:
                await self._one(queue, job)
                continue
            until = queue.wait_until()
            if until is None:
                break
            await pause(self._steady, queue.changed, until)
        del self._queues[key]

    async def _one(self, queue: Queue, job: Job) -> None:
        """Delivers one job and decides what becomes of it."""
        job.busy, job.calm = True, False
        try:
            verdict = self._behind_parent(job) or await self._delivery.deliver(job)
            queue.failures = 0
        except Closing:
            return  # before its call: the row keeps it for the next start
        except (Away, Unavailable) as away:
            verdict = await self._put_off(queue, job, str(away))
        except Exception as error:
            verdict = await self._defect(queue, job, error)
        job.busy = False
        if isinstance(verdict, Later):
            job.calm = verdict.calm
            if verdict.posts:
                queue.no_posts_until = verdict.at
            newer = self._wanted.pop(job.id, None)
            queue.later(job, verdict.at)
            if newer is not None:
                self._want(newer)
        elif isinstance(verdict, Behind | Reposted):
            parent = verdict.parent if isinstance(verdict, Behind) else verdict.parent.id
            queue.later(job, float("inf"))
            self._behind.setdefault(parent, []).append(job)
            if isinstance(verdict, Reposted):
                self._want(verdict.parent)
            elif parent not in self._jobs:
                await self._check_parent(queue, job, parent)
        else:
            self._finish(queue, job)

    def _behind_parent(self, job: Job) -> Behind | None:
        """Known without a look into the database: in a burst, thousands wait for their cards to be posted."""
        parent = self._jobs.get(job.parent)
        return Behind(parent.id) if parent is not None and parent.new else None

    def _finish(self, queue: Queue, job: Job) -> None:
        queue.done(job)
        del self._jobs[job.id]
        self._finished.set()
        for child in self._behind.pop(job.id, ()):
            self._queue(child).sooner(child, self._steady.now())
        newer = self._wanted.pop(job.id, None)
        if newer is not None:
            self._want(newer)

    async def _check_parent(self, queue: Queue, job: Job, parent: str) -> None:
        """The parent may have come to stand between the look and now: then nobody would wake this job."""
        try:
            stored = await self._database.read(posts.load, parent)
        except Unavailable as away:
            log.error("%s: %s", job.id, away.message)
            queue.sooner(job, self._steady.now() + 1.0)
            return
        if stored is not None and parent not in self._jobs and (stored.ts or stored.wanted <= stored.sent):
            queue.sooner(job, self._steady.now())

    # Failures ------------------------------------------------------------------------------------------------------

    async def _put_off(self, queue: Queue, job: Job, why: str) -> Later:
        """Slack or the database is away: the whole queue waits, longer each time."""
        now = self._steady.now()
        job.tries += 1
        queue.failures += 1
        queue.pause_until = now + backoff(queue.lane, queue.failures, self._chance())
        at = now + backoff(job.lane, job.tries, self._chance())
        log.log(logging.WARNING if queue.failures in (1, 10) else logging.DEBUG, "%s waits: %s", job.id, why)
        try:
            await self._database.write(posts.put_off, job.id, tries=job.tries, next_at=at, error=why[:500])
        except Exception as error:  # the row only tells operators about it; the job waits all the same
            log.error("%s: %s", job.id, error)
        return Later(at)

    async def _defect(self, queue: Queue, job: Job, error: Exception) -> Later | None:
        """Something of ours is wrong with this post: tried a few times, then recorded with the log's reference."""
        reference = recorded(log, error, f"delivering {job.id}")
        job.tries += 1
        if job.tries < TRIES:
            return Later(self._steady.now() + backoff(job.lane, job.tries, self._chance()))
        try:
            await self._standing.give_up_on(job.id, f"could not be delivered, reference {reference}")
        except Exception as worse:  # a worker that ended here would take all messages down with it
            log.error("%s could not be given up: %s", job.id, worse)
            return Later(self._steady.now() + backoff(job.lane, job.tries, self._chance()))
        return None


def _cards(tx: Tx, numbers: Sequence[int]) -> list[str]:
    """The posts with the buttons of these requests, as far as they are open still."""
    found = [one for one in (store.find(tx, number) for number in numbers) if one is not None]
    return [card for one in found for card in (one.name, f"{one.name}/approvers/{one.digest[:8]}")]
