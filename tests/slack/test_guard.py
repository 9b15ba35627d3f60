"""A click that can't be taken in: the person is told past the outbox, and Slack may fail while they are."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from chatops.adapters.metrics import Metrics
from chatops.kernel.background import Background
from chatops.slack import straight
from chatops.slack.app import Guard


class Ack:
    """Bolt's, as far as it is used."""

    response: Any = None

    async def __call__(self, **said: Any) -> None:
        self.response = said


async def broken(ack: Any, body: Any) -> None:
    raise RuntimeError("the disk is full")


async def clicked(url: str) -> None:
    """A click whose listener fails before its ack, in Slack at that url; returns when all is said that will be."""
    background, ack = Background(), Ack()
    async with ClientSession() as session:
        on: Any = SimpleNamespace(
            background=background,
            asking=SimpleNamespace(client=SimpleNamespace(session=session, base_url=urljoin(url, "/api/"))),
        )
        body = {"type": "block_actions", "user": {"id": "U0DANA"}, "response_url": url, "actions": [{}]}
        await Guard(on, Metrics())(broken, "button")(ack, body)  # type: ignore[arg-type]
        assert ack.response == {}, "Slack has its answer, whatever becomes of ours"
        await background.idle()


async def test_whoever_clicked_is_told_what_went_wrong() -> None:
    told: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/said", take)
    async with TestServer(app) as server:
        await clicked(str(server.make_url("/said")))
    [said] = told
    assert (said["response_type"], said["replace_original"]) == ("ephemeral", False)
    assert "Something went wrong on our side" in said["text"]
    assert "disk is full" not in said["text"]


@pytest.mark.parametrize(("how", "says"), [("500", "Slack answered 500"), ("hang", "does not answer (TimeoutError)")])
async def test_when_slack_fails_then_the_log_says_so_and_nothing_else_breaks(
    how: str, says: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    end = asyncio.Event()

    async def fail(request: web.Request) -> web.Response:
        if how == "hang":
            await end.wait()
        return web.Response(status=500)

    app = web.Application()
    app.router.add_post("/said", fail)
    monkeypatch.setattr(straight, "WITHIN", aiohttp.ClientTimeout(total=0.05 if how == "hang" else 10))
    with caplog.at_level(logging.WARNING):
        async with TestServer(app) as server:
            await clicked(str(server.make_url("/said")))
            end.set()
    assert says in caplog.text
    assert "/said" not in caplog.text, "who has a response_url may post there"


async def test_when_slack_is_away_then_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await clicked("http://127.0.0.1:9/said")
    assert "a person was not told what went wrong: Slack does not answer" in caplog.text
