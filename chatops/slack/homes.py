"""App Home: what waits for this person first."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.errors import PlatformError
from chatops.kernel.ports import Clock, Directory
from chatops.slack import errors
from chatops.slack.ports import Road
from chatops.slack.views.blocks import section
from chatops.slack.views.home import home

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Homes:
    """Publishes App Homes; nothing is kept of them, the next opening makes them anew."""

    client: AsyncWebClient
    road: Road
    directory: Directory
    clock: Clock

    async def show(self, user_id: str) -> None:
        """Publishes the home of one person; a stranger's says why there is nothing."""
        person = await self.directory.person(user_id)
        try:
            page = await self.road.home(person=person)
        except PlatformError as no:
            view = {"type": "home", "blocks": [section(line) for line in errors.said_lines(no)]}
        else:
            now = self.clock.now()
            view = home(
                waiting=page.waiting, mine=page.mine, buttons=page.buttons, now=now, paused=page.paused,
                incidents=page.incidents, oncall=page.oncall, held=page.held,
            )  # fmt: skip
        try:
            await self.client.views_publish(user_id=user_id, view=view)
        except SlackApiError as error:
            log.warning("views.publish: %s", error.response.get("error"))
        except errors.AWAY as error:
            log.warning("views.publish: %s", type(error).__name__)
