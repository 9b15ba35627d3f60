"""Requests and votes in the database: plain functions of a transaction, one statement per intent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from approvals.lifecycle import HOLDING
from approvals.request import Request, Vote
from chatops.kernel.errors import TooLate
from chatops.kernel.ports import Row, Tx
from chatops.kernel.usage import Asked

INSERT = """
INSERT INTO requests (key, action, service, environment, requester_id, state, version, slot, deadline_at, remind_at,
                      approved_at, created_at, updated_at, ended_at, body)
VALUES (:key, :action, :service, :environment, :requester_id, :state, :version, :slot, :deadline_at, :remind_at,
        :approved_at, :created_at, :updated_at, :ended_at, :body)
ON CONFLICT (key) DO NOTHING RETURNING id
"""
SAVE = """
UPDATE requests SET state = :state, version = :version, slot = :slot, deadline_at = :deadline_at,
       remind_at = :remind_at, approved_at = :approved_at, updated_at = :updated_at, ended_at = :ended_at, body = :body
WHERE id = :id AND version = :version - 1
"""
# The same when nothing but the votes changed: half of a request's indexes and its plan need not be written again.
SAVE_VOTED = """
UPDATE requests SET version = :version, updated_at = :updated_at WHERE id = :id AND version = :version - 1
"""
ADD_VOTE = """
INSERT INTO votes (request_id, digest, person_id, verdict, body, at, withdrawn_at)
VALUES (:request_id, :digest, :person_id, :verdict, :body, :at, 0)
ON CONFLICT (request_id, digest, person_id)
DO UPDATE SET verdict = excluded.verdict, body = excluded.body, at = excluded.at, withdrawn_at = 0
"""
# The votes of earlier plans come along; few requests have any.
FIND = """
SELECT requests.body, requests.version, requests.updated_at, votes.digest, votes.body AS vote
FROM requests LEFT JOIN votes ON votes.request_id = requests.id AND verdict = 'approve' AND withdrawn_at = 0
WHERE requests.id = :id ORDER BY votes.at, votes.person_id
"""
NEXT_IN_LINE = """
SELECT id FROM requests WHERE ended_at = 0 AND service = :service AND environment = :environment
      AND state IN ('queued', 'contested')
ORDER BY CASE state WHEN 'queued' THEN 0 ELSE 1 END, id LIMIT 1
"""
IN_LINE = """
SELECT id FROM requests WHERE ended_at = 0 AND service = :service AND environment = :environment
      AND state IN ('queued', 'contested') ORDER BY id
"""
# `ended_at = 0` is what the partial indexes hold.
ACTIVE = """
SELECT id FROM requests WHERE ended_at = 0 AND state IN ('planning', 'approved', 'running', 'rolling_back') ORDER BY id
"""
UNDER_WAY = """
SELECT service, environment FROM requests WHERE ended_at = 0 AND state IN ('running', 'rolling_back')
"""
OPEN = "SELECT id FROM requests WHERE ended_at = 0 ORDER BY state, id"  # as the index of what is open has them
# Only what can expire: an approved request keeps the deadline that it had, for an approval may be withdrawn.
DUE = """
SELECT id FROM requests WHERE ended_at = 0 AND state IN ('contested', 'waiting', 'stalled')
      AND deadline_at > 0 AND deadline_at <= :now ORDER BY deadline_at LIMIT 100
"""
TO_REMIND = "SELECT id FROM requests WHERE ended_at = 0 AND remind_at <= :now ORDER BY remind_at LIMIT 100"
OF_PERSON = "SELECT id FROM requests WHERE requester_id = :person ORDER BY id DESC LIMIT :limit"
OPEN_OF = "SELECT id FROM requests WHERE ended_at = 0 AND requester_id = :person ORDER BY id DESC LIMIT :limit"
FAILED_OF = """
SELECT id FROM requests WHERE state IN ('failed', 'rolled_back') AND requester_id = :person AND ended_at > :since
ORDER BY ended_at DESC LIMIT :limit
"""
RECENT = "SELECT id FROM requests ORDER BY id DESC LIMIT :limit"
UNDECIDED = frozenset({"planning", "contested", "queued", "waiting", "stalled"})  # nobody has let them go ahead
OF_AUTOMATIONS = """
SELECT id FROM requests WHERE ended_at = 0 AND state IN ('planning', 'contested', 'queued', 'waiting', 'stalled')
      AND requester_id LIKE 'automation.%' ORDER BY id
