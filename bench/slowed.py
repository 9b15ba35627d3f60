"""``python -m bench.slowed MILLISECONDS run --config DIR``: the assistant, whose every commit takes so much longer.

As on a disk whose fsync does: the database's own thread waits before it commits, once for all that share the commit.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

from chatops.cli import GARBAGE
from chatops.main import Assistant
from chatops.settings import Settings


class Slow:
    """``chatops.points.OnPoint``: a batch has a point for each of its writes, and waits at the first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waited = threading.local()

    def hit(self, site: str, thing: str) -> None:
        if site == "before commit" and not getattr(self._waited, "already", False):
            self._waited.already = True
            time.sleep(self._seconds)
        elif site == "after commit":
            self._waited.already = False


async def main(milliseconds: float, config: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    slow = Slow(milliseconds / 1000)
    async with Assistant(Settings.from_environment(config, os.environ), on_point=slow.hit):
        gc.collect()
        gc.freeze()  # as chatops run does
        gc.set_threshold(GARBAGE)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), Path(sys.argv[-1])))
