"""JSON patch, merge patch and strategic merge patch.

Expected answers: Kubernetes documentation, "Update API Objects in Place Using kubectl patch"; RFC 6902 and RFC 7386.
"""

from __future__ import annotations

import pytest

from .kube import JSON_PATCH, MERGE, STRATEGIC, Kube, Obj, config_map, containers, deployment

pytestmark = pytest.mark.api


def with_containers(*items: Obj) -> Obj:
    return {"spec": {"template": {"spec": {"containers": list(items)}}}}


async def patched(kube: Kube, body: object, media: str) -> Obj:
    return (await kube.patch(kube.path("deployments", "web"), body, media)).ok()


async def make(kube: Kube, **container: object) -> None:
    await kube.create("deployments", deployment("web", kube.images.first, **container))


async def test_strategic_merge_adds_a_container_with_a_new_name(kube: Kube) -> None:
    await make(kube)
    body = with_containers({"name": "sidecar", "image": kube.images.second})
    assert {c["name"] for c in containers(await patched(kube, body, STRATEGIC))} == {"app", "sidecar"}


async def test_strategic_merge_changes_one_container_and_keeps_the_rest_of_it(kube: Kube) -> None:
    await make(kube, env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    body = with_containers({"name": "app", "env": [{"name": "B", "value": "3"}]})
    [container] = containers(await patched(kube, body, STRATEGIC))
    assert container["image"] == kube.images.first
    assert {e["name"]: e["value"] for e in container["env"]} == {"A": "1", "B": "3"}


async def test_strategic_merge_deletes_an_item_by_directive(kube: Kube) -> None:
    await make(kube, env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    body = with_containers({"name": "app", "env": [{"name": "A", "$patch": "delete"}]})
    assert containers(await patched(kube, body, STRATEGIC))[0]["env"] == [{"name": "B", "value": "2"}]


async def test_strategic_merge_replaces_a_list_by_directive(kube: Kube) -> None:
    await make(kube, env=[{"name": "A", "value": "1"}])
    body = with_containers({"name": "app", "env": [{"$patch": "replace"}, {"name": "C", "value": "3"}]})
    assert containers(await patched(kube, body, STRATEGIC))[0]["env"] == [{"name": "C", "value": "3"}]


async def test_strategic_merge_replaces_lists_without_a_merge_key(kube: Kube) -> None:
    await make(kube, args=["a", "b"])
    body = with_containers({"name": "app", "args": ["c"]})
    assert containers(await patched(kube, body, STRATEGIC))[0]["args"] == ["c"]


async def test_strategic_merge_joins_ports_by_container_port(kube: Kube) -> None:
    await make(kube, ports=[{"containerPort": 80, "name": "web"}])
    body = with_containers({"name": "app", "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]})
    ports = containers(await patched(kube, body, STRATEGIC))[0]["ports"]
    assert sorted((p["containerPort"], p.get("name", "")) for p in ports) == [(80, "http"), (81, "")]


async def test_strategic_merge_can_change_the_strategy_with_retain_keys(kube: Kube) -> None:
    await make(kube)
    refused = await kube.patch(kube.path("deployments", "web"), {"spec": {"strategy": {"type": "Recreate"}}}, MERGE)
    assert refused.status == 422
    assert "may not be specified when strategy `type` is 'Recreate'" in refused.message
    body = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert (await patched(kube, body, STRATEGIC))["spec"]["strategy"] == {"type": "Recreate"}


async def test_merge_patch_replaces_lists_as_a_whole(kube: Kube) -> None:
    await make(kube, env=[{"name": "A", "value": "1"}])
    body = with_containers({"name": "app", "image": kube.images.second})
    [container] = containers(await patched(kube, body, MERGE))
    assert container["image"] == kube.images.second
    assert "env" not in container


async def test_merge_patch_removes_what_is_null(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1", b="2"))
    answer = await kube.patch(kube.path("configmaps", "settings"), {"data": {"a": None}}, MERGE)
    assert answer.ok()["data"] == {"b": "2"}


async def test_json_patch_applies_when_its_test_holds(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    operations = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"},
                  {"op": "add", "path": "/data/b", "value": "3"}]  # fmt: skip
    answer = await kube.patch(kube.path("configmaps", "settings"), operations, JSON_PATCH)
    assert answer.ok()["data"] == {"a": "2", "b": "3"}


async def test_json_patch_changes_nothing_when_its_test_fails(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    operations = [{"op": "test", "path": "/data/a", "value": "9"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    answer = await kube.patch(kube.path("configmaps", "settings"), operations, JSON_PATCH)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert (await kube.get(kube.path("configmaps", "settings")))["data"] == {"a": "1"}


async def test_json_patch_refuses_to_remove_what_is_not_there(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    answer = await kube.patch(kube.path("configmaps", "settings"), [{"op": "remove", "path": "/data/x"}], JSON_PATCH)
    assert (answer.status, answer.reason) == (422, "Invalid")


async def test_a_patch_of_an_unknown_media_type_is_refused(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    answer = await kube.patch(kube.path("configmaps", "settings"), {}, "application/json")
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")


async def test_patching_what_is_not_there_is_not_found(kube: Kube) -> None:
    answer = await kube.patch(kube.path("configmaps", "nothing"), {"data": {"a": "1"}}, MERGE)
    assert (answer.status, answer.reason) == (404, "NotFound")
    assert answer.message == 'configmaps "nothing" not found'


async def test_a_patch_can_carry_a_precondition(kube: Kube) -> None:
    created = await kube.create("configmaps", config_map("settings", a="1"))
    path = kube.path("configmaps", "settings")
    await kube.patch(path, {"data": {"z": "1"}}, MERGE)
    body = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "data": {"a": "2"}}
    answer = await kube.patch(path, body, MERGE)
    assert (answer.status, answer.reason) == (409, "Conflict")
