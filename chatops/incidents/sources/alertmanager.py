"""Alertmanager's webhook, version 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chatops.incidents.sources.notification import alerts_of, common, dropped, notification
from chatops.kernel.alert import Alert, Delivery
from chatops.kernel.received import address, text

VERSION = "4"


def read(body: bytes) -> Delivery:
    """All alerts of one notification."""
    found = notification(body, VERSION, "Alertmanager's webhook")
    external_url = address(found.get("externalURL"))
    alerts, unread = alerts_of(found, _alert)
    return Delivery("alertmanager", alerts, external_url=external_url, dropped=dropped(found), unread=unread)


def _alert(one: dict[str, Any], where: str) -> Alert:
    read_one = common("alertmanager", one, where)
    return replace(read_one, expression=_expression(read_one.link))


def _expression(link: str) -> str:
    """The PromQL that Prometheus' own links carry."""
    try:
        return text(parse_qs(urlsplit(link).query).get("g0.expr", [""])[0], "generatorURL")
    except ValueError:
        return ""
