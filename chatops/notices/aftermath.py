"""How a service does in the five minutes after a deploy: one picture in the thread of the message that tells of it.

What is due is a row, so a restart forgets nothing; a picture that was made twice in a crash is shown once, for the
reply that shows it has a name of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chatops.kernel.accidents import recorded
from chatops.kernel.aftermath import AROUND, Aftermath, Sketcher, around, filled
from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.chart import Monitor, Pictures
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Outbox, Post, Row, Tx
from chatops.notices.comparisons import Kind

log = logging.getLogger(__name__)

PAUSES = (15.0, 60.0, 300.0, 900.0)  # seconds before what was away is asked again
SCRAPED = 15.0  # seconds that a Prometheus may lag behind
KEPT = 90 * 86400.0  # seconds
SAID = "*Five minutes after:*"

ADD = """
INSERT INTO aftermaths (kind, subject, service, environment, title, begun_at, done_at, due_at)
VALUES (:kind, :subject, :service, :environment, :title, :begun_at, :done_at, :due_at) ON CONFLICT DO NOTHING
"""
DUE = "SELECT * FROM aftermaths WHERE due_at > 0 AND due_at <= :now ORDER BY due_at LIMIT 20"
LATER = "UPDATE aftermaths SET tries = tries + 1, due_at = :due_at WHERE kind = :kind AND subject = :subject"
END = "UPDATE aftermaths SET due_at = 0 WHERE kind = :kind AND subject = :subject AND due_at > 0"
PRUNE = """
DELETE FROM aftermaths WHERE (kind, subject) IN
    (SELECT kind, subject FROM aftermaths WHERE done_at < :before ORDER BY done_at LIMIT 500)
"""


@dataclass(frozen=True, slots=True)
class Over:
    """A deploy that is over. Times: epoch seconds."""

    kind: Kind
    subject: int
    service: str
    environment: str
    title: str  # checkout 1.4.1 → 1.4.2
    begun_at: float
    done_at: float


class Threads(Protocol):
    """Where the messages about a deploy stand."""

    def __call__(self, tx: Tx, platform: Platform, kind: Kind, subject: int) -> Sequence[Post]: ...


def prune(tx: Tx, now: float) -> int:
    """Forgets what was over long ago; how many."""
    return tx.run(PRUNE, before=now - KEPT)


@dataclass(slots=True)
class Aftermaths:
    """Makes the picture of each deploy, once; without a Prometheus or a question for it nothing is made."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    monitor: Monitor
    painter: Sketcher
    pictures: Pictures
    threads: Threads
    clock: Clock
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    def over(self, tx: Tx, deploy: Over) -> None:
        """A deploy is over: in five minutes it is looked at."""
        platform = self.configuration.platform
        known = deploy.service in platform.services and deploy.environment in platform.environments
        if not (known and platform.after_deploys and self.monitor.configured):
            return
        tx.run(
            ADD, kind=deploy.kind, subject=deploy.subject, service=deploy.service, environment=deploy.environment,
            title=deploy.title, begun_at=deploy.begun_at or deploy.done_at, done_at=deploy.done_at,
            due_at=deploy.done_at + AROUND + SCRAPED,
        )  # fmt: skip

    async def look(self) -> None:
        """Makes all that is due, one after the other."""
        async with self._alone:
            for row in await self.database.read(lambda tx: tx.all(DUE, now=self.clock.now())):
                try:
                    await self._make(row)
                except Unavailable as away:
                    await self._put_off(row, away.message)
                except Exception as error:  # the others' pictures do not wait for this one
                    await self._put_off(row, f"it failed ({recorded(log, error, 'the picture after a deploy')})")

    # inside --------------------------------------------------------------------------------------------------------

    async def _make(self, row: Row) -> None:
        platform = self.configuration.platform
        service, environment = platform.services.get(row["service"]), platform.environments.get(row["environment"])
        if service is None or environment is None or not (platform.after_deploys and self.monitor.configured):
            await self.database.write(self._end, row, "", None)
            return
        if not await self.database.read(self.threads, platform, row["kind"], row["subject"]):
            await self.database.write(self._end, row, "", None)  # nobody was told: a digest tells of it
            return
        asked = self._asked(platform, row)
        answers, refused = await self._answers(platform, asked, service, environment)
        drawn = await self.painter.compare(asked, answers)
        if not drawn.picture:
            missing = drawn.problem or refused
            said = f"{drawn.words}. There is no picture: {missing}" if drawn.words else missing
            await self.database.write(self._end, row, said, None)
            return
        name = f"{row['service']}-{row['environment']}-{row['kind']}-{row['subject']}.png"
        file = await self.pictures.keep(name, asked.title, drawn.picture)
        image = {"file": file, "alt": f"{asked.title}, five minutes before and after: {drawn.words}"}
        await self.database.write(self._end, row, f"{drawn.words}{f'. {refused}' if refused else ''}", image)

    def _asked(self, platform: Platform, row: Row) -> Aftermath:
        zone = platform.zone_of(platform.services[row["service"]].team)
        title = f"{row['title']} · {row['environment']}"
        measures = [one.name for one in platform.after_deploys]
        return around(title, measures, row["begun_at"], row["done_at"], zone.key)

    async def _answers(
        self, platform: Platform, asked: Aftermath, service: Service, environment: Environment
    ) -> tuple[list[bytes], str]:
        """The answer to each question, and why one has none. Raises ``Unavailable``."""
        found, refused = [], ""
        for one in platform.after_deploys:
            expression = filled(one.expression, service, environment)
            try:
                answer = await self.monitor.query_range(expression, asked.start, asked.end, asked.step)
            except Refused as no:
                answer, refused = None, f"{one.name}: {no.message}"
            found.append(answer or b"")
        return found, refused

    async def _put_off(self, row: Row, why: str) -> None:
        tries = int(row["tries"])
        log.warning("no picture yet of %s %s: %s", row["kind"], row["subject"], why)
        if tries >= len(PAUSES):
            await self.database.write(self._end, row, f"there is no picture: {why}", None)
        else:
            await self.database.write(self._later, row, self.clock.now() + PAUSES[tries])

    def _later(self, tx: Tx, row: Row, due_at: float) -> None:
        tx.run(LATER, kind=row["kind"], subject=row["subject"], due_at=due_at)

    def _end(self, tx: Tx, row: Row, said: str, image: dict[str, str] | None) -> None:
        """Shows what there is to show; a service that nobody measures has nothing."""
        if not tx.run(END, kind=row["kind"], subject=row["subject"]) or not said:
            return
        content = {"lines": [f"{SAID} {said.rstrip('.')}"], **({"image": image} if image else {})}
        for parent in self.threads(tx, self.configuration.platform, row["kind"], row["subject"]):
            post = Post(
                f"{parent.id}/after", Lane.NOTICE, "note", channel=parent.channel, thread_of=parent.id, content=content
            )
            self.outbox.show(tx, post)
