"""What is known of PagerDuty's incidents, and what it is still to be told: a row committed with what happened."""

from __future__ import annotations

from dataclasses import dataclass

from chatops.incidents.sources.pagerduty import SOURCE
from chatops.kernel.ports import Row, Tx

KEPT = 30 * 86400.0  # seconds for which events and changes that ended are remembered
AT_ONCE = 500

TAKE_EVENT = "INSERT INTO pagerduty_events (id, taken_at) VALUES (:id, :now) ON CONFLICT DO NOTHING"
STANDING = "SELECT status, changed_at FROM pagerduty_incidents WHERE id = :id"
PUT_STANDING = """
INSERT INTO pagerduty_incidents (id, status, changed_at) VALUES (:id, :status, :at)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, changed_at = excluded.changed_at
"""
INCIDENT_OF = "SELECT incident_id FROM alerts WHERE source = :source AND fingerprint = :id"
OPEN_THERE = """
SELECT pagerduty_incidents.id, pagerduty_incidents.status FROM alerts
JOIN pagerduty_incidents ON pagerduty_incidents.id = alerts.fingerprint
WHERE alerts.incident_id = :incident AND alerts.source = :source AND pagerduty_incidents.status <> 'resolved'
ORDER BY pagerduty_incidents.id
"""
ADD = """
INSERT INTO pagerduty_changes (pagerduty_id, incident_id, what, note, email, made_at, due_at)
VALUES (:pagerduty_id, :incident, :what, :note, :email, :now, :now)
"""
NEEDLESS = """
UPDATE pagerduty_changes SET ended = 'not needed'
WHERE pagerduty_id = :id AND ended = '' AND (what = 'acknowledged' OR what = :what)
"""
WAITING = "SELECT count(*) AS n FROM pagerduty_changes WHERE pagerduty_id = :id AND ended = '' AND what = :what"
NOTE_OF_OURS = "SELECT id FROM pagerduty_changes WHERE pagerduty_id = :id AND what = 'note' AND note = :note LIMIT 1"
NOTE_BEGUN = """
SELECT id FROM pagerduty_changes
WHERE pagerduty_id = :id AND what = 'note' AND substr(note, 1, length(:note)) = :note LIMIT 1
"""
DUE = """
SELECT id, pagerduty_id, incident_id, what, note, email, made_at, tries FROM pagerduty_changes
WHERE ended = '' AND due_at <= :now ORDER BY due_at, id LIMIT 50
"""
STILL = "SELECT id FROM pagerduty_changes WHERE id = :id AND ended = ''"
LATER = "UPDATE pagerduty_changes SET due_at = :due_at, tries = tries + 1 WHERE id = :id AND ended = ''"
END = "UPDATE pagerduty_changes SET ended = :ended, tries = tries + 1 WHERE id = :id AND ended = ''"
FORGET_EVENTS = """
DELETE FROM pagerduty_events
WHERE id IN (SELECT id FROM pagerduty_events WHERE taken_at < :before LIMIT :limit)
"""
FORGET_CHANGES = """
DELETE FROM pagerduty_changes
WHERE id IN (SELECT id FROM pagerduty_changes WHERE ended <> '' AND made_at < :before LIMIT :limit)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that PagerDuty is to be told."""

    id: int
    pagerduty_id: str
    incident: int
    what: str  # acknowledged, resolved, note
    note: str
    email: str  # of who did it; empty: nobody that PagerDuty could know
    made_at: float
    tries: int


def first_time(tx: Tx, event: str, now: float) -> bool:
    """Takes an event's id in; False when it was taken in before."""
    return tx.run(TAKE_EVENT, id=event, now=now) == 1


def standing(tx: Tx, pagerduty_id: str) -> tuple[str, float]:
    """The status of an incident there, and since when; empty and 0: it is not known."""
    row = tx.one(STANDING, id=pagerduty_id)
    return (str(row["status"]), float(row["changed_at"])) if row else ("", 0.0)


def put_standing(tx: Tx, pagerduty_id: str, status: str, at: float) -> None:
    """Remembers where it stands there; what PagerDuty was to be told and has happened needs no telling."""
    tx.run(PUT_STANDING, id=pagerduty_id, status=status, at=at)
    if status != "triggered":
        tx.run(NEEDLESS, id=pagerduty_id, what=status)


def incident_of(tx: Tx, pagerduty_id: str) -> int:
    """Our incident's number; 0: there is none."""
    row = tx.one(INCIDENT_OF, source=SOURCE, id=pagerduty_id)
    return int(row["incident_id"]) if row else 0


def open_there(tx: Tx, incident: int) -> list[tuple[str, str]]:
    """Id and status of what is not resolved there of one of our incidents."""
    return [(str(row["id"]), str(row["status"])) for row in tx.all(OPEN_THERE, incident=incident, source=SOURCE)]


def add(tx: Tx, pagerduty_id: str, incident: int, what: str, note: str, email: str, now: float) -> None:
    """PagerDuty is to be told; resolving makes an acknowledgement that still waits needless."""
    if what != "note":
        if is_waiting(tx, pagerduty_id, what):
            return
        tx.run(NEEDLESS, id=pagerduty_id, what=what)
    tx.run(ADD, pagerduty_id=pagerduty_id, incident=incident, what=what, note=note, email=email, now=now)


def is_waiting(tx: Tx, pagerduty_id: str, what: str) -> bool:
    """Whether PagerDuty is still to be told this."""
    row = tx.one(WAITING, id=pagerduty_id, what=what)
    return bool(row and row["n"])


def is_our_note(tx: Tx, pagerduty_id: str, note: str, trimmed: bool = False) -> bool:
    """Whether a note there is one that we made; of a ``trimmed`` one only the beginning is known."""
    if trimmed and (begun := note.rstrip(".… ")):
        return tx.one(NOTE_BEGUN, id=pagerduty_id, note=begun) is not None
    return tx.one(NOTE_OF_OURS, id=pagerduty_id, note=note) is not None


def due(tx: Tx, now: float) -> list[Change]:
    """What is to be tried now, oldest first."""
    return [_read(row) for row in tx.all(DUE, now=now)]


def is_wanted(tx: Tx, change: int) -> bool:
    """Whether it is still to be told."""
    return tx.one(STILL, id=change) is not None


def later(tx: Tx, change: int, due_at: float) -> bool:
    """It is tried again then; False when it has ended meanwhile."""
    return tx.run(LATER, id=change, due_at=due_at) == 1


def end(tx: Tx, change: int, ended: str) -> bool:
    """``done`` or ``given up``; False when it had ended already."""
    return tx.run(END, id=change, ended=ended) == 1


def prune(tx: Tx, now: float) -> int:
    """Forgets what is too old to be told again, some at a time; how much."""
    before = now - KEPT
    return tx.run(FORGET_EVENTS, before=before, limit=AT_ONCE) + tx.run(FORGET_CHANGES, before=before, limit=AT_ONCE)


def _read(row: Row) -> Change:
    return Change(
        int(row["id"]), str(row["pagerduty_id"]), int(row["incident_id"]), str(row["what"]), str(row["note"]),
        str(row["email"]), float(row["made_at"]), int(row["tries"]),
    )  # fmt: skip
