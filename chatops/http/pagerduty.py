"""PagerDuty's door: each delivery is signed.

https://developer.pagerduty.com/docs/verifying-webhook-signatures
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from chatops.http.hooks import MOST_KEPT, TOKEN, Keep, Tokens
from chatops.http.refusals import refused
from chatops.incidents.sources import pagerduty
from chatops.kernel.accidents import recorded
from chatops.kernel.alert import Unreadable

log = logging.getLogger(__name__)

HEADER = "X-PagerDuty-Signature"
MOST_SIGNATURES = 16  # in one header: PagerDuty sends one for each secret that counts


@dataclass(frozen=True, slots=True)
class PagerDutyHook:
    """Takes PagerDuty's events; ``take`` and ``unread`` return once they have committed."""

    tokens: Tokens
    take: Callable[[pagerduty.Event], Awaitable[None]]
    unread: Keep

    def route(self) -> web.RouteDef:
        """``/hooks/pagerduty``."""
        return web.post(f"/hooks/{pagerduty.SOURCE}", self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        secrets = self.tokens.allowed(pagerduty.SOURCE)
        if not secrets:
            return refused(401, f"PagerDuty may not send here yet: {TOKEN}_PAGERDUTY is not set.")
        if not request.headers.get(HEADER):
            return refused(401, f"The request is not signed: {HEADER} is needed.")
        body = await request.read()  # over the limit: 413, before all of it was read
        if not signed(body, request.headers[HEADER], secrets):
            return refused(401, f"{HEADER} does not fit the body and the secret.")
        try:
            event = pagerduty.read(body)
        except Unreadable as wrong:
            return await self._could_not_be_read(body, str(wrong))
        try:
            await self.take(event)
        except Exception as error:  # a 200 would lose it; PagerDuty tries a 5xx again
            reference = recorded(log, error, "taking in an event of PagerDuty")
            return refused(503, f"It could not be stored ({reference}); send it again.")
        return web.json_response({"taken": event.kind})

    async def _could_not_be_read(self, body: bytes, why: str) -> web.StreamResponse:
        try:
            await self.unread("PagerDuty", body[: MOST_KEPT * 4].decode("utf-8", "replace")[:MOST_KEPT], why)
        except Exception as error:
            reference = recorded(log, error, "keeping what PagerDuty sent")
            return refused(503, f"It could not be stored ({reference}); send it again.")
        return refused(400, why)


def signed(body: bytes, header: str, secrets: tuple[str, ...]) -> bool:
    """Whether one of the signatures (``v1=…``, with commas) is the body's by one of the secrets; in constant time."""
    given = [one.strip().encode("utf-8", "replace") for one in header.split(",")[:MOST_SIGNATURES]]
    right = [b"v1=" + hmac.digest(secret.encode(), body, "sha256").hex().encode() for secret in secrets]
    found = [hmac.compare_digest(one, other) for one in given for other in right]
    return any(found)
