"""How the services' workloads stood when the clusters were looked at last; who asks for it waits for no cluster."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatops.kernel.catalog import Environment
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.ownership import tag_of
from chatops.kernel.ports import Clock, Clusters, Configuration

log = logging.getLogger(__name__)

FRESH = 120.0  # seconds after which what was seen says nothing any more
AGAIN = 30.0  # seconds in which an environment is looked at once, or tried to be; the watcher looks twice as often
WITHIN = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Running:
    """One workload: what version it shall run, and how many pods of how many are ready."""

    version: str
    ready: int
    wanted: int
    at: float

    @property
    def well(self) -> bool:
        """Whether all of it is ready."""
        return self.ready >= self.wanted

    @property
    def shown(self) -> tuple[str, str]:
        """What people read of it."""
        return self.version, self.said()

    def said(self) -> str:
        """How it does, in a few words."""
        if not self.wanted:
            return "💤 no pods"
        return f"{'✅' if self.well else '⚠️'} {self.ready} of {self.wanted} ready"


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    services: Mapping[str, Running]


@dataclass(slots=True)
class Health:
    """Remembers the newest look at each environment, whoever looked.

    ``changed`` hears which services stand otherwise than before, ``learned`` that somebody has looked where nothing
    was known.
    """

    configuration: Configuration
    clusters: Clusters
    clock: Clock
    changed: Callable[[Collection[str]], object] = field(default=lambda services: None)
    learned: Callable[[], object] = field(default=lambda: None)
    _seen: dict[str, _Look] = field(default_factory=dict)  # by environment
    _tried: dict[str, float] = field(default_factory=dict)  # when somebody looked, or tried to

    @property
    def unknown(self) -> bool:
        """Whether there is an environment that nobody has looked at lately."""
        since = self.clock.now() - FRESH
        return any(self._seen_at(name) < since for name in self.configuration.platform.environments)

    async def look(self) -> None:
        """Looks where nobody has for a while; a cluster that cannot be asked is a line in the log."""
        now, environments = self.clock.now(), self.configuration.platform.environments.values()
        due = [one for one in environments if now - self._tried.get(one.name, -math.inf) >= AGAIN]
        self._tried.update((one.name, now) for one in due)
        await asyncio.gather(*(self._try(one) for one in due))

    async def look_at(self, environment: Environment) -> list[dict[str, Any]]:
        """One look at an environment's Deployments, which it returns. Raises what the cluster raises."""
        found = await self.clusters.reader(environment).find("apps/v1", "Deployment", environment.namespace)
        self.saw(environment, found)
        return found

    def saw(self, environment: Environment, deployments: Iterable[Mapping[str, Any]]) -> None:
        """Takes in what somebody saw of an environment's Deployments."""
        by_name, now = {str(one["metadata"]["name"]): one for one in deployments}, self.clock.now()
        after = {
            service.name: _running(live, service.container, now)
            for service in self.configuration.platform.services.values()
            if (live := by_name.get(service.workload_name)) is not None
        }
        before, unknown = self._seen.get(environment.name), self._seen_at(environment.name) < now - FRESH
        self._seen[environment.name], self._tried[environment.name] = _Look(now, after), now
        if unknown:
            self.learned()
        if before is not None and (news := _news(before.services, after)):
            self.changed(news)

    def of(self, service: str, environment: str) -> Running | None:
        """How it stood a moment ago; None when nobody looked, or there is none."""
        look = self._seen.get(environment)
        return look.services.get(service) if look is not None and self.clock.now() - look.at <= FRESH else None

    def unwell(self) -> set[str]:
        """The services that stood less than well anywhere a moment ago."""
        since, environments = self.clock.now() - FRESH, self.configuration.platform.environments
        seen = (look.services for where, look in self._seen.items() if where in environments and look.at >= since)
        return {name for services in seen for name, one in services.items() if not one.well}

    async def _try(self, environment: Environment) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                await self.look_at(environment)
        except (ClusterError, Unavailable) as no:
            log.info("App Home does not say how services do in %s: %s", environment.name, no.message)
        except TimeoutError:
            log.info("App Home does not say how services do in %s: no answer in time", environment.name)

    def _seen_at(self, environment: str) -> float:
        look = self._seen.get(environment)
        return look.at if look is not None else -math.inf


def _news(before: Mapping[str, Running], after: Mapping[str, Running]) -> list[str]:
    return [name for name, one in after.items() if name not in before or one.shown != before[name].shown]


def _running(live: Mapping[str, Any], container: str, now: float) -> Running:
    spec, status = live["spec"], live.get("status") or {}
    images = {str(one.get("name")): str(one.get("image")) for one in spec["template"]["spec"].get("containers") or ()}
    wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
    ready = int(status.get("readyReplicas") or 0)
    # Beside the old pods that still serve, a rollout that is stuck has new ones that don't
    there = ready + int(status.get("unavailableReplicas") or 0)
    return Running(tag_of(images.get(container, "")), ready, max(wanted, there), now)
