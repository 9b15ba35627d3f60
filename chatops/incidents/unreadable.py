"""What could not be read, as an alert of its own: it may have been a page, and its sender will not repeat it."""

from __future__ import annotations

from dataclasses import replace

from chatops.incidents.incident import Incident
from chatops.kernel.alert import UNREADABLE, Alert
from chatops.kernel.masking import mask
from chatops.kernel.received import LONGEST

MOST_REPLIES = 10  # with what a sender sent, in one thread; from then on the last one is edited
MOST_RAW = 2900  # characters of it


def alert_of(source: str, raw: str, why: str) -> Alert:
    """The alert; the severity that nobody named is that of a word that nobody explained."""
    return Alert(
        source=UNREADABLE, fingerprint=source, status="firing", name=f"Something from {source} could not be read",
        summary=mask(why)[0], description=mask(raw)[0][:LONGEST], labels={"sender": source},
    )  # fmt: skip


def counted(alert: Alert, times: int) -> Alert:
    """The alert after ``times`` deliveries that could not be read."""
    return replace(alert, numbers=f"{times} times") if times > 1 else alert


def times(alert: Alert | None) -> int:
    """How often that was, by what is known of it."""
    if alert is None:
        return 0
    return int(alert.numbers.partition(" ")[0]) if alert.numbers else 1


def reply(incident: Incident, alert: Alert, number: int, raw: str) -> tuple[str, list[str], str]:
    """Which reply under the card, its lines, and what was sent."""
    lines = [f"*What {alert.labels['sender']} sent* ({alert.summary})", "It may be an alert: look there."]
    return f"unread/{incident.reopened}/{min(number, MOST_REPLIES)}", lines, mask(raw)[0][:MOST_RAW]
