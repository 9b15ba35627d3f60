"""Tells PagerDuty what happened here, until it knows, or for an hour; the thread says when that does not work."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from chatops.incidents import pagerduty_store, store
from chatops.incidents.keeper import Keeper
from chatops.incidents.pagerduty_store import Change
from chatops.kernel.accidents import recorded
from chatops.kernel.background import Background
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.ports import Clock, Configuration, Database, Tx

log = logging.getLogger(__name__)

PAUSES = (5.0, 15.0, 45.0, 120.0, 300.0)  # seconds before the next try; the last one goes on
GIVEN_UP_AFTER = 3600.0  # seconds
SENDER = "sender"  # the rule of a ``Refused``: PagerDuty has no user of that e-mail
WORDS = {"acknowledged": "acknowledged", "resolved": "resolved", "note": "noted"}


class Api(Protocol):
    """PagerDuty's REST API; every call raises ``Unavailable`` or ``Refused`` (rule ``sender``: no such user)."""

    async def set_status(self, incident: str, status: str, email: str) -> None:
        """Acknowledges or resolves; what stands so already stays."""
        ...

    async def add_note(self, incident: str, text: str, email: str) -> None:
        """Adds a note, unless it is there already."""
        ...


@dataclass(slots=True)
class Changes:
    """Works off what is noted down."""

    database: Database
    keeper: Keeper
    configuration: Configuration
    api: Api
    clock: Clock
    tasks: Background = field(default_factory=Background)
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    _not_before: float = 0.0  # PagerDuty asked to wait until then

    def wake(self) -> None:
        """Looks at once, beside what goes on."""
        self.tasks.spawn(self.look(), name="telling PagerDuty")

    async def close(self) -> None:
        """Stops; what is not told is told after the next start."""
        await self.tasks.close()

    async def look(self) -> None:
        """Tells all that is due; a failure of our own is logged, and tried again like any other."""
        async with self._alone:
            for change in await self.database.read(pagerduty_store.due, self.clock.now()):
                if self.clock.now() < self._not_before:
                    return
                if await self.database.read(pagerduty_store.is_wanted, change.id):
                    await self._tell(change)

    # inside --------------------------------------------------------------------------------------------------------

    async def _tell(self, change: Change) -> None:
        try:
            await self._send(change)
        except Refused as no:
            await self.database.write(self._given_up, change, no.message)
        except Unavailable as away:
            if away.retry_after:
                self._not_before = self.clock.now() + away.retry_after
            await self.database.write(self._failed, change, away.message, away.retry_after)
        except Exception as error:
            reference = recorded(log, error, "telling PagerDuty")
            await self.database.write(self._failed, change, f"Telling PagerDuty failed ({reference})", 0.0)
        else:
            await self.database.write(self._done, change)

    async def _send(self, change: Change) -> None:
        """In the name of who did it; of whom PagerDuty does not know, in that of ``pagerduty: {from: …}``."""
        sender = self.configuration.platform.pagerduty.sender
        emails = list(dict.fromkeys(one for one in (change.email, sender) if one))
        if not emails:
            raise Refused("There is no e-mail in whose name PagerDuty could be told (`pagerduty: {from: …}`)")
        for email in emails:
            try:
                if change.what == "note":
                    return await self.api.add_note(change.pagerduty_id, change.note, email)
                return await self.api.set_status(change.pagerduty_id, change.what, email)
            except Refused as no:
                if no.rule != SENDER or email == emails[-1]:
                    raise
        return None

    def _done(self, tx: Tx, change: Change) -> None:
        if pagerduty_store.end(tx, change.id, "done") and change.tries:
            self._say(tx, change, f"PagerDuty knows now that it is {WORDS[change.what]}.")

    def _failed(self, tx: Tx, change: Change, why: str, wait: float) -> None:
        now = self.clock.now()
        if now - change.made_at >= GIVEN_UP_AFTER:
            self._given_up(tx, change, why)
            return
        pause = max(wait, PAUSES[min(change.tries, len(PAUSES) - 1)])
        if pagerduty_store.later(tx, change.id, now + pause):
            said = f"⚠ PagerDuty does not know yet that it is {WORDS[change.what]}: {why}. It is tried again."
            self._say(tx, change, said)

    def _given_up(self, tx: Tx, change: Change, why: str) -> None:
        if pagerduty_store.end(tx, change.id, "given up"):
            said = (
                f"⚠ PagerDuty was not told that it is {WORDS[change.what]}: {why}. It is not tried again; do it there."
            )
            self._say(tx, change, said)

    def _say(self, tx: Tx, change: Change, said: str) -> None:
        incident = store.load(tx, change.incident)
        self.keeper.say(tx, incident, f"pagerduty/{change.id}", [said])
