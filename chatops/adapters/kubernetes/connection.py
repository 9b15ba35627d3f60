"""One cluster's connection: a pool, a bound on calls at once, time-outs, and the rule for trying again.

Tried again, with a growing and jittered pause: what was never answered (refused, dropped) and 429, 500, 502, 503, 504.
Everything we send may be repeated: reads, dry runs, server-side apply and template restores all name the wanted state.
Not tried again: time-outs, because somebody has been waiting long enough already.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDict

from chatops.adapters.kubernetes.answers import as_error
from chatops.adapters.kubernetes.impersonation import headers as headers_for
from chatops.adapters.kubernetes.official import ApiClient
from chatops.kernel.errors import PlatformError, Unavailable
from chatops.kernel.people import Identity

log = logging.getLogger("chatops.kubernetes")

OnCall = Callable[[str, str], None]
OnAnswer = Callable[[str, str, float], None]  # verb; "ok", the status, or "away"; seconds
Query = Sequence[tuple[str, str]]
AGAIN = frozenset({429, 500, 502, 503, 504})
JSON = "application/json"
ACCEPT = "application/json, */*"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait for a cluster, in seconds, and how often we try."""

    connect: float = 3.0
    total: float = 10.0
    tries: int = 4
    pause: float = 0.2  # before the second try; doubles
    longest_pause: float = 10.0  # a Retry-After beyond it is passed on instead of waited for
    watch: float = 25.0  # a watch is renewed this often, so that a dead connection is noticed
    at_once: int = 16


