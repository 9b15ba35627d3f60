from __future__ import annotations

import asyncio
import time

from chatops.adapters.clock import SystemClock
from tests.support.clock import MovableClock


async def test_the_systems_clock_tells_its_time_and_waits() -> None:
    clock = SystemClock()
    before = time.time()
    await clock.sleep(0)
    assert before <= clock.now() <= time.time()


async def test_sleepers_wake_in_order_each_at_its_own_moment() -> None:
    clock = MovableClock(1000.0)
    seen: list[tuple[str, float]] = []

    async def every(name: str, seconds: float) -> None:
        while True:
            await clock.sleep(seconds)
            seen.append((name, clock.now()))

    tasks = [asyncio.create_task(every("three", 3)), asyncio.create_task(every("two", 2))]
    await clock.advance(6.5)
    assert seen == [("two", 1002), ("three", 1003), ("two", 1004), ("three", 1006), ("two", 1006)]
    assert (clock.now(), clock.sleepers) == (1006.5, 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await clock.advance(100)
    assert (len(seen), clock.sleepers) == (5, 0)
