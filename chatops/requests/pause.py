"""The switch that stops new writes: a row in the settings, so that a restart does not forget it."""

from __future__ import annotations

import json

from chatops.kernel.ports import Tx

RECHECK = 5.0  # seconds between looks while new writes are paused

SET = """
INSERT INTO settings (name, value, updated_at) VALUES ('paused', :value, :at)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""


class Later(Exception):
    """Nothing can be done now: look again after ``seconds``."""

    def __init__(self, seconds: float = RECHECK) -> None:
        super().__init__()
        self.seconds = seconds


def paused(tx: Tx) -> dict[str, str]:
    """Who paused and why; empty when nothing is paused."""
    row = tx.one("SELECT value FROM settings WHERE name = 'paused'")
    found: dict[str, str] = json.loads(row["value"]) if row else {}
    return found


def changed_at(tx: Tx) -> float:
    """When it was paused or resumed last (epoch seconds)."""
    row = tx.one("SELECT updated_at FROM settings WHERE name = 'paused'")
    return float(row["updated_at"]) if row else 0.0


def paused_by(tx: Tx) -> str:
    """What a card says while new writes are paused; empty when they are not."""
    stop = paused(tx)
    return f"new writes are paused by {stop['by']}: {stop['why']}" if stop else ""


def set_paused(tx: Tx, value: dict[str, str], at: float) -> None:
    """Stops new writes, or lets them go on with an empty ``value``."""
    tx.run(SET, value=json.dumps(value), at=at)
