"""What an API server does not take, kind by kind: the mistakes that a declared action's template can make.

Expected answers: `pkg/apis/*/validation/validation.go` of Kubernetes. Each is asked as the assistant plans: a dry run
of server-side apply.
"""

from __future__ import annotations

from typing import Any

import pytest

from .kube import APPLY, Kube, Obj, deployment

pytestmark = pytest.mark.api
RBAC = "rbac.authorization.k8s.io"
VIEW = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
CONTAINER = "spec.template.spec.containers[0]"
HTTP = {"port": 80, "protocol": "TCP"}


def pod(**container: Any) -> Obj:
    return {"containers": [{"name": "app", "image": "nginx:1", **container}]}


def workload(container: Obj | None = None, *, template: Obj | None = None, **spec: Any) -> Obj:
    body = deployment("web", "nginx:1", 0, **(container or {}))["spec"]
    body["template"]["spec"] |= template or {}
    return {"spec": {**body, **spec}}


def daemons(**rolling: Any) -> Obj:
    body = workload(updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    del body["spec"]["replicas"]
    return body


def job(**spec: Any) -> Obj:
    return {"spec": {"template": {"spec": {**pod(), "restartPolicy": "Never"}}, **spec}}


def cron(schedule: str, restart: str = "Never") -> Obj:
    template = {"spec": {**pod(), "restartPolicy": restart}}
    return {"spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": template}}}}


def metadata(**more: Any) -> Obj:
    return {"metadata": more}


