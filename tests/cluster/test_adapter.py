"""The Kubernetes adapter against the practice cluster: what it sends, what it survives, how it says no."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.kubernetes import KubernetesClusters, Patience
from chatops.adapters.kubernetes.handle import Reader, Writer
from chatops.adapters.metrics import Metrics
from chatops.kernel.errors import ClusterError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from chatops.kernel.plan import ObjectRef, Write
from chatops.kernel.rollout import newest_replicaset
from chatops.sandbox.cluster import PracticeCluster, User
from chatops.sandbox.cluster.logbook import Run
from tests.cluster.checkout import CHECKOUT, image, image_of, live
from tests.support.acme_cluster import PRODUCTION, STAGING, deployment, hurried

Calls = list[tuple[str, str]]


def test_the_clients_other_half_is_loaded_when_somebody_asks_for_it_and_not_before() -> None:
    code = """
import inspect, sys, chatops.adapters.kubernetes
inspect.getmodule(print)  # goes through all modules that there are
print(bool({"requests", "websocket", "kubernetes.client.rest"} & set(sys.modules)))
from kubernetes.client.rest import ApiException
from kubernetes import client, watch
import kubernetes
print(client.ApiException is kubernetes.client.exceptions.ApiException is ApiException, callable(watch.Watch))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "True", "True"]


# reading --------------------------------------------------------------------------------------------------------------


async def test_what_is_not_there_is_none(reader: Reader) -> None:
    assert await reader.get(deployment("nothing")) is None


async def test_found_objects_know_their_kind(reader: Reader) -> None:
    found = await reader.find("v1", "Pod", "shop", "app=checkout")
    assert [one["kind"] for one in found] == ["Pod"] * 3
    assert await reader.find("v1", "Pod", "shop", "app=nothing") == []


