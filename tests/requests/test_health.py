"""Who asks how services do waits for no cluster; where nobody has looked for a while, somebody is asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.errors import ClusterError
from chatops.requests import health as health_module
from chatops.requests.health import Health
from tests.support.clock import MovableClock

PLATFORM = Platform(
    environments={name: Environment(name=name, tier=name, namespace=name) for name in ("staging", "production")},
    services={"checkout": Service(name="checkout", team="shop")},
    digest="d1",
)


@dataclass
class Configured:
    platform: Platform = PLATFORM


def running(ready: int) -> dict[str, Any]:
    containers = [{"name": "app", "image": "checkout:1.4.1"}]
    spec = {"replicas": 3, "template": {"spec": {"containers": containers}}}
    return {"metadata": {"name": "checkout"}, "spec": spec, "status": {"readyReplicas": ready}}


@dataclass
class Clusters:
    """What runs in each environment; one that is not there is away, one that hangs answers no more."""

    ready: dict[str, int] = field(default_factory=lambda: {"staging": 3, "production": 3})
    hanging: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def reader(self, environment: Environment) -> Clusters:
        return self

    async def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        self.asked.append(namespace)
        if namespace in self.hanging:
            await asyncio.Event().wait()
        if namespace not in self.ready:
            raise ClusterError("the cluster is away")
        return [running(self.ready[namespace])]


class Seen:
    """Somebody who asks, and what they hear."""

    def __init__(self) -> None:
        self.clock, self.clusters, self.heard = MovableClock(), Clusters(), list[Any]()
        self.health = Health(Configured(), cast(Any, self.clusters), self.clock, self._changed, self._learned)

    def _changed(self, services: Collection[str]) -> None:
        self.heard += services

    def _learned(self) -> None:
        self.heard.append("learned")

    def said(self, environment: str) -> str:
        found = self.health.of("checkout", environment)
        return found.said() if found is not None else ""


async def test_where_nobody_has_looked_one_look_is_taken_however_often_it_is_asked_for() -> None:
    seen = Seen()
    assert seen.health.unknown
    await asyncio.gather(*(seen.health.look() for _ in range(3)))
    await seen.clock.advance(29)
    await seen.health.look()
    assert sorted(seen.clusters.asked) == ["production", "staging"]
    assert (seen.said("staging"), seen.health.unknown) == ("✅ 3 of 3 ready", False)
    await seen.clock.advance(1)
    await seen.health.look()
    assert len(seen.clusters.asked) == 4


async def test_what_somebody_else_has_just_seen_is_not_asked_for() -> None:
    seen = Seen()
    await seen.health.look_at(PLATFORM.environments["staging"])
    await seen.health.look()
    assert seen.clusters.asked == ["staging", "production"]


async def test_that_something_is_known_again_is_told_and_that_it_stands_otherwise_only_where_it_was_known() -> None:
    seen = Seen()
    staging = PLATFORM.environments["staging"]
    await seen.health.look_at(staging)
    await seen.health.look_at(staging)
    assert seen.heard == ["learned"], "with the first look nothing has changed"
    seen.clusters.ready["staging"] = 2
    await seen.health.look_at(staging)
    assert seen.heard == ["learned", "checkout"]
    await seen.clock.advance(121)
    assert (seen.said("staging"), seen.health.unwell()) == ("", set())
    seen.clusters.ready["staging"] = 3
    await seen.health.look_at(staging)
    assert seen.heard == ["learned", "checkout", "learned", "checkout"]


async def test_a_cluster_that_is_away_or_hangs_costs_the_others_nothing_and_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health_module, "WITHIN", 0.01)
    seen = Seen()
    del seen.clusters.ready["staging"]
    with caplog.at_level("INFO", "chatops.requests.health"):
        await seen.health.look()
        assert (seen.said("production"), seen.said("staging"), seen.health.unknown) == ("✅ 3 of 3 ready", "", True)
        await seen.health.look()
        assert len(seen.clusters.asked) == 2
        await seen.clock.advance(30)
        seen.clusters.ready["staging"], seen.clusters.hanging = 2, {"production"}
        await seen.health.look()
    assert (seen.said("staging"), seen.said("production")) == ("⚠️ 2 of 3 ready", "✅ 3 of 3 ready")
    assert [one.message.rpartition("do in ")[2] for one in caplog.records] == [
        "staging: the cluster is away", "production: no answer in time",
    ]  # fmt: skip
