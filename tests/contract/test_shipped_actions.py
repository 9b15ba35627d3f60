"""Acme's own actions against the API: planned by its dry run, made, planned again without a difference, and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.cel import CelEvaluator
from chatops.adapters.configuration.folder import load
from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Action
from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.plan import Plan
from chatops.requests.parse import parse
from commands import registry
from commands.declared import action_of
from tests.contract.conftest import clusters_of
from tests.contract.test_custom import defined
from tests.support.acme_cluster import context

from .kube import Kube

pytestmark = pytest.mark.api
ACME = Path(__file__).parents[2] / "examples" / "acme"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MADE: dict[str, dict[str, Any]] = {
    "database.create": {"service": "cart"},
    "cache.create": {"service": "cart"},
    "bucket.create": {"service": "cart", "name": "cart-invoices"},
    "service.create": {"name": "gift-cards", "team": "shop", "version": "1.0.0"},
    "preview.create": {"service": "cart", "version": "1.4.2", "name": "contract"},
    "access.grant": {"person": "olu@acme.test"},
}
POD = {"containers": [{"name": "app", "image": "registry.acme.test/tools:1"}]}
LABELLED = {"selector": {"matchLabels": {"app": "thing"}}}
CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cron.suspend": ({"cron": "thing"}, {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {
        "schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}}}}),
    **{
        f"{kind.lower()}.restart": ({"name": "thing"}, {"apiVersion": "apps/v1", "kind": kind, "spec": {
            **LABELLED, **more, "template": {"metadata": {"labels": {"app": "thing"}}, "spec": POD}}})
        for kind, more in (
            ("Deployment", {"replicas": 0}),
            ("StatefulSet", {"replicas": 0, "serviceName": "thing"}),
            ("DaemonSet", {}),
        )
    },
}  # fmt: skip
PLURALS = {"CronJob": "cronjobs", "Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@dataclass
class Bench:
    """Acme's actions with the test's namespace for staging and for the catalog."""

    platform: Platform
    actions: dict[str, Action]
    clusters: KubernetesClusters
    evaluator: CelEvaluator

    @property
    def staging(self) -> Environment:
        return self.platform.environments["staging"]

    async def plan(self, name: str, given: dict[str, Any]) -> Plan:
        inputs = parse(self.actions[name], {"environment": "staging", **given}, self.platform)
        ctx = context(
            self.clusters, str(given.get("service", "")), "staging", platform=self.platform, now=NOON,
            frozen={"now": NOON.isoformat()},
        )  # fmt: skip
        planner = self.actions[name].plan
        assert planner is not None
        made: Plan = await planner(inputs, replace(ctx, evaluate=self.evaluator.evaluate_all, request=1042))
        return made

    async def carry_out(self, plan: Plan) -> None:
        """Every write and removal; what only controllers bring about is not waited for."""
        writer = self.clusters.writer(self.staging)
        for step in plan.steps:
            for write in step.writes:
                await writer.write(write.model_copy(update={"resource_version": ""}))
            for ref in step.refs if step.kind == "remove" else ():
                assert await writer.delete(ref, step.uids[str(ref)])


@pytest.fixture
async def bench(kube: Kube, tmp_path: Path) -> AsyncIterator[Bench]:
    (tmp_path / "actions").mkdir()
    for path in (ACME / "actions").glob("*.yml"):
        text = path.read_text().replace("platform-catalog", kube.namespace)
        (tmp_path / "actions" / path.name).write_text(text)
    text = (ACME / "platform.yml").read_text().replace("shop-staging", kube.namespace)
    text = text.replace("catalog: {namespace: platform-catalog}\n", "")
    (tmp_path / "platform.yml").write_text(text.replace("platform-catalog", "kept-elsewhere"))
    loaded = load(tmp_path, registry.load(), action_of)
    evaluator = CelEvaluator()
    await defined(kube)
    async with clusters_of(kube) as clusters:
        yield Bench(loaded.platform, dict(loaded.actions), clusters, evaluator)
    await evaluator.close()


def test_every_action_that_acme_ships_is_tried_here() -> None:
    elsewhere = {"cron.resume", "database.delete", "service.delete", "job.run"}
    assert {path.stem.replace("-", ".") for path in (ACME / "actions").glob("*.yml")} == {*MADE, *CHANGED, *elsewhere}


@pytest.mark.parametrize("name", MADE)
async def test_what_it_makes_is_taken_and_made_again_it_is_no_difference(bench: Bench, name: str) -> None:
    plan = await bench.plan(name, MADE[name])
    written = [str(write.ref) for step in plan.steps for write in step.writes]
    assert [one for step in plan.steps for one in step.created] == written
    await bench.carry_out(plan)
    try:
        again = await bench.plan(name, MADE[name])
        assert again.changes == ()
        assert again.now == "Nothing would change: everything is as it should be."
    finally:
        writer = bench.clusters.writer(bench.staging)
        for write in reversed([write for step in plan.steps for write in step.writes]):
            live = await writer.get(write.ref)
            assert live is not None
            assert await writer.delete(write.ref, live["metadata"]["uid"])


@pytest.mark.parametrize(
    ("create", "delete", "given"),
    [
        ("database.create", "database.delete", {"service": "cart"}),
        ("service.create", "service.delete", {"name": "gifts"}),
    ],
)
async def test_what_was_made_is_removed_by_its_counterpart(
    bench: Bench, create: str, delete: str, given: dict[str, Any]
) -> None:
    made = await bench.plan(create, {**MADE[create], **given})
    await bench.carry_out(made)
    gone = await bench.plan(delete, given)
    assert gone.risk == "danger"
    removed = {str(ref) for step in gone.steps for ref in step.refs}
    assert removed == {str(write.ref) for step in made.steps for write in step.writes}
    await bench.carry_out(gone)
    assert (await bench.plan(delete, given)).changes == ()


@pytest.mark.parametrize("name", CHANGED)
async def test_what_was_there_is_changed_in_nothing_else(kube: Kube, bench: Bench, name: str) -> None:
    given, manifest = CHANGED[name]
    group, plural = manifest["apiVersion"], PLURALS[manifest["kind"]]
    path = f"/apis/{group}/namespaces/{kube.namespace}/{plural}"
    (await kube.call("POST", path, {**manifest, "metadata": {"name": "thing"}})).ok()
    plan = await bench.plan(name, given)
    [change] = plan.changes
    assert change.field in ("spec.suspend", "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]")
    assert any("was there before" in said for said in plan.warnings)
    await bench.carry_out(plan)
    assert (await bench.plan(name, given)).changes == ()


async def test_a_job_is_taken_by_the_dry_run(bench: Bench) -> None:
    plan = await bench.plan("job.run", {"service": "cart", "version": "1.4.2", "command": "true"})
    [step] = plan.steps
    assert step.kind == "job"
    assert plan.impact.startswith("runs Job/job-run-1-")
