"""Starts assistants quickly: one process imports everything once and forks a child for each settings file it is given.

python -m tests.fire.nursery        one path a line on stdin; prints "born PID" and, later, "ended PID CODE"
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.fire import victim
from tests.support.lending import Lent

COMMAND = (sys.executable, "-m", "tests.fire.nursery")


@dataclass
class Child:
    """A forked assistant; ``wait`` gives its exit code, negative for a signal, as subprocess does."""

    pid: int
    code: asyncio.Future[int]

    async def wait(self) -> int:
        return await asyncio.shield(self.code)

    def end(self) -> None:
        """Asks it to end, if it still runs: its end may be known to the nursery and not yet here."""
        self._send(signal.SIGTERM)

    def pause(self) -> None:
        """Stops it where it is, as a machine does that is moved to another."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on, if it was stopped."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, sign: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sign)

    @property
    def running(self) -> bool:
        return not self.code.done()

    @property
    def stopped(self) -> bool:
        """Whether it is paused, as the kernel says (proc(5), state T)."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"


@dataclass
class Nursery:
    """The process that forks, seen from a test."""

    process: Lent
    born: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    codes: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    one: asyncio.Lock = field(default_factory=asyncio.Lock)  # at a time is born

    async def start(self, settings: Path) -> Child:
        async with self.one:  # of two who wait, who came later may get what was put there for the other
            self.process.stdin.write(f"{settings}\n".encode())
            pid = await asyncio.wait_for(self.born.get(), 30)
            return Child(pid, self.codes[pid])

    async def listen(self) -> None:
        async for line in self.process.stdout:
            what, pid, *code = line.decode().split()
            if what == "born":
                self.codes[int(pid)] = asyncio.get_running_loop().create_future()
                self.born.put_nowait(int(pid))
            else:
                self.codes[int(pid)].set_result(int(code[0]))


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """A nursery; the next test has the same one."""
    process = await Lent.free(COMMAND) or await Lent.started(COMMAND)
    one = Nursery(process)
    listening = asyncio.create_task(one.listen())
    try:
        yield one
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        if all(code.done() for code in one.codes.values()):
            process.back()
        else:  # what a child still says is not for the next test
            process.kill()
            await process.wait()


def main() -> None:
    lock = threading.Lock()

    def say(*words: object) -> None:
        with lock:
            os.write(1, f"{' '.join(map(str, words))}\n".encode())

    def watch(pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        say("ended", pid, os.waitstatus_to_exitcode(status))

    for line in sys.stdin:
        with lock:  # nobody else holds it in the child
            # A child that is asked to end before it listens for that must not die of it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    asyncio.run(victim.main(json.loads(Path(line.strip()).read_text())))
                    code = 0
                finally:
                    os._exit(code)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        say("born", pid)
        threading.Thread(target=watch, args=(pid,)).start()


if __name__ == "__main__":
    main()
