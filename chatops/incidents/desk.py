"""What people do with an incident: have it, give it away, call for help, say that it is over."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from approvals.policy import NO_INCIDENT
from chatops.incidents import lifecycle, store
from chatops.incidents.couriers import TEST, Couriers
from chatops.incidents.incident import Incident, State
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import Event, was_paged
from chatops.incidents.reports import SOURCE, alert_of
from chatops.incidents.rights import check_has_or_may, check_may_take
from chatops.incidents.telling import about, headline, line_of, who_is
from chatops.incidents.timeline import sentences
from chatops.kernel.action import Answer, Button
from chatops.kernel.alert import Alert, Delivery
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.masking import mask
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Lane, Post, Tx
from chatops.requests.clicks import only_once

MOST_SHOWN = 15  # of a list


class NothingDone(Exception):
    """Raised by a verb that did nothing, so that nothing is kept of it; ``answer`` says what stands."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.title)
        self.answer = answer


@dataclass(slots=True)
class Desk:
    """``kernel.action.Incidents``: every verb is one transaction and says what stands afterwards."""

    database: Database
    keeper: Keeper
    configuration: Configuration
    directory: Directory
    clock: Clock
    take: Callable[[Delivery], Awaitable[None]]
    couriers: Couriers
    more: Mapping[str, Verb] = field(default_factory=dict)  # further verbs: ``chatops.incidents.leading.VERBS``

    async def act(
        self, person: Person, verb: str, number: int, given: Mapping[str, str], key: str = "", before: float = math.inf
    ) -> Answer:
        """``kernel.action.Incidents.act``: ``verb`` is a key of ``_VERBS``, ``given`` text, severity, or ``to``."""
        told = {name: mask(text)[0] for name, text in given.items()}
        to = await self._person(told["to"]) if told.get("to") else None
        try:
            return await self.database.write(self._act, person, verb, number, told, to, key, before)
        except NothingDone as asked:
            return asked.answer

    async def report(self, person: Person, given: Mapping[str, str], key: str = "") -> Answer:
        """``kernel.action.Incidents.report``; see ``reports.alert_of``."""
        told = {name: mask(text)[0] for name, text in given.items()}
        alert = alert_of(person, told, self.configuration.platform, key)
        if not await self.database.read(store.incident_of, alert):  # else cut off after that, and it may be over by now
            await self.take(Delivery(SOURCE, (alert,)))
        return await self.database.write(self._reported, person, alert, told, key)

    async def listed(self, person: Person, whose: str) -> Answer:
        """Open incidents: ``open`` (all), ``mine``, or of a team."""
        holder, team = (person.id, "") if whose == "mine" else ("", "" if whose == "open" else whose)
        found = await self.database.read(store.open_ones, holder=holder, team=team, limit=MOST_SHOWN + 1)
        title = {"open": "Open incidents", "mine": "Your incidents"}.get(whose, f"Open incidents of team {whose}")
        if not found:
            return Answer(title, ("There is none.",), private=True)
        lines = [line_of(one, self.clock.now()) for one in found[:MOST_SHOWN]]
        more = "There are more; ask for those of one team: `/platform incidents TEAM`."
        buttons = tuple(
            Button(f"Acknowledge {one.name}", f"incident ack {one.name}")
            for one in found[:5] if one.holder is None and not one.quiet
        )  # fmt: skip
        return Answer(title, tuple(lines), context=more if len(found) > MOST_SHOWN else "", buttons=buttons)

    async def concerning(self, person: Person, service: str, environment: str) -> Mapping[str, Any]:
        """``kernel.action.Incidents.concerning``."""
        found = await self.database.read(store.open_at, service, environment) if service else []
        mine = [one for one in found if one.holder and one.holder.id == person.id and was_paged(one, person)]
        if not found:
            return NO_INCIDENT
        shown = (mine or found)[0]
        return {
            "id": str(shown.id), "name": shown.name, "severity": shown.severity,
            "acknowledged_by": shown.holder.email if shown.holder else "", "mine": bool(mine),
        }  # fmt: skip

    async def timeline(self, person: Person, number: int) -> Answer:
        """Everything that happened, oldest first."""

        def read(tx: Tx) -> tuple[Incident, list[Any]]:
            incident = store.load(tx, number)
            return incident, store.timeline(tx, incident)

        incident, rows = await self.database.read(read)
        lines = [f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S}  {text}" for at, text in sentences(rows)]
        return Answer(
            f"{incident.name}: {headline(incident)}", ("Times are UTC.",), code="\n".join(lines), private=True
        )

    async def test_page(self, person: Person, key: str = "") -> Sequence[str]:
        """``kernel.action.Incidents.test_page``."""
        return await self.database.write(self._test_page, person, key)

    # inside --------------------------------------------------------------------------------------------------------

    def _test_page(self, tx: Tx, person: Person, key: str) -> Sequence[str]:
        now = self.clock.now()
        only_once(tx, key, now)
        lines = [
            "*You are paged.* This is the test that you asked for: nothing is broken.",
            "A real page looks like this, names the incident, and has the button Acknowledge.",
        ]
        page = f"{TEST}{person.id}/{round(now * 1000)}"
        content = {"lines": lines, "mention": [person.id]}
        self.keeper.outbox.show(tx, Post(page, Lane.PAGE, "note", person=person.id, content=content))
        return self.couriers.note(tx, page, person.name or person.id, person.email)

    def _reported(self, tx: Tx, person: Person, alert: Alert, given: Mapping[str, str], key: str) -> Answer:
        only_once(tx, key, self.clock.now())
        incident = store.load(tx, store.incident_of(tx, alert))
        self.keeper.note(tx, incident, who_is(person), "reported", {"text": given["text"]})
        holder, opened = (
            incident.holder,
            "is open" if incident.summary.total == 1 else "was open already, and has your words",
        )
        if holder is not None:
            self._tell(tx, incident, [holder.id], f"{person.name}: {given['text']}")
            said = f"{holder.name} has {incident.name}, and is told what you say."
        else:
            pages = incident.pages and incident.escalation
            paged = "somebody is paged until they have it" if pages else "nobody is paged"
            said = f"{incident.name} {opened}; {paged}."
        if given.get("room"):
            answer = self.more["room"](self, tx, incident, person, {}, None)
            return replace(answer, lines=(said, *answer.lines))
        button = Button("Open a room", f"incident room {incident.name}")
        return about(incident, said, *([] if incident.room else [button]))

    async def _person(self, name: str) -> Person:
        found = await self.directory.members(f"user:{name}")
        if not found:
            raise Refused(f"I don't know anybody called {name} here.", hint="Mention the person, or give an e-mail.")
        return found[0]

    def _act(
        self, tx: Tx, person: Person, verb: str, number: int, given: Mapping[str, str], to: Person | None, key: str,
        before: float,
    ) -> Answer:  # fmt: skip
        only_once(tx, key, self.clock.now())
        incident = store.load(tx, number)
        if store.since(tx, incident, Event.REOPENED, before):
            raise TooLate(f"{incident.name} has begun anew after you asked: look at it again.")
        return (self.more.get(verb) or _VERBS[verb])(self, tx, incident, person, given, to)

    def _acknowledge(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        if incident.state is State.OPEN and incident.paged and not was_paged(incident, person):
            check_may_take(self.configuration.platform, incident, person)
            paged = ", ".join(dict.fromkeys(one.name for one in incident.paged))
            said = f"{paged} was paged for {incident.name}, and has not answered yet. Do you take it?"
            take = Button("Take over", f"incident take {incident.name}", style="primary")
            raise NothingDone(about(incident, said, take))
        try:
            after = lifecycle.acknowledge(incident, person, self.clock.now())
        except TooLate as late:
            held = incident.holder is not None and incident.holder.id != person.id
            more = (Button("Take over", f"incident take {incident.name}"),) if held and not incident.ended else ()
            raise NothingDone(about(incident, late.message, *more)) from late
        self.keeper.put(tx, incident, after, Event.ACKNOWLEDGED, who=who_is(person))
        return about(after, f"You have {incident.name}. Nobody else is paged for it while you do.")

    def _take_over(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        if not was_paged(incident, person):
            check_may_take(self.configuration.platform, incident, person)
        after = lifecycle.take_over(incident, person, self.clock.now())
        self.keeper.put(tx, incident, after, Event.TAKEN_OVER, who=who_is(person))
        paged = {one.id for one in incident.paged} | ({incident.holder.id} if incident.holder else set())
        self._tell(tx, after, sorted(paged - {person.id}), f"{person.name} has taken over {incident.name}.")
        return about(after, f"You have {incident.name}. Those who were paged know.")

    def _give_back(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        after = lifecycle.give_back(incident, person, self.clock.now())
        self.keeper.put(tx, incident, after, Event.UNACKNOWLEDGED, who=who_is(person))
        return about(after, f"Nobody has {incident.name} now; paging begins anew.")

    def _hand_over(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        if to is None or not to.is_member:
            raise Refused("An incident is handed over to a member of the home workspace.")
        check_has_or_may(self.configuration.platform, incident, person)
        after = lifecycle.hand_over(incident, to, self.clock.now())
        self.keeper.put(tx, incident, after, Event.HANDED_OVER, who=who_is(person), data={"to": to.name})
        self._tell(tx, after, [to.id], f"{person.name} hands {incident.name} over to you.")
        return about(after, f"{to.name} has {incident.name} now, and knows.")

    def _escalate(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        if incident.state is not State.OPEN:
            raise TooLate(f"{lifecycle.stands(incident)} Escalating is for what nobody has.")
        if not incident.escalation:
            raise Refused(f"There is nobody to escalate {incident.name} to: no escalation serves its team.")
        now = self.clock.now()
        changes: dict[str, Any] = {"due_at": now, "pages": True, "quiet": "", "quiet_until": 0.0}
        changes |= {} if incident.paging_since else {"paging_since": now}
        after = lifecycle.move(incident, Event.ESCALATED, now, **changes)
        self.keeper.put(tx, incident, after, Event.ESCALATED, who=who_is(person))
        return about(after, f"The next ones are paged for {incident.name} now.")

    def _hold_on(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        after = lifecycle.hold_on(incident, person, self.clock.now())
        self.keeper.put(tx, incident, after, Event.HELD_ON, who=who_is(person))
        return about(after, f"Good. {incident.name} stays yours.")

    def _resolve(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        check_has_or_may(self.configuration.platform, incident, person)
        after = lifecycle.resolve(incident, person.name or person.id, self.clock.now())
        self.keeper.put(tx, incident, after, Event.RESOLVED, who=who_is(person), data={"text": given.get("text", "")})
        return about(after, f"{incident.name} is resolved.")

    def _note(self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None) -> Answer:
        text = given.get("text", "").strip()
        if not text:
            raise Refused("A note needs words: `/platform incident note INC-1 because …`.")
        self.keeper.note(tx, incident, who_is(person), "noted", {"text": text})
        return about(incident, f"It is on the timeline of {incident.name}.")

    def _severity(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        check_has_or_may(self.configuration.platform, incident, person)
        wanted, known = given.get("severity", ""), self.configuration.platform.severities
        if wanted not in known:
            raise Refused(f"There is no severity called {wanted!r}; there are {', '.join(known)}.")
        if wanted == incident.severity:
            raise TooLate(f"{incident.name} has the severity {wanted} already.")
        now = self.clock.now()
        changes = {**lifecycle.regraded(incident, known[wanted], now), "judged": True}
        after = lifecycle.move(incident, Event.SEVERITY_CHANGED, now, **changes)
        data = {"from": incident.severity, "to": wanted}
        self.keeper.put(tx, incident, after, Event.SEVERITY_CHANGED, who=who_is(person), data=data)
        return about(after, f"{incident.name} is {wanted} now.")

    def _tell(self, tx: Tx, incident: Incident, people: list[str], said: str) -> None:
        if people:
            self.keeper.say(tx, incident, f"told/{incident.version}", [said], mention=people)


Verb = Callable[[Desk, Tx, Incident, Person, Mapping[str, str], Person | None], Answer]
_VERBS: Mapping[str, Verb] = {
    "ack": Desk._acknowledge,
    "take": Desk._take_over,
    "release": Desk._give_back,
    "handover": Desk._hand_over,
    "escalate": Desk._escalate,
    "still": Desk._hold_on,
    "resolve": Desk._resolve,
    "note": Desk._note,
    "severity": Desk._severity,
}
