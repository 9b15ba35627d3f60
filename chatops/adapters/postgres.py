"""PostgreSQL: several threads, each with a connection and a transaction of its own.

Why a store that was written for one writer is right here: every write is SERIALIZABLE. PostgreSQL then guarantees that
what is committed is what some order, one after the other, would have given, the order that SQLite's one writer has;
whatever would not fit is refused and run again from its beginning, which a function of a transaction allows, for all
it does is in the transaction. So a compare-and-swap, "the newest row and one more" of an audit chain, and "look, then
insert" need no locks of their own. What was refused ``TRIES`` times runs alone and cannot be refused. Reads are
snapshots beside the writers.

The life of a write: ``write`` makes a job → a thread begins a transaction, which tells whether this process may still
write (``postgres_membership``) and counts in the thread's own row → the function → COMMIT → one call to the event loop
hands out the result. A connection that is lost before COMMIT left nothing behind: the function runs again on another
one. One that is lost during COMMIT is the one case in which we don't know; what the thread's row counts then tells.
(The number of the transaction would not: a server that crashed gives the numbers of what it lost to others.) Where
nobody can be asked for long, the caller hears that it is not known, and what waits for the commit is called once it is.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import psycopg

from chatops.adapters.jobs import Job, make
from chatops.adapters.postgres_membership import LEASE
from chatops.adapters.postgres_replicas import PostgresReplicas
from chatops.adapters.postgres_server import (
    ANSWER_WITHIN,
    BEGIN_READING,
    Address,
    Reading,
    Session,
    Writing,
    explained,
    trouble,
    unavailable,
)
from chatops.kernel.errors import DatabaseAway
from chatops.kernel.ports import Tx

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

TRIES = 4  # refused so often by what runs beside it, a function is run alone
LOST = 2  # connections that may be lost under one function
KEEP_EVERY = 5.0  # seconds between looks whether the database is still ours
FATE_WITHIN = 5.0  # seconds in which a COMMIT whose answer was lost is over
# LOCK comes before the snapshot is taken: who runs alone waits here for the others, and they for it. There is no row
# of ours any more once another replica has taken over.
_BEGIN = """
BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE _chatops_turn IN {mode} MODE;
UPDATE _chatops_writers SET number = number + 1 WHERE epoch = {epoch} AND writer = {writer} RETURNING number
"""
_BESIDE, _ALONE = "ROW SHARE", "EXCLUSIVE"
# FOR UPDATE waits for a transaction that the server is still committing.
_FATE = """
BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE _chatops_turn IN ROW SHARE MODE;
SELECT number FROM _chatops_writers WHERE epoch = {epoch} AND writer = {writer} FOR UPDATE
"""
_REFUSED = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_SAID_LOST = (psycopg.OperationalError, psycopg.InterfaceError)
# "cached plan must not change result type": a newer version has added a column meanwhile.
_OUTDATED = psycopg.errors.FeatureNotSupported


class Postgres:
    """``kernel.ports.Database`` on one database of a server, which other processes may share (``replicas``).

    ``queue`` bounds the writes that wait (further callers wait before they are queued), ``writers`` and ``readers`` the
    threads and connections; two more hold its ``lease`` (seconds) and hear of the others. ``on_commit_point`` is called
    on the writing thread with "before_commit NAME" and "after_commit NAME": where tests kill the process. Give it to
    one event loop.
    """

    def __init__(
        self, url: str, *, queue: int = 1024, writers: int = 4, readers: int = 3,
        lease: float = LEASE, on_commit_point: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self.address = Address(url)
        self.queued = 0  # writes handed over and not answered yet, for /metrics
        self.failing = False  # the server took nothing of what was to be saved last
        self.again = 0  # functions that were run again, for what ran beside them or a connection that was lost
        self._on_commit_point = on_commit_point
        self._room = asyncio.Semaphore(queue)
        self.replicas = PostgresReplicas(self.address, writers=writers, lease=lease)
        self._membership = self.replicas.membership
        self._local = threading.local()
        number = partial(self._number, itertools.count())
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="database-writer", initializer=number)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="database-reader")
        self._sessions: set[Session] = set()
        self._doubts: dict[int, _Doubt] = {}  # by the writer, which saves nothing more until it is known
        self._doubting = threading.Lock()
        self._open = False
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Postgres:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Reaches the database, joins who shares it and brings it up to date; raises as ``Membership.join``."""
        self._loop = asyncio.get_running_loop()
        await self.replicas.open()
        self._watching = asyncio.create_task(self._watch(), name="database")
        self._open = True

    async def close(self) -> None:
        """Finishes what is queued, refuses what comes later, and gives the database back; closing twice is fine."""
        if not self._open:
            return
        self._open = False
        for threads in (self._readers, self._writers):
            await asyncio.to_thread(threads.shutdown)
        assert self._watching is not None  # noqa: S101
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        for session in self._sessions:
            session.close()
        await self.replicas.close()

    async def write(self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``fn(tx, …)`` in a transaction of its own and returns its result after COMMIT.

        It may be run several times, of which one counts. Raises ``DatabaseAway`` when nothing could be saved. A caller
        that is cancelled before ``fn`` began prevents it; later, it runs to its end.
        """
        self._must_be_open()
        await self._room.acquire()
        if not self._open:
            self._room.release()
            self._must_be_open()
        job = Job(fn, args, kwargs, self._loop.create_future())
        self.queued += 1
        self._writers.submit(self._work, job)
        result: T = await job.future
        return result

    async def read(self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``fn(tx, …)`` on a read-only snapshot, not behind the writers; sees every write that was answered."""
        self._must_be_open()
        return await self._loop.run_in_executor(self._readers, self._look, lambda tx: fn(tx, *args, **kwargs))

    def _must_be_open(self) -> None:
        if not self._open:
            raise DatabaseAway("The database is closed.", hint="The assistant is stopping or has not started yet.")

    # On the event loop

    async def _watch(self) -> None:
        """Leaves a server that says nothing at all, and asks now and then what is not known."""
        learning: Future[None] | None = None
        while True:
            if self._doubts and self._open and (learning is None or learning.done()):
                learning = self._readers.submit(self._learn_all)
            for _ in range(int(KEEP_EVERY)):
                await asyncio.sleep(1)
                since = time.monotonic() - ANSWER_WITHIN - 5
                for session in list(self._sessions):
                    if 0 < session.asked_at < since:
                        session.cut()

    def _deliver(self, job: Job) -> None:
        self._room.release()
        self.queued -= 1
        job.answer(self._loop)

    # On a writing thread

    def _number(self, numbers: Iterator[int]) -> None:
        self._local.writer = next(numbers)

    def _work(self, job: Job) -> None:
        if not job.future.cancelled():
            try:
                self._persist(job)
                self.failing = False
            except BaseException as error:
                job.result, job.calls, job.error = None, (), _presentable(error)
                self.failing = self.failing or _unsaved(job.error)
        try:
            self._loop.call_soon_threadsafe(self._deliver, job)
        except RuntimeError:
            log.error("the event loop ended before the database was closed")

    def _persist(self, job: Job) -> None:
        """Runs the function until it is committed, or raises why it is not."""
        refused = lost = 0
        alone = False
        while True:
            try:
                self._once(job, alone)
                return
            except _Uncertain as uncertain:
                if self._committed(job, uncertain):
                    self._after(job)
                    return
                lost += 1
            except (*_REFUSED, psycopg.IntegrityError) as error:
                # Alone, a duplicate is one. Beside others it may be a row of which this transaction could not know.
                if alone:
                    raise
                refused += 1
                alone = refused >= TRIES or isinstance(error, psycopg.IntegrityError)
                if not alone:
                    time.sleep(random.uniform(0, 0.002 * 2**refused))  # noqa: S311 (not a secret)
            except _OUTDATED as error:
                self._renew(error)
                lost += 1
                if lost > LOST:
                    raise
            except _SAID_LOST:
                lost += 1
                if not self._session_lost() or lost > LOST:
                    raise
            self.again += 1

    def _once(self, job: Job, alone: bool) -> None:
        session = self._session()
        self._learn(session, self._local.writer)
        begin = _BEGIN.format(
            mode=_ALONE if alone else _BESIDE, epoch=self._membership.epoch, writer=self._local.writer
        )
        try:
            row = session.several(begin)
            if row is None:
                self._membership.lose()
            self._membership.check()
            number = int(row["number"]) if row else 0
            tx = Writing(session)
            job.result = job.fn(tx, *job.args, **job.kwargs)
            job.calls = tx.calls
            try:
                self._commit_point("before_commit", job)
            except Exception as error:
                raise unavailable(error, "Nothing was saved") from error
        except BaseException:
            _undo(session)
            raise
        try:
            session.several("COMMIT")
        except _SAID_LOST as error:
            if session.lost:
                raise _Uncertain(number) from error
            raise
        if session.said != "COMMIT":
            raise RuntimeError(f"{job.name} went on after a statement had failed: nothing was saved")
        self._after(job)

    def _after(self, job: Job) -> None:
        try:
            self._commit_point("after_commit", job)
        except Exception:  # it is saved: its caller must hear so, whatever the hook says
            log.exception("the hook after a commit failed")

    def _committed(self, job: Job, uncertain: _Uncertain) -> bool:
        """Whether a transaction is there whose COMMIT was not answered; raises when that cannot be found out."""
        end = time.monotonic() + FATE_WITHIN
        while True:
            with suppress(psycopg.Error):
                counted = self._counted(self._session(), self._local.writer)
                if counted is not None:
                    return counted == uncertain.number
            if time.monotonic() >= end:
                with self._doubting:
                    self._doubts[self._local.writer] = _Doubt(uncertain.number, job.calls)
                raise DatabaseAway(
                    "The connection to the database was lost while it was saving: it is not known whether it did.",
                    hint="Look before you do it again.",
                ) from uncertain.__cause__
            time.sleep(0.1)

    def _commit_point(self, point: str, job: Job) -> None:
        if self._on_commit_point is not None:
            self._on_commit_point(f"{point} {job.name}")

    # On a reading thread

    def _learn_all(self) -> None:
        with suppress(psycopg.Error):  # it is away still, and is asked again
            for writer in list(self._doubts):
                self._learn(self._session(), writer)

    def _look(self, fn: Callable[[Tx], T]) -> T:
        self._membership.check()
        for again in range(LOST, -1, -1):
            try:
                with explained(self.address):
                    session = self._session()
                    session.several(BEGIN_READING)
                    try:
                        found = fn(Reading(session))
                    except StopIteration as error:
                        raise _presentable(error) from error
                    finally:
                        _end(session)
                    return found
            except DatabaseAway:
                if not again or not self._session_lost():
                    raise
            except _OUTDATED as error:
                self._renew(error)
                if not again:
                    raise
        raise AssertionError("unreachable")

    # On either

    def _learn(self, session: Session, writer: int) -> None:
        """Asks what became of the transaction that the writer is in doubt of; raises ``psycopg.Error``."""
        doubt = self._doubts.get(writer)
        if doubt is None:
            return
        counted = self._counted(session, writer)
        with self._doubting:
            if self._doubts.get(writer) is not doubt:  # the other thread was faster
                return
            del self._doubts[writer]
        if counted == doubt.number:
            self._loop.call_soon_threadsafe(make, doubt.calls, self._loop)

    def _counted(self, session: Session, writer: int) -> int | None:
        """How much a writer of ours has saved; None once a successor has taken over. Raises ``psycopg.Error``."""
        try:
            row = session.several(_FATE.format(epoch=self._membership.epoch, writer=writer))
        finally:
            _end(session)
        return int(row["number"]) if row else None

    def _session(self) -> Session:
        """This thread's connection, a new one where it was lost."""
        session: Session | None = getattr(self._local, "session", None)
        if session is None or session.lost:
            if session is not None:
                self._sessions.discard(session)
                self._local.session = None
            session = self._local.session = Session(self.address)
            self._sessions.add(session)
        return session

    def _renew(self, error: psycopg.Error) -> None:
        """Leaves a connection whose prepared statements are older than the tables."""
        log.info("connecting anew: %s", error)
        self._session().close()

    def _session_lost(self) -> bool:
        """Whether this thread had a connection and it is gone: where there was none, the server is away."""
        session: Session | None = getattr(self._local, "session", None)
        return session is not None and session.lost


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What is called if a writer's transaction ``number`` turns out to be there."""

    number: int
    calls: Sequence[Callable[[], object]]


class _Uncertain(Exception):
    """The connection was lost during the COMMIT of this thread's transaction ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(f"transaction {number}")
        self.number = number


def _undo(session: Session) -> None:
    with suppress(psycopg.Error):  # a connection that is lost has nothing to undo
        session.several("ROLLBACK")


def _end(session: Session) -> None:
    """Of a read: COMMIT, for at a ROLLBACK psycopg forgets every statement that it has prepared."""
    with suppress(psycopg.Error):
        session.several("COMMIT")


def _unsaved(error: BaseException) -> bool:
    """Whether the server, and not the function or what ran beside it, kept something from being saved."""
    cause = error.__cause__
    return isinstance(error, DatabaseAway) and isinstance(cause, psycopg.Error) and not isinstance(cause, _REFUSED)


def _presentable(error: BaseException) -> BaseException:
    """What a future can carry: the server's trouble in our words, and no StopIteration, which futures refuse."""
    if isinstance(error, StopIteration):
        wrapped: BaseException = RuntimeError("a function of a transaction ran past the end of an iterator")
    elif isinstance(error, psycopg.Error) and trouble(error):
        wrapped = unavailable(error, "Nothing was saved")
    elif isinstance(error, _REFUSED):
        wrapped = DatabaseAway("Nothing was saved: others write to the database all the time.", hint="Try again.")
    else:
        return error
    wrapped.__cause__ = error
    return wrapped
