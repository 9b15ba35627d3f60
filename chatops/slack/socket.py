"""Socket Mode that gets up again: several connections, each watched, each with a fresh ticket after every failure.

slack_sdk's client alone tries a spent ticket for ever, and does nothing about a connection that was lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from chatops.adapters.metrics import Metrics
from chatops.kernel.masking import LogMask
from chatops.slack import errors
from chatops.slack.app import App

log = logging.getLogger(__name__)

HANDSHAKE = 15.0  # seconds for ticket and handshake; a ticket lives 30
LOOK = 0.5  # seconds between looks at a connection
LONGEST_WAIT = 30.0  # seconds between attempts while Slack is away
PING = 5.0  # seconds between pings; four unanswered ones and a connection counts as lost


class Socket:
    """Keeps ``connections`` sockets open (two: a refresh of one leaves no gap); ``up`` is called at the first hello."""

    def __init__(
        self,
        app: App,
        client: AsyncWebClient,
        app_token: str,
        metrics: Metrics,
        *,
        connections: int = 2,
        up: Callable[[], None] = lambda: None,
        handshake: float = HANDSHAKE,
        look: float = LOOK,
        ping: float = PING,
    ) -> None:
        self._app = app
        self._client = client
        self._app_token = app_token
        self._metrics = metrics
        self._connections = connections
        self._up = up
        self._handshake, self._look, self._ping = handshake, look, ping
        self._keepers: list[asyncio.Task[None]] = []
        self._standing: set[int] = set()
        self._said = ""
        self._stands = asyncio.Event()

    async def open(self) -> None:
        """Starts; returns at once, for Slack may be away."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._connections)]

    async def close(self) -> None:
        """Closes every connection."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def connected(self) -> None:
        """Returns once a connection stands."""
        await self._stands.wait()

    async def _keep(self, number: int) -> None:
        """One connection for ever: a new client, so a new ticket, after each failure."""
        failures = 0
        while True:
            try:
                await self._once(number)
                failures = 0
            except Exception as error:
                failures += 1
                self._say(number, error)
            self._down(number)
            await asyncio.sleep(self._wait(failures))

    async def _once(self, number: int) -> None:
        """Connects and watches until the connection is lost. Raises when it cannot be made."""
        client = self._sdk_client()
        try:
            async with asyncio.timeout(self._handshake):
                client.wss_uri = await client.issue_new_wss_url()
                await client.connect()  # type: ignore[no-untyped-call]
            self._standing.add(number)
            if self._said:
                log.info("a connection to Slack stands")
            self._said = ""
            self._stands.set()
            self._metrics.sockets.set(len(self._standing))
            self._up()
            await self._watch(client)
        finally:
            await client.close()  # type: ignore[no-untyped-call]

    async def _watch(self, client: SocketModeClient) -> None:
        """Returns when the connection is lost: at the second look, for the SDK itself follows Slack's refreshes."""
        missed = 0
        while missed < 2:
            await asyncio.sleep(self._look)
            missed = 0 if await client.is_connected() else missed + 1

    def _sdk_client(self) -> SocketModeClient:
        client = SocketModeClient(
            app_token=self._app_token,
            web_client=self._client,
            logger=_sdk_log(),
            ping_interval=self._ping,
            auto_reconnect_enabled=False,
        )
        client.socket_mode_request_listeners.append(self._handle)
        return client

    async def _handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """One envelope, through the same listeners as HTTP; acknowledged when they have committed."""
        started = time.time()
        answer = await self._app.take_in(request.payload, build_headers(request) or {})
        await send_async_response(client, request, answer, started)

    def _down(self, number: int) -> None:
        self._standing.discard(number)
        self._metrics.sockets.set(len(self._standing))
        if not self._standing:
            self._stands.clear()

    def _say(self, number: int, error: Exception) -> None:
        """What keeps us from connecting, once for all connections until it changes or one stands."""
        if not isinstance(error, (SlackApiError, *errors.AWAY)):
            log.error("socket %d failed", number, exc_info=error)
            return
        what = errors.trouble("the app token (SLACK_APP_TOKEN, xapp-…)", error)
        if what != self._said:
            self._said = what
            log.warning("%s; trying again until a connection stands", what)

    @staticmethod
    def _wait(failures: int) -> float:
        """Seconds before the next attempt: doubling, with jitter, so that all of us don't come back at once."""
        return min(LONGEST_WAIT, 0.25 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _sdk_log() -> logging.Logger:
    """The SDK's lines without the tickets in its addresses, tracebacks, and what is raised and said by us anyway."""
    logger = logging.getLogger("chatops.slack.socket.sdk")
    if not any(isinstance(one, LogMask) for one in logger.filters):
        logger.addFilter(LogMask())
        logger.addFilter(_worth_a_line)
        logger.setLevel(logging.WARNING)
    return logger


def _worth_a_line(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return not str(record.msg).startswith("Failed to retrieve WSS URL")  # every attempt, on each connection
