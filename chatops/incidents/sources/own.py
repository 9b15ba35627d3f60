"""Our own small JSON, for whatever can send one: scripts, cron jobs, other monitors; docs/alerts.md has an example."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from chatops.kernel.alert import Alert, Delivery, Unreadable
from chatops.kernel.catalog import closest
from chatops.kernel.received import address, each, moment, parsed, quoted, status, text, texts

KEYS = (
    "name", "status", "service", "environment", "severity", "summary", "description", "value", "labels", "annotations",
    "runbook", "link", "key", "starts_at",
)  # fmt: skip


def read(body: bytes) -> Delivery:
    """One alert, or several as {"alerts": […]}."""
    found = parsed(body)
    if "alerts" in found:
        if set(found) != {"alerts"} or not isinstance(found["alerts"], list):
            raise Unreadable('Beside "alerts", a list, nothing else stands in the body.')
        alerts, unread = each(found["alerts"], "alerts", _alert)
        return Delivery("alert", alerts, unread=unread)
    return Delivery("alert", (_alert(found, "the body"),))


def _alert(one: Any, where: str) -> Alert:
    if not isinstance(one, dict):
        raise Unreadable(f"{where} is no object.")
    for key in one:
        if key not in KEYS:
            meant = closest(key, KEYS)
            raise Unreadable(
                f"{where} has the unknown key {quoted(key)!r}{f'; is it meant to be {meant}' if meant else ''}."
            )
    given = {
        key: text(one.get(key), f"{where}: {key}") for key in KEYS if key not in ("labels", "annotations", "starts_at")
    }
    if not given["name"]:
        raise Unreadable(f"{where} needs a name.")
    labels = texts(one.get("labels"), f"{where}: labels")
    labels |= {name: given[name] for name in ("service", "environment") if given[name]}
    told = given["key"] or f"{given['name']}/{labels.get('environment', '')}/{labels.get('service', '')}"
    return Alert(
        source="alert", fingerprint=sha256(told.encode()).hexdigest()[:32],
        status=status(one.get("status", "firing"), f"{where}: status"), name=given["name"], severity=given["severity"],
        summary=given["summary"], description=given["description"], numbers=given["value"], labels=labels,
        annotations=texts(one.get("annotations"), f"{where}: annotations"),
        starts_at=moment(one.get("starts_at"), f"{where}: starts_at"), runbook=address(one.get("runbook")),
        link=address(one.get("link")),
    )  # fmt: skip
