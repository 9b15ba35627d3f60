"""Grafana's webhook contact point (unified alerting), version 1.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chatops.incidents.sources.notification import alerts_of, common, dropped, notification
from chatops.kernel.alert import Alert, Delivery, Unreadable
from chatops.kernel.received import LONGEST, MOST_LABELS, address, quoted
from chatops.kernel.texts import whole

VERSION = "1"


def read(body: bytes) -> Delivery:
    """All alerts of one notification; ``state``, ``title`` and ``message`` say nothing that the alerts do not."""
    found = notification(body, VERSION, "Grafana's webhook")
    alerts, unread = alerts_of(found, _alert)
    return Delivery("grafana", alerts, dropped=dropped(found), unread=unread)


def _alert(one: dict[str, Any], where: str) -> Alert:
    read_one = common("grafana", one, where)
    numbers = read_one.numbers or _values(one.get("values"), f"{where}.values")
    # The panel shows what went wrong; the rule's own page only how it is found.
    link = address(one.get("panelURL")) or address(one.get("dashboardURL")) or read_one.link
    return replace(read_one, numbers=numbers, link=link)


def _values(found: Any, where: str) -> str:
    """What the rule's expressions came to, by their letters: "B = 44.24, C = 1"; empty when it had no data."""
    if found is None:
        return ""
    if not isinstance(found, dict):
        raise Unreadable(f"{where} is no object.")
    said = []
    for letter in sorted(found)[:MOST_LABELS]:
        value = found[letter]
        if value is None:  # a series that ended: there is no number to show
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unreadable(f"{where}.{quoted(letter, 80)} is no number.")
        said.append(f"{quoted(letter, 80)} = {_short(value)}")
    shown = whole(", ".join(said))
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _short(value: int | float) -> str:
    try:
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.10g}"
    except OverflowError:  # an integer beyond a float's range
        return "a number beyond 1e308"
