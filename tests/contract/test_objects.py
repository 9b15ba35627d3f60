"""Metadata, versions, generation, subresources, dry run, deletion, validation.

Expected answers: Kubernetes documentation, "Kubernetes API Concepts", "Object Names and IDs", "API Conventions".
"""

from __future__ import annotations

import copy

import pytest

from .kube import APPLY, MERGE, Kube, config_map, containers, deployment, owners

pytestmark = pytest.mark.api


async def test_a_created_object_gets_identity_and_a_first_generation(kube: Kube) -> None:
    created = await kube.create("deployments", deployment("web", kube.images.first), fieldManager="tester")
    metadata = created["metadata"]
    assert metadata["uid"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["resourceVersion"].isdigit()
    assert metadata["generation"] == 1
    assert metadata["namespace"] == kube.namespace
    assert list(owners(created)) == ["tester/Update"]


async def test_a_deployment_gets_the_documented_defaults(kube: Kube) -> None:
    spec = (await kube.create("deployments", deployment("web", "registry.acme.test/web", replicas=None)))["spec"]
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert (spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"]) == (600, 10)
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert pod["containers"][0]["imagePullPolicy"] == "Always"


async def test_a_generated_name_begins_with_its_prefix(kube: Kube) -> None:
    body = config_map("", a="1")
    body["metadata"] = {"generateName": "settings-"}
    name = (await kube.create("configmaps", body))["metadata"]["name"]
    assert name.startswith("settings-")
    assert len(name) == len("settings-") + 5


async def test_creating_the_same_name_again_already_exists(kube: Kube) -> None:
    await kube.create("configmaps", config_map("settings", a="1"))
    answer = await kube.call("POST", kube.path("configmaps"), config_map("settings", a="1"))
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.message == 'configmaps "settings" already exists'
    assert answer.body["details"] == {"name": "settings", "kind": "configmaps"}


async def test_what_is_not_there_is_not_found(kube: Kube) -> None:
    answer = await kube.call("GET", kube.path("deployments", "nothing"))
    assert (answer.status, answer.reason) == (404, "NotFound")
    assert answer.message == 'deployments.apps "nothing" not found'
    assert answer.body["details"] == {"name": "nothing", "group": "apps", "kind": "deployments"}


async def test_creating_in_a_namespace_that_is_not_there_is_not_found(kube: Kube) -> None:
    answer = await kube.call("POST", "/api/v1/namespaces/no-such-space/configmaps", config_map("settings"))
    assert (answer.status, answer.message) == (404, 'namespaces "no-such-space" not found')


async def test_an_update_from_a_stale_version_conflicts(kube: Kube) -> None:
    created = await kube.create("configmaps", config_map("settings", a="1"))
    path = kube.path("configmaps", "settings")
    newer = (await kube.call("PUT", path, {**created, "data": {"a": "2"}})).ok()
    assert int(newer["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
    answer = await kube.call("PUT", path, {**created, "data": {"a": "3"}})
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message.startswith(
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified'
    )
    unconditional = config_map("settings", a="4")
    assert (await kube.call("PUT", path, unconditional)).ok()["data"] == {"a": "4"}


async def test_writing_the_same_again_keeps_the_version(kube: Kube) -> None:
    created = await kube.create("configmaps", config_map("settings", a="1"), fieldManager="tester")
    same = (await kube.call("PUT", kube.path("configmaps", "settings"), created, fieldManager="tester")).ok()
    assert same["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_the_generation_follows_the_spec_and_not_the_labels(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", kube.images.first, replicas=0))
    path = kube.path("deployments", "web")
    labelled = (await kube.patch(path, {"metadata": {"labels": {"team": "shop"}}}, MERGE)).ok()
    assert labelled["metadata"]["generation"] == 1
    scaled = (await kube.patch(path, {"spec": {"minReadySeconds": 1}}, MERGE)).ok()
    assert scaled["metadata"]["generation"] == 2


async def test_a_daemon_set_counts_its_pod_templates_in_an_annotation(kube: Kube) -> None:
    """As every API server does (`pkg/registry/apps/daemonset/strategy.go`), also in a dry run."""
    body = deployment("agent", kube.images.first, replicas=None)
    body["kind"] = "DaemonSet"
    counted = "deprecated.daemonset.template.generation"
    created = (await kube.apply("daemonsets", body, "one")).ok()
    assert created["metadata"]["annotations"] == {counted: "1"}
    assert set(owners(created)["one/Apply"]) == {"f:spec"}
    path = kube.path("daemonsets", "agent")
    labelled = (await kube.patch(path, {"metadata": {"labels": {"a": "b"}}}, MERGE)).ok()
    assert labelled["metadata"]["annotations"] == {counted: "1"}
    containers(body)[0]["image"] = kube.images.second
    assert (await kube.apply("daemonsets", body, "one", dryRun="All")).ok()["metadata"]["annotations"] == {counted: "2"}


async def test_status_is_written_only_through_its_subresource(kube: Kube) -> None:
    await kube.create("deployments", {**deployment("web", kube.images.first, 0), "status": {"replicas": 7}})
    path = kube.path("deployments", "web")
    ignored = (await kube.patch(path, {"status": {"collisionCount": 7}}, MERGE)).ok()
    assert "collisionCount" not in ignored.get("status", {})
    status = {"spec": {"replicas": 5}, "status": {"collisionCount": 7}}
    written = (await kube.patch(f"{path}/status", status, MERGE, fieldManager="reporter")).ok()
    assert written["status"]["collisionCount"] == 7
    assert written["spec"]["replicas"] == 0
    assert owners(written)["reporter/Update/status"] == {"f:status": {"f:collisionCount": {}}}


async def test_the_scale_subresource_reads_and_writes_replicas(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", "registry.acme.test/web:missing", replicas=0))
    path = kube.path("deployments", "web", "scale")
    scale = await kube.get(path)
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]["selector"]) == ({}, "app=web")  # a zero is left out
    changed = (await kube.patch(path, {"spec": {"replicas": 1}}, MERGE, fieldManager="kubectl-scale")).ok()
    assert changed["spec"]["replicas"] == 1
    workload = await kube.get(kube.path("deployments", "web"))
    assert workload["spec"]["replicas"] == 1
    assert owners(workload)["kubectl-scale/Update/scale"] == {"f:spec": {"f:replicas": {}}}


async def test_replicas_can_be_applied_through_scale(kube: Kube) -> None:
    """ "Server-Side Apply: Transferring ownership": the scale subresource is a way to own replicas alone."""
    await kube.create("deployments", deployment("web", kube.images.first, replicas=0), fieldManager="kubectl-create")
    path = kube.path("deployments", "web", "scale")
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale",
            "metadata": {"name": "web", "namespace": kube.namespace}, "spec": {"replicas": 1}}  # fmt: skip
    refused = await kube.patch(path, body, APPLY, fieldManager="scaler", dryRun="All")
    assert (refused.status, refused.causes[0]["field"]) == (409, ".spec.replicas")
    taken = (await kube.patch(path, body, APPLY, fieldManager="scaler", force=True, dryRun="All")).ok()
    assert (taken["kind"], taken["spec"]["replicas"]) == ("Scale", 1)
    assert (await kube.get(path))["spec"] == {}


async def test_a_stale_scale_conflicts(kube: Kube) -> None:
    await kube.create("deployments", deployment("web", "registry.acme.test/web:missing", replicas=0))
    path = kube.path("deployments", "web", "scale")
    stale = await kube.get(path)
    await kube.patch(kube.path("deployments", "web"), {"metadata": {"labels": {"a": "b"}}}, MERGE)
    stale["spec"]["replicas"] = 2
    assert (await kube.call("PUT", path, stale)).status == 409


async def test_a_dry_run_of_every_verb_changes_nothing(kube: Kube) -> None:
    answer = await kube.call("POST", kube.path("configmaps"), config_map("ghost"), dryRun="All")
    assert answer.status == 201
    assert (await kube.call("GET", kube.path("configmaps", "ghost"))).status == 404
    created = await kube.create("configmaps", config_map("settings", a="1"))
    path = kube.path("configmaps", "settings")
    assert (await kube.patch(path, {"data": {"a": "2"}}, MERGE, dryRun="All")).ok()["data"] == {"a": "2"}
    assert (await kube.call("PUT", path, {**created, "data": {"a": "3"}}, dryRun="All")).ok()["data"] == {"a": "3"}
    assert (await kube.call("DELETE", path, dryRun="All")).status == 200
    assert await kube.get(path) == created


async def test_dry_run_takes_no_other_value(kube: Kube) -> None:
    answer = await kube.call("POST", kube.path("configmaps"), config_map("ghost"), dryRun="Some")
    assert answer.status in (400, 422)


async def test_deleting_with_the_wrong_uid_or_version_conflicts(kube: Kube) -> None:
    created = await kube.create("configmaps", config_map("settings", a="1"))
    path = kube.path("configmaps", "settings")
    wrong = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "00000000-0000-0000-0000-000000000000"},
    }
    assert (await kube.call("DELETE", path, wrong)).status == 409
    wrong["preconditions"] = {"resourceVersion": "1"}
    answer = await kube.call("DELETE", path, wrong)
    assert (answer.status, answer.reason) == (409, "Conflict")
    right = {**wrong, "preconditions": {"uid": created["metadata"]["uid"]}}
    gone = (await kube.call("DELETE", path, right)).ok()
    assert (gone["kind"], gone["status"]) == ("Status", "Success")
    assert (await kube.call("GET", path)).status == 404


