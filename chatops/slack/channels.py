"""Being where we are needed: in a channel we are not a member of, Slack tells us of no mention and shows no history."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.catalog import Platform
from chatops.slack import errors

log = logging.getLogger(__name__)

PAUSES = (1.0, 5.0, 15.0, 30.0, 60.0, 60.0)  # seconds between tries


def channels_of(platform: Platform) -> set[str]:
    """Every channel the configuration sends something to."""
    holders = [
        platform.channels,
        *(one.channels for one in platform.environments.values()),
        *(one.channels for one in platform.teams.values()),
        *(one.channels for one in platform.services.values()),
    ]
    found = {name for one in holders for name in one.model_dump().values()}
    found |= {rule.channel for rule in platform.alerts} | {team.channel for team in platform.teams.values()}
    found.add(platform.audit.channel)
    found |= {name for route in platform.routes for name in route.channels}
    return {name.removeprefix("#") for name in found if name}


async def attend(
    client: AsyncWebClient, wanted: Iterable[str], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Joins the public channels of these names or ids; a channel that can't be joined is named in the log.

    While Slack is away or asks to wait it is tried again, for about three minutes; after that the next start or change
    of the configuration does, and the first message to a channel.
    """
    names = set(wanted)
    for pause in PAUSES:
        try:
            await _join_all(client, names)
            return
        except SlackApiError as error:
            if (said := error.response.get("error")) != "ratelimited":
                log.warning("the channels can't be listed: %s", said)
                return
            away, asked = str(said), float(error.response.headers.get("Retry-After", 0))
        except errors.AWAY as error:
            away, asked = type(error).__name__, 0.0
        log.warning("not every channel could be joined (%s); trying again", away)
        await sleep(max(pause, asked))
    log.error("not every channel could be joined; mentions in some will not be heard")


async def _join_all(client: AsyncWebClient, names: set[str]) -> None:
    """Joins them one by one: one that refuses does not keep us out of the others."""
    async for channel in _public(client):
        if (channel["name"] not in names and channel["id"] not in names) or channel.get("is_member"):
            continue
        try:
            await client.conversations_join(channel=channel["id"])
        except SlackApiError as error:
            if (said := error.response.get("error")) == "ratelimited":
                raise
            log.warning("#%s can't be joined: %s", channel["name"], said)


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
