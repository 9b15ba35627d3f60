"""Slack's side of Socket Mode: hands payloads to whoever has connected, so many at once, and hears their answers.

``python -m bench.slack_side PORT API_URL`` is a process of its own. An app asks it for its address with the app token
``xapp-NAME``; ``GET /linked/NAME`` tells whether it has connected. Every other method goes to the Slack at API_URL.
``POST /fire/NAME?at_once=N`` takes a JSON list of payloads (as JSON texts) and answers as ``bench.load`` prints.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

from bench.harness import Send, answers, free_port, running


class Links:
    """Who is connected, and the envelopes that wait for their answer."""

    def __init__(self, port: int, slack: str, session: aiohttp.ClientSession) -> None:
        self._port, self._slack, self._session = port, slack, session
        self._open: dict[str, list[web.WebSocketResponse]] = {}
        self._answers: dict[str, asyncio.Future[None]] = {}

    async def ticket(self, request: web.Request) -> web.Response:
        name = request.headers["Authorization"].rpartition("xapp-")[2]
        return web.json_response({"ok": True, "url": f"ws://127.0.0.1:{self._port}/link/{name}"})

    async def forward(self, request: web.Request) -> web.Response:
        kept = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url = self._slack + request.match_info["method"]
        async with self._session.post(url, data=await request.read(), headers=kept, params=request.query) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A01"}})
        mine = self._open.setdefault(request.match_info["name"], [])
        mine.append(socket)
        try:
            async for message in socket:
                waiting = self._answers.pop(json.loads(message.data)["envelope_id"], None)
                if waiting is not None:
                    waiting.set_result(None)
        finally:
            mine.remove(socket)
        return socket

    async def linked(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self._open.get(request.match_info["name"]) else 503)

    async def fire(self, request: web.Request) -> web.Response:
        sockets = itertools.cycle(self._open[request.match_info["name"]])
        waiting = iter(await request.json())
        loop, latencies = asyncio.get_running_loop(), []
        numbers = itertools.count()

        async def work(mine: Iterator[str]) -> None:
            for payload in mine:
                number = f"{time.time_ns()}-{next(numbers)}"
                head = f'{{"envelope_id":"{number}","type":"interactive","accepts_response_payload":true,"payload":'
                answer = self._answers[number] = loop.create_future()
                begun = time.perf_counter()
                await next(sockets).send_str(f"{head}{payload}}}")
                await answer
                latencies.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        await asyncio.gather(*(work(waiting) for _ in range(int(request.query["at_once"]))))
        seconds = time.perf_counter() - begun
        return web.json_response(
            {"seconds": seconds, "latencies": latencies, "statuses": {"200": len(latencies)}}  # an answer is an ack
        )


@asynccontextmanager
async def slack_side(slack: str) -> AsyncIterator[int]:
    """The process for the time of the block; its port."""
    port = free_port()
    async with running([sys.executable, "-m", "bench.slack_side", str(port), slack]) as process:
        await answers(port, process=process)
        yield port


def over_socket(port: int, name: str) -> Send:
    """Sends form-encoded payloads as envelopes to the app ``name``."""

    async def send(bodies: list[str], at_once: int) -> dict[str, Any]:
        payloads = [parse_qs(body)["payload"][0] for body in bodies]
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{port}/fire/{name}?at_once={at_once}", json=payloads) as told,
        ):
            found: dict[str, Any] = await told.json()
            return found

    return send


async def main(port: int, slack: str) -> None:
    async with aiohttp.ClientSession() as session:
        links = Links(port, slack, session)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(
            [
                web.post("/api/apps.connections.open", links.ticket),
                web.post("/api/{method}", links.forward),
                web.get("/link/{name}", links.link),
                web.get("/linked/{name}", links.linked),
                web.post("/fire/{name}", links.fire),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