async def test_a_finalizer_keeps_a_deleted_object(kube: Kube) -> None:
    body = config_map("settings", a="1")
    body["metadata"]["finalizers"] = ["acme.test/hold"]
    await kube.create("configmaps", body)
    path = kube.path("configmaps", "settings")
    (await kube.call("DELETE", path)).ok()
    held = await kube.get(path)
    assert held["metadata"]["deletionTimestamp"]
    (await kube.patch(path, {"metadata": {"finalizers": None}}, MERGE)).ok()
    assert (await kube.call("GET", path)).status == 404


async def test_a_collection_can_be_deleted_by_label(kube: Kube) -> None:
    for name, team in (("a", "shop"), ("b", "shop"), ("c", "bank")):
        body = config_map(name)
        body["metadata"]["labels"] = {"team": team}
        await kube.create("configmaps", body)
    (await kube.call("DELETE", kube.path("configmaps"), labelSelector="team=shop")).ok()
    left = await kube.get(kube.path("configmaps"), labelSelector="team")
    assert [item["metadata"]["name"] for item in left["items"]] == ["c"]


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"spec": {"replicas": -1}}, "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        ({"spec": {"selector": {"matchLabels": {"app": "other"}}}}, "spec.selector", "field is immutable"),
        ({"spec": {"template": {"spec": {"containers": None}}}}, "spec.template.spec.containers", "Required value"),
        ({"spec": {"template": {"spec": {"containers": [{"name": "app"}]}}}},
         "spec.template.spec.containers[0].image", "Required value"),
        ({"spec": {"template": {"spec": {"containers": [{"name": "No_Good", "image": "x"}]}}}},
         "spec.template.spec.containers[0].name", "a lowercase RFC 1123 label must consist of"),
        ({"spec": {"template": {"spec": {"restartPolicy": "Never"}}}},
         "spec.template.spec.restartPolicy", 'Unsupported value: "Never": supported values: "Always"'),
    ],
)  # fmt: skip
async def test_a_wrong_field_is_invalid_with_its_cause(kube: Kube, change: dict, field: str, text: str) -> None:
    await kube.create("deployments", deployment("web", kube.images.first, replicas=0))
    answer = await kube.patch(kube.path("deployments", "web"), change, MERGE)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert answer.message.startswith('Deployment.apps "web" is invalid: ')
    assert any(cause["field"] == field and text in cause["message"] for cause in answer.causes), answer.causes


