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
from chatops.incidents.silences import SENDER, Silencer, matchers_of
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
    silencer: Silencer
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

    async def silence(
        self, person: Person, number: int, until: float, text: str, key: str = "", again: bool = False
    ) -> Answer:
        """``kernel.action.Incidents.silence``."""
        now, name = self.clock.now(), f"INC-{number}"
        if until <= now:
            raise TooLate(f"The time for which {name} was to be silent is over by now.")
        comment = f"{name}: {mask(text)[0] or 'silenced from its card'}"
        # What it made before it was cut off is kept, whatever became of the incident: else nobody would know of it.
        if again and (standing := await self.silencer.standing(comment, until)):
            link, matchers = standing
        else:
            matchers = matchers_of(await self.database.read(self._to_silence, person, number))
            link = await self.silencer.silence(matchers, now, until, person.name, comment)
        said = ", ".join(f"{one['name']}={one['value']}" for one in matchers)
        return await self.database.write(self._silenced, person, number, until, said, link, key)

    async def unsilence(self, person: Person, number: int, key: str = "", before: float = math.inf) -> Answer:
        """``kernel.action.Incidents.unsilence``."""
        addresses = await self.database.read(self._to_unsilence, person, number, before)
        for address in addresses:
            await self.silencer.end(address)
        return await self.database.write(self._unsilenced, person, number, addresses, key)

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
        self.keeper.note(tx, incident, _who(person), "reported", {"text": given["text"]})
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
        return _answer(incident, said, *([] if incident.room else [button]))

    def _to_silence(self, tx: Tx, person: Person, number: int) -> list[Alert]:
        incident = store.load(tx, number)
        self.check_has_or_may(incident, person)
        if incident.ended:
            raise TooLate(lifecycle.stands(incident))
        firing = [one for one in store.alerts_of(tx, number) if one.status == "firing" and one.source == SENDER]
        if not firing:
            said = f"No alert of {incident.name} that fires comes from Alertmanager; only those can be silenced."
            raise Refused(said, hint="What it is about goes on; acknowledging stops the paging.")
        return firing

    def _silenced(self, tx: Tx, person: Person, number: int, until: float, text: str, link: str, key: str) -> Answer:
        only_once(tx, key, self.clock.now())
        incident = store.load(tx, number)
        end = f"{datetime.fromtimestamp(until, UTC):%d %b %H:%M}"
        said = f"{person.name} silenced {text} until {end} UTC."
        after = lifecycle.silenced(incident, link, until, self.clock.now())
        data = {"text": text, "until": end, "link": link}
        incident = self.keeper.put(tx, incident, after, Event.SILENCED, who=_who(person), data=data)
        ends = f"`/platform unsilence {incident.name}` ends it: {link}"
        self.keeper.say(tx, incident, f"silenced/{incident.version}", [said, ends])
        return _answer(incident, f"It is silenced until {end} UTC: {text}.")

    def _to_unsilence(self, tx: Tx, person: Person, number: int, before: float) -> tuple[str, ...]:
        incident = store.load(tx, number)
        self.check_has_or_may(incident, person)
        if not incident.silences:
            raise TooLate(f"No silence of {incident.name} goes on that was made here.")
        later = {one["link"] for one in store.since(tx, incident, Event.SILENCED, before)}
        if not (ended := tuple(one for one in incident.silences if one not in later)):
            raise TooLate(f"{incident.name} was silenced anew after you asked, and that goes on.")
        return ended

    def _unsilenced(self, tx: Tx, person: Person, number: int, ended: tuple[str, ...], key: str) -> Answer:
        only_once(tx, key, self.clock.now())
        incident = store.load(tx, number)
        left = tuple(one for one in incident.silences if one not in ended)
        if left != incident.silences:  # else somebody was as quick
            after = lifecycle.silence_ended(incident, left, self.clock.now())
            incident = self.keeper.put(tx, incident, after, Event.SILENCE_ENDED, who=_who(person))
            more = " It was silenced anew meanwhile, and that goes on." if left else ""
            self.keeper.say(tx, incident, f"silenced/{incident.version}", [f"{person.name} ended the silence.{more}"])
        if left:
            return _answer(incident, "That silence is over; somebody has silenced it anew meanwhile, and that goes on.")
        return _answer(incident, "The silence is over: its alerts make noise again.")

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
            self._check_may_take(incident, person)
            paged = ", ".join(dict.fromkeys(one.name for one in incident.paged))
            said = f"{paged} was paged for {incident.name}, and has not answered yet. Do you take it?"
            take = Button("Take over", f"incident take {incident.name}", style="primary")
            raise NothingDone(_answer(incident, said, take))
        try:
            after = lifecycle.acknowledge(incident, person, self.clock.now())
        except TooLate as late:
            held = incident.holder is not None and incident.holder.id != person.id
            more = (Button("Take over", f"incident take {incident.name}"),) if held and not incident.ended else ()
            raise NothingDone(_answer(incident, late.message, *more)) from late
        self.keeper.put(tx, incident, after, Event.ACKNOWLEDGED, who=_who(person))
        return _answer(after, f"You have {incident.name}. Nobody else is paged for it while you do.")

    def _take_over(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        if not was_paged(incident, person):
            self._check_may_take(incident, person)
        after = lifecycle.take_over(incident, person, self.clock.now())
        self.keeper.put(tx, incident, after, Event.TAKEN_OVER, who=_who(person))
        paged = {one.id for one in incident.paged} | ({incident.holder.id} if incident.holder else set())
        self._tell(tx, after, sorted(paged - {person.id}), f"{person.name} has taken over {incident.name}.")
        return _answer(after, f"You have {incident.name}. Those who were paged know.")

    def _give_back(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        after = lifecycle.give_back(incident, person, self.clock.now())
        self.keeper.put(tx, incident, after, Event.UNACKNOWLEDGED, who=_who(person))
        return _answer(after, f"Nobody has {incident.name} now; paging begins anew.")

    def _hand_over(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        if to is None or not to.is_member:
            raise Refused("An incident is handed over to a member of the home workspace.")
        self.check_has_or_may(incident, person)
        after = lifecycle.hand_over(incident, to, self.clock.now())
        self.keeper.put(tx, incident, after, Event.HANDED_OVER, who=_who(person), data={"to": to.name})
        self._tell(tx, after, [to.id], f"{person.name} hands {incident.name} over to you.")
        return _answer(after, f"{to.name} has {incident.name} now, and knows.")

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
        self.keeper.put(tx, incident, after, Event.ESCALATED, who=_who(person))
        return _answer(after, f"The next ones are paged for {incident.name} now.")

    def _hold_on(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        after = lifecycle.hold_on(incident, person, self.clock.now())
        self.keeper.put(tx, incident, after, Event.HELD_ON, who=_who(person))
        return _answer(after, f"Good. {incident.name} stays yours.")

    def _resolve(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        self.check_has_or_may(incident, person)
        after = lifecycle.resolve(incident, person.name or person.id, self.clock.now())
        self.keeper.put(tx, incident, after, Event.RESOLVED, who=_who(person), data={"text": given.get("text", "")})
        return _answer(after, f"{incident.name} is resolved.")

    def _note(self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None) -> Answer:
        text = given.get("text", "").strip()
        if not text:
            raise Refused("A note needs words: `/platform incident note INC-1 because …`.")
        self.keeper.note(tx, incident, _who(person), "noted", {"text": text})
        return _answer(incident, f"It is on the timeline of {incident.name}.")

    def _severity(
        self, tx: Tx, incident: Incident, person: Person, given: Mapping[str, str], to: Person | None
    ) -> Answer:
        self.check_has_or_may(incident, person)
        wanted, known = given.get("severity", ""), self.configuration.platform.severities
        if wanted not in known:
            raise Refused(f"There is no severity called {wanted!r}; there are {', '.join(known)}.")
        if wanted == incident.severity:
            raise TooLate(f"{incident.name} has the severity {wanted} already.")
        now = self.clock.now()
        changes = {**lifecycle.regraded(incident, known[wanted], now), "judged": True}
        after = lifecycle.move(incident, Event.SEVERITY_CHANGED, now, **changes)
        data = {"from": incident.severity, "to": wanted}
        self.keeper.put(tx, incident, after, Event.SEVERITY_CHANGED, who=_who(person), data=data)
        return _answer(after, f"{incident.name} is {wanted} now.")

    def check_has_or_may(self, incident: Incident, person: Person) -> None:
        if incident.holder is None or incident.holder.id != person.id:
            self._check_may_take(incident, person)

    def _check_may_take(self, incident: Incident, person: Person) -> None:
        """The owning team, those who are ever paged for it, the platform team; of what nobody owns, anybody at home."""
        platform = self.configuration.platform
        if not incident.team or incident.team in person.teams or was_paged(incident, person):
            return
        targets = {target for step in incident.escalation.get("steps", ()) for target in step["page"]}
        rotas = [rota for name, rota in platform.rotas.items() if f"rota:{name}" in targets]
        on_rota = any(person.is_named(one) for rota in rotas for one in rota.people)
        groups = {target.removeprefix("group:") for target in targets if target.startswith("group:")}
        named = any(person.is_named(one.removeprefix("user:")) for one in (*targets, *platform.operators))
        operator = any(one.removeprefix("group:") in person.groups for one in platform.operators)
        if not (on_rota or groups.intersection(person.groups) or named or operator):
            said = f"{incident.name} belongs to team {incident.team}."
            raise Refused(
                said,
                hint=f"Its people, and those who are paged for it, decide on it: `/platform page {incident.team}`.",
            )

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


def _who(person: Person) -> str:
    return person.email or person.id


def _answer(incident: Incident, said: str, *buttons: Button) -> Answer:
    return Answer(f"{incident.name} · {headline(incident)}", (said,), buttons=buttons, private=True)


def headline(incident: Incident) -> str:
    """Which service where, or what it is called."""
    what = incident.service or incident.title or "something"
    return f"{what} in {incident.environment}" if incident.environment else what


def line_of(incident: Incident, now: float) -> str:
    """One incident in a list."""
    who = f"{incident.holder.name} has it" if incident.holder else "nobody has it"
    if incident.quiet:
        who = incident.quiet
    text = incident.summary.text or incident.title
    minutes = max(0, round((now - incident.opened_at) / 60))
    return f"*{incident.name}* · {incident.severity.upper()} · {headline(incident)} · {text} · {minutes} min · {who}"
