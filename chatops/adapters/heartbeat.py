"""A sign of life to a monitor outside (a dead man's switch): when it stays away, somebody else has to wake people."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import aiohttp

log = logging.getLogger(__name__)

TIMEOUT = 10.0  # seconds
TRIES = 2  # a look; the next look comes a minute later


class Heartbeat:
    """GETs ``url`` when asked to, unless ``late`` says that something is: then the monitor outside shall call.

    The address often holds a secret, so it is in no log.
    """

    def __init__(
        self, url: str, session: aiohttp.ClientSession, late: Callable[[], Awaitable[int]], timeout: float = TIMEOUT
    ) -> None:
        self._url = url
        self._session = session
        self._late = late
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._said = ""

    async def beat(self) -> bool:
        """Whether the monitor outside was told that all is well."""
        if number := await self._late():
            self._say(f"no heartbeat is sent: {number} steps of paging are late")
            return False
        for _ in range(TRIES):
            try:
                async with self._session.get(self._url, timeout=self._timeout) as answer:
                    if answer.status < 400:
                        self._said = ""
                        return True
                    said = f"answered {answer.status}"
            except (TimeoutError, aiohttp.ClientError, OSError) as away:
                said = f"could not be reached ({type(away).__name__})"
        self._say(f"the heartbeat's receiver {said}")
        return False

    def _say(self, said: str) -> None:
        """Once, until it is otherwise."""
        if said != self._said:
            self._said = said
            log.warning("%s", said)