async def test_a_selector_must_match_the_template(kube: Kube) -> None:
    body = deployment("web", kube.images.first)
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    answer = await kube.call("POST", kube.path("deployments"), body)
    assert answer.status == 422
    assert "`selector` does not match template `labels`" in answer.message


@pytest.mark.parametrize("name", ["Checkout", "check_out", "-checkout", "checkout-", "x" * 254])
async def test_a_name_must_be_a_dns_subdomain(kube: Kube, name: str) -> None:
    answer = await kube.call("POST", kube.path("configmaps"), config_map(name))
    assert answer.status == 422
    assert answer.causes[0]["field"] == "metadata.name"


async def test_strict_validation_refuses_unknown_fields(kube: Kube) -> None:
    body = deployment("web", kube.images.first)
    body["spec"]["replicsa"] = 2
    answer = await kube.call("POST", kube.path("deployments"), body, fieldValidation="Strict")
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert 'unknown field "spec.replicsa"' in answer.message


async def test_without_strict_validation_unknown_fields_are_dropped_with_a_warning(kube: Kube) -> None:
    body = deployment("web", kube.images.first, 0)
    body["spec"]["replicsa"] = 2
    answer = await kube.call("POST", kube.path("deployments"), copy.deepcopy(body))
    assert "replicsa" not in answer.ok()["spec"]
    assert any('unknown field \\"spec.replicsa\\"' in text for text in answer.warnings)


