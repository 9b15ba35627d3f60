"""What people tell in their own words: something is wrong, or a team is needed."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import NAMESPACE_OID, uuid4, uuid5

from chatops.incidents.judging import escalation_of
from chatops.kernel.alert import PERSON, Alert
from chatops.kernel.catalog import Platform
from chatops.kernel.errors import Refused
from chatops.kernel.escalation import severity_of
from chatops.kernel.people import Person

SOURCE = PERSON
LONGEST_TITLE = 75  # characters of what is about no service


def alert_of(person: Person, given: Mapping[str, str], platform: Platform, key: str = "") -> Alert:
    """What ``person`` says as an alert; ``given``: text, and team (who is paged) or service, environment and severity.

    The same ``key`` gives the same alert. Raises ``Refused`` where a team's help is asked for that nobody is paged for.
    """
    text, team, service = given["text"], given.get("team", ""), given.get("service", "")
    labels = {name: value for name in ("service", "environment", "team") if (value := given.get(name, ""))}
    name = f"{team} is needed" if team else f"reported by {person.name}" if service else _title(text)
    severity = _that_pages(team, platform) if team else given.get("severity", "")
    fingerprint = uuid5(NAMESPACE_OID, key) if key else uuid4()
    return Alert(
        source=SOURCE, fingerprint=fingerprint.hex, status="firing", name=name, severity=severity,
        summary=f"{text} ({person.name})", labels=labels,
    )  # fmt: skip


def _title(text: str) -> str:
    first = text.splitlines()[0]
    return first if len(first) <= LONGEST_TITLE else f"{first[: LONGEST_TITLE - 1]}…"


def _that_pages(team: str, platform: Platform) -> str:
    """The usual severity, or the mildest that pages where that one does not."""
    usual = severity_of("", platform.severities)
    paging = [one.name for one in platform.severities.values() if one.pages]
    if not paging or not escalation_of(team, platform):
        said = f"Nobody is paged for team {team}: no escalation in the configuration serves it."
        raise Refused(said, hint=f"Ask in its channel, or see `/platform oncall {team}`.")
    return usual.name if usual.pages else paging[-1]
