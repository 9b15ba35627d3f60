"""Alertmanager's webhook, version 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from chatops.incidents.sources.fields import address, first, moment, parsed, status, text, texts
from chatops.kernel.alert import Alert, Delivery, Unreadable

VERSION = "4"


def read(body: bytes) -> Delivery:
    """All alerts of one notification; of one that is in it twice, the last word holds."""
    found = parsed(body)
    if found.get("version") != VERSION:
        said = str(found.get("version"))[:20]
        raise Unreadable(f"version is {said!r}; this reads Alertmanager's webhook version {VERSION}.")
    alerts = found.get("alerts")
    if not isinstance(alerts, list):
        raise Unreadable("alerts is no list.")
    read_ones = [_alert(one, f"alerts[{place}]") for place, one in enumerate(alerts)]
    dropped = found.get("truncatedAlerts")
    return Delivery(
        "alertmanager", tuple({one.fingerprint: one for one in read_ones}.values()),
        external_url=address(found.get("externalURL")), dropped=dropped if type(dropped) is int else 0,
    )  # fmt: skip


def _alert(one: Any, where: str) -> Alert:
    if not isinstance(one, dict):
        raise Unreadable(f"{where} is no object.")
    labels, annotations = (
        texts(one.get("labels"), f"{where}.labels"),
        texts(one.get("annotations"), f"{where}.annotations"),
    )
    fingerprint = text(one.get("fingerprint"), f"{where}.fingerprint")
    if not fingerprint:
        raise Unreadable(f"{where}.fingerprint is missing.")
    link = address(one.get("generatorURL"))
    return Alert(
        source="alertmanager", fingerprint=fingerprint, status=status(one.get("status"), f"{where}.status"),
        name=labels.get("alertname") or "Alert", severity=first(labels, "severity", "priority"),
        summary=first(annotations, "summary", "message"), description=annotations.get("description", ""),
        numbers=first(annotations, "value", "numbers"), labels=labels, annotations=annotations,
        starts_at=moment(one.get("startsAt"), f"{where}.startsAt"),
        ends_at=moment(one.get("endsAt"), f"{where}.endsAt"),
        runbook=address(first(annotations, "runbook_url", "runbook")), link=link, expression=_expression(link),
    )  # fmt: skip


def _expression(link: str) -> str:
    """The PromQL that Prometheus' own links carry."""
    try:
        return text(parse_qs(urlsplit(link).query).get("g0.expr", [""])[0], "generatorURL")
    except ValueError:
        return ""