async def test_lists_are_read_to_their_last_page(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatops.adapters.kubernetes.handle.PAGE", 2)
    assert len(await reader.find("v1", "Pod", "shop")) == 3


async def test_events_come_oldest_first_and_about_one_object(reader: Reader) -> None:
    events = await reader.events("shop", "Deployment", "checkout")
    assert {one["involvedObject"]["name"] for one in events} == {"checkout"}
    assert events[0]["reason"] == "ScalingReplicaSet"


def a_silent_pod(cluster: PracticeCluster) -> tuple[str, Run]:
    """One of checkout's, which writes no more by itself, and what it has written: the others write all the time."""
    pod = cluster.store.objects(("", "pods"), "shop")[0]["metadata"]
    run = cluster.book.current(pod["uid"], "app")
    assert run is not None
    run.chatty = False
    return pod["name"], run


async def test_logs_have_the_lines_asked_for(cluster: PracticeCluster, reader: Reader) -> None:
    pod, _ = a_silent_pod(cluster)
    assert "listening" in await reader.logs("shop", pod, "app", lines=3)
    assert len((await reader.logs("shop", pod, lines=1)).splitlines()) == 1


async def test_a_container_that_never_ran_has_no_log(reader: Reader) -> None:
    assert await reader.logs("shop", "nobody") == ""
    pod = (await reader.find("v1", "Pod", "shop", "app=checkout"))[0]["metadata"]["name"]
    assert await reader.logs("shop", pod, previous=True) == ""


async def test_kinds_we_never_heard_of_are_looked_up_once(
    cluster: PracticeCluster, reader: Reader, calls: Calls
) -> None:
    config = ObjectRef(api_version="v1", kind="ConfigMap", namespace="shop", name="settings")
    cluster.load([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"}}])
    assert await reader.get(config) is not None
    assert await reader.get(config) is not None
    assert calls.count(("before get", "/api/v1")) == 1


@pytest.mark.parametrize("api_version", ["v1", "nothing.acme.test/v1"])
async def test_a_kind_that_the_cluster_lacks_is_named(reader: Reader, api_version: str) -> None:
    with pytest.raises(NotFound, match="no Spaceship"):
        await reader.find(api_version, "Spaceship", "shop")


# writing --------------------------------------------------------------------------------------------------------------


async def test_a_dry_run_shows_and_changes_nothing(reader: Reader) -> None:
    before = await live(reader)
    would = await reader.dry_run(image("1.4.2"))
    assert image_of(would) == "1.4.2"
    assert (await live(reader))["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_an_apply_owns_what_it_names_and_leaves_the_rest(writer: Writer) -> None:
    written = await writer.write(image("1.4.2"))
    ours = next(one for one in written["metadata"]["managedFields"] if one["manager"] == "chatops-deploy")
    assert (ours["operation"], image_of(written)) == ("Apply", "1.4.2")
    env = written["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "CURRENCY", "value": "EUR"} in env


async def test_a_write_on_what_somebody_changed_in_between_is_a_conflict(writer: Writer) -> None:
    version = (await live(writer))["metadata"]["resourceVersion"]
    await writer.write(image("1.4.9", manager="kubectl-set"))
    with pytest.raises(Conflict):
        await writer.write(image("1.4.2", version))
    assert image_of(await live(writer)) == "1.4.9"


async def test_an_unknown_field_is_invalid_in_the_clusters_words(reader: Reader) -> None:
    wrong = Write(ref=CHECKOUT, manager="chatops-deploy", body={"spec": {"replicsa": 3}})
    with pytest.raises(Invalid, match="replicsa"):
        await reader.dry_run(wrong)


async def test_an_invalid_value_tells_the_field(reader: Reader) -> None:
    wrong = Write(ref=CHECKOUT, manager="chatops-scale", body={"spec": {"replicas": -1}})
    with pytest.raises(Invalid) as refused:
        await reader.dry_run(wrong)
    assert refused.value.status == 422
    assert any("spec.replicas" in cause for cause in refused.value.causes)


async def kept_template(writer: Writer) -> str:
    found = await writer.find("apps/v1", "ReplicaSet", "shop", "app=checkout")
    newest = newest_replicaset(await live(writer), found)
    assert newest is not None
    return str(newest["metadata"]["name"])


async def test_restoring_puts_the_whole_template_back(writer: Writer) -> None:
    before = await live(writer)
    kept = await kept_template(writer)
    body = {
        "spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "LOG_LEVEL", "value": "x"}]}]}}}
    }
    await writer.write(Write(ref=CHECKOUT, manager="kubectl-edit", body=body))
    await writer.write(image("1.4.2"))
    restore = Write(ref=CHECKOUT, manager="chatops-rollback", restore=kept)
    assert (await writer.dry_run(restore))["spec"]["template"] == before["spec"]["template"]
    assert (await writer.write(restore))["spec"]["template"] == before["spec"]["template"]


async def test_restoring_carries_its_precondition(writer: Writer) -> None:
    kept = await kept_template(writer)
    version = (await live(writer))["metadata"]["resourceVersion"]
    await writer.write(image("1.4.2"))
    with pytest.raises(Conflict):
        await writer.write(Write(ref=CHECKOUT, manager="chatops-rollback", restore=kept, resource_version=version))


async def test_restoring_what_nobody_kept_says_so(writer: Writer) -> None:
    with pytest.raises(NotFound, match="ReplicaSet/checkout-gone"):
        await writer.write(Write(ref=CHECKOUT, manager="chatops-rollback", restore="checkout-gone"))


async def test_a_write_whose_answer_was_lost_happens_once(
    cluster: PracticeCluster, writer: Writer, calls: Calls
) -> None:
    version = (await live(writer))["metadata"]["resourceVersion"]
    cluster.fault("drop-after", verb="patch", resource="deployments", dry_run=False)
    written = await writer.write(image("1.4.2", version))
    assert (image_of(written), written["metadata"]["generation"]) == ("1.4.2", 2)
    assert calls.count(("before apply", "Deployment/checkout")) == 2


async def test_a_restore_whose_answer_was_lost_happens_once(cluster: PracticeCluster, writer: Writer) -> None:
    kept = await kept_template(writer)
    version = (await writer.write(image("1.4.2")))["metadata"]["resourceVersion"]
    cluster.fault("drop-after", verb="patch", resource="deployments", dry_run=False)
    restore = Write(ref=CHECKOUT, manager="chatops-rollback", restore=kept, resource_version=version)
    with contextlib.suppress(Conflict):  # the controller's status may have come in between; then nothing was written
        restored = await writer.write(restore)
        assert (image_of(restored), restored["metadata"]["generation"]) == ("1.4.1", 3)


async def test_the_hook_hears_of_a_write_before_it_leaves_and_after_its_answer(writer: Writer, calls: Calls) -> None:
    calls.clear()
    await writer.write(image("1.4.2"))
    assert calls == [("before apply", "Deployment/checkout"), ("after apply", "Deployment/checkout")]


# failing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (401, Forbidden, "does not accept our credentials"),
        (403, Forbidden, "forbids this: practice words"),
        (404, NotFound, "does not have it"),
        (405, ClusterError, "answered 405"),
        (409, Conflict, "somebody else changed it"),
        (422, Invalid, "practice words"),
        (429, Unavailable, "asks us to slow down"),
        (500, Unavailable, "has trouble"),
        (503, Unavailable, "has trouble"),
        ("drop", Unavailable, "the cluster does not answer"),
    ],
)
@pytest.mark.parametrize("call", ["find", "dry_run", "write"])
async def test_every_failure_is_said_in_a_sentence(
    cluster: PracticeCluster, writer: Writer, call: str, answer: int | str, kind: type[Exception], words: str
) -> None:
    ask = {
        "find": lambda: writer.find("apps/v1", "Deployment", "shop"),
        "dry_run": lambda: writer.dry_run(image("1.4.2")),
        "write": lambda: writer.write(image("1.4.2")),
    }[call]
    cluster.fault(answer, resource="deployments", times=None, message="practice words", retry_after=0)
    with pytest.raises(kind, match=words) as said:
        await ask()
    assert type(said.value) is kind
    assert "practice-admin" not in f"{said.value}{getattr(said.value, 'causes', '')}"


@pytest.mark.parametrize("call", ["find", "dry_run", "write"])
async def test_a_cluster_that_hangs_is_given_up_after_one_try(
    cluster: PracticeCluster, writer: Writer, call: str
) -> None:
    ask = {
        "find": lambda: writer.find("apps/v1", "Deployment", "shop"),
        "dry_run": lambda: writer.dry_run(image("1.4.2")),
        "write": lambda: writer.write(image("1.4.2")),
    }[call]
    hanging = cluster.fault("hang", resource="deployments", times=None)
    with pytest.raises(Unavailable, match="the cluster does not answer"):
        await ask()
    assert hanging.hits == 1


@pytest.mark.parametrize("answer", [429, 500, 502, 503, 504, "drop"])
async def test_trouble_that_passes_is_never_noticed(
    cluster: PracticeCluster, writer: Writer, calls: Calls, answer: int | str
) -> None:
    cluster.fault(answer, verb="patch", times=3, retry_after=0)
    assert image_of(await writer.write(image("1.4.2"))) == "1.4.2"
    assert calls.count(("before apply", "Deployment/checkout")) == 4


@pytest.mark.parametrize("answer", [400, 403, 404, 409, 422])
async def test_what_trying_again_will_not_cure_is_asked_once(
    cluster: PracticeCluster, reader: Reader, calls: Calls, answer: int | str
) -> None:
    cluster.fault(answer, verb="patch", times=None)
    with pytest.raises((ClusterError, Unavailable)):
        await reader.dry_run(image("1.4.2"))
    assert calls.count(("before dry_run", "Deployment/checkout")) == 1


async def test_retry_after_is_honoured(cluster: PracticeCluster) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with KubernetesClusters(cluster.kubeconfig(), sleep=sleep) as clusters:
        cluster.fault(429, verb="get", times=1, retry_after=7)
        assert await clusters.reader(PRODUCTION).get(CHECKOUT) is not None
    assert len(waits) == 1
    assert 7 <= waits[0] <= 10.5


async def test_a_long_retry_after_is_passed_on(cluster: PracticeCluster, reader: Reader) -> None:
    cluster.fault(429, verb="get", retry_after=120)
    with pytest.raises(Unavailable) as busy:
        await reader.get(CHECKOUT)
    assert busy.value.retry_after == 120


async def test_a_cluster_that_is_not_there_is_named() -> None:
    nowhere = {
        "current-context": "east", "users": [],
        "clusters": [{"name": "east", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "east", "context": {"cluster": "east"}}],
    }  # fmt: skip
    async with KubernetesClusters(nowhere, sleep=hurried) as clusters:
        east = PRODUCTION.model_copy(update={"cluster": "east"})
        with pytest.raises(Unavailable, match="the cluster east does not answer"):
            await clusters.reader(east).get(CHECKOUT)


async def test_a_context_that_is_not_in_the_kubeconfig_is_named(cluster: PracticeCluster) -> None:
    async with KubernetesClusters(cluster.kubeconfig(), sleep=hurried) as clusters:
        west = PRODUCTION.model_copy(update={"cluster": "west"})
        with pytest.raises(Unavailable, match="west"):
            await clusters.reader(west).get(CHECKOUT)


async def test_a_kubeconfig_that_is_not_there_is_said(tmp_path: Any) -> None:
    async with KubernetesClusters(tmp_path / "nothing", sleep=hurried) as clusters:
        with pytest.raises(Unavailable, match="kubeconfig file does not exist"):
            await clusters.reader(PRODUCTION).get(CHECKOUT)


async def test_a_password_for_the_clusters_host_in_netrc_is_none_of_ours(
    cluster: PracticeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login dana password none\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with KubernetesClusters(cluster.kubeconfig(), sleep=hurried) as clusters:
        assert await clusters.reader(PRODUCTION).get(deployment("checkout"))


async def test_the_environments_proxy_is_used_unless_it_excepts_the_cluster(
    cluster: PracticeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = cluster.kubeconfig()
    kubeconfig["clusters"][0]["cluster"]["server"] = "http://cluster.acme.test"  # which only a proxy can find
    monkeypatch.setenv("http_proxy", cluster.url)
    async with KubernetesClusters(kubeconfig, sleep=hurried) as clusters:
        assert await clusters.reader(PRODUCTION).get(deployment("checkout"))
    monkeypatch.setenv("no_proxy", "cluster.acme.test")
    async with KubernetesClusters(kubeconfig, sleep=hurried, patience=Patience(total=5)) as clusters:
        with pytest.raises(Unavailable):
            await clusters.reader(PRODUCTION).get(deployment("checkout"))


async def test_a_kubeconfig_file_is_read(cluster: PracticeCluster, tmp_path: Any) -> None:
    path = cluster.write_kubeconfig(tmp_path / "config")
    async with KubernetesClusters(path, sleep=hurried) as clusters:
        assert await clusters.reader(PRODUCTION).get(CHECKOUT) is not None


async def test_what_a_user_may_not_do_is_told_in_the_clusters_words() -> None:
    tokens = {"weak-token": User("viewer", ())}
    async with (
        PracticeCluster(pace=0, tokens=tokens) as practice,
        KubernetesClusters(practice.kubeconfig(), sleep=hurried) as clusters,
    ):
        with pytest.raises(Forbidden, match='"viewer" cannot') as no:
            await clusters.reader(PRODUCTION).get(CHECKOUT)
    assert "weak-token" not in f"{no.value}"


async def test_an_expired_token_is_renewed_once(cluster: PracticeCluster, tmp_path: Any) -> None:
    path = cluster.write_kubeconfig(tmp_path / "config", token="expired")
    async with KubernetesClusters(path, sleep=hurried) as clusters:
        reader = clusters.reader(PRODUCTION)
        with pytest.raises(Forbidden):
            await reader.get(CHECKOUT)
        cluster.write_kubeconfig(path)
        assert await reader.get(CHECKOUT) is not None


async def test_something_that_is_no_kubernetes_is_told_apart(unused_tcp_port: int) -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", unused_tcp_port)
    kubeconfig = {
        "current-context": "x", "users": [],
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{unused_tcp_port}"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x"}}],
    }  # fmt: skip
    async with server, KubernetesClusters(kubeconfig, sleep=hurried) as clusters:
        with pytest.raises(Unavailable, match="not a Kubernetes API"):
            await clusters.reader(PRODUCTION).get(CHECKOUT)


async def test_every_exchange_is_counted_by_cluster_verb_and_result(cluster: PracticeCluster, given_up: None) -> None:
    metrics = Metrics()
    async with KubernetesClusters(cluster.kubeconfig(), sleep=hurried, on_answer=metrics.cluster_answered) as adapter:
        reader = adapter.reader(PRODUCTION)
        await reader.get(CHECKOUT)
        await reader.get(deployment("nothing"))
        cluster.fault(503, verb="list", times=1)
        await reader.find("v1", "Pod", "shop")
        async with contextlib.aclosing(reader.watch(CHECKOUT, timeout=0.2)) as seen:
            await anext(seen)
            await anext(seen, None)
        cluster.fault("hang", verb="patch", times=None)
        with pytest.raises(Unavailable):
            await reader.dry_run(image("1.4.2"))
    counted = {
        (call["call"], call["result"]): sample.value
        for one in metrics.registry.collect()
        for sample in one.samples
        if sample.name == "chatops_call_seconds_count" and (call := sample.labels)["system"] == "kubernetes"
    }
    assert counted["get", "ok"] == 1
    assert counted["get", "404"] == 1
    assert (counted["list", "503"], counted["list", "ok"]) == (1, 2)
    assert counted["watch", "ok"] == 1
    assert counted["dry_run", "away"] == 1


async def test_a_cluster_that_hangs_delays_no_other(cluster: PracticeCluster) -> None:
    async with PracticeCluster(pace=0) as other:
        both = cluster.kubeconfig(name="slow")
        quick = other.kubeconfig(name="quick")
        both = {**both, **{part: both[part] + quick[part] for part in ("clusters", "users", "contexts")}}
        cluster.fault("hang", times=None)
        patience = Patience(total=60, at_once=1)
        async with KubernetesClusters(both, patience=patience, sleep=hurried) as clusters:
            slow = clusters.reader(PRODUCTION.model_copy(update={"cluster": "slow"}))
            stuck = [asyncio.create_task(slow.get(CHECKOUT)) for _ in range(3)]
            async with asyncio.timeout(5):
                assert await clusters.reader(STAGING.model_copy(update={"cluster": "quick"})).get(CHECKOUT) is None
            assert not any(task.done() for task in stuck)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)


async def test_a_long_log_ends_with_its_newest_line(cluster: PracticeCluster, reader: Reader) -> None:
    """The API's own limit of bytes keeps the oldest."""
    pod, run = a_silent_pod(cluster)
    run.write([f"{number} {'x' * 500}" for number in range(3000)])
    found = (await reader.logs("shop", pod, lines=3000)).splitlines()
    assert found[-1].startswith("2999 ")
    assert len(found) > 100


async def test_logs_may_be_stamped_and_begin_at_a_time(cluster: PracticeCluster, reader: Reader) -> None:
    pod, run = a_silent_pod(cluster)
    run.lines.insert(0, (run.lines[0][0] - timedelta(hours=1), "an hour ago"))
    run.write(["now"])
    assert "an hour ago" in await reader.logs("shop", pod, stamped=True)
    lines = (await reader.logs("shop", pod, since=600, stamped=True)).splitlines()
    assert all(line[:4].isdigit() and "an hour ago" not in line for line in lines)
    assert lines[-1].endswith(" now")