async def test_a_value_of_the_wrong_type_is_a_bad_request(kube: Kube) -> None:
    body = deployment("web", kube.images.first)
    body["spec"]["replicas"] = "three"
    answer = await kube.call("POST", kube.path("deployments"), body)
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert "cannot unmarshal string into Go struct field" in answer.message


async def test_a_quota_counts_what_it_limits(kube: Kube) -> None:
    """ "Resource Quotas": object counts are enforced on creation, by the API server itself."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
             "spec": {"hard": {"count/secrets": "0"}}}  # fmt: skip
    created = await kube.create("resourcequotas", quota)
    path = kube.path("resourcequotas", "few", "status")
    status = {"status": {"hard": {"count/secrets": "0"}, "used": {"count/secrets": "0"}}}
    (await kube.patch(path, status, MERGE)).ok()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "b"}}
    # A real API server answers "status unknown" until its informer has seen the status.
    answer = await kube.eventually(
        lambda: kube.call("POST", kube.path("secrets"), secret), lambda a: "status unknown" not in a.message
    )
    assert created["spec"]["hard"] == {"count/secrets": "0"}
    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert answer.message == (
        'secrets "key" is forbidden: exceeded quota: few, requested: count/secrets=1, used: count/secrets=0, '
        "limited: count/secrets=0"
    )


async def test_secrets_turn_string_data_into_data(kube: Kube) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "b"}}
    created = await kube.create("secrets", secret)
    assert created["data"] == {"a": "Yg=="}
    assert "stringData" not in created
    assert created["type"] == "Opaque"


async def test_quantities_are_answered_in_their_one_form(kube: Kube) -> None:
    """`apimachinery/pkg/api/resource`: no fraction, the largest suffix that fits, binary only as it was written."""
    given = {"cpu": "1.5", "memory": "1024Mi", "ephemeral-storage": "1000"}
    body = deployment("web", kube.images.first, 0, resources={"requests": given})
    made = await kube.create("deployments", body)
    assert containers(made)[0]["resources"]["requests"] == {"cpu": "1500m", "memory": "1Gi", "ephemeral-storage": "1k"}


async def test_what_a_pod_template_leaves_open_is_filled_in(kube: Kube) -> None:
    stop = {"preStop": {"httpGet": {"port": 80}}}
    body = deployment("web", kube.images.first, 0, lifecycle=stop, ports=[{"containerPort": 80}])
    body["spec"]["template"]["spec"] |= {
        "hostNetwork": True,
        "volumes": [
            {"name": "host", "hostPath": {"path": "/srv"}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
            {"name": "told", "downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        ],
    }
    made = await kube.create("deployments", body)
    [container] = containers(made)
    assert container["lifecycle"]["preStop"]["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}
    assert container["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    host, token, told = made["spec"]["template"]["spec"]["volumes"]
    assert host["hostPath"] == {"path": "/srv", "type": ""}
    assert token["projected"]["sources"] == [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]
    assert told["downwardAPI"]["items"][0]["fieldRef"] == {"apiVersion": "v1", "fieldPath": "metadata.name"}


async def test_what_other_kinds_leave_open_is_filled_in(kube: Kube) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{kube.namespace}/networkpolicies"
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "web"},
              "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}}  # fmt: skip
    made = (await kube.call("POST", path, policy)).ok()
    assert made["spec"]["policyTypes"] == ["Ingress"]
    assert made["spec"]["ingress"] == [{"ports": [{"port": 80, "protocol": "TCP"}]}]
    body = deployment("web", kube.images.first, 0)
    claim = {"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}  # fmt: skip
    body = {
        **body,
        "kind": "StatefulSet",
        "spec": {**body["spec"], "serviceName": "web", "volumeClaimTemplates": [claim]},
    }
    [kept] = (await kube.create("statefulsets", body))["spec"]["volumeClaimTemplates"]
    assert (kept["apiVersion"], kept["kind"], kept["status"]) == ("v1", "PersistentVolumeClaim", {"phase": "Pending"})
    assert kept["spec"]["volumeMode"] == "Filesystem"
