"""Being where we are needed: in a channel we are not a member of, Slack tells us of no mention and shows no history."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.catalog import Platform

log = logging.getLogger(__name__)


def channels_of(platform: Platform) -> set[str]:
    """Every channel the configuration sends something to."""
    holders = [
        platform.channels,
        *(one.channels for one in platform.environments.values()),
        *(one.channels for one in platform.teams.values()),
        *(one.channels for one in platform.services.values()),
    ]
    found = {name for one in holders for name in one.model_dump().values()}
    return {name.removeprefix("#") for name in found if name}


async def attend(client: AsyncWebClient, wanted: Iterable[str]) -> None:
    """Joins the public channels of these names or ids; a channel that can't be joined is named in the log."""
    names = set(wanted)
    try:
        async for channel in _public(client):
            if (channel["name"] in names or channel["id"] in names) and not channel.get("is_member"):
                await client.conversations_join(channel=channel["id"])
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as away:
        log.warning("not every channel could be joined: %s", away)


async def _public(client: AsyncWebClient) -> AsyncIterator[dict[str, str]]:
    cursor = ""
    while True:
        page = await client.conversations_list(
            types="public_channel", exclude_archived=True, limit=1000, cursor=cursor or None
        )
        for channel in page["channels"]:
            yield channel
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return
