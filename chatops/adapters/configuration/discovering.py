"""Looks for the catalog's entries in the clusters, and keeps what was seen last for when a cluster is away."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from chatops.adapters.configuration.entries import SELECTOR, Entry, entry_of
from chatops.adapters.configuration.live import LiveConfiguration
from chatops.adapters.configuration.problems import Problem
from chatops.kernel import audit
from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.ports import Clock, Clusters, Database, Tx
from chatops.kernel.replicas import ALONE, Replicas

log = logging.getLogger(__name__)

NAME = "catalog entries"
READ = "SELECT value FROM settings WHERE name = :name"
KEEP = """
INSERT INTO settings (name, value, updated_at) VALUES (:name, :value, :at)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""
Seen = dict[str, list[Entry]]  # by cluster


@dataclass(slots=True)
class Discovery:
    """Adds the services that clusters name to the configuration; asked as the assistant itself.

    Of several replicas the one that leads asks, and keeps what it saw for the others.
    """

    database: Database
    configuration: LiveConfiguration
    clusters: Clusters
    clock: Clock
    on_change: Callable[[Platform], Awaitable[None]]
    on_problems: Callable[[Sequence[Problem]], Awaitable[None]]
    replicas: Replicas = ALONE
    _seen: Seen = field(default_factory=dict)
    _told: Sequence[Problem] = ()
    _away: dict[str, str] = field(default_factory=dict)  # by cluster: why it could not be asked
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """What was seen last holds at once: a request that is under way must not lose its service by a restart."""
        self._seen = await self.database.read(_kept)
        await self._take_over(self._seen)
        self._told = self.configuration.left_out

    async def look(self) -> None:
        """One look at every cluster; one that cannot be asked keeps what it had."""
        async with self._one:
            leads = self.replicas.leads.is_set()
            seen = await (self._look_everywhere() if leads else self.database.read(_kept))
            if seen != self._seen:
                before = set(self.configuration.platform.services)
                await self._take_over(seen)
                if leads:
                    await self.database.write(self._keep, seen, before)
                    self.replicas.ring("catalog")
                self._seen = seen  # only now: what could not be kept is looked at as news again
                await self.on_change(self.configuration.platform)
            problems = self.configuration.left_out
            if problems and problems != self._told:
                await self.on_problems(problems)
            self._told = problems

    async def _take_over(self, seen: Seen) -> None:
        await self.configuration.discovered([one for some in seen.values() for one in some])

    async def _look_everywhere(self) -> Seen:
        platform = self.configuration.platform
        if not platform.catalog_namespace:
            return {}
        places = {one.cluster: one for one in platform.environments.values()}
        answers = await asyncio.gather(*(self._look_at(one, platform.catalog_namespace) for one in places.values()))
        return {cluster: entries for cluster, entries in zip(places, answers, strict=True) if entries}

    async def _look_at(self, environment: Environment, namespace: str) -> list[Entry]:
        cluster = environment.cluster
        try:
            found = await self.clusters.reader(environment).find("v1", "ConfigMap", namespace, SELECTOR)
        except (ClusterError, Unavailable) as no:
            if self._away.get(cluster) != no.message:
                self._away[cluster] = no.message
                log.warning("the catalog in %s can't be read: %s", cluster or "the cluster", no.message)
            return self._seen.get(cluster, [])
        self._away.pop(cluster, None)
        return sorted((entry_of(live, cluster) for live in found), key=lambda one: one.where)

    def _keep(self, tx: Tx, seen: Seen, before: set[str]) -> None:
        kept = {cluster: [one.model_dump(mode="json") for one in some] for cluster, some in seen.items()}
        tx.run(KEEP, name=NAME, value=json.dumps(kept), at=self.clock.now())
        platform = self.configuration.platform
        after = set(platform.services)
        data = {"added": sorted(after - before), "removed": sorted(before - after)}
        audit.append(
            tx, chain="platform", who="assistant", what="catalog_changed", data=data, at=self.clock.now(),
            configuration=platform.digest,
        )  # fmt: skip


def _kept(tx: Tx) -> Seen:
    row = tx.one(READ, name=NAME)
    found = json.loads(row["value"]) if row is not None else {}
    return {cluster: [Entry.model_validate(one) for one in some] for cluster, some in found.items()}
