"""The embedded database: one thread writes and commits waiting work together, others read beside it.

The life of a write: ``write`` makes a job → the jobs that come in one after the other go on the queue together →
the writer thread takes all that wait, runs each in a savepoint of its own, commits once → one call to the event loop
hands out all results. So a durable answer costs a share of an fsync, and nobody is told "done" before it is true.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Concatenate, ParamSpec, TypeVar

from chatops.adapters.filelock import FileLock
from chatops.adapters.jobs import Job
from chatops.adapters.sqlite_file import (
    Writing,
    explained,
    open_for_reading,
    open_for_writing,
    presentable,
    reading,
    snapshot,
    unavailable,
)
from chatops.adapters.sqlite_log import WriteAhead
from chatops.kernel.errors import DatabaseAway
from chatops.kernel.ports import Tx
from chatops.kernel.replicas import Alone

__all__ = ["SQLite", "reading"]

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

# Turns of the loop that bring nothing more, after one write that came alone and where several came together: a click
# takes as many from its socket to its write.
ALONE, AMONG = 1, 2
LONGEST = 0.01  # seconds in which more may come in, while turns bring some


class SQLite:
    """``kernel.ports.Database`` on one file.

    ``queue`` bounds the writes that wait (further callers wait before they are queued), ``batch`` those that share a
    COMMIT. ``on_commit_point`` is called on the writer thread with "before_commit NAMES" and "after_commit NAMES"
    (function names, comma-separated): where tests kill the process. Give it to one event loop.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        queue: int = 1024,
        batch: int = 256,
        readers: int = 2,
        on_commit_point: Callable[[str], None] | None = None,
    ) -> None:
        self.path = Path(path)
        self.replicas = Alone()
        self._batch = batch
        self._reader_count = readers
        self._on_commit_point = on_commit_point
        self.queued = 0  # writes handed to the writer and not answered yet, for /metrics
        self.failing = False  # the disk took nothing of what was to be saved last
        self._room = asyncio.Semaphore(queue)
        self._collected: list[_Job] = []  # what came in lately, for the writer
        self._patience = ALONE
        self._jobs: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._left: list[_Job] = []  # the writer's own: what did not fit into its batch
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._open = False
        self._writer: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []

    async def __aenter__(self) -> SQLite:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Opens or creates the file and brings it up to date.

        Raises ``Unavailable`` when another process has it or the disk says no, ``Refused`` for a file that is no
        database, another program's, or a newer version's.
        """
        if self._writer is not None:
            raise RuntimeError("a database is opened once")
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a process whose loop died without close() must still be able to end; what is committed stays.
        self._writer = threading.Thread(target=self._work, args=(opened,), name="database-writer", daemon=True)
        self._writer.start()
        try:
            await opened
        except BaseException:
            self._jobs.put(None)  # cancelled while opening: the thread gives the file back by itself
            raise
        self._readers = ThreadPoolExecutor(self._reader_count, thread_name_prefix="database-reader")
        self._open = True

    async def close(self) -> None:
        """Commits what is queued, refuses what comes later, and gives the file back; closing twice is fine."""
        if not self._open:
            return
        self._open = False
        assert self._readers is not None  # noqa: S101
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reading:  # before the writer, whose last close folds the WAL back into the file
            connection.close()
        self._hand_over()
        self._jobs.put(None)
        await self._closed

    async def write(self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``fn(tx, …)`` in a savepoint of its own and returns its result after COMMIT.

        Its exception rolls it back alone. Raises ``DatabaseAway`` when nothing could be saved. A caller that is
        cancelled before ``fn`` began prevents it; later, it runs to its end.
        """
        self._must_be_open()
        await self._room.acquire()
        if not self._open:
            self._room.release()
            self._must_be_open()
        job = _Job(fn, args, kwargs, self._loop.create_future())
        self.queued += 1
        # The writer gets all that comes in together: were it woken by the first, the two threads would wrestle for the
        # interpreter's lock while the others come in, and few would share the commit, which costs the same for many.
        if not self._collected:
            self._loop.call_soon(self._collect, self._loop.time() + LONGEST, 0, 0)
        self._collected.append(job)
        result: T = await job.future
        return result

    def _collect(self, until: float, before: int, quiet: int) -> None:
        """Hands over once some turns of the loop brought nothing more; a loop with nothing to do never waits."""
        now = len(self._collected)
        quiet = quiet + 1 if now == before else 0
        if quiet < self._patience and now < self._batch and self._loop.time() < until:
            self._loop.call_soon(self._collect, until, now, quiet)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._collected:
            self._jobs.put(self._collected)
            self._patience = AMONG if len(self._collected) > 1 else ALONE
            self._collected = []

    async def read(self, fn: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``fn(tx, …)`` on a read-only snapshot, not behind the writers; sees every write that was answered."""
        self._must_be_open()
        return await self._loop.run_in_executor(self._readers, self._look, lambda tx: fn(tx, *args, **kwargs))

    def _must_be_open(self) -> None:
        if not self._open:
            raise DatabaseAway("The database is closed.", hint="The assistant is stopping or has not started yet.")

    # On the writer thread

    def _work(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect_writer()
        except BaseException as error:
            self._on_loop(_settle, opened, error)
            return
        self._on_loop(_settle, opened, None)
        problem: BaseException | None = None
        ahead = WriteAhead(self.path)
        try:
            batch = self._next_batch()
            while batch:
                self._commit(connection, batch)
                self._on_loop(self._deliver, batch)
                ahead.make_room()  # while nobody waits for it
                batch = self._next_batch()
            connection.close()
        except BaseException as error:
            problem = error
        finally:
            self._lock.release()
        self._on_loop(_settle, self._closed, problem)

    def _connect_writer(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            with explained(self.path):
                return open_for_writing(self.path)
        except BaseException:
            self._lock.release()
            raise

    def _next_batch(self) -> list[_Job]:
        """What waits now, at least one; empty when it is time to stop."""
        while len(self._left) < self._batch:
            try:
                more = self._jobs.get(block=not self._left)
            except Empty:
                break
            if more is None:
                if self._left:
                    self._jobs.put(None)  # stop after this batch
                break
            self._left += more
        found, self._left = self._left[: self._batch], self._left[self._batch :]
        return found

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[_Job]) -> None:
        before = connection.total_changes
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                job.run(connection)
            self._commit_point("before_commit", batch)
            connection.execute("COMMIT")
        except BaseException as error:
            self.failing = True
            log.error("a commit of %d writes failed", len(batch), exc_info=error)
            for job in batch:
                job.lost(error)
            # A failed COMMIT can leave the transaction open; without this the next batch would join it.
            with suppress(sqlite3.Error):
                connection.rollback()
            return
        if any(job.unsaved for job in batch):
            self.failing = True
        elif connection.total_changes > before:
            self.failing = False
        try:
            self._commit_point("after_commit", batch)
        except Exception:  # it is saved: its callers must hear so, whatever the hook says
            log.exception("the hook after a commit failed")

    def _commit_point(self, point: str, batch: Sequence[_Job]) -> None:
        if self._on_commit_point is not None:
            self._on_commit_point(f"{point} {','.join(job.name for job in batch)}")

    def _on_loop(self, call: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            log.error("the event loop ended before the database was closed")

    # On the event loop

    def _deliver(self, batch: Sequence[_Job]) -> None:
        for job in batch:
            self._room.release()
            self.queued -= 1
            job.answer(self._loop)

    # On a reader thread

    def _look(self, fn: Callable[[Tx], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        with explained(self.path):
            if connection is None:
                connection = self._local.connection = open_for_reading(self.path)
                self._reading.append(connection)
            return snapshot(connection, fn)


class _Job(Job):
    """One function that waits for the writer."""

    __slots__ = ()

    @property
    def unsaved(self) -> bool:
        """Whether the machine, and not the function itself, kept it from being saved."""
        return self.error is not None and isinstance(self.error.__cause__, sqlite3.Error)

    def run(self, connection: sqlite3.Connection) -> None:
        """In a savepoint; raises only when the whole transaction is gone."""
        if self.future.cancelled():
            return
        tx = Writing(connection)
        connection.execute("SAVEPOINT job")
        try:
            self.result = self.fn(tx, *self.args, **self.kwargs)
        except BaseException as error:
            # A full disk can make SQLite roll back everything; then nothing of this batch may be called done.
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
            self.error = presentable(error)
        else:
            connection.execute("RELEASE job")
            self.calls = tx.calls

    def lost(self, error: BaseException) -> None:
        """The batch was not saved; what the function itself raised stays what its caller hears."""
        self.result, self.calls = None, ()
        if self.error is None:
            self.error = unavailable(error, "Nothing was saved")
            self.error.__cause__ = error


def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
