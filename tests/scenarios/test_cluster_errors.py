"""A cluster that says no, later, or nothing at all; and workloads that are not ours to change."""

import re
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from chatops.adapters.kubernetes import Patience
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house, straight_to_production
from tests.support.people import Seen

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
PLAN = {"verb": "patch", "resource": "deployments", "dry_run": True}
WRITE = {"verb": "patch", "resource": "deployments", "dry_run": False}
FORBIDDEN = 'User "platform" cannot patch resource "deployments"'


@pytest.fixture
async def house() -> AsyncIterator[House]:
    # Waiting is for production: nothing here asserts how long it took.
    brief = Patience(total=0.3, tries=2, pause=0.01, longest_pause=0.05)
    async with acme_house(patience=brief, platform=straight_to_production) as house:
        yield house


async def waiting(house: House) -> Seen:
    """A deploy that Lee may approve."""
    await house.dana.types(LINE)
    return await house.lee.sees(REQUESTS, "WAITING")


def written(house: House) -> int:
    """How many writes to Deployments the cluster stored, or may have."""
    patches = [one for one in house.cluster.log.after() if one["verb"] == "patch" and one["resource"] == "deployments"]
    return sum(not one["dryRun"] and one["status"] == 200 for one in patches)


async def test_what_nobody_foresaw_stands_on_the_card_with_what_finds_its_traceback(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(request: object) -> None:
        raise KeyError("a defect of ours")

    monkeypatch.setattr(house.assistant.engine, "planner", SimpleNamespace(make=broken))
    await house.dana.types(LINE)
    card = await house.dana.sees(REQUESTS, "REFUSED", "Something unexpected went wrong")
    [reference] = re.findall(r"E-[2-9A-Z]{6}", card.text)
    [record] = [one for one in caplog.records if one.getMessage().startswith(reference)]
    assert record.exc_info is not None
    assert "a defect of ours" in str(record.exc_info[1])


# at planning -------------------------------------------------------------------------------------------------------


async def test_a_plan_the_cluster_refuses_ends_with_its_words_told_once(house: House) -> None:
    house.cluster.fault(403, name="cart", message=FORBIDDEN, **PLAN)
    house.cluster.fault(422, name="web", message="spec.replicas: must be positive", **PLAN)
    await house.dana.types("/platform deploy cart 2.9.0 production because new")
    card = await house.dana.sees(REQUESTS, "Deploy cart", "REFUSED", f"the cluster forbids this: {FORBIDDEN}. Ask")
    await card.thread("@dana", "REFUSED", FORBIDDEN)
    await house.dana.types("/platform deploy web 7.2.0 production because new")
    other = await house.dana.sees(
        REQUESTS, "Deploy web", "REFUSED", "refuses the object: spec.replicas: must be positive"
    )
    await other.thread("@dana", "REFUSED", "spec.replicas")
    await house.quiet()
    await house.dana.catches_up()
    assert house.dana.screen(REQUESTS).count("@dana") == 2
    assert await house.history() == ["requested", "refused", "requested", "refused"]


async def test_a_plan_that_meets_a_conflict_is_made_again_without_anybody_noticing(house: House) -> None:
    house.cluster.fault(409, times=2, **PLAN)
    await waiting(house)
    assert await house.history() == ["requested", "asked"]


async def test_a_cluster_in_trouble_holds_up_the_plan_and_its_card_says_so_meanwhile(house: House) -> None:
    for service, answer, said in (
        ("cart", 500, "has trouble (500)"),
        ("web", 429, "asks us to slow down"),
        ("search", "hang", "does not answer"),
    ):
        house.cluster.fault(answer, times=None, name=service, **PLAN)
        await house.dana.types(f"/platform deploy {service} 9.0.0 production because new")
        card = await house.dana.sees(REQUESTS, f"Deploy {service}", "PLANNING", said)
        house.cluster.faults.clear()
        await card.becomes("WAITING", "→ 9.0.0")
        assert said not in card.text


async def test_what_waits_for_a_silent_cluster_can_be_cancelled(house: House) -> None:
    house.cluster.fault("hang", times=None, **PLAN)
    await house.dana.types(LINE)
    card = await house.dana.sees(REQUESTS, "PLANNING", "does not answer")
    await card.click("Cancel")
    await card.becomes("CANCELLED by Dana")
    house.cluster.faults.clear()
    await house.quiet()
    assert await house.history() == ["requested", "cancelled"]
    assert written(house) == 0


# at the write ------------------------------------------------------------------------------------------------------


async def test_a_write_the_cluster_refuses_fails_saying_that_nothing_changed(house: House) -> None:
    for status, service, sentence in ((403, "checkout", "forbids this: "), (422, "cart", "refuses the object: ")):
        await house.dana.types(f"/platform deploy {service} 9.0.0 production because new")
        card = await house.lee.sees(REQUESTS, f"Deploy {service}", "WAITING")
        house.cluster.fault(status, message="not on my watch", **WRITE)
        await card.click("Approve")
        await card.becomes("FAILED", sentence + "not on my watch. ", "Nothing was changed")
        assert "Roll back" not in card.buttons, "it would undo a deploy that never was"
        await house.olu.sees(DEPLOYS, f"Deploy {service}", "failed", "Nothing was changed.")
    assert written(house) == 0


async def test_a_rollout_we_may_no_longer_look_at_says_that_it_was_not_rolled_back(house: House) -> None:
    card = await waiting(house)
    assert "back to 1.4.1 automatically" in card.text
    house.cluster.fault(403, verb="watch", resource="deployments", times=None, message="not yours to see")
    await card.click("Approve")
    await card.becomes("FAILED", "not yours to see", "It was not rolled back: a person has to look", within=10)
    await house.olu.sees(DEPLOYS, "failed", "It was not rolled back")


async def test_a_write_that_meets_trouble_which_passes_is_made_exactly_once(house: House) -> None:
    troubles = {
        "checkout": house.cluster.fault(409, name="checkout", times=1, **WRITE),
        "cart": house.cluster.fault(500, name="cart", times=3, **WRITE),
        "catalog": house.cluster.fault(429, name="catalog", times=3, retry_after=7, **WRITE),
        "search": house.cluster.fault("hang", name="search", times=2, **WRITE),
        "web": house.cluster.fault("drop", name="web", times=3, **WRITE),
        "payments": house.cluster.fault("drop-after", name="payments", times=1, **WRITE),
    }
    for service in troubles:
        await house.dana.types(f"/platform deploy {service} 9.0.0 staging because new")
    for service, trouble in troubles.items():
        await house.lee.sees(REQUESTS, f"Deploy {service}", "SUCCEEDED", within=15)
        assert trouble.hits == trouble.times, service
        live = await house.deployment(service, "shop-staging")
        assert live["metadata"]["generation"] == 2, service
    await house.quiet()
    told = ["requested", "allowed", "begun", "written", "became_healthy"]
    assert sorted(await house.history()) == sorted(told * 6)
    assert house.olu.screen(DEPLOYS).count("→ 9.0.0") == 6


async def overtaken(house: House) -> Seen:
    """A deploy whose write is on its way when somebody sets another version by hand."""
    card = await waiting(house)
    house.cluster.fault("hang", times=None, **WRITE)
    await card.click("Approve")
    await card.becomes("RUNNING", "does not answer")
    live = await house.deployment("checkout")
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.acme.test/shop/checkout:1.4.0"
    await house.cluster_call("PUT", "/apis/apps/v1/namespaces/shop/deployments/checkout", live)  # patches hang
    return card


async def test_a_conflict_because_somebody_changed_the_same_field_asks_the_approvers_again(house: House) -> None:
    card = await overtaken(house)
    house.cluster.faults.clear()
    await card.becomes("WAITING", "1.4.0 → 1.4.2", "Earlier approvals are void", "is 1.4.0 now, it was 1.4.1")
    await card.thread("@dana", "approvals of R-1001 are void")
    await house.quiet()
    assert await house.image("checkout") == "1.4.0"
    assert written(house) == 0
    assert await house.history() == ["requested", "asked", "satisfied", "begun", "voided"]
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=10)
    assert await house.image("checkout") == "1.4.2"


