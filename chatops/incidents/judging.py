"""What an alert means here: how bad it is, whose it is, who is paged for it, and where it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatops.incidents.grouping import Place, default_key, place
from chatops.incidents.rules import Ruled, Rules
from chatops.incidents.sources.pagerduty import SOURCE as PAGERDUTY
from chatops.incidents.symptoms import SOURCE
from chatops.kernel.alert import PERSON, UNREADABLE, Alert
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
    quiet: str = ""  # why it makes no noise: silenced, maintenance; empty: it does
    quiet_until: float = 0.0  # 0: until its sender says so
    ignored: bool = False
    resolves: bool = False  # by itself, when its alerts are resolved
    failed: tuple[str, ...] = ()  # which rules could not be evaluated, and why


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges alerts by the configuration that holds now, and its rules."""

    configuration: Configuration
    rules: Rules

    async def all(self, alerts: Sequence[Alert]) -> list[Judged]:
        """Every alert of a delivery, in order."""
        platform = self.configuration.platform
        told = [(alert, place(alert, platform)) for alert in alerts]
        ruled = await self.rules.ask(told, platform)
        return [_judged(alert, at, said, platform) for (alert, at), said in zip(told, ruled, strict=True)]


def quiet_of(judged: Sequence[Judged]) -> tuple[str, float]:
    """Why what fires is quiet, and when that is to be looked at anew (0: never); empty: it makes noise."""
    firing = [one for one in judged if one.alert.status == "firing"]
    if not firing or not all(one.quiet for one in firing):
        return "", 0.0
    return firing[0].quiet, min((one.quiet_until for one in firing if one.quiet_until), default=0.0)


def _judged(alert: Alert, at: Place, said: Ruled, platform: Platform) -> Judged:
    if alert.source == PERSON:  # people mean what they say: it is neither ignored nor quiet, and as bad as they say
        said = replace(said, ignore=False, quiet="", quiet_until=0.0, severity="")
    service = platform.services.get(at.service)
    if service is not None and not alert.runbook:
        alert = replace(alert, runbook=service.runbook)
    severity = platform.severities.get(said.severity) or severity_of(alert.severity, platform.severities)
    return Judged(
        alert=alert, place=at, key=said.key or default_key(alert, at),
        severity=severity.name, rank=_rank(severity, platform),
        pages=severity.pages and _may_page(alert, platform), unresolved=severity.unresolved,
        escalation=escalation_of(at.team, platform),
        channel=said.channel or platform.channel("incidents", at.environment, at.service, at.team),
        quiet="silenced" if alert.silenced else said.quiet, quiet_until=0.0 if alert.silenced else said.quiet_until,
        ignored=said.ignore, resolves=_resolves(alert, said), failed=said.failed,
    )  # fmt: skip


def _may_page(alert: Alert, platform: Platform) -> bool:
    """What the watcher finds pages nobody unless it is told to, nor what PagerDuty pages people for itself."""
    sender = alert.fingerprint if alert.source == UNREADABLE else alert.source
    return {SOURCE: platform.watcher.pages, PAGERDUTY: platform.pagerduty.pages}.get(sender.casefold(), True)


def _resolves(alert: Alert, said: Ruled) -> bool:
    """What is resolved in PagerDuty is resolved here, unless a rule says otherwise."""
    return said.resolve == "automatic" or (alert.source == PAGERDUTY and not said.resolve)


def _rank(severity: Severity, platform: Platform) -> int:
    return list(platform.severities).index(severity.name)


def escalation_of(team: str, platform: Platform) -> dict[str, Any]:
    """The plan that serves a team, to be kept with an incident; empty: there is none."""
    found = platform.escalations.get(team) or platform.escalations.get(DEFAULT)
    return freeze(found) if found else {}
