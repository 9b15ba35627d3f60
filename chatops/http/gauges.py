"""Figures that are counted when somebody asks for them; every question is answered by a partial index."""

from __future__ import annotations

from chatops.adapters.metrics import Metrics
from chatops.kernel.ports import Clock, Database, Lane, Tx

REQUESTS = "SELECT state, count(*) AS n FROM requests WHERE ended_at = 0 GROUP BY state"
POSTS = "SELECT lane, count(*) AS n FROM posts WHERE wanted > sent GROUP BY lane"
INCIDENTS = "SELECT state, count(*) AS n FROM incidents WHERE open_key IS NOT NULL GROUP BY state"
OVERDUE = "SELECT count(*) AS n FROM incidents WHERE open_key IS NOT NULL AND due_at > 0 AND due_at <= :before"
OLDEST = "SELECT min(received_at) AS at FROM inbox WHERE done_at IS NULL"
LATE = 60.0  # seconds after which a step that was not taken is overdue


class Gauges:
    """Requests and incidents by state, what waits to be done or said, and people who should have been paged."""

    def __init__(self, database: Database, metrics: Metrics, clock: Clock) -> None:
        self._database = database
        self._metrics = metrics
        self._clock = clock

    async def count(self) -> None:
        """Counts anew; a state or lane that nothing is in any more goes back to nothing."""
        now = self._clock.now()
        states, lanes, incidents, overdue, oldest = await self._database.read(_counts, now)
        for gauge, counted in ((self._metrics.requests, states), (self._metrics.incidents, incidents)):
            gauge.clear()
            for state, number in counted.items():
                gauge.labels(state).set(number)
        self._metrics.overdue.set(overdue)
        self._metrics.waiting.set(max(0.0, now - oldest))
        for lane in Lane:
            self._metrics.posts.labels(lane.name.lower()).set(lanes.get(lane, 0))


def _counts(tx: Tx, now: float) -> tuple[dict[str, int], dict[int, int], dict[str, int], int, float]:
    states = {str(row["state"]): int(row["n"]) for row in tx.all(REQUESTS)}
    lanes = {int(row["lane"]): int(row["n"]) for row in tx.all(POSTS)}
    incidents = {str(row["state"]): int(row["n"]) for row in tx.all(INCIDENTS)}
    overdue = tx.one(OVERDUE, before=now - LATE)
    waiting = tx.one(OLDEST)
    oldest = now if waiting is None or waiting["at"] is None else float(waiting["at"])
    return states, lanes, incidents, int(overdue["n"]) if overdue else 0, oldest