async def test_a_conflict_after_a_freeze_began_writes_nothing_and_says_the_freeze() -> None:
    when = 'env.tier == "production" && now >= timestamp("2026-11-23T09:10:00Z")'
    freeze = {"name": "frozen later", "when": when, "deny": "Production is frozen."}
    hurried = Patience(total=0.3, tries=2, pause=0.01, longest_pause=0.05)
    async with acme_house(patience=hurried, platform=lambda content: content["policies"].append(freeze)) as house:
        card = await overtaken(house)
        house.clock.advance(15 * 60)
        house.cluster.faults.clear()
        await card.becomes("DENIED", "Production is frozen.", within=10)
        await house.quiet()
        assert await house.image("checkout") == "1.4.0"
        assert written(house) == 0
        assert "Roll back" not in card.buttons


async def test_a_write_that_could_not_be_made_for_half_an_hour_asks_before_it_comes_as_a_surprise(house: House) -> None:
    card = await waiting(house)
    house.cluster.fault(500, times=None, **WRITE)
    await card.click("Approve")
    await card.becomes("RUNNING", "has trouble (500)")
    house.clock.advance(31 * 60)
    await card.becomes("NOT STARTED", "Dana, start it now?")
    house.cluster.faults.clear()
    await house.quiet()
    assert await house.image("checkout") == "1.4.1"
    await card.thread("@dana", "could not start")
    own = await house.dana.sees(REQUESTS, "NOT STARTED")
    await house.sam.types("/platform pause because the registry moves")
    await house.sam.sees("general", "New writes are paused.")
    await own.click("Start")
    await house.dana.sees(REQUESTS, "starts when that is over: new writes are paused by Sam: the registry moves.")
    await house.sam.types("/platform resume")
    await card.becomes("SUCCEEDED", within=10)
    assert (await house.history()).count("written") == 1


