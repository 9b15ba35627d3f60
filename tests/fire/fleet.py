"""A play with three replicas on one PostgreSQL, of which one is killed or paused at a point; the others finish it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.fire.nursery import Child, Nursery
from tests.fire.plays import Play
from tests.fire.trial import MISSED, Trial, playing, prepared
from tests.fire.victim import LATE
from tests.support.databases import name_of

REPLICAS = 3
LEASE = 2.0  # seconds
WITHIN = 60.0  # seconds until the replicas have done something, several fleets at once on a busy machine
KILLED, PAUSED = "killed", "paused"
# What somebody is at, or somebody waits for. A schedule, a room or a call beside Slack is no part of these plays.
LEFT = """
SELECT (SELECT count(*) FROM posts WHERE wanted > sent AND error = '')
    + (SELECT count(*) FROM inbox WHERE done_at IS NULL)
    + (SELECT count(*) FROM requests WHERE state IN ('planning', 'approved', 'running', 'rolling_back'))
    + (SELECT count(*) FROM automation_runs WHERE outcome = '') AS n
"""
ENDED = "SELECT count(*) AS n FROM requests WHERE ended_at <> 0"
LIVING = "SELECT epoch, name FROM _chatops_replicas ORDER BY epoch"


@dataclass
class Fleet(Trial):
    """``Trial`` with several assistants; the one that reaches the target first is ``how`` it says."""

    how: str = KILLED
    children: list[Child] = field(default_factory=list)
    handled: asyncio.Event = field(default_factory=asyncio.Event)  # who was paused has been given up and begun anew

    @property
    def database(self) -> str:
        return name_of(self.folder, "postgresql")

    async def supervise(self) -> None:
        """Starts all; lets one that was paused go on once the others have given it up. Ends them when asked to."""
        self.children = [await self._replica(number, self.target) for number in range(REPLICAS)]
        watching = asyncio.create_task(self._watch())
        await asyncio.wait({watching, asyncio.create_task(self.ended.wait())}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        for child in self.children:
            child.end()
        codes = [await gone(child) for child in self.children]
        await asyncio.gather(watching, return_exceptions=True)
        died = codes.count(-signal.SIGKILL)
        assert died + codes.count(0) == REPLICAS, f"the replicas ended with {codes}"
        assert died <= (self.how == KILLED and bool(self.target)), f"the replicas ended with {codes}"

    async def _replica(self, number: int, target: str = "", burst: int = 50) -> Child:
        points, address = self.folder / "points", self.folder / f"address-{number}"
        return await self._begin(
            points=str(points), target=target, pause=self.how == PAUSED, address=str(address), lease=LEASE, burst=burst
        )

    async def ready(self) -> None:
        """Returns once every replica takes what monitors tell, and Slack has a connection to each."""
        async with asyncio.timeout(WITHIN):
            while len(self.addresses()) < REPLICAS or len(self.acme.slack.socket.connections) < 2 * REPLICAS:
                await asyncio.sleep(0.02)

    async def _watch(self) -> None:
        """Waits for the target and for what has to come of it; then until the end."""
        if self.target:
            await self._until(lambda: self.target in self.points)
            if self.how == KILLED:
                await self._until(lambda: any(not child.running for child in self.children))
            else:
                await self._until(lambda: any(child.stopped for child in self.children))
                [child] = [one for one in self.children if one.stopped]
                await self.taken_over(child)
                if self.target.startswith(LATE):  # by then all has been said, without its call
                    await self._until(lambda: self.rows(ENDED)[0]["n"] and not self.left())
                child.resume()
                await self._until(lambda: self.lives(child))
            self.handled.set()
        await self.ended.wait()

    async def taken_over(self, child: Child) -> None:
        """Returns once the others have given this one up."""
        await self._until(lambda: not self.lives(child))

    def lives(self, child: Child) -> bool:
        """Whether it is one of the replicas, as the database knows them."""
        return any(f" {child.pid} #" in row["name"] for row in self.rows(LIVING))

    @staticmethod
    async def _until(condition: Callable[[], object]) -> None:
        while not condition():
            await asyncio.sleep(0.05)

    async def recovers(self) -> None:
        """Waits until one has been killed or paused, and the others have done and said all that was left."""
        assert self.target in self.points, MISSED
        async with asyncio.timeout(WITHIN):
            await self.handled.wait()
        async with asyncio.timeout(WITHIN):  # what one said that had been given up is taken away some seconds later
            while len(said := self.said()) != len(set(said)):
                await asyncio.sleep(0.05)
        await self.settle()

    async def settle(self, within: float = WITHIN) -> None:
        """Waits until nothing is left to do or to say; the database says so, whoever is at it."""
        async with asyncio.timeout(within):
            while self.left():
                await asyncio.sleep(0.1)

    def left(self) -> int:
        return int(self.rows(LEFT)[0]["n"])


async def gone(child: Child) -> int:
    """The exit code of one that was asked to end; it may come to its target, and pause, only on its way out."""
    waiting = asyncio.ensure_future(child.wait())
    while not waiting.done():
        child.resume()
        await asyncio.wait({waiting}, timeout=0.2)
    return waiting.result()


@asynccontextmanager
async def fleet(play: Play, nursery: Nursery, target: str = "", how: str = KILLED) -> AsyncIterator[Fleet]:
    """One whole play with three replicas, of which one is killed or paused at ``target``; the checks come after it."""
    async with prepared(play, nursery, target, partial(Fleet, how=how)) as one, playing(one):
        yield one
