"""Between approval and health: drift, broken images, outages, restarts."""

import asyncio

import pytest

from approvals.request import Request
from chatops.kernel.errors import Unavailable
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import Clock, ClusterReader
from chatops.kernel.rollout import Rollout
from chatops.requests.planning import Made, Planner
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house, straight_to_production

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"


@pytest.fixture
async def house():
    async with acme_house(platform=straight_to_production) as house:
        yield house


async def test_a_hand_edit_that_changes_the_plan_voids_the_approvals(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    containers = [{"name": "app", "image": "registry.acme.test/shop/checkout:1.4.0"}]
    await house.edit("checkout", {"spec": {"template": {"spec": {"containers": containers}}}}, manager="kubectl-set")
    await card.click("Approve")
    await card.becomes("WAITING", "void")
    assert await house.image("checkout") == "1.4.0"
    anew = await house.lee.sees(REQUESTS, "1.4.0 → 1.4.2", "WAITING")
    await anew.click("Approve")
    await card.becomes("SUCCEEDED", within=10)
    assert (await house.history()).count("written") == 1


async def test_an_edit_that_leaves_the_plan_as_it_is_leaves_the_approvals(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await house.edit("checkout", {"metadata": {"labels": {"seen-by": "olu"}}}, manager="kubectl-label")
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=10)
    assert "voided" not in await house.history()


async def test_what_was_edited_by_hand_is_said_on_the_card_and_stays(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 production because first")
    await (await house.lee.sees(REQUESTS, "WAITING")).click("Approve")
    await house.dana.sees(REQUESTS, "Deploy checkout 1.4.1 → 1.4.3", "SUCCEEDED", within=10)
    house.clock.advance(60)
    await house.set_env("checkout", "LOG_LEVEL", "debug")
    await house.dana.types("/platform deploy checkout 1.4.4 production because second")
    card = await house.lee.sees(REQUESTS, "→ 1.4.4", "WAITING")
    assert "⚠ LOG_LEVEL was edited by kubectl-edit" in card.text, card.text
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=10)
    live = await house.deployment("checkout")
    env = {one["name"]: one["value"] for one in live["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["LOG_LEVEL"] == "debug"


@pytest.mark.parametrize(
    ("pods_ready", "ends"),
    [((1, 2, 3), "SUCCEEDED: healthy, 4 pods ready"), ((1, 2, 2), "ROLLED BACK: 1.4.1 runs again")],
    ids=["while pods become ready one by one", "when it stands still"],
)
async def test_a_long_rollout_is_undone_only_when_nothing_moves(
    house: House, monkeypatch: pytest.MonkeyPatch, pods_ready: tuple[int, ...], ends: str
) -> None:
    stands = iter(pods_ready)

    async def ten_minutes_a_pod(
        reader: ClusterReader, ref: ObjectRef, generation: int, *, clock: Clock, deadline: float
    ):
        for ready in stands:
            yield Rollout(ref, "progressing", ready, 4, f"{ready} of 4 pods ready")
            house.clock.advance(600)
            if clock.now() >= deadline:
                yield Rollout(ref, "failing", ready, 4, f"{ready} of 4 pods ready", "Deadline", "It takes too long.")
                return
        yield Rollout(ref, "healthy", 4, 4, "4 pods ready")

    monkeypatch.setattr("chatops.requests.run.watch_rollout", ten_minutes_a_pod)
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes(ends, within=10)


async def test_a_broken_image_is_rolled_back_by_itself_and_everyone_learns_why(house: House) -> None:
    await house.set_env("checkout", "FEATURE", "on")
    await house.dana.types("/platform deploy checkout 1.5.0-broken production because new cart")
    card = await house.lee.sees(REQUESTS, "WAITING", "back to 1.4.1 automatically")
    await card.click("Approve")
    await card.becomes("ROLLED BACK", within=15)
    await card.thread("CrashLoopBackOff")
    await house.dana.sees(DEPLOYS, "1.5.0-broken", "rolled back")
    assert await house.image("checkout") == "1.4.1"
    live = await house.deployment("checkout")
    env = {one["name"]: one["value"] for one in live["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["FEATURE"] == "on"
    history = await house.history()
    assert history.count("written") == history.count("restored") == 1
    assert history[-1] == "undone"


async def test_an_image_that_cannot_be_pulled_fails_early_with_the_clusters_words(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.6.0-missing staging because oops")
    card = await house.dana.sees(REQUESTS, "ROLLED BACK", "can't be pulled", within=15)
    await card.thread("ImagePull")
    await house.dana.sees(DEPLOYS, "1.6.0-missing")


async def test_the_cluster_is_away_while_a_request_is_planned_and_the_card_says_so(house: House) -> None:
    house.cluster_away(True)
    await house.dana.types(LINE)
    await house.dana.sees(REQUESTS, "PLANNING", "does not answer", within=15)
    house.cluster_away(False)
    await house.lee.sees(REQUESTS, "WAITING", within=15)


async def test_the_cluster_is_away_between_approval_and_write_and_the_run_goes_on_when_it_is_back(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    house.cluster_away(True)
    await card.click("Approve")
    await card.becomes("does not answer", within=15)
    house.cluster_away(False)
    await card.becomes("SUCCEEDED", within=15)
    assert (await house.history()).count("written") == 1


async def test_slack_is_away_for_a_while_and_nothing_is_lost_or_said_twice(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await house.sandbox.fault(kind="away", times=0)
    await house.assistant.engine.idle()
    await house.sandbox.repair()
    await card.becomes("SUCCEEDED", within=20)
    await house.olu.sees(DEPLOYS, "1.4.1 → 1.4.2", within=20)
    await house.quiet()
    assert len(house.olu.messages[house.olu.channel_id(DEPLOYS)]) == 1


async def test_an_approved_run_that_could_not_start_for_half_an_hour_asks_its_requester(house: House) -> None:
    await house.sam.types("/platform pause because the registry moves")
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes("APPROVED", "paused")
    await house.later(31 * 60)
    await card.becomes("START")
    await house.sam.types("/platform resume")
    own = await house.dana.sees(REQUESTS, "START")
    await own.click("Start")
    await card.becomes("SUCCEEDED", within=15)


async def test_a_run_that_was_cut_off_is_finished_by_the_next_start() -> None:
    async with acme_house(pace=0.3) as house:
        await house.dana.types(LINE)
        card = await house.lee.sees(REQUESTS, "WAITING")
        await card.click("Approve")
        await card.becomes("pods ready", within=10)
        await house.stop()
        await house.start()
        await card.becomes("SUCCEEDED", within=20)
        history = await house.history()
        assert history.count("begun") == history.count("written") == history.count("became_healthy") == 1


@pytest.mark.parametrize(
    ("line", "fragments"),
    [
        ("/platform restart checkout staging because stuck", ("Restart checkout", "SUCCEEDED")),
        ("/platform scale checkout staging replicas=3 because load", ("Scale checkout", "SUCCEEDED")),
    ],
)
async def test_restart_and_scale_take_the_same_road(house: House, line: str, fragments: tuple[str, ...]) -> None:
    await house.dana.types(line)
    await house.dana.sees(REQUESTS, *fragments, within=15)


async def test_rollback_goes_to_the_version_before(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 staging because try")
    await house.dana.sees(REQUESTS, "→ 1.4.3", "SUCCEEDED", within=15)
    await house.dana.types("/platform rollback checkout staging because it is slow")
    await house.dana.sees(REQUESTS, "Roll back checkout", "SUCCEEDED", within=15)
    assert await house.image("checkout", "shop-staging") == "1.4.2"


async def test_the_form_of_a_rollback_shows_which_revisions_there_are_and_that_writes_are_paused(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 staging because try")
    await house.dana.sees(REQUESTS, "→ 1.4.3", "SUCCEEDED", within=15)
    await house.sam.types("/platform pause because the registry moves")
    await house.sam.sees("general", "New writes are paused.")
    await house.dana.types("/platform rollback")
    form = await house.dana.modal(title="Roll back")
    await form.fill(Service="checkout", Environment="staging")
    await form.becomes(
        "Now: 1.4.3 healthy", "Revisions: 2 (1.4.3, runs now), 1 (1.4.2)", "paused by Sam: the registry moves"
    )
    await form.fill(Revision="1", Reason="it is slow")
    assert await form.submit() == {}
    await house.dana.sees(REQUESTS, "Roll back checkout 1.4.3 → 1.4.2", "waits: new writes are paused by Sam")


async def test_status_tells_what_runs_where_and_who_deployed_it(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.3 staging because try")
    await house.dana.sees(REQUESTS, "→ 1.4.3", "SUCCEEDED", within=15)
    await house.dana.types("/platform status checkout staging")
    await house.dana.sees("general", "checkout", "1.4.3", "healthy", "Dana")


async def test_a_swallowed_cancellation_does_not_keep_the_assistant_from_ending(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client may take a cancellation for its own time-out, and go on."""

    async def swallows(self: Planner, request: Request) -> Made:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("the cluster did not answer in time") from None
        raise AssertionError("nobody sets it")

    monkeypatch.setattr(Planner, "make", swallows)
    await house.dana.types(LINE)
    await house.until(lambda: bool(house.assistant.engine.tasks))
    async with asyncio.timeout(10):
        await house.stop()
