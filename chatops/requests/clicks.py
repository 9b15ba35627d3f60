"""Clicks count once, however often Slack brings them."""

from __future__ import annotations

from chatops.kernel.ports import Tx

SEEN = """
INSERT INTO inbox (key, kind, body, received_at, done_at, tries) VALUES (:key, 'click', '', :now, :now, 0)
ON CONFLICT (key) DO UPDATE SET done_at = excluded.done_at WHERE inbox.done_at IS NULL
"""


def first_time(tx: Tx, key: str, now: float) -> bool:
    """Whether this click has not decided anything yet; its row of the inbox is done by that, in the same commit."""
    return tx.run(SEEN, key=key, now=now) == 1
