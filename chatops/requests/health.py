"""How the services' workloads stood when the clusters were looked at last; App Home asks no cluster for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatops.kernel.catalog import Environment
from chatops.kernel.ownership import tag_of
from chatops.kernel.ports import Clock, Configuration

FRESH = 120.0  # seconds after which what was seen says nothing any more


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


@dataclass(slots=True)
class Health:
    """Remembers the newest look at each environment; ``changed`` hears which services stand otherwise than before."""

    configuration: Configuration
    clock: Clock
    changed: Callable[[Collection[str]], object] = field(default=lambda services: None)
    _seen: dict[str, Mapping[str, Running]] = field(default_factory=dict)  # by environment, then by service

    async def saw(self, environment: Environment, deployments: Iterable[Mapping[str, Any]]) -> None:
        """Takes in one look at an environment's Deployments."""
        by_name, now = {str(one["metadata"]["name"]): one for one in deployments}, self.clock.now()
        before = self._seen.get(environment.name, {})
        after = {
            service.name: _running(live, service.container, now)
            for service in self.configuration.platform.services.values()
            if (live := by_name.get(service.workload_name)) is not None
        }
        self._seen[environment.name] = after
        if news := [name for name, one in after.items() if name not in before or one.shown != before[name].shown]:
            self.changed(news)

    def of(self, service: str, environment: str) -> Running | None:
        """How it stood a moment ago; None when nobody looked, or there is none."""
        found = self._seen.get(environment, {}).get(service)
        return found if found is not None and self.clock.now() - found.at <= FRESH else None

    def unwell(self) -> set[str]:
        """The services that stood less than well anywhere a moment ago."""
        since, environments = self.clock.now() - FRESH, self.configuration.platform.environments
        seen = (found for where, found in self._seen.items() if where in environments)
        return {name for found in seen for name, one in found.items() if not one.well and one.at >= since}


def _running(live: Mapping[str, Any], container: str, now: float) -> Running:
    spec, status = live["spec"], live.get("status") or {}
    images = {str(one.get("name")): str(one.get("image")) for one in spec["template"]["spec"].get("containers") or ()}
    wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
    ready = int(status.get("readyReplicas") or 0)
    # Beside the old pods that still serve, a rollout that is stuck has new ones that don't
    there = ready + int(status.get("unavailableReplicas") or 0)
    return Running(tag_of(images.get(container, "")), ready, max(wanted, there), now)
