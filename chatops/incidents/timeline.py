"""The timeline of an incident: its audit trail in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatops.kernel.ports import Row

_SAID: Mapping[str, str] = {
    "opened": "Opened: {text}",
    "alerted": "Alerts: {text}",
    "calmed": "All alerts are resolved",
    "reopened": "It is back: {text}",
    "paged": "Paged {people} (step {step})",
    "not_reached": "Step {step} reached nobody: {targets}",
    "acknowledged": "{who} acknowledged",
    "taken_over": "{who} took over",
    "handed_over": "{who} handed over to {to}",
    "unacknowledged": "{who} gave it back",
    "escalated": "{who} escalated",
    "held_on": "{who} is still on it",
    "taken_up_again": "Not resolved in time: paging begins anew",
    "severity_changed": "{who} changed the severity from {from} to {to}",
    "stays_quiet": "Stays quiet: {text}",
    "got_loud": "Makes noise now, no longer quiet: {text}",
    "silenced": "{who} silenced {text} until {until} UTC",
    "silence_ended": "{who} ended the silence",
    "page_arrived": "{path} has the page of {people}",
    "page_sent": "{people} was paged by {path} as well",
    "page_failed": "{people} could not be paged by {path}: {text}",
    "automation_asked": "{who} {text}",
    "automation_ended": "{who}: {text}",
    "automation_same": "{who}: {text}",
    "automation_dry_run": "{who} {text}",
    "automation_limited": "{who}: {text}",
    "automation_failed": "{who}: {text}",
    "resolved": "Resolved by {who}{why}",
    "noted": "{who}: {text}",
    "reported": "{who} reported: {text}",
    "looked_into": "Evidence: {text}",
    "room_asked": "{who} asked for a room",
    "room_joined": "{who} asked to come into the room #{room}",
    "room_opened": "The room #{room} is open",
    "room_refused": "Slack refused: {text}",
    "led": "{to} leads, said by {who}",
    "status_set": "{who} told: {status}{why}",
    "update_due": "An update is due",
    "closed": "{who} closed it",
    "postmortem": "The postmortem draft {file} is in Slack",
}


class _Given(dict[str, Any]):
    """What a row does not hold is said as "?"; rows are kept for ever, and older ones may lack a word."""

    def __missing__(self, key: str) -> str:
        return "?"


def sentences(rows: Iterable[Row]) -> Iterator[tuple[float, str]]:
    """Time (epoch seconds) and sentence of each row."""
    for row in rows:
        data = json.loads(row["data"])
        why = f": {data['text']}" if data.get("text") else ""
        given = _Given({**data, "who": row["who"], "why": why})
        template = _SAID.get(row["what"])
        yield float(row["at"]), template.format_map(given) if template else f"{row['who']}: {row['what']}"
