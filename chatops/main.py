"""The assistant as one ``async with``: its parts started in their order, looked after, and ended in reverse.

Of several replicas on one database one leads: what is begun in ``_lead`` goes on there alone, the rest in all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC
from functools import partial
from typing import Any, Self

import aiohttp
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from slack_sdk.errors import SlackApiError

from chatops import forgetting
from chatops.adapters.heartbeat import Heartbeat
from chatops.http.gauges import Gauges
from chatops.http.health import Readiness
from chatops.http.pages import PageHandlers
from chatops.http.server import HttpServer
from chatops.incidents import digests
from chatops.kernel.errors import Unavailable
from chatops.kernel.ports import Clock
from chatops.parts import Parts
from chatops.slack.channels import attend, channels_of
from chatops.slack.errors import trouble
from chatops.slack.socket import Socket

log = logging.getLogger("chatops")

LOOK_EVERY = 5  # seconds between looks for what is due
BEAT_EVERY = 60  # seconds between signs of life
REMIND_EVERY = 60  # seconds between looks for changes of which nobody has said that they looked at them
MEASURE_EVERY = 300  # seconds between two counts of the figures on /metrics
LOST_EVERY = 60  # seconds between looks for work that was committed and that nobody was told of
FORGET_EVERY = 3600  # seconds between two tidyings-up
AUDIT_EVERY = 20  # seconds between looks for steps of paging that nobody took
WATCH_EVERY = 15  # seconds between looks at the clusters themselves
EVIDENCE_EVERY = 60  # seconds between two looks at what is wrong with what is open
DIGESTS_EVERY = 10  # seconds between two looks at which cards a digest can link by now

Look = tuple[Callable[[], Awaitable[object]], float]  # and how many seconds lie between two of them


class Assistant(Parts):
    """The whole program: everything built and handed to each other on entering, ended in reverse on leaving.

    ``on_point(site, object)`` hears of every commit and outside call, just before and just after it: where tests kill
    the process. ``burst`` posts may go to a channel at once before Slack's one a second holds; ``patience`` is how long
    a cluster is waited for; ``lease`` (seconds) how long a replica counts as alive that shows no sign of life.
    ``evaluator`` is closed with the assistant; without one it has a process of its own. ``load`` reads the
    configuration at the start.
    """

    async def __aenter__(self) -> Self:
        try:
            await self.build()
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # starting ------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        settings = self.settings
        told = self.reconfigured
        watching = self.configuration.watch(self._changed, told.refused, told.repaired)
        self._background(watching, "configuration")
        await self.discovery.start()
        self._stack.push_async_callback(self.engine.close)
        self._stack.push_async_callback(self.front.close)
        self._stack.push_async_callback(self.homes.close)
        self.scheduler = AsyncIOScheduler(timezone=UTC)
        self._met = asyncio.Event()
        leads = self.replicas.leads
        if leads.is_set():
            await self._lead()
        readiness = Readiness(self.database)
        readiness.came_up("database")
        self.http = await self._stack.enter_async_context(
            HttpServer(
                settings.listen, self.front.app, settings.signing_secret, self.metrics, readiness.missing,
                pages=PageHandlers(self.pages), hooks=self._hooks(),
                count=Gauges(self.database, self.metrics, self.clock).count,
            )
        )  # fmt: skip
        await self.engine.look()  # after the server: a link to a one-time page names its address
        if settings.app_token:
            up = partial(readiness.came_up, "slack")
            socket = Socket(self.front.app, self.client, settings.app_token, self.metrics, up=up)
            await socket.open()
            self._stack.push_async_callback(socket.close)
        for look, seconds in self._looks_of_all():
            self._every(look, seconds)
        self.scheduler.start()
        readiness.came_up("scheduler")
        self._stack.push_async_callback(self._end_looks)
        self._background(self._meet_slack(readiness), "meet Slack")
        self._background(self._look_at_credentials(), "cluster credentials")
        if not leads.is_set():
            self._background(self._stand_by(), "standing by")

    async def _stand_by(self) -> None:
        """Others lead; once they are gone, this one does. One that cannot begins anew: somebody has to lead."""
        log.info("another replica leads; this one stands by and takes its share of requests")
        await self.replicas.leads.wait()
        log.info("this replica leads from now on")
        try:
            await self._lead()
        except Exception:
            log.exception("this replica could not begin to lead")
            self.replicas.lost.set()

    async def _lead(self) -> None:
        """Begins what only one replica does: to send, to page, to look at the clusters and at what is due."""
        self.metrics.leads.set(1)
        await self.reconfigured.started(valid=not self.configuration.refused)
        self._background(_insisted(self.homes.open, self.clock), "open homes")
        self._background(self.discovery.look(), "catalog")
        self._background(self.messenger.run(), "messenger")
        self._stack.push_async_callback(self.messenger.close)
        self._background(self.paging.run(), "paging")
        self._background(_insisted(self.paging.reconsider, self.clock), "quiet incidents")
        self._background(self.rooms.run(), "rooms")
        self._background(self.automations.run(), "automations")
        self._stack.push_async_callback(self.evidence.close)
        self._stack.push_async_callback(self.charts.close)
        self._stack.push_async_callback(self.commits.close)
        self._stack.push_async_callback(self.pagerduty_changes.close)
        self._stack.push_async_callback(self.couriers.close)
        self._background(_insisted(self.messenger.audit_cards, self.clock), "cards")
        for look, seconds in self._looks_of_the_leader():
            self._every(look, seconds)
        self._background(self.measuring.look(), "figures")
        self._background(self._lead_in_slack(), "lead in Slack")

    async def _lead_in_slack(self) -> None:
        """Works off what an earlier run or another replica left, once Slack has said who we are."""
        await self._met.wait()
        for begin in (self.evidence.start, self.charts.start, self.rooms.start):
            await _insisted(begin, self.clock)
        await attend(self.client, channels_of(self.configuration.platform))

    def _looks_of_all(self) -> Sequence[Look]:
        """What every replica looks at every so often, in case a wake-up was lost or none comes."""
        return (
            (self.discovery.look, WATCH_EVERY), (self.engine.look, LOST_EVERY), (self.front.intake.look, LOST_EVERY),
        )  # fmt: skip

    def _looks_of_the_leader(self) -> Sequence[Look]:
        """What one replica looks at for all."""
        settings = self.settings
        looks: list[Look] = [
            (self.deadlines.look, LOOK_EVERY), (self.paging.look, LOOK_EVERY), (self.rooms.look, LOOK_EVERY),
            (self.automations.look, LOOK_EVERY), (self.expiry.look, LOOK_EVERY), (self.auditor.look, AUDIT_EVERY),
            (self.locks.look, LOOK_EVERY), (self.reviews.look, REMIND_EVERY), (self.watcher.look, WATCH_EVERY),
            (partial(digests.refresh, self.database, self.messenger, self.clock), DIGESTS_EVERY),
            (self.evidence.look_again, EVIDENCE_EVERY),
            (self.commits.look, LOOK_EVERY), (self.timetable.look, LOOK_EVERY), (self.forget, FORGET_EVERY),
            (self.weekly.look, REMIND_EVERY), (self.measuring.look, MEASURE_EVERY), (self.anchors.look, REMIND_EVERY),
            (self.messenger.look, LOST_EVERY),
            (self.aftermaths.look, LOOK_EVERY), (self.teller.look, DIGESTS_EVERY), (self.wishes.look, REMIND_EVERY),
        ]  # fmt: skip
        if settings.heartbeat_url and self.client.session is not None:
            heart = Heartbeat(settings.heartbeat_url, self.client.session, self.auditor.look)
            looks.append((heart.beat, BEAT_EVERY))
        if self.couriers.paths:
            looks.append((self.couriers.look, LOOK_EVERY))
        if settings.pagerduty_token:
            looks.append((self.pagerduty_changes.look, LOOK_EVERY))
        return looks

    def _every(self, look: Callable[[], Awaitable[object]], seconds: float) -> None:
        name = getattr(look, "func", look).__qualname__  # as its log calls it
        self.scheduler.add_job(
            _until_the_end, "interval", (look,), seconds=seconds, max_instances=1, coalesce=True, name=name
        )

    async def _end_looks(self) -> None:
        """No look begins any more; one that was cut off before its first step would be a failure to the scheduler."""
        self.scheduler.pause()
        await asyncio.sleep(0)
        self.scheduler.shutdown(wait=False)

    async def _look_at_credentials(self) -> None:
        """Says at once what would otherwise be found out by the first who asks."""
        for said in await self.clusters.unreachable(self.configuration.platform.environments.values()):
            log.error("%s", said)

    async def _meet_slack(self, readiness: Readiness) -> None:
        """Learns who we are, however long Slack is away; then works off what an earlier run left."""
        home, delay, said = self.directory.home, 0.5, ""
        while not home.team_id:
            try:
                await home.learn(self.client)
            except (SlackApiError, OSError, TimeoutError, aiohttp.ClientError) as away:
                if said != (said := trouble("the bot token (SLACK_BOT_TOKEN, xoxb-…)", away)):
                    log.error("%s; trying again until it works", said)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 30.0)
        if said:
            log.info("Slack says who we are now")
        if not self.settings.app_token:  # with Socket Mode the connection says so
            readiness.came_up("slack")
        await _insisted(self.front.open, self.clock)
        self._met.set()
        # Ready now: the first request finds policy's process standing, and the start did not wait for it.
        self._background(self.evaluator.start(), "CEL evaluator")

    def _background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Runs beside until the end; a failure of its own ends up in the log."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_log_failure)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)

    async def forget(self) -> None:
        """Deletes what is too old to matter."""
        await forgetting.forget(self.database, self.clock, self.configuration.platform.retention.requests)


async def _insisted(work: Callable[[], Awaitable[object]], clock: Clock) -> None:
    """Done once, as soon as the database is there: it may be away for a moment just when this replica takes over."""
    while True:
        try:
            await work()
            return
        except Unavailable as away:
            log.warning("%s is done later: %s", work.__qualname__, away.message)
            await clock.sleep(LOOK_EVERY)


async def _until_the_end(look: Callable[[], Awaitable[object]]) -> None:
    """One look; that the end of the program cuts one short is no failure for the scheduler to tell of."""
    with suppress(asyncio.CancelledError):
        await look()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s ended with a failure", task.get_name(), exc_info=error)
