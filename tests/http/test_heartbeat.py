"""The sign of life to a monitor outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from chatops.adapters.heartbeat import Heartbeat
from chatops.settings import Settings
from tests.support.house import ACME


class Outside:
    """A monitor that expects to be called; ``answers`` is what it does next: a status, or "hang" or "cut"."""

    def __init__(self) -> None:
        self.beats = 0
        self.answers: list[int | str] = []
        self.address = ""

    async def take(self, request: web.Request) -> web.Response:
        self.beats += 1
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == "cut" and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer if isinstance(answer, int) else 200)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    one = Outside()
    app = web.Application()
    app.router.add_get("/beat/s3cret", one.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.address = f"http://127.0.0.1:{runner.addresses[0][1]}/beat/s3cret"
    yield one
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


async def nothing_is_late() -> int:
    return 0


async def test_all_is_well(outside: Outside, session: aiohttp.ClientSession) -> None:
    assert await Heartbeat(outside.address, session, nothing_is_late).beat()
    assert outside.beats == 1


async def test_while_paging_is_late_the_monitor_outside_hears_nothing(
    outside: Outside, session: aiohttp.ClientSession
) -> None:
    async def late() -> int:
        return 2

    assert not await Heartbeat(outside.address, session, late).beat()
    assert outside.beats == 0


@pytest.mark.parametrize("trouble", [500, "cut", "hang"])
async def test_a_receiver_in_trouble_is_asked_again_and_told_of_once_without_its_address(
    outside: Outside, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, trouble: int | str
) -> None:
    heart = Heartbeat(outside.address, session, nothing_is_late, timeout=0.2)
    outside.answers = [trouble]
    assert await heart.beat(), "the second try of the same look"
    outside.answers = [trouble] * 8
    beats = [await heart.beat() for _ in range(2)]
    assert beats == [False, False]
    assert sum("heartbeat" in one for one in caplog.messages) == 1
    assert "s3cret" not in caplog.text
    outside.answers = []
    assert await heart.beat()


def test_the_address_comes_from_the_environment_and_is_never_shown() -> None:
    environ = {
        "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "CHATOPS_HEARTBEAT_URL": "https://beats.test/s3cret",
    }  # fmt: skip
    settings = Settings.from_environment(ACME, environ)
    assert settings.heartbeat_url == "https://beats.test/s3cret"
    assert "s3cret" not in repr(settings)
