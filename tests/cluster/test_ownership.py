"""Who owns a workload, what was edited behind our back, what an apply would take over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chatops.kernel.ownership import drift, fields_of, foreign_owner

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
Thing = dict[str, Any]


def entry(manager: str, time: str, *fields: str, operation: str = "Update", subresource: str = "") -> Thing:
    """One entry of managedFields; fields as paths of elements: ``f:spec f:replicas``."""
    tree: Thing = {}
    for field in fields:
        at = tree
        for element in field.split(" "):
            at = at.setdefault(element, {})
    found = {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": time, "fieldsV1": tree}
    return {**found, "subresource": subresource} if subresource else found


CONTAINER = 'f:spec f:template f:spec f:containers k:{"name":"app"}'
IMAGE = f"{CONTAINER} f:image"
LEVEL = f'{CONTAINER} f:env k:{{"name":"LOG_LEVEL"}} f:value'


def workload(*entries: Thing, labels: Thing | None = None, annotations: Thing | None = None) -> Thing:
    containers = [{"name": "app", "image": "registry.acme.test/shop/checkout:1.4.9"}]
    metadata = {
        "name": "checkout", "namespace": "shop", "creationTimestamp": "2026-11-01T00:00:00Z",
        "labels": labels or {}, "annotations": annotations or {}, "managedFields": list(entries),
    }  # fmt: skip
    return {"metadata": metadata, "spec": {"replicas": 4, "template": {"spec": {"containers": containers}}}}


OURS = entry("chatops-deploy", "2026-11-20T10:00:00Z", IMAGE, operation="Apply")


def test_an_edit_by_hand_after_our_apply_is_said_with_its_day() -> None:
    edited = workload(OURS, entry("kubectl-edit", "2026-11-22T23:59:00Z", LEVEL))
    assert drift(edited, NOW) == ("LOG_LEVEL was edited by kubectl-edit yesterday; it stays",)


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-11-23T08:00:00Z", "today"),
        ("2026-11-22T00:00:00Z", "yesterday"),
        ("2026-11-21T10:00:00Z", "on 21 November"),
    ],
)
def test_days_are_counted_in_utc(time: str, day: str) -> None:
    assert (
        drift(workload(OURS, entry("kubectl-edit", time, LEVEL)), NOW)[0].split(" by kubectl-edit ")[1]
        == f"{day}; it stays"
    )


def test_an_edit_before_our_apply_is_no_drift() -> None:
    assert drift(workload(OURS, entry("kubectl-edit", "2026-11-19T10:00:00Z", LEVEL)), NOW) == ()


def test_an_edit_in_the_second_of_our_apply_counts() -> None:
    assert drift(workload(OURS, entry("kubectl-edit", "2026-11-20T10:00:00Z", LEVEL)), NOW)


def test_creating_is_no_edit_even_in_the_second_of_our_apply() -> None:
    live = workload(OURS, entry("kubectl-create", "2026-11-20T10:00:00Z", LEVEL, "f:spec f:selector"))
    live["metadata"]["creationTimestamp"] = "2026-11-20T10:00:00Z"
    assert drift(live, NOW) == ()


def test_an_image_set_by_hand_is_named_and_will_be_changed() -> None:
    live = workload(
        entry("chatops-deploy", "2026-11-20T10:00:00Z", "f:metadata f:annotations", operation="Apply"),
        entry("kubectl-set", "2026-11-23T07:00:00Z", IMAGE),
    )
    would = workload(OURS)
    assert drift(live, NOW, would) == ("the image was set to 1.4.9 by kubectl-set today; this changes it",)


def test_replicas_set_by_hand_stay() -> None:
    live = workload(OURS, entry("kubectl", "2026-11-23T07:00:00Z", "f:spec f:replicas"))
    assert drift(live, NOW) == ("the number of replicas was set to 4 by kubectl today; it stays",)


def test_what_controllers_and_autoscalers_write_is_no_drift() -> None:
    live = workload(
        OURS,
        entry("kube-controller-manager", "2026-11-23T08:00:00Z", "f:status f:replicas", subresource="status"),
        entry(
            "kube-controller-manager",
            "2026-11-23T08:00:00Z",
            "f:metadata f:annotations f:deployment.kubernetes.io/revision",
        ),
        entry("kube-controller-manager", "2026-11-23T08:00:00Z", "f:spec f:replicas", subresource="scale"),
        entry("chatops-scale", "2026-11-23T08:00:00Z", "f:spec f:replicas", operation="Apply"),
    )
    assert drift(live, NOW) == ()


def test_a_restart_by_kubectl_is_no_drift() -> None:
    at = "f:spec f:template f:metadata f:annotations f:kubectl.kubernetes.io/restartedAt"
    assert drift(workload(OURS, entry("kubectl-rollout", "2026-11-23T08:00:00Z", at)), NOW) == ()


def test_without_an_apply_of_ours_the_last_declared_state_is_the_base() -> None:
    live = workload(
        entry("kubectl-client-side-apply", "2026-11-10T10:00:00Z", IMAGE, LEVEL),
        entry("kubectl-edit", "2026-11-22T10:00:00Z", LEVEL),
    )
    assert drift(live, NOW) == ("LOG_LEVEL was edited by kubectl-edit yesterday; it stays",)


def test_many_edited_fields_are_counted_not_listed() -> None:
    names = [f'{CONTAINER} f:env k:{{"name":"{name}"}} f:value' for name in ("A", "B", "C", "D", "E")]
    said = drift(workload(OURS, entry("kubectl-edit", "2026-11-23T08:00:00Z", *names)), NOW)
    assert said == ("A, B and 3 more fields were edited by kubectl-edit today; they stay",)


def test_taking_a_field_from_a_declared_owner_is_said() -> None:
    declared = entry("team-pipeline", "2026-11-01T10:00:00Z", IMAGE, LEVEL, operation="Apply")
    left = entry("team-pipeline", "2026-11-01T10:00:00Z", LEVEL, operation="Apply")
    assert drift(workload(declared), NOW, workload(left, OURS)) == ("the image is taken over from team-pipeline",)


def test_taking_a_field_from_a_command_typed_once_is_not_worth_a_warning() -> None:
    created = entry("kubectl-create", "2026-11-01T00:00:00Z", IMAGE, LEVEL)
    left = entry("kubectl-create", "2026-11-01T00:00:00Z", LEVEL)
    assert drift(workload(created), NOW, workload(left, OURS)) == ()


def test_fields_are_read_as_the_diff_writes_them() -> None:
    live = entry(
        "x", "2026-11-01T10:00:00Z", IMAGE, LEVEL, f'{CONTAINER} f:ports k:{{"containerPort":53,"protocol":"UDP"}} .'
    )
    live["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}']["f:name"] = {}
    at = "spec.template.spec.containers[app]"
    assert fields_of(live) >= {f"{at}.image", f"{at}.env[LOG_LEVEL]"}
    assert not any(field.endswith(".name") for field in fields_of(json.loads(json.dumps(live))))


@pytest.mark.parametrize(
    ("labels", "annotations", "managers", "owner"),
    [
        ({}, {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}, [], "Argo CD (application shop)"),
        ({"app.kubernetes.io/instance": "shop"}, {}, ["argocd-controller"], "Argo CD (application shop)"),
        ({"argocd.argoproj.io/instance": "shop"}, {}, [], "Argo CD (application shop)"),
        (
            {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
            {}, [], "Flux (Kustomization flux-system/shop)",
        ),
        (
            {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "shop",
             "app.kubernetes.io/managed-by": "Helm"},
            {"meta.helm.sh/release-name": "shop"}, ["helm-controller"], "Flux (HelmRelease shop/shop)",
        ),
        ({}, {}, ["kustomize-controller"], "Flux (Kustomization)"),
        ({}, {"meta.helm.sh/release-name": "shop"}, ["helm"], "Helm (release shop)"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {}, [], "Helm"),
    ],
)  # fmt: skip
def test_a_workload_of_another_tool_names_its_owner(
    labels: Thing, annotations: Thing, managers: list[str], owner: str
) -> None:
    entries = [entry(manager, "2026-11-01T00:00:00Z", IMAGE) for manager in managers]
    assert foreign_owner(workload(*entries, labels=labels, annotations=annotations)) == owner


@pytest.mark.parametrize(
    ("labels", "annotations"),
    [
        ({"app.kubernetes.io/instance": "checkout", "app.kubernetes.io/managed-by": "team-shop"}, {}),
        ({"kustomize.toolkit.fluxcd.io/name": "shop"}, {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}),
    ],
)
def test_labels_that_many_set_and_suspended_owners_prove_nothing(labels: Thing, annotations: Thing) -> None:
    assert foreign_owner(workload(OURS, labels=labels, annotations=annotations)) == ""
