"""Requests that ended long ago are forgotten where the configuration says so; what they did stays on record.

The audit trail and the deploy ledger are kept: numbers are never given twice, and ``chatops audit`` still tells.
"""

from __future__ import annotations

from chatops.kernel.ports import Tx

AT_ONCE = 500  # requests a transaction: nobody waits long behind it

# Not one of which something stands in a cluster that we look after, nor one that somebody is still to review.
OLD = """
SELECT id FROM requests WHERE ended_at > 0 AND ended_at < :before
      AND NOT EXISTS (SELECT 1 FROM objects WHERE objects.request_id = requests.id AND removed_at = 0)
      AND NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.request_id = requests.id)
ORDER BY ended_at LIMIT :limit
"""
FORGET = "DELETE FROM requests WHERE id = :id"  # its votes and pages go with it
FORGET_OBJECTS = "DELETE FROM objects WHERE request_id = :id AND removed_at > 0"
# Its card and all that stood in its thread: R-1042, R-1042/note/…; "0" is what follows "/".
FORGET_POSTS = "DELETE FROM posts WHERE (id = :name OR (id >= :name || '/' AND id < :name || '0')) AND wanted = sent"


def prune(tx: Tx, now: float, keep: float) -> int:
    """Forgets requests that ended more than ``keep`` seconds ago; returns how many, none when that was all."""
    if not keep:
        return 0
    old = [int(row["id"]) for row in tx.all(OLD, before=now - keep, limit=AT_ONCE)]
    for number in old:
        tx.run(FORGET_POSTS, name=f"R-{number}")
        tx.run(FORGET_OBJECTS, id=number)
        tx.run(FORGET, id=number)
    return len(old)
