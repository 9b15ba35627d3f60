"""Finding somebody: the steps of the escalation when they are due, and one page a minute for each person.

What is due is a column, so a restart forgets nothing; a step is taken by compare-and-swap, so it is taken once. A page
is a message of the outbox whose id names the person and the moment, so it is sent once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chatops.incidents import lifecycle, store, triggers
from chatops.incidents.couriers import Couriers
from chatops.incidents.duty import Duty
from chatops.incidents.incident import Incident, Paged, State
from chatops.incidents.judging import Judge, quiet_of
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import Event
from chatops.kernel.errors import TooLate
from chatops.kernel.escalation import Plan, step_at
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Database, Directory, Lane, Post, Tx

log = logging.getLogger(__name__)

PAGE_EVERY = 60.0  # seconds between two pages of one person; what comes in between is on the next
AGAIN = 60.0  # seconds after which all is tried anew when no step found anybody, as while Slack is away


@dataclass(slots=True)
class Paging:
    """Pages people until somebody answers."""

    database: Database
    keeper: Keeper
    directory: Directory
    duty: Duty
    judge: Judge
    couriers: Couriers
    clock: Clock
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wake(self, number: int) -> None:
        """Something of an incident may be due now."""
        self._woken.set()

    async def run(self) -> None:
        """Looks when woken, until cancelled; the scheduler looks as well, in case a wake-up was lost."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self.look()
            except Exception:  # the next look finds the same again; a page must not be lost to one failure
                log.exception("looking for what is to be paged failed")

    async def look(self) -> int:
        """Does what is due now; returns how many steps were taken."""
        async with self._looking:
            taken = 0
            while numbers := await self.database.read(store.due, self.clock.now()):
                moved = sum([await self._tried(number) for number in numbers])
                taken += moved
                if not moved:
                    break
            now = self.clock.now()
            for person, last in await self.database.read(store.waiting_pages):
                if not last <= now < last + PAGE_EVERY:  # a last one that is yet to come: the clock was set back
                    await self.database.write(self._page, person)
            return taken

    async def reconsider(self) -> None:
        """Another configuration may end what keeps incidents quiet, or make it last longer."""
        async with self._looking:
            for number in await self.database.read(store.quiet_ones):
                await self._tried(number)

    # inside --------------------------------------------------------------------------------------------------------

    async def _tried(self, number: int) -> bool:
        """One incident's next step; what goes wrong with it must not keep the others' people asleep."""
        try:
            return await self._step(number)
        except Exception:
            log.exception("the next step of INC-%d failed; it is tried again", number)
            return False

    async def _step(self, number: int) -> bool:
        incident = await self.database.read(store.load, number)
        if incident.quiet and incident.state is State.OPEN:
            return await self._listen(incident)
        targets, _ = self._targets(incident)
        found = [(target, person) for target in targets for person in await self._people(target, incident)]
        try:
            return await self.database.write(self._take_step, incident, found)
        except TooLate:
            return False  # somebody answered meanwhile

    async def _listen(self, incident: Incident) -> bool:
        """What is quiet gets loud when that is over and something still fires."""
        alerts = await self.database.read(store.alerts_of, incident.id, MOST_JUDGED)
        why, until = quiet_of(await self.judge.all([one for one in alerts if one.status == "firing"]))
        if (why, until) == (incident.quiet, incident.quiet_until):
            return False
        try:
            return await self.database.write(self._heard, incident, why, until)
        except TooLate:
            return False  # something changed meanwhile

    def _heard(self, tx: Tx, seen: Incident, why: str, until: float) -> bool:
        now, incident = self.clock.now(), store.load(tx, seen.id)
        if incident.version != seen.version:
            return False
        if why:
            after = lifecycle.stay_quiet(incident, why, until, now)
            self.keeper.put(tx, incident, after, Event.STAYS_QUIET, data={"text": why})
        else:
            after = lifecycle.get_loud(incident, now)
            for one in store.alerts_of(tx, incident.id, MOST_JUDGED):
                if one.status == "firing":
                    triggers.queue(tx, after, one, now)
            self.keeper.put(tx, incident, after, Event.GOT_LOUD, data={"text": incident.quiet})
        return True

    def _targets(self, incident: Incident) -> tuple[Sequence[str], float]:
        """Who is asked by the next step, and how long after the beginning of paging the one after it is due."""
        plan = Plan.model_validate(incident.escalation)
        return step_at(plan, incident.step).targets, step_at(plan, incident.step + 1).offset

    async def _people(self, target: str, incident: Incident) -> Sequence[Person]:
        kind, _, name = target.partition(":")
        if kind == "channel":
            return ()
        person = await self.duty.person(name) if kind == "rota" else ""
        if kind == "rota" and not person:
            return ()
        source = f"user:{person}" if person else target
        found = [one for one in await self.directory.members(source, incident.team) if one.is_member]
        return [*found, *self._by_mail(source, incident)]

    def _by_mail(self, source: str, incident: Incident) -> Sequence[Person]:
        """Whom the configuration names by e-mail, while Slack can't say who they are; they get no message there."""
        if "mail" not in self.couriers.paths:
            return ()
        return [Person(id=one, name=one, email=one) for one in self.directory.unsaid(source, incident.team)]

    def _take_step(self, tx: Tx, seen: Incident, found: Sequence[tuple[str, Person]]) -> bool:
        now, incident = self.clock.now(), store.load(tx, seen.id)
        if incident.version != seen.version or not 0 < incident.due_at <= now:
            return False
        if incident.state is State.ACKNOWLEDGED:
            after = lifecycle.take_up_again(incident, now)
            self.keeper.put(tx, incident, after, Event.TAKEN_UP_AGAIN)
            held = incident.holder.name if incident.holder else "somebody"
            said = f"{incident.name} is not resolved after {round(incident.unresolved / 60)} minutes with {held}: paging begins anew."  # noqa: E501
            self.keeper.say(
                tx,
                after,
                f"again/{after.round}",
                [said],
                mention=[incident.holder.id] if incident.holder else [],
                lane=Lane.PAGE,
            )
            return True
        targets, following = self._targets(incident)
        people = {person.id: person for _, person in found}
        paged = tuple(
            Paged(id=one.id, name=one.name or one.id, email=one.email, step=incident.step, at=now)
            for one in people.values()
        )
        for one in paged:
            store.add_page(tx, incident, incident.step, one.id, one.name, now)
        channels = [target.removeprefix("channel:") for target in targets if target.startswith("channel:")]
        cards = tuple((f"{incident.name}/channel/{incident.round}/{incident.step}/{one}", one) for one in channels)
        reached = bool(paged or channels)
        event = Event.PAGED if reached else Event.NOT_REACHED
        changes: dict[str, Any] = {"step": incident.step + 1, "due_at": max(now, incident.paging_since + following)}
        if not reached:  # a step that reached nobody must not cost the time that it would have been waited for
            changes["due_at"] = now
            if not incident.paged and (incident.step + 1) % _steps(incident) == 0:
                changes = {"step": 0, "paging_since": now + AGAIN, "due_at": now + AGAIN}
                said = "Nobody could be reached: no step of the escalation found anybody. I try again every minute."
                self.keeper.say(tx, incident, f"unreached/{incident.round}", [said], lane=Lane.PAGE)
        changes |= {"paged": (*incident.paged, *paged)[-MOST_NAMED:], "cards": (*incident.cards, *cards)[-MOST_CARDS:]}
        after = lifecycle.move(incident, event, now, **changes)
        names = [*(one.name for one in paged), *(f"#{channel}" for channel in channels)]
        told = {"people": ", ".join(names), "step": incident.step + 1, "targets": ", ".join(targets)}
        self.keeper.put(tx, incident, after, event, data=told)
        if incident.step and paged:
            said = f"Nobody has answered: {', '.join(one.name for one in paged)} paged as well."
            self.keeper.say(
                tx, after, f"paged/{after.round}/{incident.step}", [said], mention=list(people), lane=Lane.PAGE
            )
        return True

    def _page(self, tx: Tx, person: str) -> None:
        """One message with everything that waits for a person."""
        now = self.clock.now()
        page = f"page/{person}/{round(now * 1000)}"
        numbers = store.take_pages(tx, person, page, now)
        if not numbers:
            return
        if "@" not in person:
            self.keeper.outbox.show(tx, Post(page, Lane.PAGE, "page", page, person=person))
        # The newest incident knows; all thousands of a storm are not loaded for it in the write that pages.
        latest = (one for number in reversed(numbers) for one in reversed(store.load(tx, number).paged))
        known = next((one for one in latest if one.id == person), None)
        name, email = (known.name, known.email) if known else (person, "")
        self.couriers.note(tx, page, name, email)


def _steps(incident: Incident) -> int:
    return len(Plan.model_validate(incident.escalation).steps)


MOST_JUDGED = 500  # alerts of one quiet incident that are judged anew, those that fire and the worst first
MOST_NAMED = 12  # of the paged, on the incident; the timeline has all
MOST_CARDS = 12  # in channels of the escalation, that are kept true; older ones stay as they are
