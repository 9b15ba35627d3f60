"""Clicks and lines count once, however often Slack brings them or a crash has them worked off again."""

from __future__ import annotations

from chatops.kernel.errors import TooLate
from chatops.kernel.ports import Tx

SEEN = """
INSERT INTO inbox (key, kind, body, received_at, done_at, tries) VALUES (:key, 'click', '', :now, :now, 0)
ON CONFLICT (key) DO UPDATE SET done_at = excluded.done_at WHERE inbox.done_at IS NULL
"""
DID = "did:"  # how the key of what a line did begins; the line's own row is done when its answer is there


def first_time(tx: Tx, key: str, now: float) -> bool:
    """Whether this click has not decided anything yet; its row of the inbox is done by that, in the same commit."""
    return tx.run(SEEN, key=key, now=now) == 1


def only_once(tx: Tx, key: str, now: float) -> None:
    """Raises ``TooLate`` when the line of this ``key`` did this before; without one nothing has it worked off again."""
    if key and not first_time(tx, DID + key, now):
        raise _again()


def check_not_done(tx: Tx, key: str) -> None:
    """Raises as ``only_once``, before anything is done."""
    if key and tx.one("SELECT 1 AS one FROM inbox WHERE key = :key", key=DID + key) is not None:
        raise _again()


def _again() -> TooLate:
    return TooLate("This was done already, and is not done again.", hint="I was cut off before I could say so.")
