"""Server-side apply. Expected answers: Kubernetes documentation, "Server-Side Apply"."""

from __future__ import annotations

import copy

import pytest

from .kube import APPLY, MERGE, STRATEGIC, Kube, Obj, config_map, containers, deployment, owners

pytestmark = pytest.mark.api
OWNS_IMAGE = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {
    ".": {}, "f:image": {}, "f:name": {}}}}}}}  # fmt: skip


def image_only(name: str, image: str) -> Obj:
    spec = {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


# "Field management": what a manager names, it owns; the entry has operation Apply and no more than the applied fields.
async def test_applying_something_new_creates_it_and_owns_what_it_named(kube: Kube) -> None:
    answer = await kube.apply("configmaps", config_map("settings", a="1"), "writer")
    assert answer.status == 201
    assert owners(answer.body) == {"writer/Apply": {"f:data": {"f:a": {}}}}
    entry = answer.body["metadata"]["managedFields"][0]
    assert (entry["apiVersion"], entry["fieldsType"]) == ("v1", "FieldsV1")


# "Field management": fields dropped from the configuration are removed when nobody else owns them.
async def test_applying_a_subset_removes_what_the_manager_owned_alone(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1", b="2"), "writer")
    answer = await kube.apply("configmaps", config_map("settings", a="1"), "writer")
    assert answer.status == 200
    assert answer.body["data"] == {"a": "1"}
    assert owners(answer.body) == {"writer/Apply": {"f:data": {"f:a": {}}}}


# "Field management": a field that another applier has too stays; only the ownership ends.
async def test_a_field_owned_by_two_appliers_stays_when_one_drops_it(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1", b="2"), "one")
    shared = (await kube.apply("configmaps", config_map("settings", b="2"), "two")).ok()
    assert owners(shared)["one/Apply"] == {"f:data": {"f:a": {}, "f:b": {}}}
    assert owners(shared)["two/Apply"] == {"f:data": {"f:b": {}}}
    left = (await kube.apply("configmaps", config_map("settings", a="1"), "one")).ok()
    assert left["data"] == {"a": "1", "b": "2"}
    assert owners(left)["one/Apply"] == {"f:data": {"f:a": {}}}


# "Conflicts": another value for a field that someone else owns is refused, with a cause per field.
async def test_changing_anothers_field_is_a_conflict_with_a_cause_per_field(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1", b="1"), "one")
    answer = await kube.apply("configmaps", config_map("settings", a="2", b="1"), "two")
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert answer.causes == [{"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}]


async def test_conflicts_are_named_from_the_top_down(kube: Kube) -> None:
    body = config_map("settings", a="1")
    await kube.apply("configmaps", {**body, "immutable": False}, "one")
    answer = await kube.apply("configmaps", {**config_map("settings", a="2"), "immutable": True}, "two")
    assert answer.message == 'Apply failed with 2 conflicts: conflicts with "one":\n- .immutable\n- .data.a'


async def test_a_conflict_with_an_edit_names_editor_version_and_path(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", kube.images.first), fieldManager="kubectl-edit")
    answer = await kube.apply("deployments", image_only("web", kube.images.second), "chatops-deploy")
    assert (answer.status, answer.reason) == (409, "Conflict")
    [cause] = answer.causes
    assert cause["message"] == 'conflict with "kubectl-edit" using apps/v1'
    assert cause["field"] == '.spec.template.spec.containers[name="app"].image'


async def test_several_conflicts_are_all_named(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1", b="1"), "one")
    answer = await kube.apply("configmaps", config_map("settings", a="2", b="2"), "two")
    assert answer.message.startswith('Apply failed with 2 conflicts: conflicts with "one":\n- .data.')
    assert sorted(cause["field"] for cause in answer.causes) == [".data.a", ".data.b"]


# "Conflicts": "overwrite value, become sole manager".
async def test_force_takes_the_value_and_the_ownership(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1", b="1"), "one")
    taken = (await kube.apply("configmaps", config_map("settings", a="2"), "two", force=True)).ok()
    assert taken["data"] == {"a": "2", "b": "1"}
    assert owners(taken) == {"one/Apply": {"f:data": {"f:b": {}}}, "two/Apply": {"f:data": {"f:a": {}}}}


# "Conflicts": "don't overwrite value, become shared manager": applying the same value is no conflict.
async def test_the_same_value_is_owned_together(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", kube.images.first), fieldManager="kubectl-create")
    shared = (await kube.apply("deployments", image_only("web", kube.images.first), "chatops-deploy")).ok()
    assert owners(shared)["chatops-deploy/Apply"] == OWNS_IMAGE
    edited = owners(shared)["kubectl-create/Update"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert "f:image" in edited['k:{"name":"app"}']


# "Comparison with Client Side Apply": an update by someone else takes the fields whose values it changes.
async def test_an_update_that_changes_a_value_takes_it_from_its_applier(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1", b="1"), "one")
    path = kube.path("configmaps", "settings")
    edited = (await kube.patch(path, {"data": {"a": "9"}}, MERGE, fieldManager="kubectl-edit")).ok()
    assert owners(edited) == {"one/Apply": {"f:data": {"f:b": {}}}, "kubectl-edit/Update": {"f:data": {"f:a": {}}}}
    refused = await kube.apply("configmaps", config_map("settings", a="1", b="1"), "one")
    assert refused.causes[0]["message"] == 'conflict with "kubectl-edit" using v1'


async def test_an_update_that_removes_a_field_takes_it_from_everyone(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1", b="1"), "one")
    path = kube.path("configmaps", "settings")
    edited = (await kube.patch(path, {"data": {"a": None}}, MERGE, fieldManager="kubectl-edit")).ok()
    assert owners(edited) == {"one/Apply": {"f:data": {"f:b": {}}}}


# "API Concepts: resource versions": writes that change nothing are not stored.
async def test_applying_the_same_again_changes_nothing(kube: Kube) -> None:
    wanted = deployment("web", kube.images.first, env=[{"name": "A", "value": "1"}])
    first = (await kube.apply("deployments", wanted, "chatops-deploy")).ok()
    again = (await kube.apply("deployments", wanted, "chatops-deploy")).ok()
    assert owners(again)["chatops-deploy/Apply"] == owners(first)["chatops-deploy/Apply"]
    assert again["metadata"]["generation"] == 1
    third = (await kube.apply("configmaps", config_map("settings", a="1"), "one")).ok()
    fourth = (await kube.apply("configmaps", config_map("settings", a="1"), "one")).ok()
    assert fourth["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]


# "Server-Side Apply: API": the resourceVersion in the body is a precondition.
async def test_a_resource_version_in_the_body_is_a_precondition(kube: Kube) -> None:
    first = (await kube.apply("configmaps", config_map("settings", a="1"), "one")).ok()
    await kube.patch(kube.path("configmaps", "settings"), {"data": {"z": "1"}}, MERGE)
    stale = config_map("settings", a="2")
    stale["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    answer = await kube.apply("configmaps", stale, "one")
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    current = await kube.get(kube.path("configmaps", "settings"))
    assert current["data"]["a"] == "1"
    stale["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"]
    assert (await kube.apply("configmaps", stale, "one")).ok()["data"]["a"] == "2"


# "API Concepts: dry-run".
async def test_a_dry_run_shows_the_result_and_changes_nothing(kube: Kube) -> None:
    before = (await kube.apply("deployments", deployment("web", kube.images.first), "chatops-deploy")).ok()
    wanted = deployment("web", kube.images.second)
    shown = (await kube.apply("deployments", wanted, "chatops-deploy", dryRun="All")).ok()
    assert containers(shown)[0]["image"] == kube.images.second
    assert shown["metadata"]["generation"] == before["metadata"]["generation"] + 1
    after = await kube.get(kube.path("deployments", "web"))
    assert containers(after)[0]["image"] == kube.images.first
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


async def test_a_dry_run_of_something_new_creates_nothing(kube: Kube) -> None:
    answer = await kube.apply("configmaps", config_map("ghost", a="1"), "one", dryRun="All")
    assert answer.status == 201
    assert (await kube.call("GET", kube.path("configmaps", "ghost"))).status == 404


async def test_a_dry_run_tells_of_conflicts_too(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1"), "one")
    answer = await kube.apply("configmaps", config_map("settings", a="2"), "two", dryRun="All")
    assert (answer.status, answer.causes[0]["field"]) == (409, ".data.a")


# "Merge strategy": lists with listType=map join by their keys.
async def test_containers_join_by_name_and_env_by_name(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", kube.images.first, env=[{"name": "A", "value": "1"}]))
    extra = {"name": "app", "env": [{"name": "B", "value": "2"}]}
    body = image_only("web", kube.images.first)
    body["spec"]["template"]["spec"]["containers"] = [extra]
    merged = (await kube.apply("deployments", body, "tuner")).ok()
    [container] = containers(merged)
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert container["image"] == kube.images.first
    body["spec"]["template"]["spec"]["containers"] = [{"name": "app"}]
    dropped = (await kube.apply("deployments", body, "tuner")).ok()
    assert containers(dropped)[0]["env"] == [{"name": "A", "value": "1"}]


async def test_a_container_that_its_only_owner_drops_goes_with_its_defaults(kube: Kube) -> None:
    wanted = deployment("web", kube.images.first)
    with_sidecar = copy.deepcopy(wanted)
    containers(with_sidecar).append({"name": "sidecar", "image": kube.images.second})
    first = (await kube.apply("deployments", with_sidecar, "chatops-deploy")).ok()
    assert [c["name"] for c in containers(first)] == ["app", "sidecar"]
    second = (await kube.apply("deployments", wanted, "chatops-deploy")).ok()
    assert [c["name"] for c in containers(second)] == ["app"]


async def test_ports_are_told_apart_by_port_and_protocol(kube: Kube) -> None:
    ports = [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]
    created = (await kube.apply("deployments", deployment("dns", kube.images.first, ports=ports), "one")).ok()
    assert containers(created)[0]["ports"] == ports
    keys = owners(created)["one/Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}']["f:ports"]
    assert set(keys) == {'k:{"containerPort":53,"protocol":"TCP"}', 'k:{"containerPort":53,"protocol":"UDP"}'}


# "Merge strategy": atomic lists are replaced as a whole and owned as a whole.
async def test_an_atomic_list_is_one_field(kube: Kube) -> None:
    await kube.apply("deployments", deployment("web", kube.images.first, args=["a", "b"]), "one")
    body = image_only("web", kube.images.first)
    body["spec"]["template"]["spec"]["containers"] = [{"name": "app", "args": ["c"]}]
    answer = await kube.apply("deployments", body, "two")
    assert [c["field"] for c in answer.causes] == ['.spec.template.spec.containers[name="app"].args']
    forced = (await kube.apply("deployments", body, "two", force=True)).ok()
    assert containers(forced)[0]["args"] == ["c"]


# "Transferring ownership between managers": one manager per concern, the autoscaler's replicas are left alone.
async def test_leaving_replicas_out_leaves_them_to_whoever_scales(kube: Kube) -> None:
    await kube.apply("deployments", deployment("web", kube.images.first, replicas=2), "chatops-scale")
    deploy = (
        await kube.apply("deployments", deployment("web", kube.images.first, replicas=None), "chatops-deploy")
    ).ok()
    assert deploy["spec"]["replicas"] == 2
    assert "f:replicas" not in owners(deploy)["chatops-deploy/Apply"]["f:spec"]
    newer = deployment("web", kube.images.second, replicas=None)
    assert (await kube.apply("deployments", newer, "chatops-deploy", force=True)).ok()["spec"]["replicas"] == 2


async def test_a_default_comes_back_when_its_owner_lets_the_field_go(kube: Kube) -> None:
    await kube.apply("deployments", deployment("web", kube.images.first, replicas=4), "one")
    left = (await kube.apply("deployments", deployment("web", kube.images.first, replicas=None), "one")).ok()
    assert left["spec"]["replicas"] == 1


# "Server-Side Apply: API": "fieldManager is required", `force` is for apply patches only.
async def test_applying_needs_a_field_manager(kube: Kube) -> None:
    path = kube.path("configmaps", "settings")
    answer = await kube.patch(path, config_map("settings", a="1"), APPLY)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert "fieldManager: Required value: is required for apply patch" in answer.message


async def test_force_is_only_for_apply(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    answer = await kube.patch(kube.path("configmaps", "settings"), {"data": {}}, MERGE, force=True)
    assert answer.status == 422
    assert "may not be specified for non-apply patch" in answer.message


async def test_managed_fields_cannot_be_applied(kube: Kube) -> None:
    body = config_map("settings", a="1")
    body["metadata"]["managedFields"] = [{"manager": "x", "operation": "Apply", "apiVersion": "v1"}]
    answer = await kube.apply("configmaps", body, "one")
    assert (answer.status, answer.message) == (400, "metadata.managedFields must be nil")


async def test_a_field_unknown_to_the_schema_cannot_be_applied(kube: Kube) -> None:
    body = deployment("web", kube.images.first)
    body["spec"]["replicsa"] = 3
    answer = await kube.apply("deployments", body, "one")
    assert answer.status >= 400
    assert ".spec.replicsa: field not declared in schema" in answer.message


async def test_the_name_in_body_and_url_must_agree(kube: Kube) -> None:
    path = kube.path("configmaps", "other")
    answer = await kube.patch(path, config_map("settings", a="1"), APPLY, fieldManager="one")
    assert answer.status == 400


# "Server-Side Apply: Field management": status is not owned through the main resource.
async def test_status_in_an_applied_deployment_is_ignored(kube: Kube) -> None:
    body = {**deployment("web", kube.images.first), "status": {"replicas": 9}}
    answer = (await kube.apply("deployments", body, "one")).ok()
    assert answer.get("status", {}).get("replicas") is None
    assert "f:status" not in owners(answer)["one/Apply"]


async def test_applying_the_status_subresource_has_an_owner_of_its_own(kube: Kube) -> None:
    await kube.apply("deployments", deployment("web", kube.images.first, replicas=0), "one")
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "status": {"conditions": [{"type": "Frozen", "status": "True", "reason": "Test"}]}}  # fmt: skip
    path = kube.path("deployments", "web", "status")
    answer = (await kube.patch(path, body, APPLY, fieldManager="reporter")).ok()
    assert "f:status" in owners(answer)["reporter/Apply/status"]
    assert "f:spec" in owners(answer)["one/Apply"]


# "Server-Side Apply: Clearing managedFields": an empty entry in an update resets them.
async def test_managed_fields_can_be_cleared(kube: Kube) -> None:
    await kube.apply("configmaps", config_map("settings", a="1"), "one")
    path = kube.path("configmaps", "settings")
    cleared = (await kube.patch(path, {"metadata": {"managedFields": [{}]}}, MERGE, fieldManager="two")).ok()
    assert owners(cleared) == {}


async def test_an_object_without_owners_gets_its_past_as_before_first_apply(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    path = kube.path("configmaps", "settings")
    await kube.patch(path, {"metadata": {"managedFields": [{}]}}, MERGE)
    answer = await kube.apply("configmaps", config_map("settings", a="2"), "one")
    assert answer.causes[0]["message"] == 'conflict with "before-first-apply" using v1'


async def test_strategic_patches_track_ownership_too(kube: Kube) -> None:
    await kube.apply("deployments", deployment("web", kube.images.first), "chatops-deploy")
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": kube.images.second}]}}}}
    path = kube.path("deployments", "web")
    edited = (await kube.patch(path, body, STRATEGIC, fieldManager="kubectl-set")).ok()
    mine = owners(edited)["chatops-deploy/Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}']
    assert mine == {".": {}, "f:name": {}}
    theirs = owners(edited)["kubectl-set/Update"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}']
    assert theirs == {"f:image": {}}


async def test_the_target_of_an_autoscaler_is_owned_field_by_field(kube: Kube) -> None:
    """`autoscaling/v2` has no `+structType=atomic` there, as `autoscaling/v1` had."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"maxReplicas": 3, "scaleTargetRef": target}}  # fmt: skip
    path = f"/apis/autoscaling/v2/namespaces/{kube.namespace}/horizontalpodautoscalers/web"
    made = (await kube.patch(path, body, APPLY, fieldManager="one")).ok()
    owned = owners(made)["one/Apply"]["f:spec"]
    assert owned == {"f:maxReplicas": {}, "f:scaleTargetRef": {"f:apiVersion": {}, "f:kind": {}, "f:name": {}}}


async def test_where_nobody_owns_anything_nothing_is_tracked_until_the_first_apply(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    path = kube.path("configmaps", "settings")
    await kube.patch(path, {"metadata": {"managedFields": [{}]}}, MERGE)
    edited = (await kube.patch(path, {"data": {"b": "2"}}, MERGE, fieldManager="kubectl-edit")).ok()
    assert owners(edited) == {}
    applied = (await kube.apply("configmaps", config_map("settings", c="3"), "one")).ok()
    assert owners(applied) == {
        "one/Apply": {"f:data": {"f:c": {}}},
        "before-first-apply/Update": {"f:data": {".": {}, "f:a": {}, "f:b": {}}},
    }


async def test_what_go_leaves_out_when_it_is_empty_is_owned_by_who_applied_it(kube: Kube) -> None:
    body = deployment("web", kube.images.first, 0)
    body["spec"]["paused"] = False
    made = (await kube.apply("deployments", body, "one")).ok()
    assert "paused" not in made["spec"]
    assert owners(made)["one/Apply"]["f:spec"]["f:paused"] == {}
    again = (await kube.apply("deployments", body, "one")).ok()
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_the_resources_of_a_container_come_with_it(kube: Kube) -> None:
    made = await kube.create("deployments", deployment("web", kube.images.first, 0), fieldManager="one")
    [container] = owners(made)["one/Update"]["f:spec"]["f:template"]["f:spec"]["f:containers"].values()
    assert container["f:resources"] == {}
