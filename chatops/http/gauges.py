"""Figures that are counted when somebody asks for them; both questions are answered by partial indexes."""

from __future__ import annotations

from chatops.adapters.metrics import Metrics
from chatops.kernel.ports import Database, Lane, Tx

REQUESTS = "SELECT state, count(*) AS n FROM requests WHERE ended_at = 0 GROUP BY state"
POSTS = "SELECT lane, count(*) AS n FROM posts WHERE wanted > sent GROUP BY lane"


class Gauges:
    """Requests under way by state, messages that wait by lane."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def count(self) -> None:
        """Counts anew; a state or lane that nothing is in any more goes back to nothing."""
        states, lanes = await self._database.read(_counts)
        self._metrics.requests.clear()
        for state, number in states.items():
            self._metrics.requests.labels(state).set(number)
        for lane in Lane:
            self._metrics.posts.labels(lane.name.lower()).set(lanes.get(lane, 0))


def _counts(tx: Tx) -> tuple[dict[str, int], dict[int, int]]:
    states = {str(row["state"]): int(row["n"]) for row in tx.all(REQUESTS)}
    return states, {int(row["lane"]): int(row["n"]) for row in tx.all(POSTS)}
