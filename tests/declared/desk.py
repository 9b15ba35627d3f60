"""What a test of plans has at hand: it asks for an action as the road would, and looks at the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.adapters.kubernetes.handle import Writer
from chatops.kernel.catalog import Platform
from chatops.kernel.declaration import Declaration, DeclaredInput
from chatops.kernel.errors import PlatformError
from chatops.kernel.plan import ObjectRef, Plan
from chatops.kernel.ports import EvaluateAll
from chatops.requests.parse import parse
from chatops.sandbox.cluster import PracticeCluster
from commands.declared import action_of
from tests.support.acme_cluster import ACME, STAGING, context

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PLACE = (DeclaredInput(name="service", type="service"), DeclaredInput(name="environment", type="environment"))


@dataclass(frozen=True)
class Desk:
    cluster: PracticeCluster
    clusters: KubernetesClusters
    evaluate: EvaluateAll

    async def plan(
        self,
        declaration: Declaration,
        *,
        platform: Platform = ACME,
        frozen: Mapping[str, str] | None = None,
        now: datetime = NOON,
        **values: Any,
    ) -> Plan:
        """The plan that the road would make; for checkout in staging unless it is said otherwise."""
        action = action_of(declaration)
        asked = {"service": "checkout", "environment": "staging", **values}
        known = {name: value for name, value in asked.items() if name in action.inputs.model_fields}
        inputs = parse(action, known, platform)
        ctx = context(
            self.clusters, str(asked["service"]), str(asked["environment"]), platform=platform, frozen=frozen, now=now
        )
        assert action.plan is not None
        made: Plan = await action.plan(inputs, replace(ctx, evaluate=self.evaluate, request=1042))
        return made

    async def refusal(self, declaration: Declaration, **values: Any) -> str:
        """What is said instead of a plan, with its hint."""
        with pytest.raises(PlatformError) as no:
            await self.plan(declaration, **values)
        return f"{no.value.message} {no.value.hint}".strip()

    @property
    def writer(self) -> Writer:
        return self.clusters.writer(STAGING)

    def put(self, manifest: dict[str, Any], manager: str = "kubectl-create") -> dict[str, Any]:
        """Something that is there already, in staging's namespace."""
        metadata = {"namespace": "shop-staging", **manifest["metadata"]}
        (made,) = self.cluster.load([{**manifest, "metadata": metadata}], manager)
        return made


def doing(*steps: Any, inputs: tuple[DeclaredInput, ...] = (), **more: Any) -> Declaration:
    """A declaration that asks for service, environment and perhaps more, and takes these steps."""
    return Declaration(name="thing.make", title="Make a thing", inputs=(*PLACE, *inputs), steps=steps, **more)


def ref(kind: str, name: str, api_version: str = "v1", namespace: str = "shop-staging") -> ObjectRef:
    return ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=name)


def shown(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """``object field`` → before, after."""
    return {f"{one.object} {one.field}": (one.before, one.after) for one in plan.changes}
