"""POST /slack/events: Slack's commands, clicks, forms and events, when they don't come over Socket Mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.response import BoltResponse

from chatops.http.payload import Unreadable, read
from chatops.http.refusals import refused
from chatops.http.signature import problem

LARGEST = 4 * 1024 * 1024  # bytes; Slack's largest payload, a view with its state, stays far below


class App(Protocol):
    """What takes Slack's deliveries in."""

    async def take_in(self, payload: dict[str, Any], headers: dict[str, str | Sequence[str]]) -> BoltResponse:
        """The acknowledgement, once what it stands for is durable."""
        ...


class SlackEvents:
    """Checks the signature, then hands the payload to the app; its answer is the acknowledgement."""

    def __init__(self, app: App, signing_secret: str, now: Callable[[], float]) -> None:
        self._app = app
        self._secret = signing_secret
        self._now = now

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """401 for a wrong signature, 400 for what cannot be read, 413 for too much, else what the app answers."""
        body = await _body(request)
        if body is None:
            return refused(413, f"The body is larger than {LARGEST // 1024 // 1024} MiB.")
        if wrong := problem(self._secret, request.headers, body, self._now()):
            return refused(401, wrong)
        try:
            payload = read(body, request.content_type)
        except Unreadable as error:
            return refused(400, str(error))
        # Given as an object, as Socket Mode does: Bolt's own parsing fails on what is no object.
        answer = await self._app.take_in(payload, _headers(request))
        if answer.status == 200 and not answer.body:  # most of them
            return web.Response()
        return await to_aiohttp_response(answer)


def _headers(request: web.Request) -> dict[str, str | Sequence[str]]:
    if "X-Slack-Retry-Num" not in request.headers:
        return {}
    return {name: value for name, value in request.headers.items() if name.lower().startswith("x-slack-retry")}


async def not_here(_: web.Request) -> web.StreamResponse:
    """The answer where Socket Mode is used."""
    return refused(404, "This assistant listens over Socket Mode; SLACK_SIGNING_SECRET would turn this address on.")


async def _body(request: web.Request) -> bytes | None:
    """The body, or None when it is too large; never more than the limit is held."""
    length = request.content_length
    if length is not None and length > LARGEST:
        return None
    if length is not None and "Content-Encoding" not in request.headers:  # compressed, it could be larger
        return await request.read()
    parts = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        parts += chunk
        if len(parts) > LARGEST:
            return None
    return bytes(parts)
