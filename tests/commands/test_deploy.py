"""Deploying: what the plan says, what is written, how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.kernel.catalog import Workload
from chatops.kernel.errors import Conflict, Forbidden, Invalid, Refused, Unavailable
from chatops.kernel.plan import Decision, Plan, digest
from chatops.sandbox.cluster import PracticeCluster
from commands import deploy
from tests.support.acme_cluster import ACME, PRODUCTION, STAGING, service
from tests.support.workloads import CHECKOUT, by_hand, carry_out, container, deployed, edited, plan, undone


def inputs(version: str = "1.4.2", environment: str = "production", name: str = "checkout") -> deploy.Deploy:
    return deploy.Deploy(service=name, environment=environment, version=version)


async def planned(clusters: KubernetesClusters, version: str = "1.4.2", **more: Any) -> Plan:
    return await plan(clusters, deploy.RECORD, inputs(version), **more)


def with_service(**changes: Any) -> Any:
    changed = service("checkout").model_copy(update=changes)
    return ACME.model_copy(update={"services": {**ACME.services, "checkout": changed}})


async def test_the_plan_reads_like_the_card(clusters: KubernetesClusters) -> None:
    made = await planned(clusters)
    assert made.summary == "checkout 1.4.1 → 1.4.2"
    assert made.now == "1.4.1 healthy"
    assert made.impact == "image only · 3 pods, one at a time"
    assert made.on_failure == "back to 1.4.1 automatically"
    assert (made.before, made.after, made.warnings) == ("1.4.1", "1.4.2", ())
    assert [change.field for change in made.changes] == ["spec.template.spec.containers[app].image"]


async def test_in_staging_a_failure_stays(clusters: KubernetesClusters) -> None:
    made = await plan(clusters, deploy.RECORD, inputs("1.4.9", "staging"))
    assert (made.on_failure, made.undo) == ("stays as it is; roll back by hand", ())
    assert STAGING.rolls_back is False


async def test_a_deploy_rolls_out_and_only_its_image_is_ours(clusters: KubernetesClusters) -> None:
    stands = await carry_out(clusters, deploy.RECORD, await planned(clusters))
    assert stands[-1].state == "healthy"
    assert stands[-1].progress == "3 pods ready"
    live = await clusters.reader(PRODUCTION).get(CHECKOUT)
    assert live is not None
    assert live["metadata"]["annotations"]["kubernetes.io/change-cause"] == "deploy checkout 1.4.2, asked by Dana"
    env = live["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "CURRENCY", "value": "EUR"} in env


async def test_a_digest_is_deployed_by_digest(clusters: KubernetesClusters) -> None:
    pinned = f"sha256:{'0a' * 32}"
    made = await planned(clusters, pinned)
    assert made.changes[0].after == f"registry.acme.test/shop/checkout@{pinned}"


async def test_what_runs_already_changes_nothing(clusters: KubernetesClusters) -> None:
    made = await planned(clusters, "1.4.1")
    assert (made.changes, made.writes) == ((), ())
    assert made.now == "Nothing would change: checkout in production is at 1.4.1 healthy."


async def test_planning_again_gives_the_same_digest_on_a_newer_object(clusters: KubernetesClusters) -> None:
    first = await planned(clusters)
    await edited(clusters, {"metadata": {"labels": {"note": "x"}}}, by="someone")
    again = await planned(clusters)
    allowed = Decision(outcome="allow")
    bound = [digest("deploy", inputs().model_dump(), one, allowed) for one in (first, again)]
    assert bound[0] == bound[1]
    assert first.writes[0].resource_version != again.writes[0].resource_version


async def test_an_edit_in_between_makes_the_write_a_conflict(clusters: KubernetesClusters) -> None:
    made = await planned(clusters)
    await edited(clusters, container(image="registry.acme.test/shop/checkout:1.4.9"), by="kubectl-set")
    with pytest.raises(Conflict):
        await deploy.apply(made, clusters.writer(PRODUCTION))


async def test_carrying_out_twice_writes_once(clusters: KubernetesClusters) -> None:
    made = await planned(clusters)
    writer = clusters.writer(PRODUCTION)
    first, second = await deploy.apply(made, writer), await deploy.apply(made, writer)
    assert first.generations == second.generations


# guards ------------------------------------------------------------------------------------------------------------


async def test_a_workload_that_is_not_there_is_refused_with_a_hint(clusters: KubernetesClusters) -> None:
    with pytest.raises(Refused, match="no Deployment/cart in production") as no:
        await plan(clusters, deploy.RECORD, inputs(name="cart"))
    assert "platform.yml" in no.value.hint


async def test_a_container_that_is_not_there_is_refused_naming_those_that_are(clusters: KubernetesClusters) -> None:
    platform = with_service(workload=Workload(container="main"))
    with pytest.raises(Refused, match="no container called main") as no:
        await planned(clusters, platform=platform)
    assert "app" in no.value.hint


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, "Flux"),
        ({"annotations": {"meta.helm.sh/release-name": "shop"}}, "Helm"),
    ],
)
async def test_a_workload_of_another_tool_is_refused(
    clusters: KubernetesClusters, metadata: dict[str, Any], owner: str
) -> None:
    await edited(clusters, {"metadata": metadata}, by="tool")
    with pytest.raises(Refused, match=f"belongs to {owner}"):
        await planned(clusters)


async def test_a_dry_run_that_takes_something_away_is_refused(clusters: KubernetesClusters) -> None:
    extra = container(image="registry.acme.test/shop/checkout:1.4.1", env=[{"name": "EXTRA", "value": "1"}])
    await edited(clusters, extra, by="chatops-deploy")
    with pytest.raises(Refused, match=r"take away .*env\[EXTRA\]"):
        await planned(clusters)


async def test_without_a_configured_image_the_repository_stays(clusters: KubernetesClusters) -> None:
    made = await planned(clusters, platform=with_service(image=""))
    assert made.summary == "checkout 1.4.1 → 1.4.2"
    assert made.changes[0].after == "registry.acme.test/shop/checkout:1.4.2"


async def test_another_repository_is_shown_whole(clusters: KubernetesClusters) -> None:
    made = await planned(clusters, platform=with_service(image="mirror.acme.test/checkout"))
    assert made.summary == "checkout registry.acme.test/shop/checkout:1.4.1 → 1.4.2"


# warnings ----------------------------------------------------------------------------------------------------------


async def test_an_edit_by_hand_is_warned_of_and_stays(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.4.2")
    await by_hand(cluster, container(env=[{"name": "LOG_LEVEL", "value": "debug"}]))
    made = await planned(clusters, "1.4.3")
    assert [change.field for change in made.changes] == ["spec.template.spec.containers[app].image"]
    assert made.warnings[-1] == "LOG_LEVEL was edited by kubectl-edit today; it stays"


async def test_an_image_set_by_hand_is_warned_of(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.4.2")
    await by_hand(cluster, container(image="registry.acme.test/shop/checkout:1.4.9"), "kubectl-set")
    made = await planned(clusters, "1.4.3")
    assert made.before == "1.4.9"
    assert made.warnings[-1] == "the image was set to 1.4.9 by kubectl-set today; this changes it"


async def test_taking_the_image_from_a_pipeline_is_warned_of(clusters: KubernetesClusters) -> None:
    await edited(clusters, container(image="registry.acme.test/shop/checkout:1.4.1"), by="team-pipeline")
    assert (await planned(clusters)).warnings == ("the image is taken over from team-pipeline",)


async def test_a_paused_workload_is_warned_of(clusters: KubernetesClusters) -> None:
    await edited(clusters, {"spec": {"paused": True}}, by="someone")
    assert "checkout is paused: nothing rolls out until somebody resumes it" in (await planned(clusters)).warnings


async def test_a_workload_that_fails_now_is_warned_of(clusters: KubernetesClusters) -> None:
    await deployed(clusters, "1.5.0-missing")
    made = await planned(clusters)
    assert any("checkout is not healthy now: The image" in warning for warning in made.warnings)
    assert made.now.startswith("1.5.0-missing failing, 0 of 3 new pods ready")


async def test_a_rollout_in_progress_is_warned_of(cluster: PracticeCluster, clusters: KubernetesClusters) -> None:
    cluster.pace.set(10)
    await edited(clusters, container(image="registry.acme.test/shop/checkout:1.4.9"), by="kubectl-set")
    made = await planned(clusters)
    assert any(warning.startswith("a rollout is in progress already") for warning in made.warnings)


# failing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(403, Forbidden), (422, Invalid), (500, Unavailable), (429, Unavailable), ("drop", Unavailable)],
)
@pytest.mark.parametrize("verb", ["get", "list", "patch"])
async def test_planning_says_why_the_cluster_cannot_be_asked(
    cluster: PracticeCluster, clusters: KubernetesClusters, verb: str, answer: int | str, kind: type[Exception]
) -> None:
    cluster.fault(answer, verb=verb, times=None, retry_after=0)
    with pytest.raises(kind):
        await planned(clusters)


async def test_a_write_in_the_middle_of_planning_is_planned_on_again(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.fault(409, verb="patch", times=2)
    assert (await planned(clusters)).changes


async def test_a_workload_that_never_stands_still_is_tried_later(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    cluster.fault(409, verb="patch", times=None)
    with pytest.raises(Unavailable, match="keeps changing"):
        await planned(clusters)


@pytest.mark.parametrize(
    ("version", "reason", "words"),
    [
        ("1.5.0-broken", "CrashLoopBackOff", "ends with exit code 1 again and again"),
        ("1.5.0-missing", "ImagePull", "can't be pulled"),
        ("1.5.0-oom", "OOMKilled", "more memory than its limit"),
    ],
)
async def test_a_broken_version_fails_early_and_goes_back(
    clusters: KubernetesClusters, version: str, reason: str, words: str
) -> None:
    made = await planned(clusters, version)
    end = (await carry_out(clusters, deploy.RECORD, made))[-1]
    assert end.state == "failing"
    assert reason in end.reason or end.reason == "ErrImagePull"
    assert words in end.sentence
    assert (await undone(clusters, made)).state == "healthy"
    live = await clusters.reader(PRODUCTION).get(CHECKOUT)
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":1.4.1")
    assert "kubernetes.io/change-cause" not in live["metadata"]["annotations"]


# inputs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.4.2 beta", "x" * 300, "", "../etc", "sha256:abc", "<!channel>", "1;rm"])
def test_a_version_that_cannot_be_an_image_tag_is_no_version(version: str) -> None:
    with pytest.raises(ValidationError):
        inputs(version)


def test_the_record_says_how_to_type_it() -> None:
    assert deploy.RECORD.usage in (deploy.__doc__ or "")
    assert deploy.RECORD.positionals == ("service", "version", "environment")
