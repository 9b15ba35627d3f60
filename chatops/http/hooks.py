"""Webhooks of monitors: who may send is checked, what was sent is committed, then answered."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from chatops.http.refusals import refused
from chatops.incidents.sources import READERS
from chatops.kernel.accidents import recorded
from chatops.kernel.alert import Delivery, Unread, Unreadable

log = logging.getLogger(__name__)

SIGNED = ("pagerduty", "github", "flux")  # senders with a door of their own, which sign what they send
DEPLOYS = ("deploy", "argocd")  # who tells of deploys
TOKEN = "CHATOPS_HOOK_TOKEN"  # noqa: S105 - the name of the variable
IN_A_THREAD = 100_000  # bytes from which a body is read beside the event loop
MOST_KEPT = 20_000  # characters of what could not be read

Take = Callable[[Delivery], Awaitable[None]]
Keep = Callable[[str, str, str], Awaitable[None]]  # source, what was sent, why it could not be read


@dataclass(frozen=True, slots=True)
class Tokens:
    """Which tokens a source may send: its own where there are any, else the common ones. None: nobody may send."""

    common: tuple[str, ...] = field(default=(), repr=False)
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Tokens:
        """``CHATOPS_HOOK_TOKEN`` and ``CHATOPS_HOOK_TOKEN_SOURCE``; two with a comma between while rotating."""
        own = {source: _split(environ.get(f"{TOKEN}_{source.upper()}", "")) for source in (*READERS, *SIGNED, *DEPLOYS)}
        return cls(_split(environ.get(TOKEN, "")), {source: found for source, found in own.items() if found})

    def allowed(self, source: str) -> tuple[str, ...]:
        """The tokens that count for a source."""
        return self.own.get(source) or self.common


def _split(given: str) -> tuple[str, ...]:
    return tuple(token for part in given.split(",") if (token := part.strip()))


@dataclass(frozen=True, slots=True)
class Hooks:
    """The doors of the senders; ``take`` and ``unread`` return once they have committed."""

    tokens: Tokens
    take: Take
    unread: Keep
    more: tuple[web.RouteDef, ...] = ()  # doors of senders that sign

    def routes(self) -> list[web.RouteDef]:
        """One for each sender."""
        return [*(web.post(f"/hooks/{source}", self._door(source)) for source in READERS), *self.more]

    def _door(self, source: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(source, request)

        return handle

    async def _handle(self, source: str, request: web.Request) -> web.StreamResponse:
        allowed = self.tokens.allowed(source)
        if not allowed:
            return refused(401, f"Nobody may send here yet: {TOKEN} is not set.")
        if not is_one_of(token_of(request), allowed):
            return refused(401, "The token is missing or wrong.")
        body = await request.read()  # over the limit: 413, before all of it was read
        try:
            reader = READERS[source]
            delivery = await asyncio.to_thread(reader, body) if len(body) > IN_A_THREAD else reader(body)
        except Unreadable as wrong:
            raw = body[: MOST_KEPT * 4].decode("utf-8", "replace")
            return await self._could_not_be_read(source, Unread(raw, str(wrong)))
        try:
            await self.take(delivery)
        except Exception as error:  # a 200 would lose it; senders try a 5xx again
            reference = recorded(log, error, f"taking in a delivery of {source}")
            return refused(503, f"It could not be stored ({reference}); send it again.")
        if delivery.unread is not None:
            return await self._could_not_be_read(
                source, delivery.unread, f" The other {len(delivery.alerts)} are taken."
            )
        return web.json_response({"taken": len(delivery.alerts)})

    async def _could_not_be_read(self, source: str, unread: Unread, others: str = "") -> web.StreamResponse:
        try:
            await self.unread(source, unread.raw[:MOST_KEPT], unread.why)
        except Exception as error:
            reference = recorded(log, error, f"keeping what {source} sent")
            return refused(503, f"It could not be stored ({reference}); send it again.")
        return refused(400, f"{unread.why}{others}")


def token_of(request: web.Request) -> str:
    """Of ``Authorization: Bearer …``, or the password of basic auth."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""


def is_one_of(given: str, allowed: tuple[str, ...]) -> bool:
    """Compares with all of them, in constant time."""
    found = [hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()) for token in allowed]
    return bool(given) and any(found)
