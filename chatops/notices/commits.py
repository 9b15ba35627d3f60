"""Asks GitHub for the commits between two versions, beside the requests: cards and notices fill in when it answers.

GitHub being away, slow or unwilling holds up nothing: what is not known is not shown, and the link stands all the same.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from approvals import store
from approvals.request import Request, State
from chatops.kernel.accidents import recorded
from chatops.kernel.background import Background
from chatops.kernel.commits import Compared, Comparison
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.ports import Clock, Configuration, Database, Outbox, Tx
from chatops.notices import comparisons, telling
from chatops.notices.authors import Authors
from chatops.notices.between import compared
from chatops.notices.comparisons import Due, Kind
from chatops.requests.register import card

log = logging.getLogger(__name__)

PAUSES = (5.0, 30.0, 120.0, 600.0)  # seconds before the next try; after the last it is given up


class Api(Protocol):
    """GitHub's REST API."""

    async def compare(self, asked: Comparison) -> Compared:
        """What lies between; raises ``Unavailable`` (try later) or ``Refused`` (never)."""
        ...


@dataclass(slots=True)
class Commits:
    """Works off what is wanted; without a token nothing is."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    api: Api
    authors: Authors
    clock: Clock
    tasks: Background = field(default_factory=Background)
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    _not_before: float = 0.0  # GitHub is away, or asked us to wait

    def moved(self, tx: Tx, request: Request) -> None:
        """``Register.moved``: a deploy about which somebody decides, or that begins."""
        if request.state in (State.WAITING, State.APPROVED):
            self.want(tx, compared(self.configuration.platform, request), "request", request.id)
        self.authors.moved(tx, request)

    def want(self, tx: Tx, asked: Comparison | None, kind: Kind, subject: int) -> None:
        """Wants to know what lies between, for the messages about ``subject``."""
        configured = self.configuration.platform.github.api.token is not None
        if configured and asked is not None and comparisons.want(tx, asked, kind, subject, self.clock.now()):
            tx.after_commit(self.wake)

    def failed(
        self, tx: Tx, kind: Kind, subject: int, asked: Comparison | None, login: str, place: tuple[str, str]
    ) -> None:
        """``Authors.failed``."""
        self.authors.failed(tx, kind, subject, asked, login, place)

    def wake(self) -> None:
        """Looks at once, beside what goes on."""
        self.tasks.spawn(self.look(), name="asking GitHub")

    async def close(self) -> None:
        """Stops; what is not known is asked after the next start."""
        await self.tasks.close()
        await self.authors.close()

    async def look(self) -> None:
        """Asks all that is due, until GitHub is away; mentions whom it concerns."""
        await self.authors.look()
        async with self._alone:
            if self.configuration.platform.github.api.token is None:
                return
            for due in await self.database.read(comparisons.due, self.clock.now()):
                if self.clock.now() < self._not_before:
                    return
                await self._ask(due)

    # inside --------------------------------------------------------------------------------------------------------

    async def _ask(self, due: Due) -> None:
        try:
            found = await self.api.compare(due.asked)
        except Refused as no:
            await self.database.write(self._end, due, None, no.message)
        except Unavailable as away:
            pause = PAUSES[min(due.tries, len(PAUSES) - 1)]
            self._not_before = self.clock.now() + (away.retry_after or PAUSES[0])
            await self._put_off(due, away.message, max(pause, away.retry_after))
        except Exception as error:
            reference = recorded(log, error, "asking GitHub")
            await self._put_off(due, f"it failed ({reference})", PAUSES[min(due.tries, len(PAUSES) - 1)])
        else:
            await self.database.write(self._end, due, found, "")

    async def _put_off(self, due: Due, why: str, pause: float) -> None:
        log.warning("the commits of %s are not known: %s", due.asked, why)
        if due.tries >= len(PAUSES):
            await self.database.write(self._end, due, None, why)
        else:
            await self.database.write(comparisons.later, due.id, self.clock.now() + pause)

    def _end(self, tx: Tx, due: Due, found: Compared | None, problem: str) -> None:
        for kind, subject in comparisons.end(tx, due.id, found, problem, self.clock.now()):
            self._show(tx, kind, subject)
            self.authors.known(tx, kind, subject)

    def _show(self, tx: Tx, kind: Kind, subject: int) -> None:
        platform = self.configuration.platform
        if kind == "request":
            request = store.load(tx, subject)
            self.outbox.show(tx, card(request, platform.channel("requests", request.environment, request.service)))
        for post in telling.messages(tx, platform, kind, subject):
            self.outbox.show(tx, post)
