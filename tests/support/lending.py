"""Lends a process that is slow to start from one test to the next; its pipes belong to whoever has it.

An event loop's pipes cannot go over to the next test's loop: each has its own, on the same process.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from asyncio import StreamReader, StreamReaderProtocol
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Self

Key = tuple[str, ...]
_free: defaultdict[Key, list[subprocess.Popen[bytes]]] = defaultdict(list)  # they end with this process


class Lent:
    """As much of ``asyncio.subprocess.Process`` as is needed, on a process that outlives the event loop."""

    stdin: asyncio.WriteTransport

    def __init__(self, process: subprocess.Popen[bytes], key: Key, limit: int) -> None:
        self._process, self._key = process, key
        self.stdout = StreamReader(limit)

    @classmethod
    async def free(cls, command: Sequence[str], limit: int = 2**16) -> Self | None:
        """One that somebody gave back and that still runs."""
        waiting = _free[tuple(command)]
        while waiting:
            if (found := waiting.pop()).poll() is None:
                return await cls._out(found, tuple(command), limit)
        return None

    @classmethod
    async def started(
        cls, command: Sequence[str], env: Mapping[str, str] | None = None, limit: int = 2**16,
        stderr: int | None = None, said: bytes = b"",
    ) -> Self:  # fmt: skip
        """A new one, once it has ``said`` so: many a test is over before, and the next would start another."""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=env)
        assert process.stdout is not None
        if said and (first := process.stdout.readline()) != said:
            raise RuntimeError(f"{' '.join(command)} said {first!r} when it started, and not {said!r}")
        return await cls._out(process, tuple(command), limit)

    @classmethod
    async def _out(cls, process: subprocess.Popen[bytes], key: Key, limit: int) -> Self:
        lent, loop = cls(process, key, limit), asyncio.get_running_loop()
        assert process.stdin is not None
        assert process.stdout is not None
        source, target = os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno())
        protocol = StreamReaderProtocol(lent.stdout)
        try:
            lent._reading, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(source, "rb"))
            lent.stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(target, "wb"))
        except asyncio.CancelledError:  # the test is over already
            _free[key].append(process)
            raise
        return lent

    def back(self) -> None:
        """Gives it to whoever needs one next; it must have answered everything that it was asked."""
        self._close()
        _free[self._key].append(self._process)

    def _close(self) -> None:
        self._reading.close()
        self.stdin.close()

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        ended = await asyncio.to_thread(self._process.wait)
        self._close()
        return ended
