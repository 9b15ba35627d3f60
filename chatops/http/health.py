"""Whether the assistant is ready: everything has come up once, and the database answers now, and saves.

A later outage of Slack does not take readiness away: a restart would not bring Slack back, and the webhooks go on.
"""

from __future__ import annotations

import asyncio
import logging

from chatops.kernel.ports import Database, Tx

log = logging.getLogger(__name__)

PARTS = ("database", "slack", "scheduler")
ANSWERS_WITHIN = 2.0  # seconds
TOUCH = """
INSERT INTO settings (name, value, updated_at) VALUES ('touched', '', 0)
ON CONFLICT (name) DO UPDATE SET updated_at = settings.updated_at + 1
"""


class Readiness:
    """Parts report in with ``came_up``."""

    def __init__(self, database: Database, parts: tuple[str, ...] = PARTS) -> None:
        self._database = database
        self._waiting = dict.fromkeys(parts)

    def came_up(self, part: str) -> None:
        """A part stands for the first time; again is fine."""
        self._waiting.pop(part, None)

    async def missing(self) -> tuple[str, ...]:
        """What is not there yet, or not any more; empty when ready."""
        if self._waiting:
            return tuple(self._waiting)
        return () if await self._database_answers() else ("database",)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                if self._database.failing:  # a full disk can be read; whether it has room again is tried out
                    await self._database.write(_touch)
                return await self._database.read(_one) == 1
        except Exception as error:  # whatever it is, the database does not answer
            log.error("the database does not answer: %s: %s", type(error).__name__, error)
            return False


def _one(tx: Tx) -> int:
    row = tx.one("SELECT 1 AS one")
    return int(row["one"]) if row is not None else 0


def _touch(tx: Tx) -> None:
    tx.run(TOUCH)