"""
WAITING = "SELECT id FROM requests WHERE ended_at = 0 AND state = 'waiting' ORDER BY id DESC LIMIT :limit"


def slot_of(request: Request) -> str | None:
    """What a request holds while it is under way: ``environment/service``; None when it holds nothing."""
    if not request.service or request.early or request.state not in HOLDING:
        return None
    return f"{request.environment}/{request.service}"


def _columns(request: Request) -> dict[str, object]:
    return {
        "state": request.state.value,
        "version": request.version,
        "slot": slot_of(request),
        "deadline_at": request.deadline_at,
        "remind_at": request.remind_at or None,
        "approved_at": request.approved_at,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
        "ended_at": request.ended_at,
        "body": request.model_dump_json(exclude={"id", "votes"}),
    }


def insert(tx: Tx, request: Request, key: str) -> int | None:
    """Stores a new request and returns its number; None when ``key`` was stored before."""
    row = tx.one(
        INSERT,
        key=key,
        action=request.action,
        service=request.service,
        environment=request.environment,
        requester_id=request.requester_id,
        **_columns(request),
    )
    return int(row["id"]) if row else None


def by_key(tx: Tx, key: str) -> Request | None:
    """The request that was made with this key."""
    row = tx.one("SELECT id FROM requests WHERE key = :key", key=key)
    return load(tx, int(row["id"])) if row else None


def key_of(tx: Tx, number: int) -> str:
    """The key that a request was made with."""
    row = tx.one("SELECT key FROM requests WHERE id = :id", id=number)
    return str(row["key"]) if row else ""


def find(tx: Tx, number: int) -> Request | None:
    """A request with its standing votes, or None."""
    rows = tx.all(FIND, id=number)
    if not rows:
        return None
    row, request = rows[0], _read(rows[0]["body"])
    standing = [row["vote"] for row in rows if row["vote"] is not None and row["digest"] == request.digest]
    votes = tuple(map(Vote.model_validate_json, standing)) if request.digest else ()
    columns = {"id": number, "version": row["version"], "updated_at": row["updated_at"], "votes": votes}
    return request.model_copy(update=columns)


@lru_cache(maxsize=128)
def _read(body: str) -> Request:
    """What a row's body holds; a card that stands is read again for each vote, each look and each page about it."""
    return Request.model_validate_json(f'{body[:-1]},"id":0}}')


def load(tx: Tx, number: int) -> Request:
    """A request with its standing votes; raises ``TooLate`` when there is none of that number."""
    request = find(tx, number)
    if request is None:
        raise TooLate(f"R-{number} is not known here; it may be from another installation or long gone.")
    return request


def save(tx: Tx, request: Request, before: Request | None = None) -> None:
    """Stores the next version of a request; raises ``TooLate`` when somebody else stored one in between.

    With the version ``before``, only what differs from it is written.
    """
    if before is not None and _only_voted(before, request):
        saved = tx.run(SAVE_VOTED, id=request.id, version=request.version, updated_at=request.updated_at)
    else:
        saved = tx.run(SAVE, id=request.id, **_columns(request))
    if saved != 1:
        raise TooLate(f"{request.name} has just changed; look at its card.")


_NOT_IN_BODY = frozenset({"votes", "version", "updated_at"})


def _only_voted(before: Request, after: Request) -> bool:
    """Whether both have the same body; a copy shares the fields that it does not change."""
    old, new = before.__dict__, after.__dict__
    return old.keys() == new.keys() and _NOT_IN_BODY.issuperset([name for name in new if new[name] is not old[name]])


def add_vote(tx: Tx, number: int, vote: Vote) -> None:
    """Stores one person's decision on one plan."""
    tx.run(
        ADD_VOTE,
        request_id=number,
        digest=vote.digest,
        person_id=vote.person_id,
        verdict=vote.verdict,
        body=vote.model_dump_json(),
        at=vote.at,
    )


