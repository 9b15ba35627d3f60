"""What is due: expiry, reminders. Deadlines are columns; whoever wakes this code may be late, early or twice."""

from __future__ import annotations

from dataclasses import dataclass

from approvals import store
from approvals.lifecycle import names, still_asked
from approvals.request import State
from chatops.kernel import audit
from chatops.kernel.ports import Clock, Database, Tx
from chatops.requests.register import Register, speakers

MOST_SEALS = 20  # a look; after a storm the next look goes on, so that what is due does not wait for it


@dataclass(slots=True)
class Deadlines:
    """Expires and reminds; one transaction a request, so that one cannot hold up the others."""

    database: Database
    register: Register
    clock: Clock

    async def look(self) -> int:
        """Does what is due now and returns how many requests were touched."""
        now = self.clock.now()
        touched = 0
        for number in await self.database.read(store.due, now):
            touched += await self.database.write(self._expire, number)
        for number in await self.database.read(store.to_remind, now):
            touched += await self.database.write(self._remind, number, now)
        for _ in range(MOST_SEALS):
            if await self.database.write(audit.seal, now) < audit.MAX_HEADS:
                break
        return touched

    def _expire(self, tx: Tx, number: int) -> int:
        request = store.load(tx, number)
        return int(self.register.expire(tx, request) is not request)

    def _remind(self, tx: Tx, number: int, now: float) -> int:
        request = store.load(tx, number)
        if request.state is not State.WAITING or not 0 < request.remind_at <= now:
            return 0
        missing = still_asked(request)
        after = self.register.progress(tx, request, remind_at=0.0)
        line = f"Half of the time is over: {request.name} still waits for {names(missing)}."
        if not missing:  # its warning on the card said so at once; now it would expire unheard
            line = f"Half of the time is over, and nobody is left who may approve {request.name}: the card says why."
        rung = [person.id for person in missing] or speakers(request)
        self.register.say(tx, after, f"reminder-{request.digest[:8]}", [line], mention=rung)
        return 1
