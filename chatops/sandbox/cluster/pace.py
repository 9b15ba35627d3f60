"""How fast the clockwork runs: every wait of controllers and kubelet is a number of seconds times one factor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

FASTEST = 0.001


class Pace:
    """`factor` 1 is the natural pace (a pod is ready after about 2.5 s), 0.05 twenty times as fast.

    It is never below `FASTEST`: deadlines would pass before anything could happen. A change of the
    factor holds for waits that begin after it.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.set(factor)

    def set(self, factor: float) -> None:
        """Raises ValueError for a negative factor."""
        if factor < 0:
            raise ValueError("the pace cannot be negative")
        self.factor = max(factor, FASTEST)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.factor)

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds * self.factor, call)

    def clock(self) -> float:
        """Monotonic real seconds; divide differences by the factor for seconds of the clockwork."""
        return asyncio.get_running_loop().time()

    def left(self, since: float, seconds: float) -> float:
        """Clockwork seconds left until `seconds` have passed since the `clock()` reading `since`."""
        return seconds - (self.clock() - since) / self.factor
