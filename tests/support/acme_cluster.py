"""Acme's services on a practice cluster, and what a planner is handed there."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Context
from chatops.kernel.catalog import Environment, Platform, Service, Team, Workload
from chatops.kernel.dora import Change
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import ObjectRef
from chatops.sandbox.cluster import PracticeCluster
from tests.support import yml

MANIFESTS = Path(__file__).parents[2] / "examples" / "acme" / "cluster.yml"
PRODUCTION = Environment(name="production", tier="production", namespace="shop", max_replicas=20)
STAGING = Environment(name="staging", tier="staging", namespace="shop-staging", max_replicas=5)
NAMES = ("checkout", "cart", "catalog", "payments", "search", "web")
DANA = Person(id="U0DANA", name="Dana", email="dana@acme.test", standing=Standing.MEMBER, teams=("shop",))


def service(name: str) -> Service:
    return Service(name=name, team="shop", workload=Workload(container="app"), image=f"registry.acme.test/shop/{name}")


ACME = Platform(
    environments={"production": PRODUCTION, "staging": STAGING},
    teams={"shop": Team(name="shop")},
    services={name: service(name) for name in NAMES},
)


def deployment(name: str, namespace: str = "shop") -> ObjectRef:
    return ObjectRef(kind="Deployment", namespace=namespace, name=name)


@dataclass(frozen=True)
class Line:
    """One line of a deploy ledger."""

    version: str
    by: str
    at: float
    outcome: str = "succeeded"
    before: str = ""
    own: bool = True


@dataclass
class Lines:
    """``kernel.ports.Ledger`` with what the test put into it."""

    lines: dict[tuple[str, str], list[Line]] = field(default_factory=dict)

    async def last(self, service: str, environment: str, limit: int = 5) -> Sequence[Line]:
        return self.lines.get((service, environment), [])[:limit]

    async def latest(self, places: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Line]:
        return {place: self.lines[place][0] for place in places if self.lines.get(place)}

    async def changes(self, since: float, until: float) -> Sequence[Change]:
        raise AssertionError("nobody expected the figures to be asked for")


class NoQuestions:
    """Commands on workloads ask the road nothing."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody expected {name} to be asked")


class NoOverrides:
    """Nobody takes another's place; Dana and Olu have a name in Slack."""

    async def of(self, rota: str, start: float, end: float) -> list[Any]:
        return []

    async def called(self, people: Collection[str]) -> dict[str, str]:
        known = {"dana@acme.test": "Dana", "olu@acme.test": "Olu"}
        return {one: known[one] for one in people if one in known}


def context(
    clusters: KubernetesClusters,
    service: str = "",
    environment: str = "",
    *,
    platform: Platform = ACME,
    frozen: Mapping[str, str] | None = None,
    ledger: Lines | None = None,
    now: datetime | None = None,
) -> Context:
    """What the road hands to a planner or an answerer."""
    place = platform.environments.get(environment)
    return Context(
        platform=platform,
        requester=DANA,
        now=now or datetime.now(UTC),
        ledger=ledger or Lines(),  # type: ignore[arg-type]
        questions=NoQuestions(),  # type: ignore[arg-type]
        cluster=clusters.reader(place) if place else None,
        environment=place,
        service=platform.services.get(service),
        frozen=frozen or {},
        clusters=clusters,
        served=SimpleNamespace(overrides=NoOverrides()),  # type: ignore[arg-type]
    )


@functools.cache
def _documents() -> list[dict[str, Any]]:
    return yml.load_all(MANIFESTS.read_text())


def _manifests(names: tuple[str, ...]) -> list[dict[str, Any]]:
    always = ("Namespace", "CustomResourceDefinition")
    return [one for one in _documents() if not names or one["kind"] in always or one["metadata"]["name"] in names]


_first: dict[tuple[str, ...], PracticeCluster] = {}


@asynccontextmanager
async def acme_cluster(*names: str, pace: float = 0.02) -> AsyncIterator[PracticeCluster]:
    """The practice cluster with these services in both namespaces; none named: with everything Acme runs.

    Only the first of its kind in a process waits for its pods; the others start as copies of it, as it stood then.
    """
    if names not in _first:
        # All that Acme runs comes up. A copy of one that is half up, on a busy machine, would bring it up once more.
        async with PracticeCluster(_manifests(names), pace=pace, patience=60) as first:
            _first[names] = first
    async with PracticeCluster(pace=pace, like=_first[names]) as cluster:
        yield cluster


async def hurried(seconds: float) -> None:
    """Waits a hundredth of what is asked: long enough to let others run, short enough for a test."""
    await asyncio.sleep(seconds / 100)
