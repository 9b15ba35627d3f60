"""What the pods of a service wrote."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.action import Answer
from chatops.kernel.errors import Forbidden, InputError, Refused, Unavailable
from chatops.sandbox.cluster import PracticeCluster
from chatops.sandbox.cluster.logbook import Run
from chatops.sandbox.cluster.values import now
from commands import logs
from tests.support.acme_cluster import context
from tests.support.workloads import deployed, edited, follow

KEY = ["-----BEGIN RSA PRIVATE KEY-----", *["MIIEpAIBAAKCAQEA7bq3kfVq1Zk0" * 2] * 400, "-----END RSA PRIVATE KEY-----"]


async def answered(clusters: KubernetesClusters, **inputs: Any) -> Answer:
    asked = logs.Logs(service="checkout", environment="production", **inputs)
    return await logs.answer(asked, context(clusters, "checkout", "production"))


def runs(cluster: PracticeCluster) -> list[tuple[str, Run]]:
    """Checkout's pods with what they write into, silent from here on, in the order of their names."""
    pods = cluster.store.objects(("", "pods"), "shop")
    found = sorted((pod["metadata"]["name"], cluster.book.current(pod["metadata"]["uid"], "app")) for pod in pods)
    for _, run in found:
        assert run is not None
        run.chatty = False
        run.lines.clear()
    return found


