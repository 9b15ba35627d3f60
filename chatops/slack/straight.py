"""Words for one person, straight to Slack and past the outbox: for when the database is what is gone."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from chatops.slack.calls import is_slacks
from chatops.slack.mrkdwn import said
from chatops.slack.payloads import Where

log = logging.getLogger(__name__)

WITHIN = aiohttp.ClientTimeout(total=10.0)


async def say(client: AsyncWebClient, where: Where, lines: Sequence[str]) -> None:
    """Through the response_url, where there is one and it is Slack's; once, for nothing of it is kept. Never raises."""
    session = client.session
    if session is None or not is_slacks(where.response_url, client.base_url):
        return
    text = {"response_type": "ephemeral", "replace_original": False, "text": said("\n".join(lines))}
    try:
        sending = session.post(where.response_url, json=text, timeout=WITHIN, allow_redirects=False)
        async with sending as answer:
            if answer.status != 200:
                log.warning("a person was not told what went wrong: Slack answered %s", answer.status)
    except (TimeoutError, aiohttp.ClientError, OSError) as away:
        log.warning("a person was not told what went wrong: Slack does not answer (%s)", type(away).__name__)
