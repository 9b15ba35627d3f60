"""What an automation asked for is withdrawn once every alert that it was asked for has ended, unless it runs by then.

Nothing is remembered for it: each look finds the requests that are still open and the alerts that they serve, so a
process that died in between is followed by one that finds the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from approvals import store as requests
from approvals.lifecycle import Event
from approvals.request import Request
from chatops.incidents import triggers
from chatops.incidents.triggers import Trigger
from chatops.kernel.masking import mask
from chatops.kernel.people import AUTOMATION, is_automation
from chatops.kernel.ports import Database, Tx
from chatops.requests.register import Register


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """Looks at what automations asked for and people have not decided on."""

    database: Database
    register: Register

    async def look(self) -> list[str]:
        """Withdraws what nobody needs any more; the rule of each request."""
        numbers = await self.database.read(_needless)
        return [rule for one in numbers if (rule := await self.database.write(self._withdraw, one))]

    def _withdraw(self, tx: Tx, number: int) -> str:
        """One request in one transaction, in which the alert may be back, or the request run, all the same."""
        request = requests.load(tx, number)
        why = _why(tx, request) if request.state.value in requests.UNDECIDED else ""
        if not why:
            return ""
        who = request.requester_id
        self.register.move(
            tx, request, Event.CANCELLED, who=who, data={"reason": why}, by=request.requester_name, outcome=why
        )
        triggers.withdraw(tx, number)
        first, rule = cause(tx, request), who.removeprefix(AUTOMATION)
        if first is not None and triggers.run_of(tx, rule, first) == "asked":  # by a version that kept no number
            triggers.end(tx, rule, first, "withdrawn", number)
        return rule


def cause(tx: Tx, request: Request) -> Trigger | None:
    """What made an automation ask for it; None for what a person asked for."""
    return triggers.by_key(tx, requests.key_of(tx, request.id)) if is_automation(request.requester_id) else None


def _needless(tx: Tx) -> list[int]:
    return [number for number in requests.of_automations(tx) if _why(tx, requests.load(tx, number))]


def _why(tx: Tx, request: Request) -> str:
    """Why it is needed no more; empty: it is. One request may serve several alerts, and each of them keeps it."""
    first = cause(tx, request)
    if first is None or first.live or any(one.live for one in triggers.served(tx, request.id)):
        return ""
    if first.alert.status == "firing":
        return f"{first.incident.name} is over"
    return mask(f"the alert {first.alert.name} has ended")[0]
