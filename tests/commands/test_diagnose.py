"""Why a service is not healthy: each way to fail on the practice cluster, and what is said about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.adapters.kubernetes.handle import Reader
from chatops.kernel.action import Answer
from chatops.kernel.errors import Forbidden, Unavailable
from chatops.sandbox.cluster import PracticeCluster
from chatops.sandbox.cluster.values import stamp
from commands import causes, diagnose
from commands.walk import Serving, walk
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


def looked_at(said: Answer) -> set[str]:
    """The kinds of things that a diagnosis tells of, without those that can't be looked at."""
    lines = [line for line in said.context.splitlines()[1:] if "can't be looked at" not in line]
    return {line.split()[1].rstrip(":") for line in lines}


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
    assert "3 old pods of 1.4.1 still serve, of 3 wanted." in said.lines
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

    def leaked(text: str) -> bool:
        """Each run of the container says it: one that has ended is soon forgotten."""
        for pod in pods:
            run = cluster.book.current(pod["metadata"]["uid"], "app")
            if run is not None:
                run.write(["ERROR cannot log in with password=hunter2-and-more"])
        return "password=" in text

    said = await until(clusters, leaked)
    assert "hunter2" not in f"{said}"


async def test_what_may_not_be_looked_at_is_said_and_the_rest_still_told(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    """The role of the docs lets nobody list nodes or quotas."""
    await deployed(clusters, "1.5.0-crash")
    cluster.fault(403, resource="nodes", times=None)
    cluster.fault(403, resource="resourcequotas", times=None)
    said = await says(clusters, "ends again and again")
    assert told(said, "• Nodes can't be looked at: the cluster forbids this")
    assert told(said, "• Quotas can't be looked at")


async def test_who_may_not_even_see_the_deployment_is_refused(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.fault(403, resource="deployments", times=None)
    with pytest.raises(Forbidden):
        await diagnosed(clusters)


# a cluster that fails in the middle -----------------------------------------------------------------------------------

TROUBLES = {
    "hang": "the cluster does not answer",
    500: "the cluster has trouble (500): etcd is away",
    "drop-midway": "the cluster broke off in the middle of its answer",
}


@pytest.mark.parametrize("resource", ["deployments", "pods"])
@pytest.mark.parametrize("trouble", ["hang", 500])
async def test_a_cluster_that_does_not_tell_of_the_workload_is_said_in_a_sentence(
    cluster: PracticeCluster, clusters: KubernetesClusters, resource: str, trouble: int | str
) -> None:
    cluster.fault(trouble, resource=resource, times=None, message="etcd is away")
    with pytest.raises(Unavailable) as no:
        async with asyncio.timeout(60):
            await diagnosed(clusters)
    assert no.value.message == TROUBLES[trouble]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    ("question", "what", "kind"),
    [
        ({"resource": "events"}, "Events", "Event"), ({"resource": "resourcequotas"}, "Quotas", "Quota"),
        ({"resource": "nodes"}, "Nodes", "Nodes"), ({"subresource": "log"}, "The log", ""),
        ({"resource": "horizontalpodautoscalers"}, "Autoscalers", "Autoscaler"),
        ({"resource": "persistentvolumeclaims"}, "Volume claim data", "Volume"),
    ],
)  # fmt: skip
async def test_one_question_that_fails_hides_nothing_else(
    cluster: PracticeCluster, clusters: KubernetesClusters,
    question: dict[str, str], what: str, kind: str, trouble: int | str,
) -> None:  # fmt: skip
    cluster.load([QUOTA, {**CLAIM, "status": {"phase": "Bound"}}, autoscaler(type="AbleToScale", status="True")])
    await edited(clusters, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}}, by="ops")
    await template(clusters, volumes=[VOLUME], containers=[{"name": "app", "image": f"{IMAGE}:1.5.0-crash"}])
    whole = await says(clusters, "ends again and again")
    assert looked_at(whole) >= {"Deployment", "ReplicaSet", "Pod", "Quota", "Nodes", "Autoscaler", "Volume"}
    cluster.fault(trouble, times=None, message="etcd is away", **question)
    said = await says(clusters, "ends again and again")
    missing = next(line for line in said.context.splitlines() if "can't be looked at" in line)
    assert missing.startswith(f"• {what}")
    assert missing.endswith(f" can't be looked at: {TROUBLES[trouble]}")
    assert said.context.count("can't be looked at") == 1
    assert said.title == whole.title
    assert looked_at(whole) - looked_at(said) <= {kind}
    assert bool(said.code) == (question != {"subresource": "log"})


