"""Watches the watch: a step of paging that is overdue is told, for whoever should be awake may be asleep."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from chatops.incidents import store
from chatops.incidents.incident import AUTOMATION
from chatops.incidents.keeper import Keeper
from chatops.kernel import audit
from chatops.kernel.ports import Clock, Database, Lane, Post, Tx

LATE = 60.0  # seconds after which a step that was not taken is overdue
MOST_NAMED = 10
CHAIN = "paging"  # of the audit trail
LATE_SAID = "paging_late"


@dataclass(slots=True)
class Auditor:
    """Looks when asked to, apart from the paging that it watches; what it said is noted when that is committed."""

    database: Database
    keeper: Keeper
    clock: Clock
    _told: str = ""  # the message that says so now
    _said: str = ""
    _remembers: bool = False  # what the process before told
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self) -> int:
        """Tells the incidents channel what is overdue, once and edited as it changes; returns how many are."""
        async with (
            self._looking
        ):  # the scheduler's look and the heartbeat's coincide: one would end what the other says
            return await self._look()

    async def _look(self) -> int:
        if not self._remembers:
            self._told = await self.database.read(_left_standing)
            self._remembers = True
        overdue = await self.database.read(store.overdue, self.clock.now() - LATE)
        if overdue:
            named = ", ".join(f"INC-{number}" for number, _ in overdue[:MOST_NAMED])
            more = f" and {len(overdue) - MOST_NAMED} more" if len(overdue) > MOST_NAMED else ""
            said = f"*Paging is late.* Nobody may know of {named}{more}: look at them now, and at the assistant's log."
            if said != self._said:
                post = self._told or f"overdue/{overdue[0][0]}/{round(overdue[0][1])}"
                await self.database.write(self._show, post, said, LATE_SAID)
                self._told, self._said = post, said  # not before: what could not be written is said by the next look
        elif self._told:
            await self.database.write(self._show, self._told, "Paging was late, and goes on.", "paging_goes_on")
            self._told = self._said = ""
        return len(overdue)

    def _show(self, tx: Tx, name: str, said: str, what: str) -> None:
        platform = self.keeper.configuration.platform
        content = {"lines": [said]}
        post = Post(name, Lane.PAGE, "note", channel=platform.channel("incidents"), content=content)
        self.keeper.outbox.show(tx, post)
        audit.append(
            tx, chain=CHAIN, who=AUTOMATION, what=what, data={"post": name, "text": said}, at=self.clock.now(),
            configuration=platform.digest,
        )  # fmt: skip


def _left_standing(tx: Tx) -> str:
    """The message that says that paging is late, from before a restart: nobody else would take it back."""
    last = store.history(tx, CHAIN, 1)
    return str(json.loads(last[0]["data"])["post"]) if last and last[0]["what"] == LATE_SAID else ""
