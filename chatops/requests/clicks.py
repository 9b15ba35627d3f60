"""Clicks count once, however often Slack brings them."""

from __future__ import annotations

from chatops.kernel.ports import Tx


def first_time(tx: Tx, key: str, now: float) -> bool:
    """Whether this click (its trigger id) has not been seen; remembers it. A replayed click decides nothing."""
    seen = tx.run(
        "INSERT INTO inbox (key, kind, body, received_at, done_at, tries) VALUES (:key, 'click', '', :now, :now, 0) "
        "ON CONFLICT (key) DO NOTHING",
        key=key,
        now=now,
    )
    return seen == 1
