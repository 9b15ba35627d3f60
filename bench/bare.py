"""What everything is compared with: a slack-bolt app that checks the signature, finds its listener and acks.

``python -m bench.bare PORT SECRET``: bolt's own aiohttp server, everything as it comes.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult


async def authorize(**_: Any) -> AuthorizeResult:
    """Without asking Slack, as a running app has it cached."""
    return AuthorizeResult(
        enterprise_id="", team_id="T01", bot_token="xoxb-bench", bot_id="B01", bot_user_id="U0BOT",
    )  # fmt: skip


async def approve(ack: Any) -> None:
    await ack()


async def suggest(ack: Any) -> None:
    await ack(options=[])


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    app = AsyncApp(signing_secret=sys.argv[2], authorize=authorize)
    app.action("approve")(approve)
    app.options("pick_service")(suggest)
    app.server(port=int(sys.argv[1]), path="/slack/events", host="127.0.0.1").start()


if __name__ == "__main__":
    main()
