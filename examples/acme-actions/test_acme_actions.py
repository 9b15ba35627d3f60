"""Acme's action on the practice cluster: planned, written, and nothing else is touched."""

import tomllib
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import yaml
from acme_actions import RECORD, SetVariable

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Context
from chatops.kernel.catalog import Environment, Platform, Service, Workload
from chatops.kernel.people import Person
from chatops.sandbox.cluster import PracticeCluster
from commands import registry

HERE = Path(__file__).parent
ACME = HERE.parent / "acme"
SHOP = Environment(name="production", tier="production", namespace="shop")
CHECKOUT = Service(
    name="checkout", team="shop", image="registry.acme.test/shop/checkout", workload=Workload(container="app")
)
NOBODY: Any = None


def test_the_assistant_finds_it_by_its_entry_point() -> None:
    (point,) = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["entry-points"][registry.GROUP].items()
    found = registry.load([EntryPoint(point[0], point[1], registry.GROUP)])
    assert found["variable.set"] is RECORD


async def test_a_variable_is_set_and_the_image_stays() -> None:
    inputs = SetVariable(service="checkout", environment="production", name="FEATURE", value="on")
    manifests = list(yaml.safe_load_all((ACME / "cluster.yml").read_text()))
    async with PracticeCluster(manifests) as cluster, KubernetesClusters(cluster.kubeconfig()) as clusters:
        context = Context(
            platform=Platform(), requester=Person(id="U0DANA", name="Dana"), now=datetime.now(UTC), ledger=NOBODY,
            questions=NOBODY, cluster=clusters.reader(SHOP), environment=SHOP, service=CHECKOUT,
        )  # fmt: skip
        assert RECORD.plan is not None
        assert RECORD.apply is not None
        plan = await RECORD.plan(inputs, context)
        assert [(change.before, change.after) for change in plan.changes] == [(None, "on")]
        await RECORD.apply(plan, clusters.writer(SHOP))
        again = await RECORD.plan(inputs, context)
        assert not again.changes
        assert again.now == "FEATURE is on already."
