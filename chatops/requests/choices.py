"""What else is chosen on a card: cancel, wait, replace, start; these are the requester's. And breaking the glass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from approvals import lifecycle, store
from approvals.lifecycle import CANCELLABLE, Event, is_requester, stands
from approvals.request import Request, State
from chatops.kernel.course import nothing_to_do
from chatops.kernel.errors import ClusterError, Refused, TooLate, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.people import STRANGERS, Person, is_automation
from chatops.kernel.ports import Clock, Configuration, Database, Tx
from chatops.requests.approvers import team_of
from chatops.requests.pause import paused_by
from chatops.requests.planning import Planner
from chatops.requests.register import Register, Told

Choice = Literal["cancel", "wait", "replace", "start", "break_glass"]


@dataclass(slots=True)
class Choices:
    """``holds``: whether a person has the incident that an automation asked for something in."""

    database: Database
    register: Register
    planner: Planner
    configuration: Configuration
    clock: Clock
    holds: Callable[[Tx, Request, Person], bool] = field(default=lambda tx, request, person: False)

    async def choose(
        self, request: int, choice: Choice, *, person: Person, key: str, reason: str, saw: str, told: Told
    ) -> str:
        """Does it once for a ``key``; a sentence for who pressed. Raises ``TooLate`` or ``Refused``.

        Replacing asks the cluster first, which may take long; all else is one commit.
        """
        if choice == "replace":
            await self._check_replacement(request, person)
        reason = reason and mask(reason)[0]
        return await self.database.write(self._choose, request, choice, person, key, reason, saw, told)

    # inside --------------------------------------------------------------------------------------------------------

    async def _check_replacement(self, number: int, person: Person) -> None:
        """Plans what would take another's place: nobody loses theirs to what is refused, denied or changes nothing."""

        def read(tx: Tx) -> tuple[Request, Request | None, bool]:
            request = store.load(tx, number)
            return (
                request,
                store.holder(tx, request.service, request.environment),
                self._speaks_for(tx, request, person),
            )

        request, old, speaks = await self.database.read(read)
        asked = request.state is State.CONTESTED and speaks
        if not asked or old is None or old.state not in CANCELLABLE:
            return  # the transaction says why
        kept = f"{old.name} was not replaced"
        try:
            made = await self.planner.make(request)
        except (Refused, ClusterError) as no:
            raise Refused(f"{kept}, for {request.name} can't be done: {no.message}", hint=no.hint) from no
        except Unavailable as away:
            said = f"{kept}: whether {request.name} can be done is not known. {away.message}"
            raise Unavailable(said, hint="Press Replace once more in a minute.") from away
        if made.decision.outcome == "deny":
            glass = made.decision.break_glass
            hint = f"With break_glass=yes on the line, members of the group {glass} can lift that." if glass else ""
            raise Refused(f"{kept}, for {request.name} would be denied: {made.decision.denial}", hint=hint)
        if nothing_to_do(made.plan):
            raise Refused(f"{kept}, for {request.name} would change nothing: {made.plan.now}")

    def _choose(
        self, tx: Tx, number: int, choice: Choice, person: Person, key: str, reason: str, saw: str, told: Told
    ) -> str:
        return self.register.pressed(
            tx, number, key, told, lambda request: self._chosen(tx, request, choice, person, reason, saw)
        )

    def _chosen(self, tx: Tx, request: Request, choice: Choice, person: Person, reason: str, saw: str) -> str:
        if not person.is_member:
            raise Refused(STRANGERS[person.standing])
        if choice == "break_glass":
            return self._break_glass(tx, request, person, reason)
        if not self._speaks_for(tx, request, person):
            raise Refused(f"Only {self._speakers(request)} can do that.")
        who = person.email or person.id
        if choice == "cancel":
            if request.state not in CANCELLABLE:
                raise TooLate(stands(request))
            self.register.move(tx, request, Event.CANCELLED, who=who, by=person.name, outcome=reason)
            return f"{request.name} is cancelled."
        if choice == "start":
            self.register.move(
                tx, request, Event.START_CHOSEN, who=who, approved_at=self.clock.now(), deadline_at=0.0, outcome=""
            )
            stop = paused_by(tx)
            return f"{request.name} starts when that is over: {stop}." if stop else f"{request.name} starts now."
        if choice == "wait":
            self.register.move(tx, request, Event.WAIT_CHOSEN, who=who, deadline_at=0.0)
            return f"{request.name} waits for R-{request.behind}; it is planned when its turn comes."
        if choice != "replace":  # a card or form that is not ours
            raise TooLate(stands(request))
        return self._replace(tx, request, person, saw)

    def _speaks_for(self, tx: Tx, request: Request, person: Person) -> bool:
        """Whether this person may cancel it and the like: who asked, or whom it concerns where an automation asked."""
        if not is_automation(request.requester_id):
            return is_requester(request, person)
        may_approve = any(one.id == person.id for one in request.approvers)
        own = team_of(request, self.configuration) in person.teams
        return may_approve or own or self.holds(tx, request, person)

    def _speakers(self, request: Request) -> str:
        if not is_automation(request.requester_id):
            return f"{request.requester_name}, who asked for {request.name},"
        own = f"the team of {request.service}" if request.service else "its team"
        return f"{own}, whoever may approve {request.name} and whoever has its incident"

    def _replace(self, tx: Tx, request: Request, person: Person, saw: str) -> str:
        """Cancels the pending request that holds the place, tells its requester, and takes the place."""
        if request.state is not State.CONTESTED:
            raise TooLate(stands(request))
        old = store.holder(tx, request.service, request.environment)
        if old is not None and saw != old.name:  # nobody agreed to cancel this one
            self.register.show_again(tx, request)
            return f"Nothing was replaced: {old.name} ({request.ahead}) comes first now. Look at the card again."
        if old is not None and old.state not in CANCELLABLE:
            raise TooLate(f"{stands(old)} It can't be replaced any more; you can wait for it.")
        who = person.email or person.id
        # Take the queue's place first: the cancelled one hands over to the next in line.
        queued = self.register.move(tx, request, Event.WAIT_CHOSEN, who=who, deadline_at=0.0)
        if old is None:
            self.register.move(tx, queued, Event.TURN_CAME, who=who, behind=0, ahead="")
            return f"The way is free: {request.name} is being planned."
        after = lifecycle.move(
            old, Event.CANCELLED, self.clock.now(), by=person.name, outcome=f"replaced with {queued.name}"
        )
        self.register.put(tx, old, after, Event.CANCELLED, who=who, successor=queued)
        return f"{request.name} replaces {old.name}."

    def _break_glass(self, tx: Tx, request: Request, person: Person, reason: str) -> str:
        group = request.decision.break_glass if request.decision else ""
        if request.state is not State.DENIED or not group:
            raise TooLate(stands(request))
        if self.clock.now() - request.ended_at > lifecycle.GLASS_HOLDS:
            self.register.show_again(tx, request)
            return f"{request.name} was denied more than a day ago. Ask for it anew."
        if group not in person.groups:
            raise Refused(f"Only the group {group} can break the glass here.")
        if not is_requester(request, person):
            raise Refused(f"The glass is broken by who asks: ask for it yourself, {request.requester_name} did here.")
        if not reason:
            raise Refused("Breaking the glass needs a reason.")
        if (holder := store.holder(tx, request.service, request.environment)) is not None:
            raise TooLate(f"{stands(holder)} It holds {request.service} in {request.environment}.")
        self.register.move(
            tx, request, Event.GLASS_BROKEN, who=person.email or person.id, data={"reason": reason},
            broke_glass=reason, ended_at=0.0, outcome="",
        )  # fmt: skip
        return f"The glass is broken for {request.name}. Everyone is told."
