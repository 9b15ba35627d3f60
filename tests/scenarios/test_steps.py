"""Declared actions run: step by step, undone backwards, cut off and taken up again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatops.adapters.kubernetes import Patience
from chatops.kernel.action import Action
from chatops.kernel.plan import ObjectRef
from tests.support.house import REQUESTS, House, acme_house
from tests.support.steps import apply, config_map, job, known, remove, run, stepping, wait

LINE = "/platform shelf.create checkout staging because we need room"
SHELF, BOX = config_map("shelf", size="10"), config_map("box", colour="red")


async def get(house: House, name: str, kind: str = "configmaps") -> dict[str, Any] | None:
    """The live object, or None."""
    found = await house.cluster_call("GET", f"/api/v1/namespaces/shop-staging/{kind}")
    return next((one for one in found["items"] if one["metadata"]["name"] == name), None)


async def put(house: House, name: str, **data: str) -> None:
    """A person changes a ConfigMap by hand."""
    path = f"/api/v1/namespaces/shop-staging/configmaps/{name}?fieldManager=kubectl-edit"
    await house.cluster_call("PATCH", path, {"data": data}, "application/merge-patch+json")


QUICK = Patience(total=0.3, tries=2, pause=0.01, longest_pause=0.05)  # nothing here asserts how long it took


def with_steps(monkeypatch: pytest.MonkeyPatch, action: Action) -> Any:
    known(monkeypatch, action)
    return acme_house(patience=QUICK)


async def test_steps_are_taken_one_after_the_other_and_their_outputs_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = wait(SHELF.ref, "object.data.state == 'up'", name="shelf", outputs={"state": "object.data.state"})
    action = stepping(
        apply(SHELF), ready, apply(config_map("box", state="${steps.shelf.outputs.state}"), deferred=True),
        outputs={"where": "shelf-${steps.shelf.outputs.state}.${env.namespace}"},
    )  # fmt: skip
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 3: wait for ConfigMap/shelf")
        await put(house, "shelf", state="up")
        await card.becomes("SUCCEEDED", "3 steps done", "where: shelf-up.shop-staging")
        box = await get(house, "box")
        assert box is not None
        assert box["data"] == {"state": "up"}
        assert box["metadata"]["labels"]["chatops/request"] == "R-1001"
        rows = await house.rows("SELECT name, uid FROM objects ORDER BY name")
        assert [row["name"] for row in rows] == ["box", "shelf"]
        assert rows[0]["uid"] == box["metadata"]["uid"]
        assert (await house.history()).count("step_done") == 3


async def test_the_plan_part_of_the_card_says_what_each_step_does_and_the_full_diff_says_it_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undo = remove(SHELF.ref)
    action = stepping(apply(SHELF, undo=(undo,)), wait(SHELF.ref, "object.data.state == 'up'"), expires=3600.0)
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types("/platform shelf.create checkout production because we need room")
        card = await house.lee.sees(REQUESTS, "WAITING", "· 1. apply ConfigMap/shelf (new)")
        await card.becomes("· 2. wait for ConfigMap/shelf (until object.data.state == 'up', at most 10m)")
        await card.becomes("removed after 1h, unless somebody extends it")
        await card.click("Full diff")
        diff = await house.lee.modal()
        await diff.becomes("undone by: remove ConfigMap/shelf", "+  10")


async def test_what_fails_at_step_3_of_5_is_undone_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = run(job("move-in", "registry.acme.test/shop/tools:1-broken"))
    action = stepping(
        apply(SHELF, undo=(remove(SHELF.ref),)), apply(BOX, undo=(remove(BOX.ref),)), broken,
        apply(config_map("never")), apply(config_map("neither")),
    )  # fmt: skip
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        steps = ("✓ 2. apply ConfigMap/box", "✗ 3. run Job/move-in", "· 4. apply ConfigMap/never")
        card = await house.dana.sees(REQUESTS, "UNDONE", "Step 3 of 5 (run Job/move-in) failed", *steps, within=15)
        await card.thread("KeyError: 'PAYMENT_URL'")
        assert [await get(house, name) for name in ("shelf", "box", "never")] == [None, None, None]
        removed = await house.rows("SELECT data FROM audit WHERE what = 'removed' ORDER BY seq")
        assert ["box" in removed[0]["data"], "shelf" in removed[1]["data"]] == [True, True]
        assert (await house.history())[-1] == "undone"
        assert (await house.history()).count("written") == 3  # the Job was made once, whatever its retries
        assert {row["fate"] for row in await house.rows("SELECT fate FROM objects WHERE kind = 'ConfigMap'")} == {
            "removed"
        }


async def test_undoing_removes_nothing_that_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF, undo=(remove(SHELF.ref),)), run(job("move-in", "tools:1-broken")))
    async with with_steps(monkeypatch, action) as house:
        body = {"metadata": {"name": "shelf"}, "data": {"old": "yes"}}
        await house.cluster_call("POST", "/api/v1/namespaces/shop-staging/configmaps", body)
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "UNDONE", "failed", within=15)
        await card.thread("ConfigMap/shelf stays: R-1001 did not make it.")
        assert await get(house, "shelf") is not None


async def test_an_undo_that_fails_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = wait(SHELF.ref, "object.data.state == 'down'", timeout=0.2)
    action = stepping(
        apply(SHELF, undo=(remove(SHELF.ref),)), apply(BOX, undo=(stuck,)), run(job("move-in", "tools:1-broken"))
    )
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "FAILED", "Not everything could be undone", within=15)
        await card.becomes("Still there: ConfigMap/box, Job/move-in. A person has to look")
        await card.thread("Could not be undone: wait for ConfigMap/shelf")
        assert await get(house, "shelf") is None


async def test_a_wait_that_runs_out_tells_the_last_value_and_the_last_cel_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.size == '11' && object.data.state == 'up'"))
    never = stepping(wait(SHELF.ref, "object.status.ready == true"), apply(BOX), name="shelf.wait")
    known(monkeypatch, never)
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 2")
        house.clock.advance(601)
        await card.becomes("FAILED", "within 10m", "The last value was false.", "Still there: ConfigMap/shelf")
        await house.dana.types("/platform shelf.wait checkout staging because we need room")
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 1 of 2")
        house.clock.advance(601)
        await card.becomes("FAILED", "The last CEL error was:", "status")


async def test_a_wait_ends_as_soon_as_its_object_has_failed_and_tells_the_last_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = wait(SHELF.ref, "object.data.state == 'up'", fail_when="object.data.state == 'broken'")
    action = stepping(apply(SHELF, undo=(remove(SHELF.ref),)), ready)
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 2", "fails when object.data.state == 'broken'")
        await put(house, "shelf", state="tired")  # neither is true: it goes on
        await put(house, "shelf", state="broken")
        await card.becomes("UNDONE", "ConfigMap/shelf has failed: object.data.state == 'broken' is true.", within=10)
        await card.becomes("The last value was false.")
        assert await get(house, "shelf") is None


async def test_an_object_that_has_failed_and_is_ready_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    both = wait(SHELF.ref, "object.data.size == '10'", fail_when="object.data.size == '10'")
    async with with_steps(monkeypatch, stepping(apply(SHELF), both)) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "FAILED", "ConfigMap/shelf has failed", within=10)
        await card.becomes("The last value was true.", "Still there: ConfigMap/shelf")


async def test_a_fail_when_that_cannot_be_answered_is_no_failure_and_is_told_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = wait(SHELF.ref, "object.data.state == 'up'", fail_when="object.status.phase == 'Failed'")
    async with with_steps(monkeypatch, stepping(apply(SHELF), ready)) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 2")
        house.clock.advance(601)
        await card.becomes("FAILED", "within 10m", "The last CEL error of fail_when was:", "status")


async def test_a_job_runs_once_and_the_end_of_its_log_is_in_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(run(job("move-in", "tools:1"), outputs={"done": "string(object.status.succeeded)"}))
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "SUCCEEDED", "1 step done", within=15)
        await card.thread("Job/move-in is done", "INFO  done, 128 rows written")


async def test_a_run_that_was_cut_off_in_a_wait_goes_on_with_that_step(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.state == 'up'"), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 3")
        await house.stop()
        await put(house, "shelf", state="up")
        await house.start()
        await card.becomes("SUCCEEDED", within=10)
        assert [(await house.history()).count(what) for what in ("begun", "written", "step_done")] == [1, 2, 3]


async def test_a_job_that_vanished_while_we_were_away_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), run(job("move-in", "tools:1-unschedulable")))
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 2")
        async with asyncio.timeout(5):
            while not await house.rows("SELECT 1 FROM objects WHERE kind = 'Job'"):
                await asyncio.sleep(0.02)
        await house.stop()
        await house.cluster_call("DELETE", "/apis/batch/v1/namespaces/shop-staging/jobs/move-in")
        await house.start()
        await card.becomes("FAILED", "Job/move-in is gone", "not run again", within=10)
        found = await house.cluster_call("GET", "/apis/batch/v1/namespaces/shop-staging/jobs")
        assert found["items"] == []


async def test_an_object_that_somebody_else_made_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.state == 'up'"), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 3")
        body = {"metadata": {"name": "box"}, "data": {"colour": "blue"}}
        await house.cluster_call("POST", "/api/v1/namespaces/shop-staging/configmaps", body)
        await put(house, "shelf", state="up")
        await card.becomes("FAILED", "Step 3 of 3", "somebody made it after this was planned")
        box = await get(house, "box")
        assert box is not None
        assert box["data"] == {"colour": "blue"}
        assert [row["name"] for row in await house.rows("SELECT name FROM objects")] == ["shelf"]


async def test_an_object_that_was_changed_otherwise_than_approved_is_not_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.state == 'up'"), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        body = {"metadata": {"name": "box"}, "data": {"colour": "blue"}}
        await house.cluster_call("POST", "/api/v1/namespaces/shop-staging/configmaps", body)
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 3")
        await put(house, "box", colour="green")
        await put(house, "shelf", state="up")
        await card.becomes("FAILED", "ConfigMap/box was changed after this was planned (data.colour)")
        box = await get(house, "box")
        assert box is not None
        assert box["data"] == {"colour": "green"}


async def test_a_change_beside_what_was_approved_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.state == 'up'"), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        body = {"metadata": {"name": "box"}, "data": {"colour": "blue"}}
        await house.cluster_call("POST", "/api/v1/namespaces/shop-staging/configmaps", body)
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 3")
        await put(house, "box", lid="yes")
        await put(house, "shelf", state="up")
        await card.becomes("SUCCEEDED")
        box = await get(house, "box")
        assert box is not None
        assert box["data"] == {"colour": "red", "lid": "yes"}


async def test_while_new_writes_are_paused_the_next_step_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.state == 'up'"), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 3")
        await house.sam.types("/platform pause because the disks are full")
        await house.sam.sees("general", "New writes are paused")
        await put(house, "shelf", state="up")
        await card.becomes("RUNNING", "new writes are paused by Sam")
        assert await get(house, "box") is None
        await house.sam.types("/platform resume")
        await card.becomes("SUCCEEDED")


async def test_what_nobody_could_look_at_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.state == 'up'"), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 3")
        await house.stop()  # or it may see what comes up, and begin with the last step before the cluster goes away
        await put(house, "shelf", state="up")
        house.cluster_away(True)
        house.clock.advance(3600)
        await house.start()
        await card.becomes("RUNNING", "does not answer", within=15)
        house.cluster_away(False)
        await card.becomes("SUCCEEDED", within=15)


async def test_a_request_that_comes_second_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), wait(SHELF.ref, "object.data.state == 'up'"))
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 2")
        await house.dana.types("/platform restart checkout staging because stuck")
        await house.dana.sees(REQUESTS, "WAIT OR REPLACE?", "R-1001")
        await put(house, "shelf", state="up")
        await card.becomes("SUCCEEDED")


async def test_a_step_whose_need_is_not_there_yet_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        fault = house.cluster.fault(
            404, verb="patch", resource="configmaps", name="box", dry_run=False, times=2, message="no such namespace"
        )
        await house.dana.types(LINE)
        await house.dana.sees(REQUESTS, "SUCCEEDED", within=10)
        assert fault.hits == 2


async def test_what_the_cluster_refuses_is_not_tried_again_and_nothing_was_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    action = stepping(apply(SHELF, undo=(remove(SHELF.ref),)), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        fault = house.cluster.fault(
            403, verb="patch", resource="configmaps", dry_run=False, times=None, message="not you"
        )
        await house.dana.types(LINE)
        await house.dana.sees(REQUESTS, "FAILED", "not you", "Nothing was changed", within=10)
        assert fault.hits == 1


async def test_a_first_step_that_comes_long_after_its_approval_asks_the_requester(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    action = stepping(apply(SHELF), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        house.cluster.fault("drop", verb="patch", resource="configmaps", dry_run=False, times=None)
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "does not answer", within=10)
        house.clock.advance(31 * 60)
        await card.becomes("NOT STARTED", within=10)
        house.cluster.faults.clear()
        assert await get(house, "shelf") is None
        await card.click("Start")
        await card.becomes("SUCCEEDED", within=10)


async def test_a_later_step_that_comes_too_late_is_undone_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF, undo=(remove(SHELF.ref),)), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        house.cluster.fault("drop", verb="patch", resource="configmaps", name="box", dry_run=False, times=None)
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "does not answer", within=10)
        house.clock.advance(31 * 60)
        await card.becomes("UNDONE", "Step 2 of 2", "too late", within=10)
        assert await get(house, "shelf") is None
        assert await get(house, "box") is None


async def test_a_write_whose_answer_was_lost_is_not_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    action = stepping(apply(SHELF), apply(BOX))
    async with with_steps(monkeypatch, action) as house:
        house.cluster.fault("drop-after", verb="patch", resource="configmaps", name="shelf", dry_run=False, times=2)
        await house.dana.types(LINE)
        await house.dana.sees(REQUESTS, "SUCCEEDED", within=10)
        shelf = await get(house, "shelf")
        [row] = await house.rows("SELECT uid FROM objects WHERE name = 'shelf'")
        assert shelf is not None
        assert shelf["metadata"]["uid"] == row["uid"]


async def test_what_a_secret_holds_is_not_told_by_a_wait_that_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = ObjectRef(api_version="v1", kind="Secret", namespace="shop-staging", name="key")
    action = stepping(apply(SHELF), wait(ref, "object.data.word", timeout=0.3))
    async with with_steps(monkeypatch, action) as house:
        body = {"metadata": {"name": "key"}, "stringData": {"word": "sesame"}}
        await house.cluster_call("POST", "/api/v1/namespaces/shop-staging/secrets", body)
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "FAILED", "The last value was '[masked]'", within=10)
        await house.quiet()
        assert "c2VzYW1l" not in card.text
        assert await house.rows("SELECT 1 FROM requests WHERE body LIKE '%c2VzYW1l%'") == []


async def test_a_step_that_would_give_a_secret_to_later_ones_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = wait(SHELF.ref, "has(object.data.colour)", name="up", outputs={"colour": "object.data.colour"})
    async with with_steps(monkeypatch, stepping(apply(SHELF), taken)) as house:
        await house.dana.types(LINE)
        card = await house.dana.sees(REQUESTS, "RUNNING", "step 2 of 2")
        token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0"
        await put(house, "shelf", colour=token)
        await card.becomes("FAILED", "Its output colour looks like a secret", within=10)
        assert await house.rows("SELECT 1 FROM requests WHERE body LIKE :it", it=f"%{token}%") == []


async def test_an_object_that_another_request_made_lives_as_long_as_the_later_one_wants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longer = stepping(apply(config_map("shelf", size="20")), name="shelf.widen", expires=60 * 86400.0)
    known(monkeypatch, longer)
    action = stepping(apply(SHELF), expires=30 * 86400.0)
    async with with_steps(monkeypatch, action) as house:
        await house.dana.types(LINE)
        await house.dana.sees(REQUESTS, "SUCCEEDED", within=10)
        await house.dana.types("/platform shelf.widen checkout staging because we need room")
        await house.dana.sees(REQUESTS, "R-1002", "SUCCEEDED", within=10)
        [row] = await house.rows("SELECT request_id, expires_at FROM objects")
        assert row["request_id"] == 1001
        assert row["expires_at"] > house.clock.now() + 59 * 86400
