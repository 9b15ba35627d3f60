"""Calls made for a person, against the practice cluster's RBAC."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chatops.adapters.kubernetes import KubernetesClusters
from chatops.adapters.kubernetes.handle import Writer
from chatops.kernel.catalog import Group, Platform
from chatops.kernel.errors import Forbidden, Unavailable
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import ObjectRef
from chatops.sandbox.cluster import PracticeCluster, User
from tests.cluster.checkout import CHECKOUT, image, image_of, live
from tests.support.acme_cluster import ACME, DANA, PRODUCTION, STAGING, hurried
from tests.support.rights import ASSISTANT, RIGHTS

LEE = Person(id="U0LEE", name="Lee", email="lee@acme.test", standing=Standing.MEMBER, groups=("leads",))
AS_PEOPLE = PRODUCTION.model_copy(update={"impersonate": True})
GROUPS = {
    "leads": Group(name="leads", members=("Lee@acme.test",)),
    "sre": Group(name="sre", members=("lee@acme.test",)),
    "everyone": Group(name="everyone", usergroup="everyone"),
}
PLATFORM: Platform = ACME.model_copy(update={"groups": GROUPS})


@pytest.fixture
async def assistant(cluster: PracticeCluster) -> AsyncIterator[KubernetesClusters]:
    """The adapter with an account that may do nothing but act for people."""
    cluster.load(RIGHTS)
    cluster.access.tokens["assistant"] = User(ASSISTANT)
    async with KubernetesClusters(cluster.kubeconfig("assistant"), sleep=hurried) as clusters:
        yield clusters


def acting(clusters: KubernetesClusters, person: Person) -> Writer:
    return clusters.acting_for(PLATFORM.identity(person)).writer(AS_PEOPLE)


async def test_everybody_has_their_own_rights_over_one_connection(assistant: KubernetesClusters) -> None:
    dana, lee = acting(assistant, DANA), acting(assistant, LEE)
    assert image_of(await live(dana)) == "1.4.1"
    with pytest.raises(Forbidden, match=r"^Kubernetes does not let dana@acme\.test patch deployments in shop$"):
        await dana.dry_run(image("1.4.2"))
    with pytest.raises(Forbidden, match=r"let dana@acme\.test patch deployments in shop"):
        await dana.write(image("1.4.2"))
    assert image_of(await lee.dry_run(image("1.4.2"))) == "1.4.2"
    assert image_of(await lee.write(image("1.4.2"))) == "1.4.2"


async def test_logs_events_and_watches_are_asked_as_the_person(
    cluster: PracticeCluster, assistant: KubernetesClusters
) -> None:
    before, dana = cluster.log.count, acting(assistant, DANA)
    (pod, *_) = await dana.find("v1", "Pod", "shop", "app=checkout")
    assert await dana.logs("shop", pod["metadata"]["name"])
    await dana.events("shop", "Deployment", "checkout")
    async for _ in dana.watch(CHECKOUT, timeout=5):
        break
    asked = {(one["resource"], one["user"]) for one in cluster.log.after(before) if "resource" in one}
    names = ("pods", "pods/log", "events", "deployments")
    assert asked == {(name, "dana@acme.test") for name in names}


async def test_an_environment_that_does_not_say_so_is_asked_as_ourselves(
    cluster: PracticeCluster, clusters: KubernetesClusters
) -> None:
    before = cluster.log.count
    await live(clusters.acting_for(PLATFORM.identity(DANA)).reader(PRODUCTION))
    assert {one["user"] for one in cluster.log.after(before)} == {"practice-admin"}


async def test_reading_what_one_may_not_is_refused_in_words(assistant: KubernetesClusters) -> None:
    with pytest.raises(Forbidden, match=r"let dana@acme\.test list deployments in shop-staging") as no:
        await (
            assistant.acting_for(PLATFORM.identity(DANA))
            .reader(STAGING.model_copy(update={"impersonate": True}))
            .find("apps/v1", "Deployment", "shop-staging")
        )
    assert "RBAC" in no.value.hint


async def test_deleting_is_asked_as_the_person(assistant: KubernetesClusters) -> None:
    ref = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="shop", name="checkout")
    with pytest.raises(Forbidden, match="delete deployments in shop"):
        await acting(assistant, DANA).delete(ref, "some-uid")


async def test_an_assistant_without_the_right_to_act_for_people_says_so(cluster: PracticeCluster) -> None:
    cluster.access.tokens["nobody"] = User("system:serviceaccount:platform:other")
    async with KubernetesClusters(cluster.kubeconfig("nobody"), sleep=hurried) as clusters:
        said = r"let the assistant \(system:serviceaccount:platform:other\) act for dana@acme\.test"
        with pytest.raises(Forbidden, match=said) as no:
            await live(acting(clusters, DANA))
    assert "impersonate" in no.value.hint


async def test_a_group_that_the_assistant_may_not_lend_is_named(assistant: KubernetesClusters) -> None:
    """The role of the docs names the groups: another one is no secret way in."""
    more = {**GROUPS, "admins": Group(name="admins", members=("dana@acme.test",))}
    identity = PLATFORM.model_copy(update={"groups": more}).identity(DANA)
    with pytest.raises(Forbidden, match="as a member of chatops:admins"):
        await live(assistant.acting_for(identity).reader(AS_PEOPLE))


@pytest.mark.parametrize(
    "email",
    [
        "dana",
        "system:admin",
        "system:masters@acme.test",
        "dana@acme.test\r\nImpersonate-Group: system:masters",
        "dana@acme.test\n",
        "dana @acme.test",
        "däna@acme.test",
        "dana@" + "a" * 300,
    ],
)
async def test_an_address_that_could_be_more_than_one_header_is_never_sent(
    cluster: PracticeCluster, assistant: KubernetesClusters, email: str
) -> None:
    before = cluster.log.count
    with pytest.raises(Forbidden, match="Dana has an e-mail address that can't be passed on"):
        await live(acting(assistant, DANA.model_copy(update={"email": email})))
    assert cluster.log.count == before


async def test_who_has_no_address_is_told_so(cluster: PracticeCluster, assistant: KubernetesClusters) -> None:
    before = cluster.log.count
    with pytest.raises(Forbidden, match="asked as the person who asks, and Dana has no e-mail address in Slack"):
        await live(acting(assistant, DANA.model_copy(update={"email": ""})))
    assert cluster.log.count == before


async def test_while_slack_cannot_tell_who_somebody_is_the_cluster_is_not_asked(
    cluster: PracticeCluster, assistant: KubernetesClusters
) -> None:
    """Their groups are missing then, and a run would seem to have lost its rights."""
    before = cluster.log.count
    with pytest.raises(Unavailable, match="Slack can't tell just now who Lee is"):
        await live(acting(assistant, LEE.model_copy(update={"standing": Standing.UNKNOWN})))
    assert cluster.log.count == before


def test_only_groups_whose_members_name_a_person_count() -> None:
    """Lee's Slack usergroup is no way to rights in a cluster."""
    lee = LEE.model_copy(update={"groups": ("everyone", "leads", "sre")})
    assert PLATFORM.identity(lee).groups == ("leads", "sre")
    assert PLATFORM.identity(LEE.model_copy(update={"standing": Standing.DEACTIVATED})).groups == ()
