"""What the configuration says about alerts: rules, and windows of maintenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from chatops.kernel.record import Record


class AlertRule(Record):
    """What holds for alerts for which ``when`` is true; what is empty or None says nothing.

    ``when`` and ``key`` are CEL over ``chatops.kernel.cel.of_alerts``.
    """

    name: str  # for people: "alert rule 2 (line 118)"
    when: str
    ignore: bool | None = None  # no incident
    key: str = ""  # gives text: alerts with the same are one incident
    severity: str = ""
    channel: str = ""
    resolve: Literal["automatic", "manual", ""] = ""  # what happens once all alerts of the incident are resolved


class Automation(Record):
    """What is asked for by itself when an alert for which ``when`` (CEL) is true comes up in an incident.

    The string leaves of ``inputs`` and ``because`` may hold ``${CEL}``; all of it is over
    ``chatops.kernel.cel.of_automations``. ``at_most`` so many requests in ``per`` seconds, over all incidents.
    """

    name: str
    when: str
    action: str
    inputs: Mapping[str, Any] = Field(default_factory=dict)
    because: str = ""
    at_most: int = 1
    per: float = 3600.0
    dry_run: bool = False  # says what it would ask for, and asks for nothing


class Maintenance(Record):
    """A window in which alerts for which ``when`` (CEL) is true make no noise; epoch seconds, the end not included."""

    name: str
    when: str
    start: float
    end: float

    def holds_at(self, now: float) -> bool:
        """Whether the window is open."""
        return self.start <= now < self.end
