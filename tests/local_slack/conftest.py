"""An app of a few lines, built with the unmodified slack-bolt, at Acme's local Slack."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from chatops.sandbox.slack import LocalSlack, SlackApp
from tests.support.people import Acme, acme_slack

TOKENS = SlackApp()
NAME = "app"  # of an app without one Bolt reads the source of all its callers


def web_client(slack: LocalSlack, token: str = TOKENS.bot_token, **options: Any) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=slack.api_url, **options)


@asynccontextmanager
async def over_socket(slack: LocalSlack, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    """The app connected by Socket Mode."""
    handler = AsyncSocketModeHandler(
        app, TOKENS.app_token, web_client=web_client(slack, TOKENS.app_token), ping_interval=0.2
    )
    await handler.connect_async()
    await slack.connected()
    try:
        yield handler
    finally:
        await handler.close_async()


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[tuple[Acme, AsyncApp]]]]:
    """`acme, app = await start()`: Acme's Slack and a Bolt app connected to it; options go to the server."""
    async with AsyncExitStack() as stack:

        async def started(**options: Any) -> tuple[Acme, AsyncApp]:
            acme = await stack.enter_async_context(acme_slack(**{"rate_limits": False, **options}))
            app = AsyncApp(name=NAME, client=web_client(acme.slack))
            await stack.enter_async_context(over_socket(acme.slack, app))
            return acme, app

        yield started


@pytest.fixture
async def acme() -> AsyncIterator[Acme]:
    """Acme's Slack without an app."""
    async with acme_slack(rate_limits=False) as acme:
        yield acme
