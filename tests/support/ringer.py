"""What rings people's phones: takes the pages that go by webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Ringer:
    """Keeps what it is told; answers with ``status``."""

    status: int = 200
    url: str = ""
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status)


@asynccontextmanager
async def ringer() -> AsyncIterator[Ringer]:
    found, app = Ringer(), web.Application()
    app.router.add_post("/", found.answer)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/"))
        yield found
