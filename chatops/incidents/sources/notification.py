"""What notifications of Alertmanager and of Grafana have in common: Grafana took over Alertmanager's shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatops.kernel.alert import Alert, Unread, Unreadable
from chatops.kernel.keys import bounded
from chatops.kernel.received import address, each, first, moment, parsed, quoted, status, text, texts


def notification(body: bytes, version: str, said: str) -> dict[str, Any]:
    """The JSON object of a body; raises ``Unreadable`` for another version than the one that ``said`` is about."""
    found = parsed(body)
    if found.get("version") != version:
        raise Unreadable(f"version is {quoted(found.get('version'), 20)!r}; this reads {said} version {version}.")
    return found


def alerts_of(
    found: dict[str, Any], one: Callable[[dict[str, Any], str], Alert]
) -> tuple[tuple[Alert, ...], Unread | None]:
    """Its alerts, each read by ``one``, and what of it could not be read."""
    alerts = found.get("alerts")
    if not isinstance(alerts, list):
        raise Unreadable("alerts is no list.")

    def read_one(given: Any, where: str) -> Alert:
        if not isinstance(given, dict):
            raise Unreadable(f"{where} is no object.")
        return one(given, where)

    return each(alerts, "alerts", read_one)


def dropped(found: dict[str, Any]) -> int:
    """How many alerts the sender says it left out."""
    said = found.get("truncatedAlerts")
    return said if type(said) is int else 0


def common(source: str, one: dict[str, Any], where: str) -> Alert:
    """An alert as far as both say it in the same words; ``link`` is its generatorURL."""
    labels, annotations = (
        texts(one.get("labels"), f"{where}.labels"),
        texts(one.get("annotations"), f"{where}.annotations"),
    )
    fingerprint = text(one.get("fingerprint"), f"{where}.fingerprint")
    if not fingerprint:
        raise Unreadable(f"{where}.fingerprint is missing.")
    return Alert(
        source=source, fingerprint=bounded(fingerprint), status=status(one.get("status"), f"{where}.status"),
        name=labels.get("alertname") or "Alert", severity=first(labels, "severity", "priority"),
        summary=first(annotations, "summary", "message"), description=annotations.get("description", ""),
        numbers=first(annotations, "value", "numbers"), labels=labels, annotations=annotations,
        starts_at=moment(one.get("startsAt"), f"{where}.startsAt"),
        ends_at=moment(one.get("endsAt"), f"{where}.endsAt"),
        runbook=address(first(annotations, "runbook_url", "runbook")), link=address(one.get("generatorURL")),
    )  # fmt: skip