async def test_the_lines_of_all_pods_stand_in_the_order_of_their_times(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    (one, first), (two, second), _ = runs(cluster)
    for at, run, text in ((3, first, "third"), (1, first, "first"), (2, second, "second")):
        run.lines.append((now() - timedelta(seconds=60 - at), text))
        run.lines.sort()
    said = await answered(clusters)
    assert [line.split(" ", 1)[1] for line in said.code.splitlines()] == [
        f"{one[-5:]} first", f"{two[-5:]} second", f"{one[-5:]} third",
    ]  # fmt: skip
    assert said.lines[0] == "3 lines of 2 pods of the last 15m; times are UTC"
    assert (said.private, said.file) == (True, None)


async def test_one_pods_name_is_not_repeated_on_every_line(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    runs(cluster)[0][1].write(["alone"])
    said = await answered(clusters)
    assert said.code.split(" ", 1)[1] == "alone"


async def test_what_is_older_is_left_out_and_offered(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    runs(cluster)[0][1].lines.append((now() - timedelta(minutes=30), "half an hour ago"))
    said = await answered(clusters)
    assert said.lines == ("Nothing of the last 15m.",)
    assert (said.buttons[0].label, said.buttons[0].line) == ("Last 1h", "logs checkout production since=1h")
    assert "half an hour ago" in (await answered(clusters, since="1h")).code


@pytest.mark.parametrize("since", ["0s", "8d", "soon", "-5m", "99999w"])
def test_a_time_that_is_none_is_refused(since: str) -> None:
    with pytest.raises(ValidationError):
        logs.Logs(service="checkout", environment="production", since=since)


async def test_grep_is_plain_text_in_any_case(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    runs(cluster)[0][1].write(["GET /a.b 200", "get /axb 500", "a|b (x+x+)+y"])
    assert (await answered(clusters, grep="GET /A.B")).code.count("\n") == 0
    assert "a|b" in (await answered(clusters, grep="(X+X+)+Y")).code
    said = await answered(clusters, grep=".*")
    assert said.lines == ("Nothing of the last 15m with “.*”.",)


async def test_long_output_comes_as_a_file_with_whole_names_and_times(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    (pod, run), *_ = runs(cluster)
    run.write([f"line {number} {'x' * 40}" for number in range(400)])
    said = await answered(clusters)
    assert said.file is not None
    whole = said.file.content.splitlines()
    assert (said.file.name, len(whole)) == ("checkout-production.log", 400)
    assert f" {pod} line 399 " in whole[-1]
    assert len(said.code.splitlines()) == 12
    assert said.lines == ("400 lines of 1 pod of the last 15m, the last 12 of them here; times are UTC",)
    assert "line 399 " in said.code


async def test_no_more_lines_than_asked_for_and_the_newest(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    for _, run in runs(cluster):
        run.write([f"line {number}" for number in range(20)])
    said = await answered(clusters, lines=10)
    assert len(said.code.splitlines()) == 10
    assert "line 19" in said.code
    assert "there are more" in said.lines[0]


async def test_secrets_are_masked_also_those_of_many_lines(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    lines = ["before", "connecting with password=hunter2-and-more", *KEY, "after"]
    runs(cluster)[0][1].write(lines)
    said = await answered(clusters, lines=5000)
    shown = f"{said}"
    assert "hunter2" not in shown
    assert "MIIEpAIBAAKC" not in shown
    assert "before" in shown
    assert "after" in shown
    assert "Something looked like a secret and was masked." in said.lines


async def test_grep_does_not_find_what_is_masked(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    """A password could be guessed letter by letter."""
    runs(cluster)[0][1].write(["connecting with password=hunter2-and-more"])
    assert not (await answered(clusters, grep="hunter")).code
    assert (await answered(clusters, grep="connecting")).code


async def test_the_previous_container_is_asked_for_by_name(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    said = await answered(clusters, previous=True)
    assert said.lines == ("No container was restarted, so there is nothing from before.",)
    await deployed(clusters, "1.5.0-crash")
    async with asyncio.timeout(10):
        while not (said := await answered(clusters, previous=True)).code:
            await asyncio.sleep(0.02)
    assert "KeyError: 'PAYMENT_URL'" in (said.file.content if said.file else said.code)
    assert "before the last restart" in said.lines[0]


async def test_a_pod_that_never_started_says_why_there_is_no_log(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-missing")
    said = await answered(clusters)
    async with asyncio.timeout(20):  # the first try, which fails otherwise, may still be under way
        while not any("can't be pulled (ImagePullBackOff)" in line for line in said.lines):
            await asyncio.sleep(0.02)
            said = await answered(clusters)
    assert said.buttons[-1].line == "diagnose checkout production"


async def test_a_container_that_is_not_there_is_told_with_those_that_are(clusters: KubernetesClusters) -> None:
    with pytest.raises(InputError, match="No pod of checkout has a container called proxy") as no:
        await answered(clusters, container="proxy")
    assert (no.value.field, no.value.hint) == ("container", "There are app.")


async def test_a_service_that_is_not_there_is_refused(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    cluster.store.delete(("apps", "deployments"), "shop", "checkout")
    with pytest.raises(Refused, match="There is no Deployment/checkout in production"):
        await answered(clusters)


async def test_who_may_not_read_logs_is_refused_not_answered_with_nothing(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.fault(403, subresource="log", times=None)
    with pytest.raises(Forbidden):
        await answered(clusters)


# a cluster that fails in the middle -----------------------------------------------------------------------------------

CUT = "the cluster broke off in the middle of its answer"
SILENT = "the cluster does not answer"
TROUBLE = "the cluster has trouble (500): etcd is away"


@pytest.mark.parametrize("resource", ["deployments", "pods"])
async def test_a_cluster_that_hangs_is_said_as_soon_as_the_adapter_gives_up(
    cluster: PracticeCluster, clusters: KubernetesClusters, resource: str
) -> None:
    hanging = cluster.fault("hang", resource=resource, times=None)
    with pytest.raises(Unavailable, match=f"^{SILENT}$"):
        async with asyncio.timeout(5):
            await answered(clusters)
    assert hanging.hits == 1


@pytest.mark.parametrize("resource", ["deployments", "pods"])
async def test_a_cluster_in_trouble_is_said_in_its_own_words(
    cluster: PracticeCluster, clusters: KubernetesClusters, resource: str
) -> None:
    cluster.fault(500, resource=resource, times=None, message="etcd is away")
    with pytest.raises(Unavailable) as no:
        await answered(clusters)
    assert no.value.message == TROUBLE


@pytest.mark.parametrize(("trouble", "why"), [("hang", SILENT), (500, TROUBLE), ("drop", SILENT), ("drop-midway", CUT)])
async def test_one_log_that_fails_hides_no_other_pods_lines(
    cluster: PracticeCluster, clusters: KubernetesClusters, trouble: int | str, why: str
) -> None:
    (one, first), (two, second), (three, third) = runs(cluster)
    for run, text in ((first, "first"), (second, "second"), (third, "third")):
        run.write([text])
    cluster.fault(trouble, subresource="log", name=two, times=None, message="etcd is away")
    said = await answered(clusters)
    assert {line.split(" ", 1)[1] for line in said.code.splitlines()} == {f"{one[-5:]} first", f"{three[-5:]} third"}
    assert said.lines == (
        "2 lines of 2 pods of the last 15m; times are UTC", f"The log of {two} can't be read: {why}.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trouble", "why", "previous"),
    [("hang", SILENT, False), (500, TROUBLE, False), ("drop-midway", CUT, False), ("hang", SILENT, True),
     (500, TROUBLE, True)],
)  # fmt: skip
async def test_logs_that_all_fail_are_not_called_empty_and_the_reason_is_said_once(
    cluster: PracticeCluster,
    clusters: KubernetesClusters,
    trouble: int | str,
    why: str,
    previous: bool,
) -> None:
    names = [name for name, _ in runs(cluster)]
    cluster.fault(trouble, subresource="log", times=None, message="etcd is away")
    said = await answered(clusters, previous=previous)
    told = f"The logs of {names[0]}, {names[1]} and {names[2]} can't be read: {why}."
    assert said.lines == ("No log could be read.", told)
    assert said.buttons[-1].line == "diagnose checkout production"


async def test_nothing_found_is_said_of_the_logs_that_could_be_read_alone(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    (one, _), *_ = runs(cluster)
    cluster.fault(500, subresource="log", name=one, times=None, message="etcd is away")
    told = f"The log of {one} can't be read: {TROUBLE}."
    assert (await answered(clusters)).lines == ("Nothing of the last 15m in the logs that could be read.", told)
    said = await answered(clusters, previous=True)
    assert said.lines == ("Nothing before the last restart in the logs that could be read.", told)


async def test_many_logs_that_cannot_be_read_take_little_room(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    scaled = await edited(clusters, {"spec": {"replicas": 9}})
    await follow(clusters, int(scaled["metadata"]["generation"]))
    names = [name for name, _ in runs(cluster)]
    for number, name in enumerate(names[:5]):
        cluster.fault(500, subresource="log", name=name, times=None, message=f"kubelet {number} is away")
    cluster.fault(500, subresource="log", times=None, message="etcd is away")
    said = await answered(clusters)
    assert said.lines[0] == "No log could be read."
    assert said.lines[1].endswith(f"{names[7]} and 1 more can't be read: {TROUBLE}."), "the commonest reason first"
    assert len(said.lines) == 5
    assert said.lines[-1] == "3 more logs can't be read."


async def test_a_log_that_is_cut_once_is_read_again_without_anybody_noticing(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    (pod, run), *_ = runs(cluster)
    run.write([f"line {number}" for number in range(20)])
    fault = cluster.fault("drop-midway", subresource="log", name=pod)
    said = await answered(clusters)
    assert (fault.hits, len(said.code.splitlines())) == (1, 20)
    assert said.lines == ("20 lines of 1 pod of the last 15m; times are UTC",)


async def test_terminal_codes_and_rewound_lines_do_no_harm(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    hidden = "pass\x1b[0mword=hunter2-and-more"
    runs(cluster)[0][1].write(["\x1b[31mred\x1b[0m", "10%\r20%\r30%", "y" * 5000, "one\u2028line", hidden, "z" * 500])
    said = await answered(clusters)
    assert said.file is not None
    texts = [line.split(" ", 2)[2] for line in said.file.content.removesuffix("\n").split("\n")]
    assert [text[:10] for text in texts[:4]] == ["red", "30%", "y" * 10, "one\u2028line"]
    assert len(texts[2]) < 2100
    assert "hunter2" not in said.file.content
