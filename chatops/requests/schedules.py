"""Asks for changes at the times that people said: the database knows what is due, whoever wakes this code.

A day ahead it looks at the plan, and where policy wants approvals the request is made then, to start at its time. What
comes more than half an hour late, after a downtime, is not done any more: whoever made it is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from approvals import store
from approvals.lifecycle import CANCELLABLE, START_WITHIN, Event, sources_of
from chatops.kernel import audit, freezes
from chatops.kernel.accidents import recorded
from chatops.kernel.action import Action
from chatops.kernel.errors import InputError, PlatformError, Refused, TooLate, Unavailable
from chatops.kernel.families import spoken
from chatops.kernel.masking import mask
from chatops.kernel.people import Person, Standing
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Outbox, Post, Row, Tx
from chatops.kernel.schedules import Schedule, Verb, Whose, when
from chatops.kernel.spans import check_ahead, zone_of
from chatops.requests.clicks import only_once
from chatops.requests.line import Line, Misread, write
from chatops.requests.reading import parse
from chatops.requests.register import Register
from chatops.requests.road import Road

log = logging.getLogger(__name__)

AHEAD = 24 * 3600.0  # seconds before its time at which approvals are asked for
AGAIN, AGAIN_AHEAD = (
    30.0,
    300.0,
)  # seconds until the next try while somebody can't be asked, at its time and ahead of it
MOST = 50  # schedules a person
SHOWN = 50

DUE = "SELECT * FROM schedules WHERE ended_at = 0 AND look_at <= :now ORDER BY look_at, id LIMIT 50"
INSERT = """
INSERT INTO schedules (person_id, look_at, next_at, ended_at, body)
VALUES (:person_id, :look_at, :next_at, 0, :body) RETURNING *
"""
SAVE = """
UPDATE schedules SET look_at = :look_at, next_at = :next_at, ended_at = :ended_at, body = :body
WHERE id = :id AND ended_at = 0
"""
ALL = "SELECT * FROM schedules WHERE ended_at = 0 ORDER BY next_at, id LIMIT 1000"
COUNT = "SELECT count(*) AS n FROM schedules WHERE person_id = :person AND ended_at = 0"
PRUNE = """
DELETE FROM schedules WHERE id IN (
    SELECT id FROM schedules WHERE ended_at > 0 AND ended_at < :before ORDER BY ended_at LIMIT 500
)
"""
KEPT = 90 * 86400.0  # seconds
NEVER = 1e12  # epoch seconds: a schedule that is paused has nothing to be looked at


def prune(tx: Tx, now: float) -> int:
    """Forgets schedules that were over long ago; how many."""
    return tx.run(PRUNE, before=now - KEPT)


def _read(row: Row) -> Schedule:
    columns = {name: row[name] for name in ("id", "look_at", "next_at", "ended_at")}
    return Schedule.model_validate_json(row["body"]).model_copy(update=columns)


def _load(tx: Tx, number: int) -> Schedule:
    row = tx.one("SELECT * FROM schedules WHERE id = :id", id=number)
    if row is None:
        raise TooLate(f"S-{number} is not known here.", hint="`/platform schedules all` lists what there is.")
    return _read(row)


def _columns(one: Schedule) -> dict[str, Any]:
    body = one.model_dump_json(exclude={"id"})
    return {"look_at": one.look_at, "next_at": one.next_at, "body": body}


@dataclass(slots=True)
class Timetable:
    """Implements ``kernel.schedules.Schedules``; ``look`` may be called late, early or twice."""

    database: Database
    road: Road
    register: Register
    outbox: Outbox
    configuration: Configuration
    clock: Clock
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def make(
        self, person: Person, line: str, said: str, reason: str, asked_at: float, key: str = ""
    ) -> tuple[Schedule, Sequence[str]]:
        """``kernel.schedules.Schedules.make``."""
        self.road.permit(person)
        platform, now, zone = self.configuration.platform, self.clock.now(), zone_of(person.tz)
        asked, action = self._asked(line, reason)
        self.road.permit(person, action.name)
        at, rule, start = when(said, asked_at, zone)
        if not rule:
            check_ahead(at, now)
        inputs = await self._checked(action, asked, person)
        values = {name: value for name, value in asked.inputs(action).items() if name != "reason"}
        typed = write(action, Line(action.name, asked.values))
        made = Schedule(
            person_id=person.id, person_name=person.name, action=action.name, values=values,
            reason=mask(asked.reason)[0], line=typed.replace(action.name, spoken(action.name), 1),
            service=str(getattr(inputs, "service", "") or ""),
            environment=str(getattr(inputs, "environment", "") or ""), timezone=str(zone), rrule=rule, start=start,
            next_at=at, look_at=max(now, at - AHEAD),
        )  # fmt: skip
        kept = await self.database.write(self._make, made, person, key)
        place = platform.environments.get(kept.environment), platform.services.get(kept.service)
        held = () if action.name in freezes.NEVER_FROZEN else freezes.rules(platform, *place, at, zone)
        return kept, [f"It would be refused: {one.deny}" for one in held]

    async def listed(self, person: Person, whose: Whose) -> Sequence[Schedule]:
        """Those that are not over, the next one first: of this person and their teams, or all."""
        found = await self.database.read(lambda tx: [_read(row) for row in tx.all(ALL)])
        return [one for one in found if whose == "all" or self._owns(person, one)][:SHOWN]

    async def act(self, person: Person, number: int, verb: Verb, key: str = "") -> Schedule:
        """``kernel.schedules.Schedules.act``."""
        return await self.database.write(self._act, person, number, verb, key)

    async def look(self) -> None:
        """Does what is due now; a failure with one must not keep the others waiting."""
        async with self._looking:
            while found := await self.database.read(self._due):
                await asyncio.gather(*(self._attend(one) for one in found))

    # making and changing -------------------------------------------------------------------------------------------

    def _asked(self, text: str, reason: str) -> tuple[Line, Action]:
        try:
            line = parse(text, self.road.actions, self.configuration.platform)
        except Misread as wrong:
            raise InputError(wrong.message, field="line", hint=wrong.hint) from wrong
        line = Line(line.action, line.values, line.reason or reason, line.break_glass)
        if not line.action:
            raise InputError("What is to be done then?", field="line", hint="As in `deploy checkout 1.4.2 staging`.")
        action = self.road.actions[line.action]
        if action.plan is None or action.give is not None:
            why = "is answered at once" if action.plan is None else "needs a person when it runs"
            raise InputError(f"`{action.name}` {why}: only changes can be scheduled.", field="line")
        if line.break_glass:
            raise InputError("Glass is broken by hand, at its time.", field="line")
        if missing := line.missing(action):
            needs = f"{action.title} needs {' and '.join(missing)} too."
            raise InputError(needs, field="line", hint=f"Usage: `{action.usage}`")
        return line, action

    async def _checked(self, action: Action, line: Line, person: Person) -> Any:
        try:
            return await self.road.check(action.name, line.inputs(action), person=person)
        except InputError as wrong:
            raise InputError(wrong.message, field="line", hint=wrong.hint) from wrong

    def _make(self, tx: Tx, made: Schedule, person: Person, key: str) -> Schedule:
        only_once(tx, key, self.clock.now())
        row = tx.one(COUNT, person=person.id)
        if row is not None and row["n"] >= MOST:
            raise Refused(f"You have {MOST} schedules already: remove one first.")
        stored = tx.one(INSERT, person_id=made.person_id, **_columns(made))
        if stored is None:
            raise RuntimeError("the schedule was not stored")
        one = _read(stored)
        self._audit(tx, one, person.email or person.id, "scheduled")
        return one

    def _owns(self, person: Person, one: Schedule) -> bool:
        service = self.configuration.platform.services.get(one.service)
        return one.person_id == person.id or (service is not None and service.team in person.teams)

    def _act(self, tx: Tx, person: Person, number: int, verb: Verb, key: str) -> Schedule:
        only_once(tx, key, self.clock.now())
        one, now, platform = _load(tx, number), self.clock.now(), self.configuration.platform
        may = self._owns(person, one) or sources_of(person, platform.operators, "", platform)
        if not (person.is_member and may):
            raise Refused(
                f"Only {one.person_name}, who made {one.name}, the owning team and the platform team do that."
            )
        if one.ended_at:
            raise TooLate(f"{one.name} is over.")
        if one.paused == (verb == "pause") and verb != "remove":
            raise TooLate(f"{one.name} {'is paused already' if one.paused else 'is not paused'}.")
        if verb == "resume":
            coming = one.following(now) if one.rrule else one.next_at
            if coming <= now:
                raise TooLate(f"The time of {one.name} is over.", hint="Remove it, and make another one.")
            after = one.model_copy(
                update={
                    "paused": False, "round": one.round + 1, "next_at": coming, "look_at": max(now, coming - AHEAD),
                    "request": 0,
                }
            )  # fmt: skip
        else:
            self._withdraw(tx, one, person, verb)
            gone = {"ended_at": now} if verb == "remove" else {"paused": True, "look_at": NEVER, "request": 0}
            after = one.model_copy(update=gone)
        self._save(tx, after)
        self._audit(tx, after, person.email or person.id, f"schedule {verb}d")
        if person.id != one.person_id:
            self._say(tx, after, f"{verb}-{now}", [f"{person.name} {verb}d {one.name}: `{one.line}`."])
        return after

    def _withdraw(self, tx: Tx, one: Schedule, person: Person, verb: Verb) -> None:
        """What was asked for ahead of time is not carried out."""
        request = store.find(tx, one.request) if one.request else None
        if request is not None and request.early and request.state in CANCELLABLE:
            outcome = f"{one.name} was {verb}d"
            self.register.move(
                tx, request, Event.CANCELLED, who=person.email or person.id, by=person.name, outcome=outcome
            )

    # what is due ---------------------------------------------------------------------------------------------------

    def _due(self, tx: Tx) -> list[Schedule]:
        return [_read(row) for row in tx.all(DUE, now=self.clock.now())]

    async def _attend(self, one: Schedule) -> None:
        now = self.clock.now()
        try:
            if now < one.next_at:
                await self._look_ahead(one)
            elif now - one.next_at > START_WITHIN:
                await self.database.write(self._missed, one)
            else:
                await self._ask(one)
        except Unavailable:
            await self.database.write(self._put_off, one, self.clock.now() + AGAIN)
        except PlatformError as no:
            await self.database.write(self._refused, one, no.message)
        except Exception as error:  # found by its reference; nothing is tried again at a time that nobody expects
            said = f"Something unexpected went wrong; the platform team finds it as {recorded(log, error, one.name)}."
            await self.database.write(self._refused, one, said)

    async def _look_ahead(self, one: Schedule) -> None:
        """Asks for approvals while people are there; whatever else there is to say is said at its time."""
        number = 0
        try:
            person = await self._person(one)
            if await self.road.wants_approvals(one.action, self._given(one), person=person, at=one.next_at):
                number = await self._request(one, person)
        except Unavailable:
            await self.database.write(self._put_off, one, min(one.next_at, self.clock.now() + AGAIN_AHEAD))
            return
        except PlatformError as no:
            log.info("%s is looked at again at its time: %s", one.name, no.message)
        await self.database.write(self._looked, one, number)

    async def _ask(self, one: Schedule) -> None:
        number = await self._request(one, await self._person(one))
        await self.database.write(self._go_on, one, number)

    async def _person(self, one: Schedule) -> Person:
        """Who made it, as they are now; raises ``Unavailable`` while nobody can say."""
        person = await self.road.directory.person(one.person_id)
        if person.standing is Standing.UNKNOWN:
            raise Unavailable(f"I could not find out who {one.person_name} is just now.")
        return person

    async def _request(self, one: Schedule, person: Person) -> int:
        asked = await self.road.ask(
            one.action, self._given(one), person=person, key=f"schedule/{one.id}/{one.round}/{one.next_at:.0f}",
            not_before=one.next_at, schedule=one.name,
        )  # fmt: skip
        return asked.id

    def _given(self, one: Schedule) -> dict[str, str]:
        takes = self.road.takes(one.action)
        return {**one.values, **({"reason": one.reason} if one.reason and "reason" in takes else {})}

    def _looked(self, tx: Tx, one: Schedule, number: int) -> None:
        if (stored := self._unchanged(tx, one)) is not None:
            self._save(tx, stored.model_copy(update={"request": number, "look_at": one.next_at}))

    def _go_on(self, tx: Tx, one: Schedule, number: int) -> None:
        """Its time has come and it was asked for: the next one, or over."""
        if (stored := self._unchanged(tx, one)) is None:
            return
        self._save(tx, self._next(stored, self.clock.now()))

    def _next(self, one: Schedule, after: float) -> Schedule:
        coming = one.following(after) if one.rrule else 0.0
        if not coming:
            return one.model_copy(update={"ended_at": self.clock.now()})
        return one.model_copy(update={"next_at": coming, "look_at": coming - AHEAD, "request": 0})

    def _missed(self, tx: Tx, one: Schedule) -> None:
        """Nothing is done so late; of what comes again, only what is not too late by now."""
        if (stored := self._unchanged(tx, one)) is None:
            return
        now = self.clock.now()
        after = self._next(stored, now - START_WITHIN)
        self._save(tx, after)
        if not one.request:  # else its card says what became of it
            zone = zone_of(one.timezone)
            said = (
                f"I was not there at {freezes.shown(one.next_at, now, zone)}, so `{one.line}` ({one.name}) was not done"
            )
            again = f"; next {freezes.shown(after.next_at, now, zone)}" if not after.ended_at else ""
            self._audit(tx, one, "assistant", "schedule missed")
            self._say(tx, one, f"missed-{one.next_at:.0f}", [f"⏰ {said}{again}."], [("Do it now", one.line)])

    def _refused(self, tx: Tx, one: Schedule, why: str) -> None:
        """It can't even be asked for: what would come again is paused, so that nobody is told each day."""
        if (stored := self._unchanged(tx, one)) is None:
            return
        gone = {"paused": True, "look_at": NEVER} if one.rrule else {"ended_at": self.clock.now()}
        self._save(tx, stored.model_copy(update=gone))
        self._audit(tx, one, "assistant", "schedule refused")
        after = " It is paused." if one.rrule else ""
        buttons = [("Resume", f"schedule resume {one.name}")] if one.rrule else []
        self._say(
            tx,
            one,
            f"refused-{one.next_at:.0f}",
            [f"⏰ `{one.line}` ({one.name}) was not asked for: {why}{after}"],
            buttons,
        )

    def _put_off(self, tx: Tx, one: Schedule, until: float) -> None:
        if (stored := self._unchanged(tx, one)) is not None:
            self._save(tx, stored.model_copy(update={"look_at": until}))

    def _unchanged(self, tx: Tx, one: Schedule) -> Schedule | None:
        """The stored one, unless somebody changed it in between."""
        stored = _load(tx, one.id)
        same = (stored.next_at, stored.round, stored.paused, stored.ended_at)
        return stored if same == (one.next_at, one.round, one.paused, one.ended_at) else None

    def _save(self, tx: Tx, one: Schedule) -> None:
        tx.run(SAVE, id=one.id, ended_at=one.ended_at, **_columns(one))

    def _audit(self, tx: Tx, one: Schedule, who: str, what: str) -> None:
        data = {"schedule": one.name, "line": one.line, "reason": one.reason, "at": one.next_at, "rrule": one.rrule}
        audit.append(
            tx, chain="platform", who=who, what=what, data={**data, "timezone": one.timezone}, at=self.clock.now(),
            configuration=self.configuration.platform.digest,
        )  # fmt: skip

    def _say(self, tx: Tx, one: Schedule, what: str, lines: list[str], buttons: Sequence[tuple[str, str]] = ()) -> None:
        shown = [{"label": label, "line": line} for label, line in buttons]
        content = {"lines": lines, "buttons": shown}
        self.outbox.show(tx, Post(f"{one.name}/{what}", Lane.ANSWER, "note", person=one.person_id, content=content))
