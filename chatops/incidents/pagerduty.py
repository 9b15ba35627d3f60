"""PagerDuty's incidents and ours are one: what happens there is taken over here, and what happens here is noted down.

What is noted down is told by ``pagerduty_changes``; what came from there is marked, so that it is not told back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from chatops.incidents import lifecycle, pagerduty_store, store
from chatops.incidents.incident import Incident, State
from chatops.incidents.intake import Intake
from chatops.incidents.judging import Judge, Judged
from chatops.incidents.keeper import Keeper
from chatops.incidents.sources.pagerduty import Event
from chatops.kernel.alert import Alert
from chatops.kernel.catalog import PagerDutyService, Platform
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Tx

VIA = {"via": "PagerDuty"}
TOLD: Mapping[str, str] = {  # what happens to an incident here, and what PagerDuty is told of it
    "acknowledged": "acknowledged", "taken_over": "acknowledged", "handed_over": "acknowledged",
    "resolved": "resolved", "noted": "note", "reported": "note",
}  # fmt: skip
SAID: Mapping[str, str] = {
    "escalated": "escalated it there", "delegated": "gave it to another escalation policy there",
    "reassigned": "gave it to somebody else there", "priority_updated": "changed its priority there",
}  # fmt: skip
WORDS = ("annotated", "status_update_published")  # what somebody wrote there, and stands on the timeline here
LONGEST_NOTE = 1000  # characters


class Users(Protocol):
    """Who is behind an id of PagerDuty's."""

    async def email_of(self, user: str) -> str:
        """The e-mail; empty where nobody may ask. Raises ``Unavailable`` and ``Refused``."""
        ...


@dataclass(slots=True)
class Mirror:
    """Takes PagerDuty's events in; ``tells``: whether PagerDuty is told what happens here."""

    database: Database
    keeper: Keeper
    intake: Intake
    judge: Judge
    directory: Directory
    configuration: Configuration
    users: Users
    clock: Clock
    tells: bool = False
    wake: Callable[[], None] = field(default=lambda: None)

    async def take(self, event: Event) -> None:
        """Returns once it is committed. The same event again, and one that is older than what is known, do nothing."""
        if not event.incident:
            return
        alert = _placed(event, self.configuration.platform)
        judged = await self.judge.all([alert]) if alert is not None else []
        person = await self._person(event.agent) if event.kind == "acknowledged" else None
        await self.database.write(self._take, event, judged, person)

    def heard(self, tx: Tx, incident: Incident, who: str, what: str, data: Mapping[str, Any]) -> None:
        """``Keeper.heard``: notes down what PagerDuty is to be told."""
        telling = TOLD.get(what)
        if not self.tells or telling is None or data.get("via") == VIA["via"]:
            return
        note = f"{incident.name}, {who}: {data.get('text', '')}"[:LONGEST_NOTE] if telling == "note" else ""
        for number, status in pagerduty_store.open_there(tx, incident.id):
            if telling != status:
                email = who if "@" in who else ""
                pagerduty_store.add(tx, number, incident.id, telling, note, email, self.clock.now())
                tx.after_commit(self.wake)

    # inside --------------------------------------------------------------------------------------------------------

    async def _person(self, agent: tuple[str, str]) -> Person:
        """Who did it there: the member of the same e-mail, else a name without an account here."""
        number, name = agent
        try:
            email = await self.users.email_of(number) if number else ""
        except (Unavailable, Refused):  # the name has to do: that somebody has it is what matters
            email = ""
        found = await self.directory.members(f"user:{email}") if email else ()
        if found:
            return found[0]
        return Person(id=f"pagerduty:{number}", name=f"{name or 'Somebody'} in PagerDuty")

    def _take(self, tx: Tx, event: Event, judged: list[Judged], person: Person | None) -> None:
        now = self.clock.now()
        if not pagerduty_store.first_time(tx, event.id, now):
            return
        at = event.at or now
        status, since = pagerduty_store.standing(tx, event.incident)
        if event.status:
            if at < since:
                return
            pagerduty_store.put_standing(tx, event.incident, event.status, at)
        elif status == "resolved" or not status:  # nothing that says more of what is over, or was never opened
            judged = []
        ours = self._ours(tx, event)
        if event.kind in ("triggered", "reopened") or ours is None or not ours.ended:
            self.intake.put(tx, judged)
        ours = self._ours(tx, event)
        if ours is not None:
            self._follow(tx, ours, event, person, now)

    def _ours(self, tx: Tx, event: Event) -> Incident | None:
        number = pagerduty_store.incident_of(tx, event.incident)
        return store.find(tx, number) if number else None

    def _follow(self, tx: Tx, incident: Incident, event: Event, person: Person | None, now: float) -> None:
        name = f"{event.agent[1] or 'somebody'} in PagerDuty"
        if event.kind == "acknowledged" and person is not None and incident.state is State.OPEN:
            after = lifecycle.acknowledge(incident, person, now)
            self.keeper.put(
                tx, incident, after, lifecycle.Event.ACKNOWLEDGED, who=person.email or person.name, data=VIA
            )
        elif event.kind == "unacknowledged" and incident.state is State.ACKNOWLEDGED:
            if pagerduty_store.is_waiting(tx, event.incident, "acknowledged"):
                return  # somebody has taken it here meanwhile, and PagerDuty is about to hear of it
            after = lifecycle.move(
                incident, lifecycle.Event.UNACKNOWLEDGED, now, **lifecycle.paging_anew(incident, now)
            )
            self.keeper.put(tx, incident, after, lifecycle.Event.UNACKNOWLEDGED, who=name, data=VIA)
            self.keeper.say(tx, after, f"unacknowledged/{after.version}", ["Nobody has it any more in PagerDuty."])
        elif event.kind in WORDS and event.text:
            if pagerduty_store.is_our_note(tx, event.incident, event.text, event.trimmed):
                return
            self.keeper.note(tx, incident, name, "noted", {"text": event.text, **VIA})
        elif event.kind in SAID:
            self.keeper.note(tx, incident, name, "noted", {"text": SAID[event.kind], **VIA})


def _placed(event: Event, platform: Platform) -> Alert | None:
    """The alert with our names for what PagerDuty calls the service."""
    if event.alert is None:
        return None
    number, name = event.service
    known = platform.pagerduty.services
    found = known.get(number) or known.get(name) or _named(name, platform)
    labels = {"service": found.service, "environment": found.environment} if found else {}
    return replace(event.alert, labels={**event.alert.labels, **{key: one for key, one in labels.items() if one}})


def _named(name: str, platform: Platform) -> PagerDutyService | None:
    """A name like "Checkout", "checkout production" or "Checkout (production)"."""
    said = "-".join("".join(one if one.isalnum() else " " for one in name.casefold()).split())
    for service in platform.services:
        if said == service.casefold():
            return PagerDutyService(service=service)
        for environment in platform.environments:
            if said in (f"{service}-{environment}".casefold(), f"{environment}-{service}".casefold()):
                return PagerDutyService(service=service, environment=environment)
    return None
