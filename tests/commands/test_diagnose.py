"""Why a service is not healthy: each way to fail on the practice cluster, and what is said about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Answer
from chatops.kernel.errors import Forbidden
from chatops.sandbox.cluster import PracticeCluster
from chatops.sandbox.cluster.values import stamp
from commands import causes, diagnose
from commands.walk import walk
from tests.cluster.checkout import live
from tests.commands.test_watching import QUOTA
from tests.support.acme_cluster import ACME, PRODUCTION, Line, Lines, context
from tests.support.workloads import container, deployed, edited

IMAGE = "registry.acme.test/shop/checkout"


async def diagnosed(clusters: KubernetesClusters, **more: Any) -> Answer:
    asked = diagnose.Diagnose(service="checkout", environment="production")
    return await diagnose.answer(asked, context(clusters, "checkout", "production", **more))


async def until(clusters: KubernetesClusters, holds: Callable[[str], bool]) -> Answer:
    """The first diagnosis of which something holds."""
    said = Answer("")
    try:
        async with asyncio.timeout(10):
            while True:
                said = await diagnosed(clusters)
                if holds("\n".join((said.title, *said.lines))):
                    return said
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError("\n".join(("what was said last:", said.title, *said.lines))) from None


async def says(clusters: KubernetesClusters, *words: str) -> Answer:
    """The first diagnosis whose likely cause has these words."""
    return await until(clusters, lambda text: all(word in likely(text) for word in words))


def likely(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith("*Likely cause:*")), "")


def told(said: Answer, start: str) -> str:
    return next((line for line in (*said.lines, *said.context.splitlines()) if line.startswith(start)), "")


async def template(clusters: KubernetesClusters, **spec: Any) -> None:
    """Checkout after somebody wrote this into its pod template."""
    await edited(clusters, {"spec": {"template": {"spec": spec}}})


async def test_a_healthy_service_is_said_to_be_healthy(clusters: KubernetesClusters) -> None:
    ledger = Lines({("checkout", "production"): [Line("1.4.1", "Dana", 1.0)]})
    said = await diagnosed(clusters, ledger=ledger)
    assert said.title == "checkout in production is healthy"
    assert said.lines[0] == "1.4.1, 3 pods ready: Kubernetes knows of nothing that is wrong."
    assert "deployed by Dana" in told(said, "• Deployment checkout")
    assert [one.label for one in said.buttons] == ["Logs", "Look again"]
    assert (said.private, said.code) == (True, "")


async def test_a_workload_that_is_not_there_is_said_with_what_to_check(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.store.delete(("apps", "deployments"), "shop", "checkout")
    said = await diagnosed(clusters)
    assert said.title == "checkout in production is not there"
    assert "platform.yml" in said.lines[1]


async def test_scaled_to_nothing_is_no_mystery(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"replicas": 0}})
    said = await until(clusters, lambda text: "is scaled to 0" in text)
    assert "no pods are wanted" in said.lines[0]


async def test_an_image_that_is_not_there_names_it_and_the_version_to_go_back_to(
    clusters: KubernetesClusters,
) -> None:
    await edited(clusters, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}})
    await deployed(clusters, "1.5.0-missing")
    said = await says(clusters, "no such image or version")
    assert said.title == "checkout in production is not healthy"
    assert told(said, "*Likely") == (
        f"*Likely cause:* The image {IMAGE}:1.5.0-missing can't be pulled: the registry has no such image or version."
    )
    assert told(said, "*What to do").endswith("Or roll back to 1.4.1, which still runs.")
    assert "3 pods of 1.4.1 still serve, of 3 wanted." in said.lines
    assert said.buttons[0].line == "rollback checkout production"
    assert told(said, "• Pod ").endswith(("practice-1", "practice-2", "practice-3"))


@pytest.mark.parametrize(
    ("told_by_kubelet", "why"),
    [
        ("failed to authorize: 401 Unauthorized", "does not let the cluster read it"),
        ("pull access denied, repository may require authorization", "does not let the cluster read it"),
        ("toomanyrequests: You have reached your pull rate limit", "asks the cluster to slow down"),
        ("dial tcp: lookup registry.acme.test: no such host", "can't be reached"),
        ("something new", "can't be pulled."),
    ],
)
async def test_the_registrys_no_is_told_apart(clusters: KubernetesClusters, told_by_kubelet: str, why: str) -> None:
    await deployed(clusters, "1.5.0-missing")
    reader = clusters.reader(PRODUCTION)
    facts = await walk(reader, ACME.services["checkout"], await live(reader))
    event = {"type": "Warning", "reason": "Failed", "message": f'Failed to pull image "{IMAGE}:404": {told_by_kubelet}'}
    assert why in causes.causes(replace(facts, events=(event,)))[0].what


async def test_a_crash_is_told_with_its_last_words(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-crash")
    said = await says(clusters, "ends again and again", "exit code 1", "KeyError: 'PAYMENT_URL'")
    assert "KeyError" in said.code
    assert "CrashLoopBackOff" in told(said, "• Pod ")


async def test_what_was_killed_for_its_memory_names_the_limit(clusters: KubernetesClusters) -> None:
    await edited(clusters, container(image=f"{IMAGE}:1.5.0-oom", resources={"limits": {"memory": "256Mi"}}))
    await says(clusters, "more memory than its limit of 256Mi", "OOMKilled")


@pytest.mark.parametrize(
    ("source", "cause", "todo"),
    [
        ({"configMapKeyRef": {"name": "prices", "key": "vat"}}, "the ConfigMap prices is not in shop", "Create the"),
        ({"secretKeyRef": {"name": "psp", "key": "token"}}, "the Secret psp is not in shop", "Create the Secret psp"),
        ({"secretKeyRef": {"name": "known", "key": "token"}}, "the Secret known has no key token", "secret set"),
        ({"configMapKeyRef": {"name": "known", "key": "vat"}}, "the ConfigMap known has no key vat", "config set"),
    ],
)
async def test_settings_that_are_missing_are_named(
    cluster: PracticeCluster, clusters: KubernetesClusters, source: dict[str, Any], cause: str, todo: str
) -> None:
    known = {"apiVersion": "v1", "metadata": {"name": "known", "namespace": "shop"}}
    cluster.load([{"kind": "ConfigMap", **known}, {"kind": "Secret", **known}])
    await edited(clusters, container(env=[{"name": "NEW", "valueFrom": source}]))
    said = await says(clusters, cause)
    assert todo in told(said, "*What to do")


async def test_a_volume_that_cannot_be_mounted_names_what_is_missing(clusters: KubernetesClusters) -> None:
    mounts = [{"name": "keys", "mountPath": "/keys"}]
    volumes = [{"name": "keys", "secret": {"secretName": "absent"}}]
    await template(clusters, volumes=volumes, containers=[{"name": "app", "volumeMounts": mounts}])
    await says(clusters, "can't be mounted: the Secret absent is not in shop")


async def test_a_full_quota_is_told_with_its_numbers(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    cluster.load([QUOTA])
    await edited(clusters, {"spec": {"replicas": 5}})
    said = await says(clusters, "The quota small of shop is used up", "pods=1", "pods=3")
    assert "larger quota" in told(said, "*What to do")
    assert told(said, "• Quota") == "• Quota small: pods 3 of 3 (full)"
    assert "3 pods of 1.4.1 still serve, of 5 wanted." in said.lines


async def test_pods_without_a_node_say_what_is_short(clusters: KubernetesClusters) -> None:
    await edited(clusters, container(resources={"requests": {"cpu": "9"}}))
    said = await says(clusters, "No node has room", "not enough CPU", "3 Insufficient cpu")
    assert told(said, "• Nodes") == "• Nodes: 3 of 3 are ready and take pods"


CLAIM = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"},
    "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}},
    },
}  # fmt: skip
VOLUME = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}


async def test_a_volume_claim_that_is_not_there_is_named(clusters: KubernetesClusters) -> None:
    await template(clusters, volumes=[VOLUME])
    said = await says(clusters, "needs the PersistentVolumeClaim data, which is not in shop")
    assert "Create it, or take the volume out" in told(said, "*What to do")
    assert told(said, "• Volume claim") == "• Volume claim data: not there"
    assert not told(said, "*Also"), "that no node takes the pod follows from it"


async def test_a_volume_claim_that_waits_says_for_what(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    waits = {**CLAIM, "status": {"phase": "Pending"}}
    why = 'storageclass.storage.k8s.io "fast" not found'
    about = {"kind": "PersistentVolumeClaim", "name": "data", "namespace": "shop"}
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "data.1", "namespace": "shop"}, "type": "Warning",
        "involvedObject": about, "reason": "ProvisioningFailed", "message": why,
    }  # fmt: skip
    cluster.load([waits, event])
    await template(clusters, volumes=[VOLUME])
    said = await says(clusters, "The PersistentVolumeClaim data of checkout-", f"is Pending: {why}.")
    assert "roll back to 1.4.1" in told(said, "*What to do") or "The platform team" in told(said, "*What to do")


def autoscaler(**condition: str) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "checkout-load", "namespace": "shop"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3},
        "status": {"currentReplicas": 3, "desiredReplicas": 3, "conditions": [condition]},
    }  # fmt: skip


async def test_an_autoscaler_at_its_end_is_mentioned_though_all_is_healthy(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.load([autoscaler(type="ScalingLimited", status="True", reason="TooManyReplicas", message="the desired…")])
    said = await diagnosed(clusters)
    assert said.title.endswith("is healthy")
    assert told(said, "⚠") == "⚠ The autoscaler checkout-load is at its maximum of 3 and would start more."
    assert told(said, "• Autoscaler") == "• Autoscaler checkout-load: 3 replicas, between 2 and 3"


async def test_an_autoscaler_without_metrics_comes_after_what_is_broken(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    why = "the HPA was unable to compute the replica count: no metrics returned from resource metrics API"
    cluster.load([autoscaler(type="ScalingActive", status="False", reason="FailedGetResourceMetric", message=why)])
    await deployed(clusters, "1.5.0-crash")
    said = await says(clusters, "ends again and again")
    assert told(said, "*Also:*") == f"*Also:* The autoscaler checkout-load does nothing: {why}."


async def test_a_cordoned_cluster_is_seen(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    for node in cluster.store.objects(("", "nodes")):
        cluster.store.put(("", "nodes"), {**node, "spec": {**node["spec"], "unschedulable": True}})
    await edited(clusters, {"spec": {"replicas": 4}})
    said = await says(clusters, "No node takes checkout-", "3 node(s) were unschedulable")
    assert told(said, "• Nodes") == "• Nodes: 0 of 3 are ready and take pods"


async def test_a_node_that_is_gone_comes_before_what_follows_from_it(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-crash")
    await says(clusters, "ends again")
    reader = clusters.reader(PRODUCTION)
    facts = await walk(reader, ACME.services["checkout"], await live(reader))
    lost = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    nodes = tuple({**node, "status": {"conditions": [lost]}} for node in facts.nodes)
    first = causes.causes(replace(facts, nodes=nodes))[0]
    assert first.what.endswith("is not ready: Kubelet stopped posting node status.")


async def test_a_probe_that_fails_is_told_apart_from_a_crash(clusters: KubernetesClusters) -> None:
    await edited(clusters, container(image=f"{IMAGE}:1.5.0-unready"))
    said = await says(clusters, "but can't serve", "readiness probe fails", "statuscode: 503")
    assert "waiting for the database" in said.code or "listening" in said.code


async def test_a_liveness_probe_that_fails_is_the_cause_of_the_restarts(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-crash")
    reader = clusters.reader(PRODUCTION)
    facts = await walk(reader, ACME.services["checkout"], await live(reader))
    event = {"type": "Warning", "reason": "Unhealthy", "message": "Liveness probe failed: connection refused"}
    said = causes.causes(replace(facts, events=(event, *facts.events)))[0].what
    assert said.endswith("is restarted because its liveness probe fails: connection refused.")


async def test_what_is_coming_up_is_not_called_broken(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    cluster.pace.set(5)
    await edited(clusters, container(image=f"{IMAGE}:1.4.2"))
    said = await until(clusters, lambda text: "is coming up" in text)
    assert "wait a minute" in said.lines[0]


async def test_nothing_that_serves_is_called_down(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}}, by="ops")
    await edited(clusters, container(image=f"{IMAGE}:1.5.0-missing"))
    said = await until(clusters, lambda text: "is down" in text and "no such image" in text)
    assert "No pod serves: people see errors." in said.lines


async def test_secrets_in_logs_and_events_are_masked(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-crash")
    pods = [pod for pod in cluster.store.objects(("", "pods"), "shop") if "1.5.0" in str(pod["spec"])]
    for pod in pods:
        run = cluster.book.current(pod["metadata"]["uid"], "app")
        if run is not None:
            run.write(["ERROR cannot log in with password=hunter2-and-more"])
    said = await until(clusters, lambda text: "password=" in text)
    assert "hunter2" not in f"{said}"


async def test_what_may_not_be_looked_at_is_said_and_the_rest_still_told(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    """The role of the docs lets nobody list nodes or quotas."""
    await deployed(clusters, "1.5.0-crash")
    cluster.fault(403, resource="nodes", times=None)
    cluster.fault(403, resource="resourcequotas", times=None)
    said = await says(clusters, "ends again and again")
    assert told(said, "• Nodes can't be looked at: the cluster production forbids this")
    assert told(said, "• Quotas can't be looked at")


async def test_who_may_not_even_see_the_deployment_is_refused(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.fault(403, resource="deployments", times=None)
    with pytest.raises(Forbidden):
        await diagnosed(clusters)


async def test_a_recent_restart_of_a_healthy_service_is_mentioned(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    pod = next(iter(cluster.store.objects(("", "pods"), "shop")))
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": stamp()}}
    states = [{**pod["status"]["containerStatuses"][0], "restartCount": 4, "lastState": last}]
    cluster.store.put(("", "pods"), {**pod, "status": {**pod["status"], "containerStatuses": states}})
    said = await diagnosed(clusters)
    assert said.title.endswith("is healthy")
    assert told(said, "⚠").endswith("was restarted 4 times, lately because of OOMKilled.")
