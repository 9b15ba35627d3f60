"""Deletes what is too old to matter, a little at a time (docs/operations.md tells what is kept how long)."""

from __future__ import annotations

from functools import partial

from chatops.incidents import couriers, pagerduty_store, triggers
from chatops.kernel.ports import Clock, Database
from chatops.notices import aftermath, authors, comparisons, outside, releases, telling
from chatops.requests import locks, opened, pages, retention, schedules
from chatops.slack import drafts, homes, intake, posts

PRUNINGS = (
    intake.prune, posts.prune, pages.prune, drafts.prune, pagerduty_store.prune, couriers.prune, triggers.prune,
    locks.prune, outside.prune, releases.prune, comparisons.prune, authors.prune,
    schedules.prune, opened.prune, aftermath.prune, telling.prune, homes.prune,
)  # fmt: skip
MOST_PRUNINGS = 100  # transactions of one table at a time; the next hour goes on


async def forget(database: Database, clock: Clock, keep_requests: float = 0.0) -> None:
    """One tidying-up; requests are kept for so many seconds after their end, 0 meaning for ever."""
    for prune in (*PRUNINGS, partial(retention.prune, keep=keep_requests)):
        for _ in range(MOST_PRUNINGS):
            if not await database.write(prune, clock.now()):
                break
