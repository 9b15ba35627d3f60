"""Leading an incident: its room, who leads, what is told, closing it and the draft of its postmortem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chatops.incidents import lifecycle, room, store
from chatops.incidents.desk import Desk, NothingDone, Verb
from chatops.incidents.incident import Holder, Incident
from chatops.incidents.lifecycle import Event
from chatops.incidents.rights import check_has_or_may
from chatops.incidents.telling import about, who_is
from chatops.kernel.action import Answer, Button
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.people import Person
from chatops.kernel.ports import Tx

OVER = ("mitigated", "resolved")  # nobody waits for updates any more
Given = Mapping[str, str]


def _room(desk: Desk, tx: Tx, incident: Incident, person: Person, given: Given, to: Person | None) -> Answer:
    found, now = room.find(tx, incident.id), desk.clock.now()
    if found.channel or (found.name and found.work_at):
        return _let_in(desk, tx, incident, person, found)
    if not _told_of_it(tx, incident, person):
        check_has_or_may(desk.configuration.platform, incident, person)
    if incident.ended:
        raise TooLate(lifecycle.stands(incident))
    name = room.name_of(incident)
    wanted = {"name": name, "asked_by": person.id, "work_at": now, "tries": 0}
    room.put(tx, incident.id, wanted | _next_update(desk, incident, incident.status))
    desk.keeper.note(tx, incident, who_is(person), "room_asked", {"room": name})
    tx.after_commit(lambda: desk.keeper.wake(incident.id))
    return about(incident, f"The room #{name} is being made; you are invited to it, and so is whoever has or leads it.")


def _told_of_it(tx: Tx, incident: Incident, person: Person) -> bool:
    rows = store.history(tx, incident.name)
    return any(row["what"] == "reported" and row["who"] == who_is(person) for row in rows)


def _let_in(desk: Desk, tx: Tx, incident: Incident, person: Person, found: room.Room) -> Answer:
    """Who asks for a room that there is, or soon is, comes into it: it is a public channel."""
    room.put(tx, incident.id, room.asked_again(found, person.id, desk.clock.now()))
    desk.keeper.note(tx, incident, who_is(person), "room_joined", {"room": found.name})
    tx.after_commit(lambda: desk.keeper.wake(incident.id))
    made = "has its room already" if found.channel else "gets its room as soon as Slack has made it"
    answer = about(incident, f"{incident.name} {made}: #{found.name}. You are invited to it.")
    return replace(answer, channel=found.channel)


def _more(desk: Desk, tx: Tx, incident: Incident, person: Person, given: Given, to: Person | None) -> Answer:
    """What is needed less often than the buttons on the card."""
    name, found = incident.name, room.find(tx, incident.id)
    silence = (Button("Silence", f"silence {name}", form=True), Button("End the silence", f"unsilence {name}"))
    buttons = (
        *(silence if desk.configuration.platform.alertmanager else ()),
        Button("Give it back", f"incident release {name}"),
        Button("Hand over", f"incident handover {name}", form=True),
        Button("Change severity", f"incident severity {name}", form=True),
        Button("Add a note", f"incident note {name}", form=True),
        Button("Join the room" if found.channel else "Open a room", f"incident room {name}"),
        Button("Name the lead", f"incident lead {name}", form=True),
        Button("Tell the status", f"incident status {name}", form=True),
        Button("Timeline", f"incident timeline {name}"),
    )
    lines = ("What else can be done with it:",)
    raise NothingDone(Answer(f"{name}: more", lines, buttons=buttons, channel=found.channel, private=True))


def _lead(desk: Desk, tx: Tx, incident: Incident, person: Person, given: Given, to: Person | None) -> Answer:
    if to is None or not to.is_member:
        raise Refused("An incident is led by a member of the home workspace.")
    check_has_or_may(desk.configuration.platform, incident, person)
    if incident.lead is not None and incident.lead.id == to.id:
        raise TooLate(f"{to.name} leads {incident.name} already.")
    lead = Holder(id=to.id, name=to.name or to.id, email=to.email)
    after = lifecycle.move(incident, Event.LED, desk.clock.now(), lead=lead)
    desk.keeper.put(tx, incident, after, Event.LED, who=who_is(person), data={"to": lead.name})
    desk.keeper.in_room(tx, after, f"lead/{after.version}", [f"You lead {incident.name} now."], mention=[to.id])
    return about(after, f"{lead.name} leads {incident.name} now, and knows.")


def _status(desk: Desk, tx: Tx, incident: Incident, person: Person, given: Given, to: Person | None) -> Answer:
    check_has_or_may(desk.configuration.platform, incident, person)
    now, status, text = desk.clock.now(), given.get("status", ""), given.get("text", "").strip()
    changes: dict[str, Any] = {"status": status, "status_text": text, "status_at": now}
    if status in OVER:
        changes["mitigated_at"] = incident.mitigated_at or now
    after = lifecycle.move(incident, Event.STATUS_SET, now, **changes)
    desk.keeper.put(tx, incident, after, Event.STATUS_SET, who=who_is(person), data={"status": status, "text": text})
    room.put(tx, incident.id, _next_update(desk, after, status))
    told = f"*{status}*{f': {text}' if text else ''} ({person.name})"
    desk.keeper.in_room(tx, after, f"status/{after.version}", [told])
    if status == "resolved":
        over = lifecycle.resolve(after, person.name or person.id, now)
        after = desk.keeper.put(tx, after, over, Event.RESOLVED, who=who_is(person), data={"text": text})
    return about(after, f"{incident.name} is {status}; it stands on its card.")


def _close(desk: Desk, tx: Tx, incident: Incident, person: Person, given: Given, to: Person | None) -> Answer:
    check_has_or_may(desk.configuration.platform, incident, person)
    if incident.closed_at:
        by = f" by {incident.closed_by}" if incident.closed_by else ""
        raise TooLate(f"{incident.name} is already closed{by}.")
    now = desk.clock.now()
    if not incident.ended:
        over = lifecycle.resolve(incident, person.name or person.id, now)
        incident = desk.keeper.put(tx, incident, over, Event.RESOLVED, who=who_is(person), data={"text": ""})
    after = lifecycle.move(incident, Event.CLOSED, now, closed_at=now, closed_by=person.name or person.id)
    desk.keeper.put(tx, incident, after, Event.CLOSED, who=who_is(person))
    closings = room.find(tx, incident.id).closings + 1
    _draft(desk, tx, after, closings)
    return about(after, f"{incident.name} is closed; the draft of its postmortem comes into {_where(after)}.")


def _postmortem(desk: Desk, tx: Tx, incident: Incident, person: Person, given: Given, to: Person | None) -> Answer:
    check_has_or_may(desk.configuration.platform, incident, person)
    if not incident.closed_at:
        raise Refused(
            f"{incident.name} is not closed; the draft is made when it is.",
            hint=f"Close it: `/platform incident close {incident.name}`.",
        )
    found = room.find(tx, incident.id)
    if found.drafts >= found.closings:
        raise TooLate(f"The draft {_file(incident, found.closings)} is in {_where(incident)} already.")
    if found.draft and found.work_at:
        raise TooLate(f"The draft {found.draft} is on its way.")
    _draft(desk, tx, incident, found.closings)
    return about(incident, f"The draft of its postmortem comes into {_where(incident)}.")


VERBS: Mapping[str, Verb] = {
    "more": _more,
    "room": _room,
    "lead": _lead,
    "status": _status,
    "close": _close,
    "postmortem": _postmortem,
}


def _draft(desk: Desk, tx: Tx, incident: Incident, closings: int) -> None:
    changes = {"draft": _file(incident, closings), "closings": closings, "tries": 0, "remind_at": 0.0}
    room.put(tx, incident.id, changes | {"work_at": desk.clock.now()})
    tx.after_commit(lambda: desk.keeper.wake(incident.id))


def _file(incident: Incident, closings: int) -> str:
    again = f"-{closings}" if closings > 1 else ""
    return f"{incident.name.lower()}-postmortem{again}.md"


def _next_update(desk: Desk, incident: Incident, status: str) -> dict[str, float]:
    """When the next update is due: as often as the severity asks for, until it is mitigated."""
    severity = desk.configuration.platform.severities.get(incident.severity)
    every = severity.updates if severity and status not in OVER and not incident.ended else 0.0
    return {"remind_at": desk.clock.now() + every if every else 0.0}


def _where(incident: Incident) -> str:
    return "its room" if incident.room else "the thread of its card"
