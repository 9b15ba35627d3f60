"""Declared actions run: step by step, undone backwards, cut off and taken up again."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.kernel.action import Action
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


def with_steps(monkeypatch: pytest.MonkeyPatch, action: Action) -> Any:
    known(monkeypatch, action)
    return acme_house()


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
