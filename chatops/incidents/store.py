"""Incidents and their alerts in the database: plain functions of a transaction, one statement per intent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from heapq import merge
from typing import Any

from chatops.incidents.incident import NAMES, Incident, State, Summary
from chatops.kernel.alert import Alert
from chatops.kernel.errors import TooLate
from chatops.kernel.ports import Row, Tx

INSERT = """
INSERT INTO incidents (key, open_key, state, severity, environment, service, team, holder_id, version, opened_at,
                       updated_at, resolved_at, due_at, channel, digest, body)
VALUES (:key, :open_key, :state, :severity, :environment, :service, :team, :holder_id, :version, :opened_at,
        :updated_at, :resolved_at, :due_at, :channel, :digest, :body)
RETURNING id
"""
SAVE = """
UPDATE incidents SET open_key = :open_key, state = :state, severity = :severity, holder_id = :holder_id,
       version = :version, updated_at = :updated_at, resolved_at = :resolved_at, due_at = :due_at, body = :body
WHERE id = :id AND version = :version - 1
"""
FIND = "SELECT id, body FROM incidents WHERE id = :id"
OF_KEY = "SELECT id, body FROM incidents WHERE key = :key ORDER BY id DESC LIMIT 1"
# `open_key IS NOT NULL` is what the partial indexes hold.
OPEN = "SELECT id, body FROM incidents WHERE open_key IS NOT NULL ORDER BY severity, id LIMIT :limit"
OPEN_OF_HOLDER = """
SELECT id, body FROM incidents WHERE open_key IS NOT NULL AND holder_id = :holder ORDER BY severity, id LIMIT :limit
"""
OPEN_OF_TEAM = """
SELECT id, body FROM incidents WHERE open_key IS NOT NULL AND team = :team ORDER BY severity, id LIMIT :limit
"""
DUE = """
SELECT id FROM incidents WHERE open_key IS NOT NULL AND due_at > 0 AND due_at <= :now ORDER BY due_at LIMIT 200
"""
# Whether it is quiet is in its body; those that page and those that are quiet are few.
WAITING = "SELECT id, body FROM incidents WHERE open_key IS NOT NULL AND due_at > 0 ORDER BY due_at"
OPEN_AT = """
SELECT id, body FROM incidents WHERE service = :service AND environment = :environment ORDER BY id DESC LIMIT 20
"""
OVERDUE = """
SELECT id, due_at FROM incidents WHERE open_key IS NOT NULL AND due_at > 0 AND due_at <= :before ORDER BY due_at, id
LIMIT 200
"""

ALERT = "SELECT incident_id, body FROM alerts WHERE source = :source AND fingerprint = :fingerprint"
PUT_ALERT = """
INSERT INTO alerts (source, fingerprint, incident_id, status, name, rank, starts_at, ends_at, seen_at, changes, body)
VALUES (:source, :fingerprint, :incident_id, :status, :name, :rank, :starts_at, :ends_at, :seen_at, 0, :body)
ON CONFLICT (source, fingerprint) DO UPDATE SET
    changes = CASE WHEN alerts.incident_id <> excluded.incident_id THEN 0
              WHEN alerts.status <> excluded.status THEN alerts.changes + 1 ELSE alerts.changes END,
    incident_id = excluded.incident_id, status = excluded.status, name = excluded.name, rank = excluded.rank,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, seen_at = excluded.seen_at, body = excluded.body
"""
COUNTS = """
SELECT count(*) AS total, count(CASE WHEN status = 'firing' THEN 1 END) AS firing, coalesce(sum(changes), 0) AS changes,
       min(CASE WHEN status = 'firing' THEN starts_at END) AS since, min(starts_at) AS first