CASES: list[tuple[str, str, str, Obj, set[str]]] = [
    ("apps/v1", "deployments", "Deployment", workload({"readinessProbe": {}}), {f"{CONTAINER}.readinessProbe"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"readinessProbe": {"exec": {"command": ["true"]}, "httpGet": {"port": 80}}}),
     {f"{CONTAINER}.readinessProbe.httpGet"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"livenessProbe": {"httpGet": {"port": 80}, "successThreshold": 2}}),
     {f"{CONTAINER}.livenessProbe.successThreshold"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}), {f"{CONTAINER}.resources.requests"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"resources": {"requests": {"cpu": "-1"}}}), {f"{CONTAINER}.resources.requests[cpu]"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"resources": {"requests": {"cores": "1"}}}), {f"{CONTAINER}.resources.requests[cores]"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"imagePullPolicy": "Sometimes"}), {f"{CONTAINER}.imagePullPolicy"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"ports": [{"containerPort": 80, "protocol": "TCP", "name": "Web_1"}]}), {f"{CONTAINER}.ports[0].name"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"ports": [{"containerPort": one, "protocol": "TCP", "name": "web"} for one in (80, 81)]}),
     {f"{CONTAINER}.ports[1].name"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"ports": [{"containerPort": 80, "protocol": "HTTP"}]}), {f"{CONTAINER}.ports[0].protocol"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys"}}}]}),
     {f"{CONTAINER}.env[0].valueFrom.secretKeyRef.key"}),
    ("apps/v1", "deployments", "Deployment",
     workload({"env": [{"name": "A", "valueFrom": {}}]}), {f"{CONTAINER}.env[0].valueFrom"}),
    ("apps/v1", "deployments", "Deployment",
     workload(template={"volumes": [{"name": "keys", "secret": {}}]}),
     {"spec.template.spec.volumes[0].secret.secretName"}),
    ("apps/v1", "deployments", "Deployment",
     workload(template={"volumes": [{"name": "My_Keys", "emptyDir": {}}]}), {"spec.template.spec.volumes[0].name"}),
    ("apps/v1", "deployments", "Deployment",
     workload(template={"serviceAccountName": "No_Good"}), {"spec.template.spec.serviceAccountName"}),
    ("apps/v1", "deployments", "Deployment",
     workload(template={"nodeSelector": {"disk": "very fast"}}), {"spec.template.spec.nodeSelector"}),
    ("apps/v1", "deployments", "Deployment",
     workload(template={"activeDeadlineSeconds": 5}), {"spec.template.spec.activeDeadlineSeconds"}),
    ("apps/v1", "deployments", "Deployment",
     workload(template={"initContainers": [{"name": "app", "image": "nginx:1"}]}),
     {"spec.template.spec.initContainers[0].name"}),
    ("apps/v1", "deployments", "Deployment", workload(strategy={"type": "Canary"}), {"spec.strategy"}),
    ("apps/v1", "deployments", "Deployment",
     workload(strategy={"rollingUpdate": {"maxUnavailable": "150%"}}), {"spec.strategy.rollingUpdate.maxUnavailable"}),
    ("apps/v1", "statefulsets", "StatefulSet",
     workload(serviceName="web", podManagementPolicy="Wild"), {"spec.podManagementPolicy"}),
    ("apps/v1", "daemonsets", "DaemonSet",
     daemons(maxUnavailable=0), {"spec.updateStrategy.rollingUpdate.maxUnavailable"}),
    ("batch/v1", "jobs", "Job", {"spec": {"template": {"spec": pod()}}}, {"spec.template.spec.restartPolicy"}),
    ("batch/v1", "cronjobs", "CronJob", cron("every day"), {"spec.schedule"}),
    ("batch/v1", "cronjobs", "CronJob",
     cron("0 3 * * *", "Always"), {"spec.jobTemplate.spec.template.spec.restartPolicy"}),
    ("v1", "services", "Service", {"spec": {"selector": {"app": "web"}}}, {"spec.ports"}),
    ("v1", "services", "Service", {"spec": {"ports": [HTTP, {**HTTP, "port": 81}]}},
     {"spec.ports[0].name", "spec.ports[1].name"}),
    ("v1", "services", "Service",
     {"spec": {"ports": [{**HTTP, "port": 70000, "targetPort": 80}]}}, {"spec.ports[0].port"}),
    ("v1", "services", "Service",
     {"spec": {"ports": [{**HTTP, "targetPort": "My_Web"}]}}, {"spec.ports[0].targetPort"}),
    ("v1", "services", "Service", {"spec": {"type": "Public", "ports": [HTTP]}}, {"spec.type"}),
    ("v1", "services", "Service", {**metadata(name="1web"), "spec": {"ports": [HTTP]}}, {"metadata.name"}),
    ("v1", "secrets", "Secret",
     {"type": "kubernetes.io/tls", "data": {"key": "YQ=="}}, {"data[tls.crt]", "data[tls.key]"}),
    ("v1", "resourcequotas", "ResourceQuota", {"spec": {"hard": {"pods": "-1"}}}, {"spec.hard[pods]"}),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim",
     {"spec": {"accessModes": ["ReadWriteOnce"]}}, {"spec.resources[storage]"}),
    (f"{RBAC}/v1", "rolebindings", "RoleBinding",
     {"roleRef": {**VIEW, "kind": "Group"}, "subjects": []}, {"roleRef.kind"}),
    (f"{RBAC}/v1", "rolebindings", "RoleBinding",
     {"roleRef": VIEW, "subjects": [{"kind": "Person", "name": "ann"}]}, {"subjects[0].kind"}),
    (f"{RBAC}/v1", "roles", "Role", {"rules": [{"apiGroups": [""], "resources": ["pods"]}]}, {"rules[0].verbs"}),
    ("networking.k8s.io/v1", "ingresses", "Ingress",
     {"spec": {"rules": [{"host": "Not A Host"}]}}, {"spec.rules[0].host"}),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget",
     {"spec": {"minAvailable": 1, "maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}}, {"spec"}),
    ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
     {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment"}}},
     {"spec.scaleTargetRef.name"}),
    ("v1", "configmaps", "ConfigMap", metadata(finalizers=["hold"]), {"metadata.finalizers[0]"}),
    ("v1", "configmaps", "ConfigMap", metadata(annotations={"notes": "x" * 270_000}), {"metadata.annotations"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("api_version", "plural", "kind", "body", "fields"),
    CASES,
    ids=[f"{kind}-{min(fields)}" for _, _, kind, _, fields in CASES],
)
async def test_it_is_refused_with_a_cause_for_each_field(
    kube: Kube, api_version: str, plural: str, kind: str, body: Obj, fields: set[str]
) -> None:
    named = {"name": "web", **body.get("metadata", {})}
    whole = {**body, "apiVersion": api_version, "kind": kind, "metadata": named}
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    path = f"{root}/namespaces/{kube.namespace}/{plural}/{named['name']}"
    answer = await kube.patch(path, whole, APPLY, fieldManager="one", dryRun="All", fieldValidation="Strict")
    assert (answer.status, answer.reason) == (422, "Invalid"), answer.body
    assert {cause["field"] for cause in answer.causes} == fields


async def test_a_job_that_was_made_keeps_how_often_it_completes(kube: Kube) -> None:
    await kube.create(
        "jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "task"}, **job(parallelism=0)}
    )
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "task"}, "spec": {"completions": 5}}
    answer = await kube.patch(kube.path("jobs", "task"), body, APPLY, fieldManager="one", force=True)
    assert (answer.status, [cause["field"] for cause in answer.causes]) == (422, ["spec.completions"])
