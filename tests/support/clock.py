"""Clocks for tests: one that stands still until it is moved, one that runs from a fixed moment on."""

from __future__ import annotations

import asyncio
import heapq
import time
from datetime import UTC, datetime
from itertools import count

MONDAY = 1_781_510_400.0  # Monday 15 June 2026, 08:00 UTC


class MovableClock:
    """``kernel.ports.Clock`` for tests: ``sleep`` waits until ``advance`` has moved past its end."""

    def __init__(self, now: float = MONDAY) -> None:
        self._now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = count()

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return self._now

    @property
    def sleepers(self) -> int:
        """How many are waiting on this clock now."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Waits until the clock was advanced by that much; zero or less lets others run once."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._number), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Moves time on, waking each sleeper at its own moment and in order, also those who sleep again on the way."""
        await self._settle()  # whoever was about to sleep does so at the present time
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            if future.done():  # cancelled while asleep: its moment must not move the clock
                continue
            self._now = max(self._now, due)
            future.set_result(None)
            await self._settle()
        self._now = end
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        """Lets whoever was woken run until it waits again (a handful of steps of the loop)."""
        for _ in range(8):
            await asyncio.sleep(0)


START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp()  # a Monday, outside of every freeze


LONGEST = 0.05  # seconds that anything really waits
LOOKS = 2.0  # seconds; who waits that long looks again and again: at the configuration, which few tests change
LONGEST_LOOK = 0.25


class ShiftedClock:
    """Runs like the system's clock, ``offset`` seconds apart from it, and can be moved forward."""

    def __init__(self, offset: float | None = None) -> None:
        self.offset = START - time.time() if offset is None else offset

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time() + self.offset

    async def sleep(self, seconds: float) -> None:
        """Waits, but never long: nothing that uses this clock asserts how long something took."""
        await asyncio.sleep(min(max(seconds, 0.0), LONGEST if seconds < LOOKS else LONGEST_LOOK))

    def advance(self, seconds: float) -> None:
        """Moves time on for whoever looks next; nobody is woken."""
        self.offset += seconds
