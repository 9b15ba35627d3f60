"""Watches the watch: a step of paging that is overdue is told, for whoever should be awake may be asleep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatops.incidents import store
from chatops.incidents.keeper import Keeper
from chatops.kernel.ports import Clock, Database, Lane, Post, Tx

LATE = 60.0  # seconds after which a step that was not taken is overdue
MOST_NAMED = 10


@dataclass(slots=True)
class Auditor:
    """Looks when asked to, apart from the paging that it watches."""

    database: Database
    keeper: Keeper
    clock: Clock
    _told: str = ""  # the message that says so now
    _said: str = ""

    async def look(self) -> int:
        """Tells the incidents channel what is overdue, once and edited as it changes; returns how many are."""
        overdue = await self.database.read(store.overdue, self.clock.now() - LATE)
        if overdue:
            named = ", ".join(f"INC-{number}" for number, _ in overdue[:MOST_NAMED])
            more = f" and {len(overdue) - MOST_NAMED} more" if len(overdue) > MOST_NAMED else ""
            # Named by the oldest, so that a restart finds the message that it made.
            self._told = self._told or f"overdue/{overdue[0][0]}/{round(overdue[0][1])}"
            await self._tell(
                [f"*Paging is late.* Nobody may know of {named}{more}: look at them now, and at the assistant's log."]
            )
        elif self._told:
            await self._tell(["Paging was late, and goes on."])
            self._told = self._said = ""
        return len(overdue)

    async def _tell(self, lines: Sequence[str]) -> None:
        if lines[0] == self._said:
            return
        self._said = lines[0]
        channel = self.keeper.configuration.platform.channel("incidents")
        post = Post(self._told, Lane.PAGE, "note", channel=channel, content={"lines": list(lines)})

        def show(tx: Tx) -> None:
            self.keeper.outbox.show(tx, post)

        await self.database.write(show)
