"""PagerDuty's webhooks, version 3: one event each.

https://developer.pagerduty.com/docs/webhooks/v3-overview
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatops.kernel.alert import Alert, Unreadable
from chatops.kernel.keys import bounded
from chatops.kernel.received import address, moment, parsed, quoted, text

SOURCE = "pagerduty"
# The events that say where an incident stands there now.
STATUS: dict[str, str] = {
    "triggered": "triggered", "unacknowledged": "triggered", "reopened": "triggered", "acknowledged": "acknowledged",
    "resolved": "resolved",
}  # fmt: skip
URGENCIES = {"high": "high", "low": "warning"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``alert`` is None where it says nothing of the incident itself, ``incident`` is empty for a ping."""

    id: str
    kind: str  # what follows "incident.": triggered, annotated, priority_updated
    at: float  # when it happened there
    incident: str = ""  # PagerDuty's id, like PT4KHLK
    alert: Alert | None = None
    service: tuple[str, str] = ("", "")  # PagerDuty's id and name of it
    agent: tuple[str, str] = ("", "")  # PagerDuty's id and name of the user who did it; empty: nobody did
    text: str = ""  # a note's words
    trimmed: bool = False  # PagerDuty left out the end of them

    @property
    def status(self) -> str:
        """Where the incident stands there after it; empty: it does not say."""
        return STATUS.get(self.kind, "")


def read(body: bytes) -> Event:
    """The event of one delivery; raises ``Unreadable``."""
    event = _object(parsed(body), "event", "the body")
    name, told = text(event.get("event_type"), "event.event_type"), text(event.get("id"), "event.id")
    if not name or not told:
        raise Unreadable("event.id or event.event_type is missing; this reads PagerDuty's webhooks version 3.")
    at = moment(event.get("occurred_at"), "event.occurred_at")
    area, _, kind = name.partition(".")
    if area != "incident":  # pagey.ping, and services that were changed
        return Event(told, name, at)
    data = _object(event, "data", "event")
    about = data.get("incident") if data.get("type") != "incident" and "incident" in data else data
    if about is data and data.get("type", "incident") != "incident":  # a kind of thing that says of no incident
        return Event(told, kind, at)
    if not isinstance(about, dict):
        raise Unreadable("event.data.incident is no object.")
    number = text(about.get("id"), "event.data.id")
    if not number:
        raise Unreadable("event.data.id is missing.")
    service = _reference(data.get("service"), "event.data.service")
    by = event.get("agent")
    a_user = isinstance(by, dict) and str(by.get("type", "")).startswith("user")
    return Event(
        told, kind, at, number, _alert(data, kind, service[1]) if about is data else None, service,
        _reference(by, "event.agent") if a_user else ("", ""),
        text(data.get("content") or data.get("message"), "event.data.content"), data.get("trimmed") is True,
    )  # fmt: skip


def _alert(data: dict[str, Any], kind: str, service: str) -> Alert:
    status = STATUS.get(kind) or text(data.get("status"), "event.data.status")
    if status not in STATUS.values():
        raise Unreadable(f"event.data.status is {quoted(status)!r}; it should be triggered, acknowledged or resolved.")
    title = text(data.get("title"), "event.data.title")
    urgency = text(data.get("urgency"), "event.data.urgency")
    priority = _reference(data.get("priority"), "event.data.priority")[1]
    return Alert(
        source=SOURCE, fingerprint=bounded(text(data.get("id"), "event.data.id")),
        status="resolved" if status == "resolved" else "firing", name=title or "PagerDuty incident",
        severity=priority or URGENCIES.get(urgency, urgency), summary=title,
        labels={"pagerduty_service": service} if service else {},
        starts_at=moment(data.get("created_at"), "event.data.created_at"), link=address(data.get("html_url")),
    )  # fmt: skip


def _object(found: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = found.get(key)
    if not isinstance(value, dict):
        raise Unreadable(f"{where} has no object {key}.")
    return value


def _reference(value: Any, where: str) -> tuple[str, str]:
    """Id and name of something that PagerDuty only refers to."""
    if value is None:
        return "", ""
    if not isinstance(value, dict):
        raise Unreadable(f"{where} is no object.")
    return text(value.get("id"), f"{where}.id"), text(value.get("summary"), f"{where}.summary")
