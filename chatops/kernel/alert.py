"""What a monitor sends, whatever monitor it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["firing", "resolved"]
PERSON = "person"  # the source of what people tell in their own words
UNREADABLE = "unreadable"  # the source of what says that a sender's words could not be read


class Unreadable(ValueError):
    """A delivery that says nothing we understand; its text says where and why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one delivery, as its parser read it; times are epoch seconds, 0 where the sender gave none.

    ``fingerprint`` is the sender's own stable id of the alert: the same while it fires, resolves and fires again.
    ``severity`` is the sender's word (``critical``, ``P1``, ``warning``), empty where it gave none. ``silenced``: the
    sender says that it is muted, so it makes no noise and leaves a trace.
    """

    source: str  # alertmanager, grafana, pagerduty, alert (our own JSON), cluster, person, unreadable
    fingerprint: str
    status: Status
    name: str
    severity: str = ""
    summary: str = ""  # one line for people
    description: str = ""
    numbers: str = ""  # what was measured, as the sender put it: "12.4 % (limit 1 %)"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: float = 0.0
    ends_at: float = 0.0
    runbook: str = ""  # http(s) address
    link: str = ""  # http(s) address of the alert in its monitor
    expression: str = ""  # PromQL, where the sender says it
    silenced: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a sender, read: what it told of, and by which id it would be told again (empty: none)."""

    source: str
    alerts: tuple[Alert, ...]
    key: str = ""
    external_url: str = ""  # where the sender itself is: an Alertmanager that takes silences
    dropped: int = 0  # alerts that the sender says it left out
    unread: Unread | None = None  # those of its alerts that could not be read


@dataclass(frozen=True, slots=True)
class Unread:
    """What of a delivery could not be read, as it was sent, and why, in one sentence."""

    raw: str
    why: str
