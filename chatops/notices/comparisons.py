"""The table of comparisons: what lies between two versions, as far as GitHub was asked. One statement per intent."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from chatops.kernel.commits import Commit, Compared, Comparison
from chatops.kernel.ports import Row, Tx

Kind = Literal["request", "outside"]
KEPT = 90 * 86400.0  # seconds
AT_ONCE = 500
ANEW_AFTER = 600.0  # seconds after which something that was not found may be there, such as a tag that came later

# Wanted again: what was found stays so, what failed a while ago is asked anew
WANT = """
INSERT INTO comparisons (repository, base, head, wanted_at, due_at) VALUES (:repository, :base, :head, :now, :now)
ON CONFLICT (repository, base, head) DO UPDATE SET wanted_at = :now,
    tries = CASE WHEN comparisons.found = '' AND comparisons.due_at = 0 THEN 0 ELSE comparisons.tries END,
    due_at = CASE WHEN comparisons.found = '' AND comparisons.due_at = 0 AND comparisons.ended_at < :now - :anew
             THEN :now ELSE comparisons.due_at END
RETURNING id, due_at
"""
READER = """
INSERT INTO comparison_readers (comparison_id, kind, subject) VALUES (:id, :kind, :subject) ON CONFLICT DO NOTHING
"""
READERS = "SELECT kind, subject FROM comparison_readers WHERE comparison_id = :id ORDER BY kind, subject LIMIT :limit"
FIND = """
SELECT found, problem FROM comparisons WHERE repository = :repository AND base = :base AND head = :head
"""
STILL = """
SELECT id FROM comparisons WHERE repository = :repository AND base = :base AND head = :head AND due_at > 0
"""
DUE = """
SELECT id, repository, base, head, tries FROM comparisons WHERE due_at > 0 AND due_at <= :now
ORDER BY due_at, id LIMIT 20
"""
LATER = "UPDATE comparisons SET tries = tries + 1, due_at = :due_at WHERE id = :id"
END = "UPDATE comparisons SET due_at = 0, ended_at = :now, found = :found, problem = :problem WHERE id = :id"
PRUNE = """
DELETE FROM comparisons WHERE id IN
    (SELECT id FROM comparisons WHERE wanted_at < :before ORDER BY wanted_at LIMIT :limit)
"""


@dataclass(frozen=True, slots=True)
class Due:
    """One that is to be asked now."""

    id: int
    asked: Comparison
    tries: int


def want(tx: Tx, asked: Comparison, kind: Kind, subject: int, now: float) -> bool:
    """Wants to know it for the messages about ``subject``; whether it is to be asked."""
    values = {"repository": asked.repository, "base": asked.base, "head": asked.head}
    row = tx.one(WANT, **values, now=now, anew=ANEW_AFTER)
    if row is None:
        raise TypeError("an insert that returns gives a row")
    tx.run(READER, id=row["id"], kind=kind, subject=subject)
    return bool(row["due_at"] > 0)


def find(tx: Tx, asked: Comparison) -> tuple[Compared | None, str]:
    """What is known of it, or why it won't be."""
    row = tx.one(FIND, repository=asked.repository, base=asked.base, head=asked.head)
    return (_read(row["found"]), row["problem"]) if row is not None else (None, "")


def is_due(tx: Tx, asked: Comparison) -> bool:
    """Whether GitHub is still to answer."""
    row = tx.one(STILL, repository=asked.repository, base=asked.base, head=asked.head)
    return row is not None


def due(tx: Tx, now: float) -> list[Due]:
    """Those that are to be asked now, the first wanted first."""
    return [_due(row) for row in tx.all(DUE, now=now)]


def later(tx: Tx, number: int, due_at: float) -> None:
    """It could not be asked."""
    tx.run(LATER, id=number, due_at=due_at)


def end(tx: Tx, number: int, found: Compared | None, problem: str, now: float) -> list[tuple[Kind, int]]:
    """What was found, or why nothing will be; whose messages tell of it."""
    body = json.dumps(asdict(found), ensure_ascii=False) if found is not None else ""
    tx.run(END, id=number, found=body, problem=problem[:300], now=now)
    return [(row["kind"], int(row["subject"])) for row in tx.all(READERS, id=number, limit=AT_ONCE)]


def prune(tx: Tx, now: float) -> int:
    """Forgets what nobody has wanted for long; how many."""
    return tx.run(PRUNE, before=now - KEPT, limit=AT_ONCE)


def _due(row: Row) -> Due:
    return Due(int(row["id"]), Comparison(row["repository"], row["base"], row["head"]), int(row["tries"]))


def _read(body: str) -> Compared | None:
    if not body:
        return None
    found = json.loads(body)
    commits = tuple(Commit(**one) for one in found["commits"])
    return Compared(found["ahead"], found["behind"], commits, tuple(found["authors"]))