async def test_one_pods_log_that_fails_hides_no_other_pods_last_words(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    await edited(clusters, {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}}, by="ops")
    await edited(clusters, container(image=f"{IMAGE}:1.5.0-crash"))
    await until(clusters, lambda text: "is down" in text and "3 pods ends" in text)
    reader = clusters.reader(PRODUCTION)
    first = (await walk(reader, ACME.services["checkout"], await live(reader))).unready[0]["metadata"]["name"]
    cluster.fault("hang", subresource="log", name=first, times=None)
    said = await says(clusters, "wrote “KeyError: 'PAYMENT_URL'”")
    assert told(said, "• The log of ") == f"• The log of {first} can't be looked at: {TROUBLES['hang']}"


async def test_events_of_one_object_that_fail_hide_no_others_events(
    clusters: KubernetesClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deployed(clusters, "1.5.0-missing")
    await says(clusters, "no such image or version")
    asked = Reader.events

    async def events(self: Reader, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        if kind == "ReplicaSet":
            raise Unavailable("the cluster does not answer")
        return await asked(self, namespace, kind, name)

    monkeypatch.setattr(Reader, "events", events)
    said = await says(clusters, "no such image or version")
    assert "Failed to pull image" in told(said, "• Event ")
    assert told(said, "• Events of ReplicaSet/checkout-").endswith(f"can't be looked at: {TROUBLES['hang']}")


async def test_events_of_a_volume_claim_that_fail_do_not_hide_the_claim(
    cluster: PracticeCluster, clusters: KubernetesClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.load([{**CLAIM, "status": {"phase": "Pending"}}])
    await template(clusters, volumes=[VOLUME])
    asked = Reader.events

    async def events(self: Reader, namespace: str, kind: str, name: str) -> list[dict[str, Any]]:
        if kind == "PersistentVolumeClaim":
            raise Unavailable("the cluster does not answer")
        return await asked(self, namespace, kind, name)

    monkeypatch.setattr(Reader, "events", events)
    said = await says(clusters, "The PersistentVolumeClaim data of checkout-", "is Pending")
    assert told(said, "• Volume claim data") == "• Volume claim data: Pending"
    assert told(said, "• Events of PersistentVolumeClaim/data can't be looked at: ")


# old pods and new ones ------------------------------------------------------------------------------------------------


async def test_pods_that_are_not_ready_and_pods_that_serve_are_told_apart_as_new_and_old(
    clusters: KubernetesClusters,
) -> None:
    await edited(clusters, {"spec": {"replicas": 2, "strategy": {"rollingUpdate": {"maxUnavailable": 0}}}})
    await until(clusters, lambda text: "2 pods ready" in text)
    await deployed(clusters, "1.5.0-missing")
    said = await says(clusters, "no such image or version")
    assert told(said, "• Deployment ").startswith("• Deployment checkout: 1.5.0-missing (since today ")
    assert told(said, "• Deployment ").endswith("), 0 of 2 new pods ready; the 2 old ones still serve")
    assert "2 old pods of 1.4.1 still serve, of 2 wanted." in said.lines


async def test_a_single_old_pod_that_serves_is_one_pod(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"replicas": 1, "strategy": {"rollingUpdate": {"maxUnavailable": 0}}}})
    await until(clusters, lambda text: "1 pod ready" in text)
    await deployed(clusters, "1.5.0-missing")
    said = await says(clusters, "no such image or version")
    assert told(said, "• Deployment ").endswith("), 0 of 1 new pod ready; the old one still serves")
    assert "1 old pod of 1.4.1 still serves, of 1 wanted." in said.lines


@pytest.mark.parametrize("version", ["1.4.1", "1.5.0"])
async def test_new_pods_that_serve_beside_old_ones_are_counted_apart(
    clusters: KubernetesClusters, version: str
) -> None:
    """Also after a restart, where both are of one version."""
    await deployed(clusters, "1.5.0-missing")
    reader = clusters.reader(PRODUCTION)
    facts = await walk(reader, ACME.services["checkout"], await live(reader))
    serving = (Serving(version, 1, new=True), Serving("1.4.1", 2, new=False))
    stands = replace(facts.rollout, ready=1, progress="1 of 3 new pods ready")
    facts = replace(facts, serving=serving, rollout=stands)
    assert facts.progress == "1 of 3 new pods ready; the 2 old ones still serve"
    said = list(diagnose._verdict(facts, causes.causes(facts), datetime.now(UTC)))
    assert f"1 new pod of {version} and 2 old pods of 1.4.1 serve, of 3 wanted." in said


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
