"""The doors of other pipelines: what they deployed is committed, then answered."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from chatops.http.hooks import TOKEN, Tokens, is_one_of, token_of
from chatops.http.refusals import refused
from chatops.kernel.accidents import recorded
from chatops.kernel.alert import Unreadable
from chatops.kernel.deployed import Deployed
from chatops.notices.sources import github, own

log = logging.getLogger(__name__)

SIGNATURE = "X-Hub-Signature-256"  # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
Take = Callable[[Deployed], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class DeployHooks:
    """``/hooks/deploy`` (a token) and ``/hooks/github`` (signed); ``take`` returns once it has committed."""

    tokens: Tokens
    take: Take

    def routes(self) -> tuple[web.RouteDef, ...]:
        """One for each sender."""
        return (web.post("/hooks/deploy", self._own), web.post("/hooks/github", self._github))

    async def _own(self, request: web.Request) -> web.StreamResponse:
        allowed = self.tokens.allowed("deploy")
        if not allowed:
            return refused(401, f"Nobody may send here yet: {TOKEN} is not set.")
        if not is_one_of(token_of(request), allowed):
            return refused(401, "The token is missing or wrong.")
        body = await request.read()  # over the limit: 413, before all of it was read
        return await self._taken("a pipeline", lambda: own.read(body))

    async def _github(self, request: web.Request) -> web.StreamResponse:
        secrets = self.tokens.allowed(github.SOURCE)
        if not secrets:
            return refused(401, f"GitHub may not send here yet: {TOKEN}_GITHUB is not set.")
        if not request.headers.get(SIGNATURE):
            return refused(401, f"The request is not signed: {SIGNATURE} is needed.")
        body = await request.read()
        if not signed(body, request.headers[SIGNATURE], secrets):
            return refused(401, f"{SIGNATURE} does not fit the body and the secret.")
        event = request.headers.get("X-GitHub-Event", "")
        return await self._taken("GitHub", lambda: github.read(event, body))

    async def _taken(self, sender: str, read: Callable[[], Deployed | None]) -> web.StreamResponse:
        try:
            told = read()
        except Unreadable as wrong:
            log.warning("what %s sent of a deploy could not be read: %s", sender, wrong)
            return refused(400, str(wrong))
        if told is None:
            return web.json_response({"taken": "ignored"})
        try:
            return web.json_response({"taken": await self.take(told)})
        except Exception as error:  # a 200 would lose it; senders try a 5xx again
            reference = recorded(log, error, f"taking in a deploy of {sender}")
            return refused(503, f"It could not be stored ({reference}); send it again.")


def signed(body: bytes, header: str, secrets: tuple[str, ...]) -> bool:
    """Whether the signature (``sha256=…``) is the body's by one of the secrets; in constant time."""
    given = header.strip().encode("utf-8", "replace")
    right = [b"sha256=" + hmac.digest(secret.encode(), body, "sha256").hex().encode() for secret in secrets]
    found = [hmac.compare_digest(given, one) for one in right]
    return any(found)
