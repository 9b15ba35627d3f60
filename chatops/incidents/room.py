"""What is to be done in Slack for an incident's room, and what is done: one row an incident."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chatops.incidents.incident import Incident
from chatops.kernel.ports import Row, Tx
from chatops.kernel.record import Record

FIND = "SELECT incident_id, work_at, remind_at, body FROM rooms WHERE incident_id = :incident"
PUT = """
INSERT INTO rooms (incident_id, work_at, remind_at, body) VALUES (:incident, :work_at, :remind_at, :body)
ON CONFLICT (incident_id) DO UPDATE SET work_at = excluded.work_at, remind_at = excluded.remind_at, body = excluded.body
"""
WORK = "SELECT incident_id FROM rooms WHERE work_at > 0 AND work_at <= :now ORDER BY work_at LIMIT 100"
REMIND = "SELECT incident_id FROM rooms WHERE remind_at > 0 AND remind_at <= :now ORDER BY remind_at LIMIT 100"

LONGEST_NAME = 80  # characters, https://docs.slack.dev/reference/methods/conversations.create#naming
SPARE = 3  # of them, for a number after a name that somebody else has


class Room(Record):
    """A room and the drafts that go into it. Times: epoch seconds, 0: nothing is due."""

    incident: int
    name: str = ""  # of the channel; empty: nobody asked for one
    channel: str = ""  # its id, once Slack has made it
    asked_by: str = ""
    guests: tuple[str, ...] = ()  # who asked to come into it
    asks: int = 0  # how often somebody asked to come into it
    described: bool = False
    pinned: bool = False
    people: tuple[str, ...] = ()  # whom Slack was asked to invite
    draft: str = ""  # the file that is to be uploaded
    began: bool = False  # its upload was tried: it may be there
    drafts: int = 0  # how many are in Slack
    closings: int = 0
    reminded: int = 0
    tries: int = 0
    work_at: float = 0.0
    remind_at: float = 0.0


def _read(row: Row) -> Room:
    found = Room.model_validate_json(row["body"])
    return found.model_copy(update={"work_at": float(row["work_at"]), "remind_at": float(row["remind_at"])})


def find(tx: Tx, incident: int) -> Room:
    """The row of an incident; an empty one where there is none."""
    row = tx.one(FIND, incident=incident)
    return _read(row) if row else Room(incident=incident)


def put(tx: Tx, incident: int, changes: Mapping[str, Any]) -> Room:
    """Changes fields of the row as it is now."""
    after = find(tx, incident).model_copy(update=dict(changes))
    body = after.model_dump_json(exclude={"work_at", "remind_at"})
    tx.run(PUT, incident=incident, work_at=after.work_at, remind_at=after.remind_at, body=body)
    return after


def asked_again(found: Room, person: str, now: float) -> dict[str, Any]:
    """The changes by which somebody is invited, also who was and has left."""
    people = tuple(one for one in found.people if one != person)
    guests = tuple(dict.fromkeys((*found.guests, person)))
    return {"people": people, "guests": guests, "asks": found.asks + 1, "work_at": now, "tries": 0}


def to_work_on(tx: Tx, now: float) -> list[int]:
    """Incidents for which something is to be done in Slack."""
    return [int(row["incident_id"]) for row in tx.all(WORK, now=now)]


def to_remind(tx: Tx, now: float) -> list[int]:
    """Incidents about which people wait for an update."""
    return [int(row["incident_id"]) for row in tx.all(REMIND, now=now)]


def name_of(incident: Incident) -> str:
    """``inc-20261122-checkout-101``: a name that Slack takes, and that no second incident has."""
    day = f"{datetime.fromtimestamp(incident.opened_at, UTC):%Y%m%d}"
    words = re.sub(r"[^a-z0-9_]+", "-", (incident.service or incident.title).lower()).strip("-")
    left = LONGEST_NAME - SPARE - len(f"inc-{day}--{incident.id}")
    what = words[:left].strip("-")
    return "-".join(one for one in ("inc", day, what, str(incident.id)) if one)
