"""The system's clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """``kernel.ports.Clock`` on the machine's own time."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Waits; zero or less lets others run once."""
        await asyncio.sleep(max(0.0, seconds))
