"""Words past the outbox go to Slack's own addresses alone."""

from collections.abc import Sequence

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from chatops.slack import straight
from chatops.slack.client import session
from chatops.slack.payloads import Where


async def told(path: str, lines: Sequence[str], base: str = "") -> list[str]:
    """What a server hears whose address stands in Slack's place, or not (``base``)."""
    heard: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/{any}", hear)
    async with TestServer(app) as server, session() as shared:
        client = AsyncWebClient("xoxb-0", base_url=base or f"{server.make_url('/api/')}", session=shared)
        await straight.say(client, Where(user="U1", response_url=f"{server.make_url(path)}"), lines)
    return heard


async def test_an_answer_is_sent_once_and_follows_nobody_elsewhere() -> None:
    assert await told("/respond", ["It could not be saved."]) == ["/respond"]


@pytest.mark.parametrize("base", ["https://slack.com/api/", "http://127.0.0.1:1/api/"])
async def test_an_address_that_is_not_slacks_is_never_called(base: str) -> None:
    assert await told("/respond", ["It could not be saved."], base) == []
