"""Time that tests can move: triggers, response_urls, rate windows and retries all ask this clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """The time in seconds since the epoch: `source()` plus what was added by `advance`."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0.0
        self._moved = asyncio.Event()

    def now(self) -> float:
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the time forward and wake everyone who sleeps past the new time."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._ahead += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def sleep(self, seconds: float) -> None:
        """Return once the clock shows `seconds` more, by waiting or because it was advanced."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._moved.wait()
            except TimeoutError:
                continue
