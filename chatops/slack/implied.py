"""The incident that is meant where none is named: that of the room, or of the card under which somebody writes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chatops.kernel.action import Action
from chatops.kernel.ports import Database, Tx
from chatops.slack.payloads import Where
from chatops.slack.permalinks import post_at

INCIDENT = re.compile(r"INC-\d+")  # the post of an incident's card; its room's is followed by /room
# The condition is that of the partial index: a channel holds every post that ever stood in it.
ROOM = "SELECT id FROM posts WHERE channel_id = :channel AND ts <> '' AND id LIKE 'INC-%/room'"
_NAMED = re.compile(r"\s+(?:INC-)?\d{1,12}(?=\s|$)|.*\bincident=", re.IGNORECASE)
_FIRST = "incident"  # the input that comes first in a line about one


def place_of_incident(text: str, actions: Mapping[str, Action]) -> int:
    """Where in a line an incident's name is missing; -1: nowhere."""
    for found in (re.match(r"\s*(\S+)\s+(\S+)", text), re.match(r"\s*(\S+)", text)):
        action = actions.get(".".join(found.groups()).casefold()) if found else None
        if found and action is not None and action.positionals[:1] == (_FIRST,):
            return -1 if _NAMED.match(text[found.end() :]) else found.end()
    return -1


async def incident_at(database: Database, channel: str, ts: str) -> str:
    """The name of the incident whose card stands there, or empty."""
    found = await database.read(post_at, channel, ts)
    return found if INCIDENT.fullmatch(found) else ""


async def completed(database: Database, where: Where, text: str, actions: Mapping[str, Action]) -> str:
    """The line with the incident that is meant where it was typed; as it is where it names one, or none is meant."""
    at = place_of_incident(text, actions)
    if at < 0:
        return text
    name = await incident_at(database, where.channel, where.thread_ts) if where.thread_ts else ""
    name = name or await database.read(_of_room, where.channel)
    return f"{text[:at]} {name}{text[at:]}" if name else text


def _of_room(tx: Tx, channel: str) -> str:
    row = tx.one(ROOM, channel=channel)
    return str(row["id"]).partition("/")[0] if row else ""
