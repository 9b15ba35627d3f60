"""What everything is compared with: a slack-bolt app that checks the signature, finds its listener and acks.

``python -m bench.bare PORT SECRET`` is Bolt's own aiohttp server, everything as it comes; with ``unpolled`` after it,
Bolt takes the acknowledgement when the listener has ended, and not at its next look, 10 ms apart
(``process_before_response``). ``python -m bench.bare socket URL`` is Bolt's own Socket Mode at the Slack of that URL.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient


async def authorize(**_: Any) -> AuthorizeResult:
    """Without asking Slack, as a running app has it cached."""
    return AuthorizeResult(
        enterprise_id="", team_id="T01", bot_token="xoxb-bench", bot_id="B01", bot_user_id="U0BOT",
    )  # fmt: skip


async def approve(ack: Any) -> None:
    await ack()


async def suggest(ack: Any) -> None:
    await ack(options=[])


def listening(app: AsyncApp) -> AsyncApp:
    app.action("approve")(approve)
    app.options("pick_service")(suggest)
    return app


async def socket_mode(url: str) -> None:
    client = AsyncWebClient(token="xoxb-bench", base_url=url)
    app = listening(AsyncApp(client=client, authorize=authorize))
    await AsyncSocketModeHandler(app, "xapp-bare").start_async()


def main(first: str, second: str, *more: str) -> None:
    logging.basicConfig(level=logging.WARNING)
    if first == "socket":
        asyncio.run(socket_mode(second))
    app = listening(AsyncApp(signing_secret=second, authorize=authorize, process_before_response="unpolled" in more))
    app.server(port=int(first), path="/slack/events", host="127.0.0.1").start()


if __name__ == "__main__":
    main(*sys.argv[1:])
