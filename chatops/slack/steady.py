"""A clock to wait by: when the machine's is set back, nothing waits longer for it."""

from __future__ import annotations

from chatops.kernel.ports import Clock


class SteadyClock:
    """``kernel.ports.Clock`` that shows what another shows, until that one goes back: then it goes on where it was.

    For moments that nobody keeps or shows: how long to wait still. Give it to one event loop.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.now()
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds; never fewer than before."""
        now = self._clock.now()
        self._ahead += max(0.0, self._last - now)
        self._last = now
        return now + self._ahead

    def at(self, moment: float) -> float:
        """When this clock shows what the other shows at ``moment``, if nobody sets it until then."""
        return self.now() + moment - self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Waits, as the other does."""
        await self._clock.sleep(seconds)