FROM alerts WHERE incident_id = :incident
"""
NAMES_OF = """
SELECT name, max(CASE WHEN status = 'firing' THEN 1 ELSE 0 END) AS fires FROM alerts WHERE incident_id = :incident
GROUP BY name ORDER BY fires DESC, min(starts_at), name
"""
WORST = """
SELECT body FROM alerts WHERE incident_id = :incident
ORDER BY status = 'firing' DESC, rank, starts_at, fingerprint LIMIT 1
"""
FIRING_OF = "SELECT body FROM alerts WHERE source = :source AND status = 'firing' ORDER BY fingerprint LIMIT 1000"
ALERTS_OF = """
SELECT body FROM alerts WHERE incident_id = :incident ORDER BY status = 'firing' DESC, rank, starts_at LIMIT :limit
"""


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "open_key": None if incident.state is State.RESOLVED else incident.key,
        "state": incident.state.value,
        "severity": incident.severity,
        "holder_id": incident.holder.id if incident.holder else "",
        "version": incident.version,
        "updated_at": incident.updated_at,
        "resolved_at": incident.resolved_at,
        "due_at": incident.due_at,
        "body": incident.model_dump_json(exclude={"id"}),
    }


def insert(tx: Tx, incident: Incident) -> Incident:
    """Stores a new incident and gives it its number; one open incident per key is what the table allows."""
    row = tx.one(
        INSERT, key=incident.key, environment=incident.environment, service=incident.service, team=incident.team,
        opened_at=incident.opened_at, channel=incident.channel, digest=incident.digest, **_columns(incident),
    )  # fmt: skip
    if row is None:
        raise RuntimeError(f"the incident of {incident.key} was not stored")
    return incident.model_copy(update={"id": int(row["id"])})


def save(tx: Tx, incident: Incident) -> None:
    """Stores the next version; raises ``TooLate`` when somebody stored one in between."""
    if tx.run(SAVE, id=incident.id, **_columns(incident)) != 1:
        raise TooLate(f"{incident.name} has changed meanwhile; look at its card.")


def _read(row: Row) -> Incident:
    return Incident.model_validate_json(f'{row["body"][:-1]},"id":{row["id"]}}}')


def find(tx: Tx, number: int) -> Incident | None:
    """An incident, or None."""
    row = tx.one(FIND, id=number)
    return _read(row) if row else None


def load(tx: Tx, number: int) -> Incident:
    """An incident; raises ``TooLate`` when there is none of that number."""
    found = find(tx, number)
    if found is None:
        raise TooLate(f"INC-{number} is not known here; it may be from another installation or long gone.")
    return found


def newest_of(tx: Tx, key: str) -> Incident | None:
    """The newest incident of a key, open or not."""
    row = tx.one(OF_KEY, key=key)
    return _read(row) if row else None


def open_ones(tx: Tx, *, holder: str = "", team: str = "", limit: int = 30) -> list[Incident]:
    """Open incidents, the worst first: all, somebody's, or a team's."""
    if holder:
        rows = tx.all(OPEN_OF_HOLDER, holder=holder, limit=limit)
    elif team:
        rows = tx.all(OPEN_OF_TEAM, team=team, limit=limit)
    else:
        rows = tx.all(OPEN, limit=limit)
    return [_read(row) for row in rows]


def open_at(tx: Tx, service: str, environment: str) -> list[Incident]:
    """The open incidents of a service in an environment, among the newest there; the newest first."""
    found = [_read(row) for row in tx.all(OPEN_AT, service=service, environment=environment)]
    return [one for one in found if not one.ended]


def quiet_ones(tx: Tx) -> list[int]:
    """Open incidents that are quiet until some time."""
    found = [_read(row) for row in tx.all(WAITING)]
    return [one.id for one in found if one.quiet and one.holder is None]


def due(tx: Tx, now: float) -> list[int]:
    """Incidents of which a step, or paging again, is due."""
    return [int(row["id"]) for row in tx.all(DUE, now=now)]


# digests -----------------------------------------------------------------------------------------------------------

# Every incident of a storm asks these two: neither may look at all that the storm has opened so far.
LATELY = "SELECT id FROM incidents WHERE channel = :channel AND opened_at > :since LIMIT :most"
NEWEST_DIGEST = """
SELECT digest FROM incidents WHERE channel = :channel AND digest <> '' AND opened_at > :since
ORDER BY opened_at DESC, id DESC LIMIT 1
"""
IN_DIGEST = "SELECT id, body FROM incidents WHERE digest <> '' AND digest = :digest ORDER BY id"
SIZE_OF_DIGEST = "SELECT count(*) AS n FROM incidents WHERE digest <> '' AND digest = :digest"
DIGESTS = "SELECT DISTINCT digest, channel FROM incidents WHERE digest > '' AND opened_at > :since"


def opened_lately(tx: Tx, channel: str, since: float, most: int) -> int:
    """How many incidents were opened for a channel after ``since``, counted no further than ``most``."""
    return len(tx.all(LATELY, channel=channel, since=since, most=most))


def newest_digest(tx: Tx, channel: str, since: float) -> tuple[str, int]:
    """The digest that an incident was put into last, and how many it names; an empty name: none after ``since``."""
    row = tx.one(NEWEST_DIGEST, channel=channel, since=since)
    size = tx.one(SIZE_OF_DIGEST, digest=row["digest"]) if row else None
    return (str(row["digest"]), int(size["n"])) if row and size else ("", 0)


def in_digest(tx: Tx, digest: str) -> list[Incident]:
    """The incidents that a digest names, oldest first."""
    return [_read(row) for row in tx.all(IN_DIGEST, digest=digest)]


def digests(tx: Tx, since: float) -> list[tuple[str, str]]:
    """Digests (name, channel) into which incidents were put after ``since``."""
    return [(str(row["digest"]), str(row["channel"])) for row in tx.all(DIGESTS, since=since)]


# alerts ------------------------------------------------------------------------------------------------------------


def incident_of(tx: Tx, alert: Alert) -> int:
    """The incident that an alert belongs to since it was last told of; 0: none."""
    row = tx.one(ALERT, source=alert.source, fingerprint=alert.fingerprint)
    return int(row["incident_id"]) if row else 0


def is_news(tx: Tx, alert: Alert, incident: int) -> bool:
    """Whether a delivery says something that is not known of an alert; senders repeat themselves."""
    row = tx.one(ALERT, source=alert.source, fingerprint=alert.fingerprint)
    return row is None or int(row["incident_id"]) != incident or row["body"] != packed(alert)


def known(tx: Tx, alert: Alert) -> Alert | None:
    """What was last told of this alert."""
    return known_by(tx, alert.source, alert.fingerprint)


def known_by(tx: Tx, source: str, fingerprint: str) -> Alert | None:
    """What was last told of the alert with that fingerprint."""
    row = tx.one(ALERT, source=source, fingerprint=fingerprint)
    return alert_from(row["body"]) if row else None


def put_alert(tx: Tx, alert: Alert, incident: int, rank: int, now: float) -> None:
    """Remembers what was last told of an alert; ``rank``: the lower, the worse."""
    tx.run(
        PUT_ALERT, source=alert.source, fingerprint=alert.fingerprint, incident_id=incident, status=alert.status,
        name=alert.name, rank=rank, starts_at=alert.starts_at, ends_at=alert.ends_at, seen_at=now, body=packed(alert),
    )  # fmt: skip


def packed(alert: Alert) -> str:
    """An alert as JSON."""
    return json.dumps(asdict(alert), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def alert_from(text: str) -> Alert:
    """What ``packed`` packed."""
    return Alert(**json.loads(text))


def alerts_of(tx: Tx, incident: int, limit: int = 50) -> list[Alert]:
    """The alerts of an incident: those that fire first, the worst first."""
    return [alert_from(row["body"]) for row in tx.all(ALERTS_OF, incident=incident, limit=limit)]


def overdue(tx: Tx, before: float) -> list[tuple[int, float]]:
    """Number and due time of incidents whose next step was due before then, the oldest first."""
    return [(int(row["id"]), float(row["due_at"])) for row in tx.all(OVERDUE, before=before)]


def firing_of(tx: Tx, source: str) -> list[Alert]:
    """What a sender told and has not taken back."""
    return [alert_from(row["body"]) for row in tx.all(FIRING_OF, source=source)]


def summarise(tx: Tx, incident: int) -> Summary:
    """What the alerts of an incident say together."""
    counts = tx.one(COUNTS, incident=incident)
    if counts is None or not counts["total"]:
        return Summary()
    rows = tx.all(NAMES_OF, incident=incident)
    names = [row["name"] for row in rows if row["fires"]] or [row["name"] for row in rows]
    worst_row = tx.one(WORST, incident=incident)
    worst: Mapping[str, Any] = json.loads(worst_row["body"]) if worst_row else {}
    return Summary(
        firing=counts["firing"], total=counts["total"], changes=counts["changes"],
        names=tuple(names[:NAMES]), more=max(0, len(names) - NAMES),
        text=worst.get("summary") or worst.get("description") or worst.get("name") or "",
        numbers=worst.get("numbers", ""), runbook=worst.get("runbook", ""), link=worst.get("link", ""),
        expression=worst.get("expression", ""), since=counts["since"] or counts["first"] or 0.0,
    )  # fmt: skip


# pages -------------------------------------------------------------------------------------------------------------

ADD_PAGE = """
INSERT INTO paging (incident_id, round, step, person_id, name, asked_at)
VALUES (:incident, :round, :step, :person, :name, :now) ON CONFLICT DO NOTHING
"""
WAITING_PAGES = """
SELECT person_id, min(asked_at) AS asked_at FROM paging WHERE page_id = '' GROUP BY person_id
"""
LAST_PAGE = "SELECT max(paged_at) AS at FROM paging WHERE person_id = :person AND page_id <> ''"
TAKE_PAGES = """
UPDATE paging SET page_id = :page, paged_at = :now WHERE person_id = :person AND page_id = ''
RETURNING incident_id
"""
DROP_PAGES = "UPDATE paging SET page_id = 'not needed', paged_at = 0 WHERE incident_id = :incident AND page_id = ''"
PAGES_OF = """
SELECT DISTINCT page_id, person_id FROM paging
WHERE incident_id = :incident AND page_id NOT IN ('', 'not needed') ORDER BY page_id
"""
ON_PAGE = "SELECT id, body FROM incidents WHERE id IN (SELECT incident_id FROM paging WHERE page_id = :page)"
NUMBERS_ON_PAGE = "SELECT DISTINCT incident_id FROM paging WHERE page_id = :page ORDER BY incident_id"
NAME_ON_PAGE = "SELECT name FROM paging WHERE page_id = :page LIMIT 1"


def add_page(tx: Tx, incident: Incident, step: int, person: str, name: str, now: float) -> None:
    """One person is to be paged for one step, once."""
    tx.run(ADD_PAGE, incident=incident.id, round=incident.round, step=step, person=person, name=name, now=now)


def waiting_pages(tx: Tx) -> list[tuple[str, float]]:
    """Who is still to be paged, and when that person was last paged (0: never)."""
    waiting = []
    for row in tx.all(WAITING_PAGES):
        last = tx.one(LAST_PAGE, person=row["person_id"])
        waiting.append((str(row["person_id"]), float(last["at"] or 0.0) if last else 0.0))
    return waiting


def take_pages(tx: Tx, person: str, page: str, now: float) -> list[int]:
    """Puts everything that waits for a person on one page; returns the incidents on it."""
    return sorted({int(row["incident_id"]) for row in tx.all(TAKE_PAGES, person=person, page=page, now=now)})


def drop_pages(tx: Tx, incident: int) -> None:
    """Nobody needs to be paged any more."""
    tx.run(DROP_PAGES, incident=incident)


def pages_of(tx: Tx, incident: int) -> list[tuple[str, str]]:
    """The pages (post id, person) that name an incident."""
    return [(str(row["page_id"]), str(row["person_id"])) for row in tx.all(PAGES_OF, incident=incident)]


def on_page(tx: Tx, page: str) -> list[Incident]:
    """The incidents on one page, the worst first."""
    found = (_read(row) for row in tx.all(ON_PAGE, page=page))
    return sorted(found, key=lambda one: (one.ended, one.severity, one.id))


def numbers_on_page(tx: Tx, page: str) -> list[int]:
    """The numbers of the incidents on one page; of what may be thousands nothing else is read."""
    return [int(row["incident_id"]) for row in tx.all(NUMBERS_ON_PAGE, page=page)]


def name_on_page(tx: Tx, page: str) -> str:
    """Whom a page is for; empty for a page that is about nothing, as the test of one is."""
    row = tx.one(NAME_ON_PAGE, page=page)
    return str(row["name"]) if row else ""


# the timeline ------------------------------------------------------------------------------------------------------

HISTORY = "SELECT at, who, what, data FROM audit WHERE chain = :chain ORDER BY seq DESC LIMIT :limit"


def history(tx: Tx, chain: str, limit: int = 200) -> list[Row]:
    """The newest rows of a chain of the audit trail, oldest first."""
    return list(reversed(tx.all(HISTORY, chain=chain, limit=limit)))


def since(tx: Tx, incident: Incident, what: str, at: float) -> list[Mapping[str, Any]]:
    """The data of what happened to an incident after that (epoch seconds)."""
    rows = history(tx, incident.name) if at < math.inf else []
    return [json.loads(row["data"]) for row in rows if row["what"] == what and row["at"] > at]


def timeline(tx: Tx, incident: Incident, limit: int = 200) -> list[Row]:
    """The newest rows about an incident, oldest first: its own chain's, and those of pages that it shares."""
    chains = [incident.name, *(page for page, _ in pages_of(tx, incident.id))]
    found = merge(*(history(tx, chain, limit) for chain in chains), key=lambda row: float(row["at"]))
    return list(found)[-limit:]
