"""Lends the process that evaluates CEL from one test to the next: starting one costs more than most tests ask of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from asyncio import StreamReader, StreamReaderProtocol
from typing import Any, Self

from chatops.adapters.cel import LONGEST_LINE, CelEvaluator, command, environment

_free: list[subprocess.Popen[bytes]] = []  # each waits for its next question; they end with this process


class LentEvaluator(CelEvaluator):
    """A ``CelEvaluator`` whose process is given back on ``close`` unless it was ended, for whoever needs one next.

    An event loop's pipes cannot go over to the next test's loop, so that each has its own on the same process.
    """

    async def _started(self) -> Any:
        while self._process is None and _free:
            found = _free.pop()
            if found.poll() is None:
                self._process, self._ready = await _Lent.out(found), True  # type: ignore[assignment]
        return await super()._started()

    async def _spawn(self) -> Any:
        process = subprocess.Popen(
            command(self._limit), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment(),
        )  # fmt: skip
        return await _Lent.out(process)

    async def close(self) -> None:
        async with self._turn:
            lent: Any = self._process
            if not self.stands:
                await self._end()
                return
            self._process, self._ready = None, False
            _free.append(lent.back())


class _Lent:
    """As much of ``asyncio.subprocess.Process`` as the evaluator uses, on a process that outlives the event loop."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.stdout = StreamReader(LONGEST_LINE)

    @classmethod
    async def out(cls, process: subprocess.Popen[bytes]) -> Self:
        lent, loop = cls(process), asyncio.get_running_loop()
        assert process.stdin is not None
        assert process.stdout is not None
        source, target = (
            os.fdopen(os.dup(process.stdout.fileno()), "rb"),
            os.fdopen(os.dup(process.stdin.fileno()), "wb"),
        )
        lent._reading, _ = await loop.connect_read_pipe(lambda: StreamReaderProtocol(lent.stdout), source)
        lent.stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, target)
        return lent

    def back(self) -> subprocess.Popen[bytes]:
        self._reading.close()
        self.stdin.close()
        return self._process

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        ended = await asyncio.to_thread(self._process.wait)
        self.back()
        return ended
