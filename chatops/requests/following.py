"""Following one object until something can be said of it, or its time is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chatops.kernel.errors import NotFound
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import Clock, ClusterReader

T = TypeVar("T")
Thing = dict[str, Any] | None  # None: it is not there

PACE = 1.0  # seconds between looks at the clock, and for something that is not there yet


@dataclass(slots=True)
class _Latest:
    """The newest state seen by the watch."""

    thing: Thing = None
    fresh: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self, reader: ClusterReader, ref: ObjectRef, seconds: float) -> None:
        """Watches, also for something that is not there yet or comes back."""
        while True:
            try:
                async with contextlib.aclosing(reader.watch(ref, timeout=seconds)) as seen:  # type: ignore[type-var]
                    async for thing in seen:
                        self._put(thing)
            except NotFound:
                self._put(None)
                await asyncio.sleep(PACE)

    def _put(self, thing: Thing) -> None:
        self.thing, self.fresh = thing, True
        self.changed.set()

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        self.changed.clear()


async def follow(
    reader: ClusterReader, ref: ObjectRef, look: Callable[[Thing], Awaitable[T | None]], *, clock: Clock,
    deadline: float,
) -> T | None:  # fmt: skip
    """The first thing that ``look`` says of the object, now or after a change; None when ``deadline`` came before.

    ``deadline`` is in epoch seconds on ``clock``. An absent cluster is waited for; raises ``Unavailable`` when it does
    not answer after the deadline, for what nobody could look at has not failed, and ``ClusterError`` when the cluster
    forbids to look.
    """
    latest = _Latest()
    watching = asyncio.create_task(latest.keep(reader, ref, max(1.0, deadline - clock.now())))
    try:
        while True:
            if clock.now() >= deadline:
                return await look(await reader.get(ref))
            if watching.done():
                watching.result()
            if latest.fresh:
                latest.fresh = False
                found = await look(latest.thing)
                if found is not None:
                    return found
                continue
            await latest.wait(min(PACE, max(0.05, deadline - clock.now())))
    finally:
        while not watching.done():  # a client may take a cancellation for its own time-out, and go on
            watching.cancel()
            await asyncio.wait({watching}, timeout=PACE)
        await asyncio.gather(watching, return_exceptions=True)  # its error, if any, was raised above
