"""What is asked of Prometheus, and what is said when it does not answer as it should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from chatops.adapters import prometheus
from chatops.adapters.prometheus import Prometheus
from chatops.kernel.catalog import Endpoint
from chatops.kernel.errors import Refused, Unavailable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def at(url: str) -> Endpoint:
    """One that asks for no login."""
    return Endpoint(name="prometheus", url=url)


@asynccontextmanager
async def monitor(handler: Handler, timeout: float = 2.0) -> AsyncIterator[tuple[Prometheus, list[dict[str, str]]]]:
    """One that answers like this, and what it was asked."""
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append({name: str(value) for name, value in (await request.post()).items()})
        return await handler(request)

    app = web.Application()
    app.router.add_post("/api/v1/query_range", answer)
    app.router.add_route("*", "/elsewhere", answer)
    async with TestServer(app) as server, ClientSession() as session:
        yield Prometheus(lambda: at(str(server.make_url("/"))), lambda: session, timeout=timeout), asked


async def say(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)


async def test_the_answer_comes_as_it_is() -> None:
    async with monitor(lambda request: say(200, '{"status":"success"}')) as (asking, asked):
        assert await asking.query_range('up{a="b&c"} > 1', 10.0, 70.5, 15.0) == b'{"status":"success"}'
        wanted = {"query": 'up{a="b&c"} > 1', "start": "10.000", "end": "70.500", "step": "15", "timeout": "8s"}
        assert asked == [wanted]


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [(400, '{"status":"error","error":"parse error:  bad"}', "parse error: bad"), (422, "", "422 Unprocessable Entity"),
     (404, "<html>", "404 Not Found"), (400, '{"error":"password=hunter2hunter2"}', "password=[masked]")],
)  # fmt: skip
async def test_what_it_refuses_is_said_in_its_words_and_not_asked_again(status: int, text: str, said: str) -> None:
    async with monitor(lambda request: say(status, text)) as (asking, asked):
        with pytest.raises(Refused) as no:
            await asking.query_range("up", 0, 60, 15)
        assert no.value.message == f"Prometheus refuses the question: {said}"
        assert len(asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_one_that_fails_is_asked_twice(status: int) -> None:
    async with monitor(lambda request: say(status, "no")) as (asking, asked):
        with pytest.raises(Unavailable, match=f"Prometheus answered {status}"):
            await asking.query_range("up", 0, 60, 15)
        assert len(asked) == 2


async def test_nobody_is_sent_elsewhere() -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with monitor(elsewhere) as (asking, asked):
        with pytest.raises(Refused, match="307"):
            await asking.query_range("up", 0, 60, 15)
        assert len(asked) == 1


async def test_one_that_hangs_is_given_up() -> None:
    end = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        await end.wait()
        return web.Response()

    async with monitor(hang, timeout=0.05) as (asking, _):
        with pytest.raises(Unavailable, match=r"does not answer \(.*Timeout"):
            await asking.query_range("up", 0, 60, 15)
        end.set()


async def test_an_answer_that_is_cut_off_is_none() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b'{"status":')
        assert request.transport is not None
        request.transport.close()
        return answer

    async with monitor(cut) as (asking, asked):
        with pytest.raises(Unavailable, match="does not answer"):
            await asking.query_range("up", 0, 60, 15)
        assert len(asked) == 2


async def test_a_huge_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "LARGEST", 100_000)
    written = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal written
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(10_000):
            await answer.write(b" " * 100_000)
            written += 1
        return answer

    async with monitor(pour) as (asking, asked):
        assert await asking.query_range("up", 0, 60, 15) is None
        assert len(asked) == 1
    assert written < 1000


async def test_one_that_is_away_is_said_to_be() -> None:
    async with ClientSession() as session:
        with pytest.raises(Unavailable, match="Prometheus does not answer"):
            await Prometheus(lambda: at("http://127.0.0.1:9"), lambda: session).query_range("up", 0, 60, 15)


async def test_where_none_is_configured_that_is_said() -> None:
    nowhere = Prometheus(lambda: None, lambda: None)
    assert not nowhere.configured
    with pytest.raises(Refused, match="No Prometheus is configured"):
        await nowhere.query_range("up", 0, 60, 15)
