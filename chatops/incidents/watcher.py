"""The cluster as a sender of alerts: looks at it again and again, and tells what lasts and what is over.

So incidents work on the first day, without a monitor. What happens during a run belongs to that run's card. What was
told stands in the database, so a restart neither tells it twice nor forgets that it may be over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from approvals import store as requests
from chatops.incidents import store, symptoms
from chatops.kernel.alert import Alert, Delivery
from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.ports import Clock, Clusters, Configuration, Database

log = logging.getLogger(__name__)

STANDS = 30.0  # seconds that something must last before it is told
CALM = 60.0  # seconds that it must be gone before that is told


@dataclass(slots=True)
class _Seen:
    alert: Alert
    first: float
    last: float
    told: bool = False


@dataclass(slots=True)
class Watcher:
    """Looks when asked to; ``take`` takes alerts in, as those of any sender.

    ``deployments`` looks at those of an environment; it raises what the cluster raises.
    """

    database: Database
    configuration: Configuration
    clusters: Clusters
    take: Callable[[Delivery], Awaitable[None]]
    clock: Clock
    deployments: Callable[[Environment], Awaitable[list[dict[str, Any]]]]
    _seen: dict[str, _Seen] | None = None
    _said: dict[str, str] = field(default_factory=dict)  # by what could not be looked at: why

    async def look(self) -> None:
        """One look at every environment, and the news of it as one delivery."""
        if not self.configuration.platform.watcher.enabled:
            return
        now = self.clock.now()
        if self._seen is None:
            told = await self.database.read(store.firing_of, symptoms.SOURCE)
            self._seen = {one.fingerprint: _Seen(one, now, now, told=True) for one in told}
        found, looked_at = await self._look_everywhere(now)
        busy = await self.database.read(requests.under_way)
        for alert in found:
            seen = self._seen.setdefault(alert.fingerprint, _Seen(alert, now, now))
            seen.alert, seen.last = alert, now
            if not seen.told and _place(alert, self.configuration.platform) in busy:
                seen.first = now  # its run's card tells of it
        present = {one.fingerprint for one in found}
        gone = [one for key, one in self._seen.items() if key not in present and _where(one.alert) in looked_at]
        news = [one for one in self._seen.values() if not one.told and now - one.first >= STANDS and one not in gone]
        over = [one for one in gone if not one.told or now - one.last >= CALM]
        alerts = [*(one.alert for one in news), *(symptoms.ended(one.alert, now) for one in over if one.told)]
        if alerts:
            await self.take(Delivery(symptoms.SOURCE, tuple(alerts)))
        for one in news:
            one.told = True
        for one in over:
            del self._seen[one.alert.fingerprint]

    # inside --------------------------------------------------------------------------------------------------------

    async def _look_everywhere(self, now: float) -> tuple[list[Alert], set[str]]:
        """What is wrong, and where it could be looked: what nobody could look at is neither new nor over."""
        environments = list(self.configuration.platform.environments.values())
        by_cluster: dict[str, list[Environment]] = {}
        for one in environments:
            by_cluster.setdefault(one.cluster, []).append(one)
        looks = [(one.name, self._look_at(one, now)) for one in environments]
        looks += [(f"nodes of {cluster}", self._look_at_nodes(cluster, some)) for cluster, some in by_cluster.items()]
        answers = await asyncio.gather(*(self._answered(name, look) for name, look in looks))
        found = [alert for answer in answers for alert in answer or ()]
        return found, {name for (name, _), answer in zip(looks, answers, strict=True) if answer is not None}

    async def _answered(self, name: str, look: Awaitable[list[Alert]]) -> list[Alert] | None:
        try:
            answer = await look
        except (ClusterError, Unavailable) as no:
            if self._said.get(name) != no.message:
                self._said[name] = no.message
                where = "nodes" if name == "nodes of " else name  # a cluster without a name is the current context
                log.warning("%s can't be watched: %s", where, no.message)
            return None
        self._said.pop(name, None)
        return answer

    async def _look_at(self, environment: Environment, now: float) -> list[Alert]:
        cluster, namespace = self.clusters.reader(environment), environment.namespace
        deployments = await self.deployments(environment)
        pods = await cluster.find("v1", "Pod", namespace)
        jobs = await cluster.find("batch/v1", "Job", namespace)
        return symptoms.of_environment(environment, deployments, pods, jobs, now)

    async def _look_at_nodes(self, cluster: str, environments: list[Environment]) -> list[Alert]:
        nodes = await self.clusters.reader(environments[0]).find("v1", "Node", "")
        return symptoms.of_nodes(cluster, environments, nodes)


def _where(alert: Alert) -> str:
    """What has to be looked at to know of it."""
    return f"nodes of {alert.labels['cluster']}" if "node" in alert.labels else alert.labels["environment"]


def _place(alert: Alert, platform: Platform) -> tuple[str, str]:
    """The service, by its workload, and the environment."""
    workload = alert.labels.get("workload", "")
    found = platform.indexed.with_workload(workload)
    return found[0].name if found else workload, alert.labels.get("environment", "")
