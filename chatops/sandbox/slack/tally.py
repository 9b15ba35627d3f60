"""A count that others can wait for."""

from __future__ import annotations

import asyncio


class Tally:
    """How often something has happened; `reach(n)` returns once that is n times."""

    def __init__(self) -> None:
        self.count = 0
        self._more = asyncio.Event()

    def add(self) -> None:
        self.count += 1
        more, self._more = self._more, asyncio.Event()
        more.set()

    async def reach(self, count: int) -> None:
        while self.count < count:
            await self._more.wait()
