"""The doors of other pipelines: what they deployed is committed, then answered."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from chatops.http.hooks import TOKEN, Tokens, is_one_of, token_of
from chatops.http.refusals import refused
from chatops.kernel.accidents import recorded
from chatops.kernel.alert import Unreadable
from chatops.kernel.catalog import Platform
from chatops.kernel.deployed import Deployed, Released
from chatops.notices.sources import argocd, flux, github, own

log = logging.getLogger(__name__)

SIGNATURE = "X-Hub-Signature-256"  # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
FLUX_SIGNATURE = "X-Signature"  # https://fluxcd.io/flux/components/notification/providers/#generic-webhook-with-hmac
Take = Callable[[Deployed | Released], Awaitable[str]]
Read = Callable[[bytes], Sequence[Deployed | Released]]


@dataclass(frozen=True, slots=True)
class DeployHooks:
    """``/hooks/deploy`` and ``/hooks/argocd`` (a token), ``/hooks/github`` and ``/hooks/flux`` (signed).

    ``take`` returns once it has committed.
    """

    tokens: Tokens
    take: Take
    platform: Callable[[], Platform]

    def routes(self) -> tuple[web.RouteDef, ...]:
        """One for each sender."""
        return (
            web.post("/hooks/deploy", self._own), web.post("/hooks/argocd", self._argocd),
            web.post("/hooks/github", self._github), web.post("/hooks/flux", self._flux),
        )  # fmt: skip

    async def _own(self, request: web.Request) -> web.StreamResponse:
        return await self._with_token(request, "deploy", "a pipeline", lambda body: (own.read(body),))

    async def _argocd(self, request: web.Request) -> web.StreamResponse:
        return await self._with_token(
            request, argocd.SOURCE, argocd.NAME, lambda body: argocd.read(body, self.platform())
        )

    async def _github(self, request: web.Request) -> web.StreamResponse:
        event = request.headers.get("X-GitHub-Event", "")
        return await self._signed(
            request, github.SOURCE, github.NAME, SIGNATURE, lambda body: github.read(event, body, self.platform())
        )

    async def _flux(self, request: web.Request) -> web.StreamResponse:
        return await self._signed(
            request, flux.SOURCE, flux.NAME, FLUX_SIGNATURE, lambda body: _few(flux.read(body, self.platform()))
        )

    async def _with_token(self, request: web.Request, source: str, sender: str, read: Read) -> web.StreamResponse:
        allowed = self.tokens.allowed(source)
        if not allowed:
            return refused(401, f"Nobody may send here yet: {TOKEN} is not set.")
        if not is_one_of(token_of(request), allowed):
            return refused(401, "The token is missing or wrong.")
        return await self._taken(sender, await request.read(), read)  # over the limit: 413, before all of it was read

    async def _signed(
        self, request: web.Request, source: str, sender: str, header: str, read: Read
    ) -> web.StreamResponse:
        secrets = self.tokens.allowed(source)
        if not secrets:
            return refused(401, f"{sender} may not send here yet: {TOKEN}_{source.upper()} is not set.")
        if not request.headers.get(header):
            return refused(401, f"The request is not signed: {header} is needed.")
        body = await request.read()
        if not signed(body, request.headers[header], secrets):
            return refused(401, f"{header} does not fit the body and the secret.")
        return await self._taken(sender, body, read)

    async def _taken(self, sender: str, body: bytes, read: Read) -> web.StreamResponse:
        try:
            told = read(body)
        except Unreadable as wrong:
            log.warning("what %s sent of a deploy could not be read: %s", sender, wrong)
            return refused(400, str(wrong))
        try:
            taken = [await self.take(one) for one in told]
        except Exception as error:  # a 200 would lose it; senders try a 5xx again
            reference = recorded(log, error, f"taking in a deploy of {sender}")
            return refused(503, f"It could not be stored ({reference}); send it again.")
        return web.json_response({"taken": taken[0] if len(taken) == 1 else taken or "ignored"})


def _few(told: Deployed | None) -> tuple[Deployed, ...]:
    return (told,) if told is not None else ()


def signed(body: bytes, header: str, secrets: tuple[str, ...]) -> bool:
    """Whether the signature (``sha256=…``) is the body's by one of the secrets; in constant time."""
    given = header.strip().encode("utf-8", "replace")
    right = [b"sha256=" + hmac.digest(secret.encode(), body, "sha256").hex().encode() for secret in secrets]
    found = [hmac.compare_digest(given, one) for one in right]
    return any(found)
