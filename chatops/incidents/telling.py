"""How an incident is spoken of in answers."""

from __future__ import annotations

from chatops.incidents.incident import Incident
from chatops.kernel.action import Answer, Button
from chatops.kernel.people import Person


def who_is(person: Person) -> str:
    """Somebody as the audit trail has them."""
    return person.email or person.id


def about(incident: Incident, said: str, *buttons: Button) -> Answer:
    """A sentence under the incident's headline, for who asked alone."""
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
