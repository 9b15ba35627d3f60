"""Everything that listens to Slack, put together from what the composition root hands in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from chatops.adapters.metrics import Metrics
from chatops.kernel.background import Background
from chatops.kernel.ports import Clock, Configuration, Database, Outbox
from chatops.kernel.replicas import ALONE, Replicas
from chatops.notices.illustrating import Illustrator
from chatops.requests import opened
from chatops.slack.answers import Answers
from chatops.slack.app import build
from chatops.slack.asking import Asking
from chatops.slack.deciding import Deciding
from chatops.slack.directory import Home, SlackDirectory
from chatops.slack.files import Attachments
from chatops.slack.filling import Filling
from chatops.slack.implied import completed, incident_at
from chatops.slack.intake import Intake, Item, Work
from chatops.slack.listeners import Listeners, ShowHome
from chatops.slack.offering import Offering
from chatops.slack.payloads import Where
from chatops.slack.permalinks import is_posting
from chatops.slack.picking import Picking
from chatops.slack.ports import Road
from chatops.slack.showing import Showing
from chatops.slack.steady import SteadyClock
from chatops.slack.submitting import Submitting
from chatops.slack.usergroups import Usergroups

log = logging.getLogger(__name__)


def directory(
    client: AsyncWebClient, configuration: Configuration, database: Database, clock: Clock, home: Home
) -> SlackDirectory:
    """The directory; made first, because the road asks it too."""
    clock = SteadyClock(clock)  # set back, it must not make anybody's standing count for longer
    handles = Usergroups(
        client, clock, lambda: (group.usergroup for group in configuration.platform.groups.values() if group.usergroup)
    )
    return SlackDirectory(client, configuration, database, clock, home, handles)


class Front:
    """Listens to Slack; ``app`` is what Socket Mode and HTTP dispatch to."""

    def __init__(
        self,
        *,
        road: Road,
        directory: SlackDirectory,
        configuration: Configuration,
        database: Database,
        outbox: Outbox,
        client: AsyncWebClient,
        clock: Clock,
        metrics: Metrics,
        show_home: ShowHome,
        home_changed: Callable[[list[str]], object],
        illustrator: Illustrator,
        replicas: Replicas = ALONE,
        patience: float = 8.0,
    ) -> None:
        self.background = Background()
        self.directory = directory
        self.picking = Picking(configuration)
        answers = Answers(database, outbox, directory.home, clock)
        showing = Showing(road, directory, configuration)
        filling = Filling(client, showing, patience)
        attachments = Attachments(client, illustrator)
        asking = Asking(
            road, directory, configuration, answers, attachments, filling, client, clock, self.background,
            partial(completed, database),
        )  # fmt: skip
        deciding = Deciding(road, directory, answers, client)
        work = {
            "line": self._shown_at_home(asking.line, show_home, home_changed),
            "form": _sent(self._shown_at_home(asking.form, show_home, home_changed), database, clock),
            "decision": self._shown_at_home(deciding.work_off, show_home),  # its request tells whom it concerns
        }
        self.intake = Intake(database, clock, work, self._gave_up, metrics, self.background, replicas=replicas)
        submitting = Submitting(road, directory, showing, filling, database, self.intake, client, clock)
        self.listeners = Listeners(
            intake=self.intake, asking=asking, deciding=deciding, submitting=submitting,
            offering=Offering(self.picking, showing, submitting),
            directory=directory, answers=answers, background=self.background, home=directory.home, show_home=show_home,
            incident_at=partial(incident_at, database), is_posting=partial(_is_posting, database), clock=clock,
        )  # fmt: skip
        work["reply"] = self.listeners.reply
        self.app = build(self.listeners, client, directory.home, metrics)

    async def open(self) -> None:
        """Remembers people, works off what an earlier run left, and asks Slack for everyone the configuration names."""
        await self.directory.open()
        self.picking.index()
        await self.intake.open()
        self.background.spawn(self.directory.warm())

    async def close(self) -> None:
        """Ends the work beside; the inbox keeps what was not done."""
        await self.background.close()

    def _shown_at_home(
        self, work: Work, show_home: ShowHome, changed: Callable[[list[str]], object] = lambda users: None
    ) -> Work:
        """The same work; the home of whoever it was done for shows afterwards what came of it.

        At once, when it was begun there: nowhere else is without a channel, but for the shortcut that is everywhere.
        """

        async def done(item: Item) -> object:
            closed = await work(item)
            where = Where.read(item.body["where"])
            if where.channel:
                changed([where.user])
            else:
                self.background.spawn(show_home(where.user))
            return closed

        return done

    async def _gave_up(self, item: Item, error: BaseException) -> object:
        return await self.listeners.gave_up(item, error)


def _sent(work: Work, database: Database, clock: Clock) -> Work:
    """The same work on a form that came back; it counts as sent, whatever comes of it."""

    async def done(item: Item) -> object:
        await database.write(opened.sent, item.key.removeprefix("view:"), clock.now())
        return await work(item)

    return done


async def _is_posting(database: Database, channel: str) -> bool:
    return await database.read(is_posting, channel)