async def test_a_write_that_had_arrived_is_not_asked_about_however_late_its_answer(house: House) -> None:
    card = await waiting(house)
    house.cluster.fault("drop-after", times=1, **WRITE)
    house.cluster.fault("drop", times=None, **WRITE)
    await card.click("Approve")
    await card.becomes("RUNNING", "does not answer")
    house.clock.advance(31 * 60)
    await card.becomes("SUCCEEDED", within=10)
    assert (await house.history())[-3:] == ["begun", "written", "became_healthy"]
    assert (await house.deployment("checkout"))["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


# not ours to change ------------------------------------------------------------------------------------------------


async def test_a_workload_of_another_tool_is_refused_naming_its_owner(house: House) -> None:
    for service, metadata, owner in (
        ("checkout", {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/x"}}, "Argo CD"),
        ("cart", {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, "Flux"),
        ("web", {"annotations": {"meta.helm.sh/release-name": "shop"}}, "Helm (release shop)"),
    ):
        await house.edit(service, {"metadata": metadata}, manager="tool")
        await house.dana.types(f"/platform restart {service} production because stuck")
        await house.dana.sees(REQUESTS, "REFUSED", f"{service} in production belongs to {owner}", "Change it there")


async def test_an_autoscaler_keeps_its_replicas(house: House) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
    house.cluster.load([{
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "checkout-load", "namespace": "shop"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }])  # fmt: skip
    await house.dana.types("/platform scale checkout production replicas=5 because load")
    await house.dana.sees(REQUESTS, "Scale checkout", "REFUSED", "The autoscaler checkout-load decides", "maxReplicas")


async def test_what_would_remove_something_or_is_not_there_is_refused(house: House) -> None:
    live = await house.deployment("cart")
    image = live["spec"]["template"]["spec"]["containers"][0]["image"]
    containers = [{"name": "app", "image": image, "env": [{"name": "EXTRA", "value": "1"}]}]
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart"}}
    path = "/apis/apps/v1/namespaces/shop/deployments/cart?fieldManager=chatops-deploy&force=true"
    spec = {"template": {"spec": {"containers": containers}}}
    await house.cluster_call("PATCH", path, body | {"spec": spec}, "application/apply-patch+yaml")
    await house.dana.types("/platform deploy cart 2.9.0 production because new")
    await house.dana.sees(REQUESTS, "Deploy cart", "REFUSED", "env[EXTRA]", "nobody asked for")
    await house.cluster_call("DELETE", "/apis/apps/v1/namespaces/shop/deployments/web")
    await house.dana.types("/platform restart web production because stuck")
    await house.dana.sees(REQUESTS, "Restart web", "REFUSED", "There is no Deployment/web in production")
