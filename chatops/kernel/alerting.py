"""What the configuration says about alerts: rules, and windows of maintenance."""

from __future__ import annotations

from typing import Literal

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


class Maintenance(Record):
    """A window in which alerts for which ``when`` (CEL) is true make no noise; epoch seconds, the end not included."""

    name: str
    when: str
    start: float
    end: float

    def holds_at(self, now: float) -> bool:
        """Whether the window is open."""
        return self.start <= now < self.end
