"""The custom resources that declared actions make: their definitions are taken, and objects of theirs are served."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.crds import definitions

from .kube import APPLY, Kube

pytestmark = pytest.mark.api
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DATABASE = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "orders"},
            "spec": {"instances": 2, "storage": {"size": "10Gi"}}}  # fmt: skip
BUCKET = {"apiVersion": "storage.acme.test/v1alpha1", "kind": "Bucket", "metadata": {"name": "orders"},
          "spec": {"region": "eu-1", "versioning": True}}  # fmt: skip
ROUTE = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "orders"},
         "spec": {"hostnames": ["orders.acme.test"], "parentRefs": [{"name": "public"}],
                  "rules": [{"backendRefs": [{"name": "orders", "port": 80}]}]}}  # fmt: skip


async def defined(kube: Kube) -> None:
    for definition in definitions():
        name = definition["metadata"]["name"]
        (await kube.patch(f"{CRDS}/{name}", definition, APPLY, fieldManager="contract", force=True)).ok()
        await kube.until(f"{CRDS}?fieldSelector=metadata.name={name}", lambda found: any(map(is_served, found)), name)


def is_served(definition: dict[str, Any]) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest.mark.parametrize(
    ("plural", "body"),
    [("clusters", DATABASE), ("buckets", BUCKET), ("httproutes", ROUTE)],
    ids=lambda one: str(one)[:9],
)
async def test_what_declared_actions_make_is_taken_and_kept_as_written(
    kube: Kube, plural: str, body: dict[str, Any]
) -> None:
    await defined(kube)
    path = f"/apis/{body['apiVersion']}/namespaces/{kube.namespace}/{plural}/orders"
    tried = (await kube.patch(path, body, APPLY, fieldManager="contract", dryRun="All")).ok()
    assert tried["spec"] == body["spec"]
    assert (await kube.call("GET", path)).status == 404
    assert (await kube.patch(path, body, APPLY, fieldManager="contract")).ok()["spec"] == body["spec"]


async def test_a_field_that_the_schema_does_not_know_is_refused(kube: Kube) -> None:
    await defined(kube)
    path = f"/apis/postgresql.cnpg.io/v1/namespaces/{kube.namespace}/clusters/orders"
    wrong = {**DATABASE, "spec": {"instances": 2, "colour": "red"}}
    answer = await kube.patch(path, wrong, APPLY, fieldManager="contract", fieldValidation="Strict")
    assert answer.status in (400, 422, 500)
    assert "colour" in answer.message
