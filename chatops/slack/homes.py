"""App Home: what waits for this person first."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.background import Background
from chatops.kernel.errors import PlatformError
from chatops.kernel.ports import Clock, Directory
from chatops.slack import errors
from chatops.slack.ports import Road
from chatops.slack.views.blocks import section
from chatops.slack.views.home import home

log = logging.getLogger(__name__)


PAUSE = 2.0  # seconds between a change and the home that shows it, and between two of them
OPEN_FOR = 8 * 3600.0  # seconds after it was opened in which somebody may still look at it
MOST_OPEN = 2000


@dataclass(slots=True)
class Homes:
    """Publishes App Homes; nothing is kept of them, the next opening makes them anew."""

    client: AsyncWebClient
    road: Road
    directory: Directory
    clock: Clock
    background: Background = field(default_factory=Background)
    _opened: dict[str, float] = field(default_factory=dict)  # the latest last
    _changed: set[str] = field(default_factory=set)

    async def close(self) -> None:
        """Shows nothing any more."""
        await self.background.close()

    async def show(self, user_id: str) -> None:
        """Publishes the home of who opened it, and keeps it up to date for some hours."""
        self._opened.pop(user_id, None)
        self._opened[user_id] = self.clock.now()
        if len(self._opened) > MOST_OPEN:
            del self._opened[next(iter(self._opened))]
        await self._publish(user_id)

    def changed(self, users: Iterable[str]) -> None:
        """Something that these people's homes show has changed: those that may be open are published anew, shortly."""
        for user in set(users):
            if self.clock.now() - self._opened.get(user, -OPEN_FOR) < OPEN_FOR:
                self._changed.add(user)
                self.background.spawn(self._refresh(user), key=user)

    async def _refresh(self, user: str) -> None:
        while user in self._changed:
            await self.clock.sleep(PAUSE)
            self._changed.discard(user)
            await self._publish(user)

    async def _publish(self, user_id: str) -> None:
        """A stranger's says why there is nothing."""
        person = await self.directory.person(user_id)
        try:
            page = await self.road.home(person=person)
        except PlatformError as no:
            view = {"type": "home", "blocks": [section(line) for line in errors.said_lines(no)]}
        else:
            now = self.clock.now()
            view = home(
                waiting=page.waiting, mine=page.mine, buttons=page.buttons, now=now, paused=page.paused,
                incidents=page.incidents, oncall=page.oncall, held=page.held, services=page.services,
                scheduled=page.scheduled,
            )  # fmt: skip
        try:
            await self.client.views_publish(user_id=user_id, view=view)
        except SlackApiError as error:
            log.warning("views.publish: %s", error.response.get("error"))
        except errors.AWAY as error:
            log.warning("views.publish: %s", type(error).__name__)