def withdraw_vote(tx: Tx, number: int, digest: str, person_id: str, at: float) -> None:
    """Marks a vote as withdrawn; it stays in the table as history."""
    tx.run(
        "UPDATE votes SET withdrawn_at = :at WHERE request_id = :id AND digest = :digest AND person_id = :person_id",
        at=at,
        id=number,
        digest=digest,
        person_id=person_id,
    )


def void_votes(tx: Tx, number: int, at: float) -> None:
    """Marks all votes as withdrawn: a plan that comes back as it was must not bring back its approvals."""
    tx.run("UPDATE votes SET withdrawn_at = :at WHERE request_id = :id AND withdrawn_at = 0", at=at, id=number)


def holder(tx: Tx, service: str, environment: str) -> Request | None:
    """The request that holds this service and environment now."""
    row = tx.one("SELECT id FROM requests WHERE slot = :slot", slot=f"{environment}/{service}")
    return load(tx, int(row["id"])) if row else None


def next_in_line(tx: Tx, service: str, environment: str) -> Request | None:
    """Whose turn it is once the service and environment are free: those who chose to wait first."""
    row = tx.one(NEXT_IN_LINE, service=service, environment=environment)
    return load(tx, int(row["id"])) if row else None


def in_line(tx: Tx, service: str, environment: str) -> list[Request]:
    """All that wait for the service and environment, or have not chosen yet, oldest first."""
    return _several(tx, tx.all(IN_LINE, service=service, environment=environment))


def _ids(rows: Sequence[Row]) -> list[int]:
    return [int(row["id"]) for row in rows]


def active(tx: Tx) -> list[int]:
    """Requests that the engine has to move."""
    return _ids(tx.all(ACTIVE))


def under_way(tx: Tx) -> frozenset[tuple[str, str]]:
    """Service and environment of every request that runs or is undone."""
    return frozenset((str(row["service"]), str(row["environment"])) for row in tx.all(UNDER_WAY))


def open_requests(tx: Tx) -> list[int]:
    """Requests that have not ended, by number."""
    return sorted(_ids(tx.all(OPEN)))


def due(tx: Tx, now: float) -> list[int]:
    """Requests whose deadline has passed."""
    return _ids(tx.all(DUE, now=now))


def to_remind(tx: Tx, now: float) -> list[int]:
    """Requests whose approvers are to be reminded."""
    return _ids(tx.all(TO_REMIND, now=now))


def of_automations(tx: Tx) -> list[int]:
    """Requests of automations that have not been let go ahead."""
    return _ids(tx.all(OF_AUTOMATIONS))


def _several(tx: Tx, rows: Sequence[Row]) -> list[Request]:
    return [load(tx, number) for number in _ids(rows)]


def of_person(tx: Tx, person_id: str, limit: int = 20) -> list[Request]:
    """One person's requests, newest first."""
    return _several(tx, tx.all(OF_PERSON, person=person_id, limit=limit))


def open_of(tx: Tx, person_id: str, limit: int = 10) -> list[Request]:
    """One person's requests that have not ended, newest first."""
    return _several(tx, tx.all(OPEN_OF, person=person_id, limit=limit))


def failed_of(tx: Tx, person_id: str, since: float, limit: int = 5) -> list[Request]:
    """One person's requests that failed since then, the latest first."""
    return _several(tx, tx.all(FAILED_OF, person=person_id, since=since, limit=limit))


def recent(tx: Tx, limit: int = 20) -> list[Request]:
    """Everybody's requests, newest first."""
    return _several(tx, tx.all(RECENT, limit=limit))


ASKED_SINCE = """
SELECT action, requester_id, state, CASE WHEN approved_at > 0 AND EXISTS (
           SELECT 1 FROM votes WHERE votes.request_id = requests.id AND verdict = 'approve' AND withdrawn_at = 0
       ) THEN approved_at - created_at END AS waited
FROM requests WHERE created_at >= :since ORDER BY created_at LIMIT 200000
"""


def asked_since(tx: Tx, since: float) -> list[Asked]:
    """What was asked for since then, with how long people took to approve it."""
    return [
        Asked(row["action"], row["requester_id"], row["state"], row["waited"])
        for row in tx.all(ASKED_SINCE, since=since)
    ]


def waiting(tx: Tx, limit: int = 200) -> list[Request]:
    """Requests that wait for approvals, newest first."""
    return _several(tx, tx.all(WAITING, limit=limit))
