"""Whoever starts an assistant gets the one it started, however many start at once."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Any

from tests.fire.nursery import Nursery


class Slow:
    """A process that tells of a birth a while later, or just when the next is asked for."""

    def __init__(self) -> None:
        self.stdin = self
        self.asked: list[str] = []
        self._unborn: deque[int] = deque()
        self.nursery: Nursery

    def write(self, line: bytes) -> None:
        loop = asyncio.get_running_loop()
        if self._unborn:
            loop.call_soon(self._tell)
        self.asked.append(line.decode().strip())
        self._unborn.append(len(self.asked))
        loop.call_later(0.01, self._tell)

    def _tell(self) -> None:
        if self._unborn:
            pid = self._unborn.popleft()
            self.nursery.codes[pid] = asyncio.get_running_loop().create_future()
            self.nursery.born.put_nowait(pid)


async def test_of_those_who_start_at_once_each_gets_its_own() -> None:
    process: Any = Slow()
    process.nursery = nursery = Nursery(process)
    paths = [Path(f"/settings/{number}") for number in range(4)]
    children = await asyncio.gather(*(nursery.start(path) for path in paths))
    assert [process.asked[child.pid - 1] for child in children] == [str(path) for path in paths]
