"""What the port adds to plain calls: finding a kind by its name, and deleting nothing but what is ours."""

from __future__ import annotations

import pytest

from chatops.adapters.kubernetes.handle import Writer
from chatops.kernel.errors import Invalid, NotFound
from chatops.kernel.plan import ObjectRef, Write

from .kube import Kube, Obj, config_map, deployment

pytestmark = pytest.mark.api


def named(kube: Kube, name: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="ConfigMap", namespace=kube.namespace, name=name)


@pytest.mark.parametrize(
    ("kind", "group", "found"),
    [
        ("ConfigMap", "", ("v1", True)),
        ("Namespace", "", ("v1", False)),
        ("Deployment", "apps", ("apps/v1", True)),
        ("HorizontalPodAutoscaler", "autoscaling", ("autoscaling/v2", True)),
        ("RoleBinding", "rbac.authorization.k8s.io", ("rbac.authorization.k8s.io/v1", True)),
        ("ClusterRole", "rbac.authorization.k8s.io", ("rbac.authorization.k8s.io/v1", False)),
    ],
)
async def test_a_kind_is_found_by_its_name(writer: Writer, kind: str, group: str, found: tuple[str, bool]) -> None:
    assert await writer.resolve(kind, group) == found


@pytest.mark.parametrize(("kind", "group"), [("Deployment", ""), ("Widget", "apps"), ("Widget", "no.such.group")])
async def test_a_kind_that_the_cluster_does_not_have_is_said(writer: Writer, kind: str, group: str) -> None:
    with pytest.raises(NotFound, match="the cluster has no " + kind):
        await writer.resolve(kind, group)


async def test_the_very_object_is_deleted_and_once_more_is_no_error(kube: Kube, writer: Writer) -> None:
    made = await kube.create("configmaps", config_map("ours", a="1"))
    assert await writer.delete(named(kube, "ours"), made["metadata"]["uid"])
    assert await writer.get(named(kube, "ours")) is None
    assert not await writer.delete(named(kube, "ours"), made["metadata"]["uid"])


async def test_another_object_of_the_same_name_stays(kube: Kube, writer: Writer) -> None:
    made = await kube.create("configmaps", config_map("ours", a="1"))
    await kube.call("DELETE", kube.path("configmaps", "ours"))
    await kube.create("configmaps", config_map("ours", a="somebody else's"))
    assert not await writer.delete(named(kube, "ours"), made["metadata"]["uid"])
    left = await writer.get(named(kube, "ours"))
    assert left is not None
    assert left["data"] == {"a": "somebody else's"}


async def test_an_object_that_waits_for_its_finalizer_counts_as_deleted(kube: Kube, writer: Writer) -> None:
    thing = config_map("kept", a="1")
    thing["metadata"]["finalizers"] = ["acme.test/hold"]
    made = await kube.create("configmaps", thing)
    assert await writer.delete(named(kube, "kept"), made["metadata"]["uid"])
    assert await writer.delete(named(kube, "kept"), made["metadata"]["uid"])
    await kube.patch(
        kube.path("configmaps", "kept"), {"metadata": {"finalizers": None}}, "application/merge-patch+json"
    )
    assert not await writer.delete(named(kube, "kept"), made["metadata"]["uid"])


async def test_what_has_no_uid_is_not_deleted(kube: Kube, writer: Writer) -> None:
    await kube.create("configmaps", config_map("ours", a="1"))
    with pytest.raises(ValueError, match="anybody's"):
        await writer.delete(named(kube, "ours"), "")


async def test_a_name_cannot_lead_to_another_object(kube: Kube, writer: Writer) -> None:
    await kube.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}})
    assert await writer.get(named(kube, "../secrets/key")) is None


def much() -> Obj:
    return deployment("web", "registry.acme.test/web:1", 0, resources={"requests": {"cpu": "much"}})


@pytest.mark.parametrize(
    ("api_version", "kind", "body", "said"),
    [
        ("apps/v1", "Deployment", much(), "quantities must match the regular expression"),
        ("v1", "Secret", {"data": {"key": "no base64"}}, "illegal base64 data"),
    ],
)
async def test_a_text_that_its_type_cannot_read_is_refused_and_no_trouble_of_the_cluster(
    kube: Kube, writer: Writer, api_version: str, kind: str, body: Obj, said: str
) -> None:
    """Server-side apply says so with 500: `apimachinery/pkg/util/managedfields/internal/structuredmerge.go`."""
    ref = ObjectRef(api_version=api_version, kind=kind, namespace=kube.namespace, name="web")
    with pytest.raises(Invalid, match="refuses the object: failed to convert new object.*" + said):
        await writer.dry_run(Write(ref=ref, manager="chatops", body=body))