class Credentials:
    """The client that all calls to a cluster share; made when first needed, renewed when a token has expired."""

    def __init__(self, connect: Callable[[], Awaitable[ApiClient]]) -> None:
        self._connect = connect
        self._client: ApiClient | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> ApiClient:
        """The client; raises ``Unavailable`` when there is no way to make one."""
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def renew(self) -> None:
        """Reads the credentials again; the pool stays, for other calls are on it."""
        fresh = await self._connect()
        async with self._connecting:
            if self._client is not None:
                self._client.configuration.api_key = fresh.configuration.api_key
        await fresh.close()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Ends the pool."""
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]
            self._client = None


class Connection:
    """Speaks to one cluster, as ourselves or, by ``acting_for``, as somebody else over the same pool."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[ApiClient]],
        *,
        patience: Patience,
        on_call: OnCall | None,
        on_answer: OnAnswer | None = None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.name = name
        self.patience = patience
        self.sleep = sleep
        self._credentials = Credentials(connect)
        self._acting: Identity | None = None
        self._on_call = on_call or (lambda verb, thing: None)
        self._on_answer = on_answer or (lambda verb, result, seconds: None)
        self._slots = asyncio.Semaphore(patience.at_once)

    def acting_for(self, identity: Identity) -> Connection:
        """The same connection, its calls made as this identity."""
        view = copy.copy(self)
        view._acting = identity
        return view

    async def connect(self) -> None:
        """Makes the client that all calls share, unless it stands. Raises ``Unavailable`` when there is no way to."""
        await self._credentials.client()

    async def json(
        self, verb: str, thing: str, method: str, path: str, query: Query = (), body: Any = None, content: str = JSON,
        *, accept: str = ACCEPT,
    ) -> dict[str, Any]:  # fmt: skip
        """Calls the API and returns the object it answers with.

        Raises ``Unavailable`` or a ``ClusterError``.
        """
        answer = await self._call(verb, thing, method, path, query, body, content, accept)
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"what answers for {self.name} is not a Kubernetes API") from error
        if not isinstance(found, dict):
            raise Unavailable(f"what answers for {self.name} is not a Kubernetes API")
        return found

    async def text(self, verb: str, thing: str, path: str, query: Query = ()) -> str:
        """Calls the API for plain text (logs)."""
        answer = await self._call(verb, thing, "GET", path, query, None, JSON)
        return answer.decode("utf-8", errors="replace")

    @asynccontextmanager
    async def stream(
        self, thing: str, path: str, query: Query, *, seconds: float
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """One watch connection, open for at most ``seconds``; its lines are read by the caller.

        Raises like ``json``; reading raises what aiohttp raises.
        """
        limits = aiohttp.ClientTimeout(
            total=seconds, sock_connect=self.patience.connect, sock_read=self.patience.watch + self.patience.connect
        )
        self._on_call("before watch", thing)
        with self._explained(), self._timed("watch") as timed:
            answer = await self._send("GET", path, query, None, JSON, limits)
            timed.answered(answer)
        self._on_call("after watch", thing)
        try:
            if answer.status != 200:
                with self._explained():
                    body = await answer.read()
                raise self._error(answer, body)
            yield answer.content
        finally:
            answer.close()

    async def close(self) -> None:
        """Ends the pool."""
        await self._credentials.close()

    async def _call(
        self, verb: str, thing: str, method: str, path: str, query: Query, body: Any, content: str, accept: str = ACCEPT
    ) -> bytes:
        renewed = False
        pause = self.patience.pause
        for attempt in range(1, self.patience.tries + 1):
            last = attempt == self.patience.tries
            self._on_call(f"before {verb}", thing)
            try:
                answer, read = await self._once(verb, method, path, query, body, content, accept)
            except aiohttp.ClientError as error:
                if last or isinstance(error, aiohttp.ClientSSLError | aiohttp.InvalidURL):
                    raise self._silent(error) from error
                wait, why = pause, type(error).__name__
            else:
                self._on_call(f"after {verb}", thing)
                if answer.status < 300:
                    return read
                problem = self._error(answer, read)
                if answer.status == 401 and not renewed:
                    # Tokens of cloud clusters live for minutes; a new one is asked for before we give up.
                    renewed = True
                    await self._credentials.renew()
                    continue
                if last or answer.status not in AGAIN or not isinstance(problem, Unavailable):
                    raise problem
                asked = problem.retry_after
                if asked > self.patience.longest_pause:
                    raise problem
                wait, why = max(pause, asked), str(answer.status)
            log.warning("%s: %s %s failed (%s), trying again in %.1f s", self.name, verb, thing, why, wait)
            await self.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 - spreads retries, guards nothing
            pause *= 2
        raise Unavailable(f"{self.name} does not accept our credentials")

    async def _once(
        self, verb: str, method: str, path: str, query: Query, body: Any, content: str, accept: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """One exchange; raises aiohttp's errors for what may be tried again, ``Unavailable`` for time-outs."""
        limits = aiohttp.ClientTimeout(total=self.patience.total, sock_connect=self.patience.connect)
        try:
            async with asyncio.timeout(self.patience.total):
                await self._slots.acquire()
            try:
                with self._timed(verb) as timed:
                    answer = await self._send(method, path, query, body, content, limits, accept)
                    read = await answer.read()
                    timed.answered(answer)
                    return answer, read
            finally:
                self._slots.release()
        except TimeoutError as error:
            raise self._silent(error) from error

    async def _send(
        self, method: str, path: str, query: Query, body: Any, content: str, limits: aiohttp.ClientTimeout,
        accept: str = ACCEPT,
    ) -> aiohttp.ClientResponse:  # fmt: skip
        impersonated = headers_for(self._acting, self.name) if self._acting is not None else []
        client = await self._credentials.client()
        headers = {"Accept": accept, "Content-Type": content}
        _, url, headers, body, _ = await client.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        sent = CIMultiDict(headers)
        for name, value in impersonated:  # a header of its own for each group: Kubernetes splits none at commas
            sent.add(name, value)
        answer = await client.call_api(method, url, sent, body, _request_timeout=limits)
        response: aiohttp.ClientResponse = answer.response
        return response

    def _error(self, answer: aiohttp.ClientResponse, body: bytes) -> PlatformError:
        after = answer.headers.get("Retry-After", "")
        return as_error(self.name, answer.status, body, answer.reason or "", after, self._acting)

    def _silent(self, error: Exception) -> Unavailable:
        if isinstance(error, aiohttp.ClientSSLError):
            return Unavailable(f"{self.name} shows a certificate that we don't trust")
        cut = isinstance(error, aiohttp.ClientPayloadError)
        what = "broke off in the middle of its answer" if cut else "does not answer"
        return Unavailable(f"{self.name} {what}", hint="The platform team can see why in its log.")

    @contextmanager
    def _timed(self, verb: str) -> Iterator[_Timed]:
        """Tells how long one exchange took and what came of it, our own waiting for a slot left out."""
        timed, started = _Timed(), time.perf_counter()
        try:
            yield timed
        finally:
            self._on_answer(verb, timed.result, time.perf_counter() - started)

    def _explained(self) -> _Explained:
        return _Explained(self._silent)


@dataclass(slots=True)
class _Timed:
    """What came of an exchange; "away" until it was answered."""

    result: str = "away"

    def answered(self, answer: aiohttp.ClientResponse) -> None:
        self.result = "ok" if answer.status < 300 else str(answer.status)


class _Explained:
    """Says a lost connection or a time-out in our own words."""

    def __init__(self, say: Callable[[Exception], Unavailable]) -> None:
        self._say = say

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, aiohttp.ClientError | TimeoutError):
            raise self._say(error) from error
