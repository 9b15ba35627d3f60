"""Work that goes on beside: after an acknowledgement, after a commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

log = logging.getLogger(__name__)


class Background:
    """Tasks that somebody holds on to, and whose failures are seen; once it is closed nothing begins any more.

    Nothing begins either while ``here`` says that it is not to be done in this process.
    """

    def __init__(self, here: Callable[[], bool] = lambda: True) -> None:
        self._here = here
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, None], key: Hashable | None = None, name: str | None = None) -> None:
        """Runs something until it ends or we close; not when something with the same key runs."""
        if self._closed or (key is not None and key in self._tasks) or not self._here():
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=name or "background work")
        held = task if key is None else key
        self._tasks[held] = task
        task.add_done_callback(lambda _: self._ended(held, task))

    async def idle(self) -> None:
        """Returns when nothing runs."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def close(self) -> None:
        """Ends what runs; whatever was committed is taken up by the next start."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, held: Hashable, task: asyncio.Task[None]) -> None:
        del self._tasks[held]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
