"""The lifecycle of an incident: one table of transitions, and pure functions that make the next incident."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from chatops.incidents.incident import Holder, Incident, State
from chatops.kernel.errors import TooLate
from chatops.kernel.escalation import Severity
from chatops.kernel.people import Person


class Event(StrEnum):
    """What can happen to an incident, in the past tense."""

    OPENED = "opened"
    ALERTED = "alerted"  # its alerts changed, or it is noisy now
    CALMED = "calmed"  # the last alert was resolved
    REOPENED = "reopened"
    PAGED = "paged"
    NOT_REACHED = "not_reached"  # a step reached nobody
    ACKNOWLEDGED = "acknowledged"
    TAKEN_OVER = "taken_over"
    HANDED_OVER = "handed_over"
    UNACKNOWLEDGED = "unacknowledged"
    ESCALATED = "escalated"  # a person asked for the next step at once
    HELD_ON = "held_on"  # still on it
    TAKEN_UP_AGAIN = "taken_up_again"  # acknowledged, and not resolved in time
    SEVERITY_CHANGED = "severity_changed"
    SILENCED = "silenced"  # its monitor is quiet for a while
    SILENCE_ENDED = "silence_ended"  # by a person, before its time
    STAYS_QUIET = "stays_quiet"  # for another reason, or for longer
    GOT_LOUD = "got_loud"  # it was quiet, and makes noise now
    LOOKED_INTO = "looked_into"  # evidence was gathered
    RESOLVED = "resolved"
    ROOM_OPENED = "room_opened"  # a channel was made for it
    LED = "led"  # somebody leads its handling
    STATUS_SET = "status_set"  # people were told where it stands
    CLOSED = "closed"  # over, and to be looked back on


S, E = State, Event

TABLE: dict[tuple[State, Event], State] = {
    (S.OPEN, E.ALERTED): S.OPEN,
    (S.OPEN, E.CALMED): S.OPEN,
    (S.OPEN, E.PAGED): S.OPEN,
    (S.OPEN, E.NOT_REACHED): S.OPEN,
    (S.OPEN, E.ACKNOWLEDGED): S.ACKNOWLEDGED,
    (S.OPEN, E.TAKEN_OVER): S.ACKNOWLEDGED,
    (S.OPEN, E.HANDED_OVER): S.ACKNOWLEDGED,
    (S.OPEN, E.ESCALATED): S.OPEN,
    (S.OPEN, E.SEVERITY_CHANGED): S.OPEN,
    (S.OPEN, E.SILENCED): S.OPEN,
    (S.OPEN, E.SILENCE_ENDED): S.OPEN,
    (S.OPEN, E.STAYS_QUIET): S.OPEN,
    (S.OPEN, E.GOT_LOUD): S.OPEN,
    (S.OPEN, E.LOOKED_INTO): S.OPEN,
    (S.OPEN, E.RESOLVED): S.RESOLVED,
    (S.ACKNOWLEDGED, E.ALERTED): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.CALMED): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.TAKEN_OVER): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.HANDED_OVER): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.UNACKNOWLEDGED): S.OPEN,
    (S.ACKNOWLEDGED, E.HELD_ON): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.TAKEN_UP_AGAIN): S.OPEN,
    (S.ACKNOWLEDGED, E.SEVERITY_CHANGED): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.SILENCED): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.SILENCE_ENDED): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.LOOKED_INTO): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.RESOLVED): S.RESOLVED,
    (S.RESOLVED, E.SILENCED): S.RESOLVED,  # it was over before Alertmanager had made the silence
    (S.RESOLVED, E.SILENCE_ENDED): S.RESOLVED,
    (S.RESOLVED, E.ALERTED): S.RESOLVED,  # late words about what is over
    (S.RESOLVED, E.REOPENED): S.OPEN,
    (S.OPEN, E.ROOM_OPENED): S.OPEN,
    (S.ACKNOWLEDGED, E.ROOM_OPENED): S.ACKNOWLEDGED,
    (S.RESOLVED, E.ROOM_OPENED): S.RESOLVED,  # it was over before Slack had made the channel
    (S.OPEN, E.LED): S.OPEN,
    (S.ACKNOWLEDGED, E.LED): S.ACKNOWLEDGED,
    (S.OPEN, E.STATUS_SET): S.OPEN,
    (S.ACKNOWLEDGED, E.STATUS_SET): S.ACKNOWLEDGED,
    (S.RESOLVED, E.CLOSED): S.RESOLVED,
}


def move(incident: Incident, event: Event, now: float, **changes: Any) -> Incident:
    """The incident after ``event``; raises ``TooLate`` with what stands now when the table has no such step."""
    state = TABLE.get((incident.state, event))
    if state is None:
        raise TooLate(stands(incident))
    if state is S.RESOLVED and incident.state is not S.RESOLVED:  # what is done with it afterwards does not move that
        changes.setdefault("resolved_at", now)
        changes.setdefault("due_at", 0.0)
    return incident.model_copy(update={**changes, "state": state, "updated_at": now, "version": incident.version + 1})


def acknowledge(incident: Incident, person: Person, now: float) -> Incident:
    """Somebody has it; raises ``TooLate`` naming who was first."""
    if incident.state is S.ACKNOWLEDGED:
        raise TooLate(stands(incident, person))
    return move(incident, E.ACKNOWLEDGED, now, **_held(incident, person, now))


def take_over(incident: Incident, person: Person, now: float) -> Incident:
    """Somebody else has it from now on."""
    if incident.holder is not None and incident.holder.id == person.id:
        raise TooLate(stands(incident, person))
    return move(incident, E.TAKEN_OVER, now, **_held(incident, person, now))


def hand_over(incident: Incident, to: Person, now: float) -> Incident:
    """Whoever has it gives it to somebody else."""
    return move(incident, E.HANDED_OVER, now, **_held(incident, to, now))


def give_back(incident: Incident, person: Person, now: float) -> Incident:
    """Nobody has it any more: paging begins anew."""
    if incident.holder is None or incident.holder.id != person.id:
        raise TooLate(f"{stands(incident)} Only who has it can give it back.")
    return move(incident, E.UNACKNOWLEDGED, now, **paging_anew(incident, now))


def hold_on(incident: Incident, person: Person, now: float) -> Incident:
    """Whoever has it is still on it: the time until it pages again begins anew."""
    if incident.holder is None or incident.holder.id != person.id:
        raise TooLate(stands(incident, person))
    return move(incident, E.HELD_ON, now, due_at=_again_at(incident, now))


def silenced(incident: Incident, address: str, until: float, now: float) -> Incident:
    """Its monitor is quiet until then (epoch seconds): whoever has it is not paged again before."""
    later = {"due_at": max(incident.due_at, until)} if incident.state is S.ACKNOWLEDGED else {}
    until = max(until, incident.silenced_until)
    return move(incident, E.SILENCED, now, silences=(*incident.silences, address), silenced_until=until, **later)


def silence_ended(incident: Incident, left: tuple[str, ...], now: float) -> Incident:
    """Its monitor speaks again, unless it was silenced anew meanwhile: ``left`` are the addresses of those.

    Whoever has it is paged again when they would be had they acknowledged it now.
    """
    if left:
        return move(incident, E.SILENCE_ENDED, now, silences=left)
    again = {"due_at": min(incident.due_at, now + incident.unresolved)} if incident.state is S.ACKNOWLEDGED else {}
    return move(incident, E.SILENCE_ENDED, now, silences=(), silenced_until=0.0, **again)


def regraded(incident: Incident, severity: Severity, now: float) -> dict[str, Any]:
    """What changes when a person says how bad it is: whoever has it has the whole time of that severity.

    What nobody has stops paging where that severity pages nobody, and begins where it does.
    """
    changes: dict[str, Any] = {"severity": severity.name, "unresolved": severity.unresolved, "pages": severity.pages}
    after = incident.model_copy(update=changes)
    if incident.holder is not None:
        return changes | {"due_at": _again_at(after, now)}
    if incident.quiet or (severity.pages and (incident.pages or not incident.escalation)):
        return changes
    return changes | ({"due_at": now, "paging_since": now} if severity.pages else {"due_at": 0.0})


def worse(incident: Incident, now: float) -> dict[str, Any]:
    """What changes for whoever has an incident that alerts made worse: it pages again no later than that asks for."""
    again = _again_at(incident, now)
    return {"due_at": min(incident.due_at or again, again)} if incident.holder is not None and again else {}


def stay_quiet(incident: Incident, why: str, until: float, now: float) -> Incident:
    """It makes no noise yet; ``until``: when that is looked at anew (0: when its alerts change)."""
    return move(incident, E.STAYS_QUIET, now, quiet=why, quiet_until=until, due_at=until)


def get_loud(incident: Incident, now: float) -> Incident:
    """Why it was quiet is over: somebody is paged."""
    loud = {"quiet": "", "quiet_until": 0.0}
    return move(incident, E.GOT_LOUD, now, **loud, **paging_anew(incident.model_copy(update=loud), now))


def take_up_again(incident: Incident, now: float) -> Incident:
    """It was acknowledged and is not resolved within the time that its severity allows."""
    return move(incident, E.TAKEN_UP_AGAIN, now, **paging_anew(incident, now))


def resolve(incident: Incident, who: str, now: float) -> Incident:
    """It is over."""
    return move(incident, E.RESOLVED, now, resolved_by=who, calm=False)


def reopen(incident: Incident, now: float, **changes: Any) -> Incident:
    """Its alerts came back."""
    again = {"reopened": incident.reopened + 1, "resolved_at": 0.0, "resolved_by": "", "calm": False}
    again |= {"closed_at": 0.0, "mitigated_at": 0.0, "status": "", "status_text": "", "status_at": 0.0}
    return move(incident, E.REOPENED, now, **{**paging_anew(incident, now), **again, **changes})


def paging_anew(incident: Incident, now: float) -> dict[str, Any]:
    """What changes when nobody has it: paging starts with the first step."""
    due_at = now if incident.pages and incident.escalation else 0.0
    due_at = incident.quiet_until if incident.quiet else due_at
    nobody = {"holder": None, "acknowledged_at": 0.0, "paged": ()}
    return {**nobody, "round": incident.round + 1, "paging_since": now, "step": 0, "due_at": due_at}


def _held(incident: Incident, person: Person, now: float) -> dict[str, Any]:
    holder = Holder(id=person.id, name=person.name or person.id, email=person.email)
    return {"holder": holder, "acknowledged_at": now, "due_at": _again_at(incident, now)}


def _again_at(incident: Incident, now: float) -> float:
    """When whoever has it is paged again; not while its monitor is silenced."""
    return max(now + incident.unresolved, incident.silenced_until) if incident.pages and incident.unresolved else 0.0


def was_paged(incident: Incident, person: Person) -> bool:
    """Whether this person was asked to look after it."""
    return any(person.id == one.id or (one.email and person.is_named(one.email)) for one in incident.paged)


def stands(incident: Incident, person: Person | None = None) -> str:
    """What has become of an incident, in one sentence for a late click."""
    if incident.state is S.RESOLVED:
        by = f" by {incident.resolved_by}" if incident.resolved_by and incident.resolved_by != "assistant" else ""
        return f"{incident.name} is already resolved{by}."
    if incident.holder is None:
        return f"Nobody has {incident.name} yet."
    if person is not None and incident.holder.id == person.id:
        return f"You have {incident.name} already."
    return f"{incident.holder.name} already has {incident.name}."
