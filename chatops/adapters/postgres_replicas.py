"""``kernel.replicas.Replicas`` on a PostgreSQL: the event loop's side of the membership, and the bells by NOTIFY."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg

from chatops.adapters.postgres_membership import Membership
from chatops.adapters.postgres_server import ANSWER_WITHIN, Address, Session

log = logging.getLogger(__name__)

LONGEST = 7000  # bytes of one notification; the server takes less than 8000
JOINED = "joined"  # the bell of one that has come
BEATS = 10  # signs of life within a lease


class PostgresReplicas:
    """This process as one of several; everything that waits for the server is done on a thread of its own.

    What is rung is collected until the event loop comes round and told in one notification. It is told after the
    commit that it is about, so it may be lost with this process; who takes over looks at everything anyway.
    """

    def __init__(self, address: Address, *, writers: int, lease: float) -> None:
        self.leads, self.lost = asyncio.Event(), asyncio.Event()
        self.membership = Membership(address, writers=writers, lease=lease, changed=self._changed_there)
        self._address = address
        self._pause = lease / BEATS
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database-replica")
        self._hears: dict[str, list[Callable[[str], object]]] = defaultdict(list)
        self._rung: list[str] = []
        self._listener: Session | None = None
        self._wire = -1  # its file descriptor, of which a lost connection does not tell any more
        self._others: frozenset[int] = frozenset()
        self._sooner = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Joins; raises as ``Membership.join``."""
        self._loop = asyncio.get_running_loop()
        joining = self._loop.run_in_executor(self._thread, self.membership.join)
        try:
            await asyncio.shield(joining)
            await self._listen()
        except asyncio.CancelledError:
            joining.add_done_callback(lambda _: self.membership.leave())
            raise
        self._changed()
        self._soon(self.membership.ring, f"{self.me}\n{JOINED} ")  # who knows of nobody else tells nobody anything
        self._watching = asyncio.create_task(self._watch(), name="replicas")

    async def close(self) -> None:
        """Leaves everything to the others."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        self._stop_listening()
        self._tell()
        await self._loop.run_in_executor(self._thread, self.membership.leave)
        self._thread.shutdown()

    @property
    def me(self) -> int:
        return self.membership.epoch

    def gone(self, replica: int) -> bool:
        there = self.membership
        return replica != there.epoch and replica <= there.newest and replica not in there.others

    async def take(self, work: str) -> bool:
        return bool(await self._loop.run_in_executor(self._thread, self.membership.take, [work]))

    def drop(self, work: str) -> None:
        self._soon(self.membership.drop, work)

    def ring(self, bell: str, what: str = "") -> None:
        if not self.membership.others:
            return
        if not self._rung:
            self._loop.call_soon(self._tell)
        self._rung.append(f"{bell} {what}")

    def on(self, bell: str, hear: Callable[[str], object]) -> None:
        self._hears[bell].append(hear)

    def check(self) -> None:
        self.membership.check_lease()

    # inside --------------------------------------------------------------------------------------------------------

    def _soon(self, call: Callable[[str], None], what: str) -> None:
        with suppress(RuntimeError):  # closing: who leaves drops everything
            self._thread.submit(call, what)

    def _tell(self) -> None:
        rung, self._rung = list(dict.fromkeys(self._rung)), []
        told: list[str] = []
        for one in rung:
            if told and sum(map(len, told)) * 4 > LONGEST:
                self._soon(self.membership.ring, "\n".join([str(self.me), *told]))
                told = []
            told.append(one)
        if told:
            self._soon(self.membership.ring, "\n".join([str(self.me), *told]))

    async def _watch(self) -> None:
        """Renews the lease; leaves a server that says nothing at all; listens again after a connection was lost."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._sooner.wait()
            self._sooner.clear()
            keeping = self._loop.run_in_executor(self._thread, self.membership.keep)
            since = self._loop.time() - ANSWER_WITHIN - 5  # the loop's time is time.monotonic
            while not keeping.done():
                await asyncio.wait([keeping], timeout=1)
                self.membership.cut(since)
            if (defect := keeping.exception()) is not None:
                log.error("the replicas could not be looked after", exc_info=defect)
            if self._listener is None and not self.membership.lost:
                with suppress(psycopg.Error, OSError):
                    await self._listen()
                    self._hear("look", "")  # what was rung meanwhile was not heard

    async def _listen(self) -> None:
        listener = self._listener = await asyncio.to_thread(self._listening)
        self._wire = listener.connection.fileno()
        self._loop.add_reader(self._wire, self._heard)

    def _listening(self) -> Session:
        session = Session(self._address)
        session.several("LISTEN chatops")
        return session

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._wire)
            self._listener.close()
            self._listener = None

    def _heard(self) -> None:
        """Something came on the listening connection."""
        assert self._listener is not None  # noqa: S101
        wire = self._listener.connection.pgconn
        try:
            wire.consume_input()
            found = list(iter(wire.notifies, None))
        except psycopg.Error:
            self._stop_listening()
            return
        for one in found:
            teller, *rung = one.extra.decode().split("\n")
            if teller != str(self.me):
                for line in rung:
                    self._hear(*line.split(" ", 1))

    def _hear(self, bell: str, what: str) -> None:
        if bell in ("look", JOINED):
            self._sooner.set()  # somebody may have left, or come
        for hear in self._hears[bell]:
            try:
                hear(what)
            except Exception:  # one that cannot act on it keeps no other from it
                log.exception("the bell %s", bell)

    def _changed_there(self) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed)

    def _changed(self) -> None:
        there = self.membership
        if there.lost:
            self.lost.set()
            return
        before, self._others = self._others, there.others
        if there.leading:
            self.leads.set()
        if before - there.others:  # what they were at is free
            for hear in self._hears["look"]:
                hear("")
