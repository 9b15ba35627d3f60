"""What an alert means here: how bad it is, whose it is, who is paged for it, and where it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatops.incidents.grouping import Place, default_key, place
from chatops.incidents.symptoms import SOURCE
from chatops.kernel.alert import Alert
from chatops.kernel.catalog import Platform
from chatops.kernel.escalation import Severity, freeze, severity_of
from chatops.kernel.ports import Configuration

DEFAULT = "default"  # the escalation that serves every team that has none of its own name


@dataclass(frozen=True, slots=True)
class Judged:
    """An alert with everything that the configuration says about it."""

    alert: Alert
    place: Place
    key: str
    severity: str
    rank: int  # the lower, the worse
    pages: bool
    unresolved: float
    escalation: dict[str, Any]
    channel: str
    quiet: str = ""
    ignored: bool = False
    resolves: bool = False  # by itself, when its alerts are resolved


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges alerts by the configuration that holds now."""

    configuration: Configuration

    async def all(self, alerts: Sequence[Alert]) -> list[Judged]:
        """Every alert of a delivery, in order."""
        platform = self.configuration.platform
        return [_judged(alert, platform) for alert in alerts]


def _judged(alert: Alert, platform: Platform) -> Judged:
    at = place(alert, platform)
    severity = severity_of(alert.severity, platform.severities)
    return Judged(
        alert=alert, place=at, key=default_key(alert, at), severity=severity.name, rank=_rank(severity, platform),
        pages=severity.pages and (alert.source != SOURCE or platform.watcher.pages), unresolved=severity.unresolved,
        escalation=escalation_of(at.team, platform), channel=platform.channel("incidents", at.environment, at.service),
        quiet="silenced" if alert.silenced else "",
    )  # fmt: skip


def _rank(severity: Severity, platform: Platform) -> int:
    return list(platform.severities).index(severity.name)


def escalation_of(team: str, platform: Platform) -> dict[str, Any]:
    """The plan that serves a team, to be kept with an incident; empty: there is none."""
    found = platform.escalations.get(team) or platform.escalations.get(DEFAULT)
    return freeze(found) if found else {}
