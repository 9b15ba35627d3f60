"""The two roads from Slack to the app: envelopes over Socket Mode, signed requests over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.seed import SlackApp
from chatops.sandbox.slack.tally import Tally

Json = dict[str, Any]
MOST_CONNECTIONS = 10
TICKET_LIVES = 30.0  # seconds in which a socket address has to be used; Slack promises no more


@dataclass(frozen=True)
class Reply:
    """The app's answer: HTTP status (200 for an envelope's ack) and its body, parsed when it is JSON."""

    status: int
    body: Any = None
    no_retry: bool = False


class NoReply(Exception):
    """No usable answer; `reason` is Slack's retry reason, `http_timeout` or `connection_failed`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Retry:
    """The how manieth repetition of an event, and why."""

    number: int
    reason: str


class Transport(Protocol):
    """Carries one payload; `kind` is slash_commands, interactive or events_api."""

    async def send(self, kind: str, payload: Json, timeout: float, retry: Retry | None = None) -> Reply: ...

    async def ready(self) -> None:
        """Return once the app can be reached after an absence of Slack."""


class HttpTransport:
    """POSTs to the app's request URL the way Slack does: forms for people's doings, JSON for events, all signed."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    async def send(self, kind: str, payload: Json, timeout: float, retry: Retry | None = None) -> Reply:
        """Raises NoReply after `timeout` seconds or when nobody listens there."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))
        body, content_type = _encoded(kind, payload)
        headers = {**signature(self._secret, body), "Content-Type": content_type, "User-Agent": "Slackbot 1.0"}
        if retry is not None:
            headers |= {"X-Slack-Retry-Num": str(retry.number), "X-Slack-Retry-Reason": retry.reason}
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout)
            ) as response:
                no_retry = response.headers.get("X-Slack-No-Retry") == "1"
                return Reply(response.status, _decoded(await response.text()), no_retry)
        except TimeoutError as error:
            raise NoReply("http_timeout") from error
        except aiohttp.ClientError as error:
            raise NoReply("connection_failed") from error

    async def ready(self) -> None:
        """An app with a request URL is called at once, whether it listens or not."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def signature(secret: str, body: bytes, at: int | None = None) -> dict[str, str]:
    """The two headers that prove a request comes from Slack (HMAC-SHA256 over `v0:{time}:{body}`)."""
    stamp = str(int(time.time()) if at is None else at)
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def _encoded(kind: str, payload: Json) -> tuple[bytes, str]:
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def _decoded(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass(eq=False)
class Connection:
    """One open socket of the app and the envelopes it has not acknowledged."""

    id: str
    socket: web.WebSocketResponse
    request: web.Request
    waiting: set[str] = field(default_factory=set)
    leaving: bool = False

    def cut(self) -> None:
        """Break the connection without a goodbye."""
        if self.request.transport is not None:
            self.request.transport.abort()


class SocketTransport:
    """Socket Mode: tickets, hello, envelopes in turn to every connection, acks, disconnects."""

    def __init__(self, app: SlackApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._tickets: dict[str, float] = {}
        self._connections: list[Connection] = []
        self._acks: dict[str, asyncio.Future[Any]] = {}
        self._turn = itertools.count()
        self.opened = Tally()

    def ticket(self) -> str:
        """A ticket that opens one socket within 30 s."""
        now = self._clock.now()
        self._tickets = {name: until for name, until in self._tickets.items() if until > now}
        ticket = uuid.uuid4().hex
        self._tickets[ticket] = now + TICKET_LIVES
        return ticket

    @property
    def connections(self) -> list[Connection]:
        """The connections that take envelopes."""
        return [one for one in self._connections if not (one.leaving or one.socket.closed)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The websocket endpoint; a ticket that is unknown, used or too old gets 408, as from Slack."""
        if self._tickets.pop(request.match_info["ticket"], 0.0) < self._clock.now():
            return web.Response(status=408, text="ticket expired")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets", **self._debug()})
            await socket.close()
            return socket
        connection = Connection(uuid.uuid4().hex, socket, request)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self.connections) + 1,
                "connection_info": {"app_id": self._app.id},
                **self._debug(),
            }
        )
        self._connections.append(connection)
        self.opened.add()
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._acknowledged(message.data)
        finally:
            self._connections.remove(connection)
        return socket

    def _acknowledged(self, text: str) -> None:
        given = _decoded(text)
        waiting = self._acks.get(given.get("envelope_id", "")) if isinstance(given, dict) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(given.get("payload"))

    async def send(self, kind: str, payload: Json, timeout: float, retry: Retry | None = None) -> Reply:
        """Hand an envelope to the next connection. Raises NoReply when it is not acknowledged in time."""
        open_now = self.connections
        if not open_now:
            raise NoReply("connection_failed")
        connection = open_now[next(self._turn) % len(open_now)]
        envelope_id = str(uuid.uuid4())
        envelope: Json = {
            "envelope_id": envelope_id,
            "type": kind,
            "accepts_response_payload": kind != "events_api",
            "payload": payload,
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": retry.number if retry else 0, "retry_reason": retry.reason if retry else ""}
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._acks[envelope_id] = waiting
        try:
            await connection.socket.send_json(envelope)
            async with asyncio.timeout(timeout):
                return Reply(200, await waiting)
        except TimeoutError as error:
            raise NoReply("http_timeout") from error
        except ConnectionError as error:
            raise NoReply("connection_failed") from error
        finally:
            del self._acks[envelope_id]

    async def ready(self) -> None:
        """Return once the app has a connection: it lost all of them when Slack went away."""
        while not self.connections:
            await self.opened.reach(self.opened.count + 1)

    async def refresh(self) -> None:
        """Ask every connection to be replaced, as Slack does every few hours."""
        for connection in self.connections:
            connection.leaving = True
            await connection.socket.send_json({"type": "disconnect", "reason": "refresh_requested", **self._debug()})

    def cut(self) -> None:
        """Break every connection without a goodbye."""
        for connection in list(self._connections):
            connection.cut()

    @staticmethod
    def _debug() -> Json:
        return {"debug_info": {"host": "applink-local", "build_number": 1, "approximate_connection_time": 18060}}
