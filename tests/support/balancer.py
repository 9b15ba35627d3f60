"""What stands before several replicas that Slack calls over HTTP: gives each request to the next one that takes it."""

from __future__ import annotations

from collections import Counter, deque
from types import TracebackType
from typing import Self

from aiohttp import ClientConnectorError, ClientSession, TCPConnector, web

KEPT = ("Content-Type", "X-Slack-Signature", "X-Slack-Request-Timestamp", "Authorization")


class Balancer:
    """``behind`` are addresses, each asked in turn; what one can't be reached for goes to the next."""

    def __init__(self, *behind: str) -> None:
        self._behind = deque(behind)
        self.taken: Counter[str] = Counter()  # requests that were answered, by whom

    async def __aenter__(self) -> Self:
        self._session = ClientSession(connector=TCPConnector(force_close=True))  # a kept one may have ended meanwhile
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: request.headers[name] for name in KEPT if name in request.headers}
        for _ in range(len(self._behind)):
            self._behind.rotate(-1)
            url = self._behind[-1]
            try:
                async with self._session.request(
                    request.method, url + request.path_qs, data=body, headers=headers
                ) as answer:
                    told = await answer.read()
            except ClientConnectorError:
                continue
            self.taken[url] += 1
            return web.Response(status=answer.status, body=told, content_type=answer.content_type)
        return web.Response(status=502)
