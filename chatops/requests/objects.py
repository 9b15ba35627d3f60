"""What requests made in clusters: one row for each object, by uid, so that nothing else is ever removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from approvals.request import Request
from chatops.kernel.catalog import Record
from chatops.kernel.diff import ref_of
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import Row, Tx

DAY = 86400.0
WARNINGS = 2

ADD = """
INSERT INTO objects (uid, request_id, environment, service, team, requester_id, api_version, kind, namespace, name,
                     made_at, period, expires_at, annotated_at, look_at)
VALUES (:uid, :request_id, :environment, :service, :team, :requester_id, :api_version, :kind, :namespace, :name,
        :made_at, :period, :expires_at, :expires_at, :look_at)
ON CONFLICT (uid) DO NOTHING
"""
OF_REQUEST = "SELECT * FROM objects WHERE request_id = :request AND removed_at = 0 ORDER BY made_at, uid"
DUE = "SELECT * FROM objects WHERE removed_at = 0 AND look_at > 0 AND look_at <= :now ORDER BY look_at LIMIT 200"
MINE = "SELECT * FROM objects WHERE removed_at = 0 AND requester_id = :person ORDER BY made_at DESC LIMIT 100"
TEAMS = "SELECT * FROM objects WHERE removed_at = 0 AND team = :team ORDER BY made_at DESC LIMIT 100"
BY_UID = "SELECT * FROM objects WHERE uid = :uid"
EXTEND = """
UPDATE objects SET expires_at = :expires, look_at = :look, warned = 0, tries = 0, error = ''
WHERE uid = :uid AND removed_at = 0 AND removing_at = 0
"""


class Owned(Record):
    """One object that a request made. Times: epoch seconds, 0: never or not yet."""

    uid: str
    request_id: int
    environment: str
    service: str
    team: str
    requester_id: str
    api_version: str
    kind: str
    namespace: str
    name: str
    made_at: float
    period: float  # seconds that it lives, and that an extension gives
    expires_at: float
    annotated_at: float  # what the object's own annotation says of its end
    look_at: float  # when something is due next
    warned: int
    removing_at: float
    removed_at: float
    fate: str
    tries: int
    error: str

    @property
    def ref(self) -> ObjectRef:
        """Its name in the cluster."""
        return ObjectRef(api_version=self.api_version, kind=self.kind, namespace=self.namespace, name=self.name)


def shortly(period: float) -> float:
    """How long before the end the last warning comes: a day before the end of a month, 5 minutes before an hour's."""
    return min(DAY, period / 12)


def next_look(expires_at: float, period: float, warned: int) -> float:
    """When something is due: the warning at three quarters of the life, the one shortly before its end, or the end."""
    if not expires_at:
        return 0.0
    return expires_at - (period / 4, shortly(period), 0.0)[min(warned, WARNINGS)]


def record(tx: Tx, request: Request, live: Mapping[str, Any], *, team: str, now: float, period: float) -> None:
    """Remembers an object that this request made; its life counts from the start of the run."""
    ref, expires = ref_of(live), request.started_at + period if period else 0.0
    tx.run(
        ADD, uid=live["metadata"]["uid"], request_id=request.id, environment=request.environment,
        service=request.service, team=team, requester_id=request.requester_id, api_version=ref.api_version,
        kind=ref.kind, namespace=ref.namespace, name=ref.name, made_at=now, period=period, expires_at=expires,
        look_at=next_look(expires, period, 0),
    )  # fmt: skip


def renew(tx: Tx, live: Mapping[str, Any], *, expires_at: float, period: float, now: float) -> None:
    """An object that another request made and this one changed lives as long as the later one of both wants."""
    row = tx.one(BY_UID, uid=live["metadata"]["uid"])
    known = _owned(row) if row else None
    if known is None or not known.expires_at or 0 < expires_at <= known.expires_at:
        return
    tx.run("UPDATE objects SET period = :period WHERE uid = :uid", uid=known.uid, period=period or known.period)
    extend(tx, known, expires_at, now)


def of_request(tx: Tx, number: int) -> list[Owned]:
    """What a request made and is still there, oldest first."""
    return [_owned(row) for row in tx.all(OF_REQUEST, request=number)]


def of_person(tx: Tx, person: str, teams: Iterable[str]) -> list[Owned]:
    """What a person asked for or their teams own, newest first."""
    rows = [*tx.all(MINE, person=person), *(row for team in teams if team for row in tx.all(TEAMS, team=team))]
    found = {row["uid"]: _owned(row) for row in rows}
    return sorted(found.values(), key=lambda one: -one.made_at)


def due(tx: Tx, now: float) -> list[Owned]:
    """Objects of which something is due: a warning, their end, another try."""
    return [_owned(row) for row in tx.all(DUE, now=now)]


def warned(tx: Tx, one: Owned, count: int, expires_at: float) -> bool:
    """Remembers the ``count``-th warning; False when it was given already or the object's end was moved meanwhile."""
    look = next_look(expires_at, one.period, count)
    changed = tx.run(
        "UPDATE objects SET warned = :count, expires_at = :expires, look_at = :look "
        "WHERE uid = :uid AND warned < :count AND expires_at = :known AND removed_at = 0",
        uid=one.uid, count=count, expires=expires_at, look=look, known=one.expires_at,
    )  # fmt: skip
    return changed == 1


def extend(tx: Tx, one: Owned, expires_at: float, now: float) -> bool:
    """Moves an object's end (0: it stays); False when it is already being removed.

    It is looked at soon, so that its own annotation says so, too.
    """
    return tx.run(EXTEND, uid=one.uid, expires=expires_at, look=now) == 1


def annotated(tx: Tx, one: Owned) -> None:
    """The object's own annotation says its end now."""
    tx.run("UPDATE objects SET annotated_at = :at WHERE uid = :uid", uid=one.uid, at=one.expires_at)


def look_again(tx: Tx, one: Owned, at: float, error: str = "") -> None:
    """Puts off what is due; ``error`` says why."""
    tx.run(
        "UPDATE objects SET look_at = :at, tries = tries + :tried, error = :error WHERE uid = :uid AND removed_at = 0",
        uid=one.uid, at=at, tried=1 if error else 0, error=error,
    )  # fmt: skip


def removing(tx: Tx, one: Owned, now: float) -> bool:
    """Marks that its removal begins; False when it was extended in between."""
    changed = tx.run(
        "UPDATE objects SET removing_at = :now WHERE uid = :uid AND removed_at = 0 AND expires_at = :known",
        uid=one.uid, now=now, known=one.expires_at,
    )  # fmt: skip
    return changed == 1


def removed(tx: Tx, uid: str, fate: str, now: float) -> bool:
    """Marks an object as no longer there (``fate``: removed, gone, replaced); False when we had not made it."""
    sql = "UPDATE objects SET removed_at = :now, fate = :fate, look_at = 0 WHERE uid = :uid AND removed_at = 0"
    return tx.run(sql, uid=uid, fate=fate, now=now) == 1


def _owned(row: Row) -> Owned:
    return Owned.model_validate(dict(row))
