"""What an earlier version stored of a run is read, and the run goes on from there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from approvals import store
from approvals.request import Request
from chatops.kernel.course import Place, Run
from chatops.kernel.ports import Tx
from tests.support.house import REQUESTS, acme_house

CHECKOUT = "Deployment.apps/checkout in shop"
EARLIER: list[tuple[dict[str, Any], Run]] = [
    ({}, Run()),
    (
        {"generations": {CHECKOUT: 7}, "watch_from": 1795427000.5, "most_ready": {CHECKOUT: 2}},
        Run(generations={CHECKOUT: 7}, watch_from=1795427000.5, most_ready={CHECKOUT: 2}),
    ),
    (
        {
            "steps": {
                "at": 1, "began": 1795427000.5, "wrote": 1, "tries": 2, "uids": {"Job/move-in": "u-1"},
                "outputs": {"shelf": {"state": "up"}}, "back": None, "failed": None, "failures": [],
            }
        },
        Run(place=Place(
            at=1, began=1795427000.5, wrote=1, tries=2, uids={"Job/move-in": "u-1"}, outputs={"shelf": {"state": "up"}}
        )),
    ),
    (
        {"steps": {"at": 0, "back": 2, "failed": 2, "failures": ["remove it: no"]}, "outputs": {"where": "shelf-up"}},
        Run(place=Place(back=2, failed=2, failures=("remove it: no",)), outputs={"where": "shelf-up"}),
    ),
    (
        {"expires": 1795427600.0, "given": True, "held_until": 1795427060.0},
        Run(value_until=1795427600.0, given=True, held_until=1795427060.0),
    ),
]  # fmt: skip
LATER = {"expires": "value_until", "steps": "place"}


def stored(**run: Any) -> str:
    asked = {"id": 1001, "action": "deploy", "title": "Deploy", "inputs": {}, "requester_id": "U1"}
    return json.dumps({**asked, "requester_name": "Dana", **run})


@pytest.mark.parametrize(("extra", "run"), EARLIER, ids=["none", "watching", "stepping", "undoing", "awaiting"])
def test_a_run_that_an_earlier_version_stored_is_read_and_stored_anew(extra: dict[str, Any], run: Run) -> None:
    read = Request.model_validate_json(stored(extra=extra))
    assert read.run == run
    anew = json.loads(read.model_dump_json())
    assert (anew["run"]["form"], "extra" in anew) == (1, False)
    assert Request.model_validate(anew) == read


def test_a_run_of_a_later_version_or_with_unknown_parts_is_not_misread() -> None:
    for run in ({"form": 2}, {"watch_form": 3.0}):
        with pytest.raises(ValidationError):
            Request.model_validate_json(stored(run=run))


def as_before(body: str) -> str:
    """A stored request in the form that the version before this one gave it."""
    request = json.loads(body)
    run = request.pop("run")
    names = {new: old for old, new in LATER.items()}
    blank = json.loads(Run().model_dump_json())
    request["extra"] = {names.get(name, name): value for name, value in run.items() if value != blank[name]}
    return json.dumps(request, separators=(",", ":"))


async def test_a_rollout_that_an_earlier_version_watched_is_watched_to_its_end_by_this_one() -> None:
    async with acme_house(pace=0.3) as house:
        await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        card = await house.lee.sees(REQUESTS, "WAITING")
        await card.click("Approve")
        await card.becomes("pods ready", within=10)
        kept: list[str] = []

        def put_back(tx: Tx) -> None:
            row = tx.one("SELECT body FROM requests WHERE id = 1001")
            assert row is not None
            kept.append(as_before(row["body"]))
            tx.run("UPDATE requests SET body = :body WHERE id = 1001", body=kept[-1])

        await house.assistant.engine.close()
        await house.assistant.database.write(put_back)
        found = await house.assistant.database.read(store.load, 1001)
        assert '"extra":{"generations":' in kept[0]
        assert list(found.run.generations.values()) == [
            int((await house.deployment("checkout"))["metadata"]["generation"])
        ]
        await house.stop()
        await house.start()
        await card.becomes("SUCCEEDED", within=20)
        assert (await house.history()).count("written") == 1
