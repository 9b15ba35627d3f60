"""Forms that people opened, and which of them were sent: what was opened and left tells where a form asks too much."""

from __future__ import annotations

from collections.abc import Mapping

from chatops.kernel.ports import Tx
from chatops.kernel.usage import Forms

OPENED = """
INSERT INTO forms (view_id, action, opened_at) VALUES (:view, :action, :now) ON CONFLICT (view_id) DO NOTHING
"""
SENT = "UPDATE forms SET sent_at = :now WHERE view_id = :view AND sent_at = 0"
SINCE = """
SELECT action, count(*) AS opened, count(CASE WHEN sent_at = 0 THEN 1 END) AS left_open FROM forms
WHERE opened_at >= :since AND opened_at < :until GROUP BY action
"""
PRUNE = """
DELETE FROM forms WHERE view_id IN (
    SELECT view_id FROM forms WHERE opened_at < :before ORDER BY opened_at LIMIT 500
)
"""
KEPT = 400 * 86400.0  # seconds; figures reach a year back
LEFT_AFTER = 3600.0  # seconds after which a form that was not sent counts as left


def opened(tx: Tx, view_id: str, action: str, now: float) -> None:
    """Somebody has the form of an action before them."""
    tx.run(OPENED, view=view_id, action=action, now=now)


def sent(tx: Tx, view_id: str, now: float) -> None:
    """It was sent, all of its steps."""
    tx.run(SENT, view=view_id, now=now)


def since(tx: Tx, moment: float, now: float) -> Mapping[str, Forms]:
    """By action, of the forms that were opened since then; those that may still be filled in don't count."""
    rows = tx.all(SINCE, since=moment, until=now - LEFT_AFTER)
    return {row["action"]: Forms(int(row["opened"]), int(row["left_open"])) for row in rows}


def prune(tx: Tx, now: float) -> int:
    """Forgets forms of more than a year ago; how many."""
    return tx.run(PRUNE, before=now - KEPT)
