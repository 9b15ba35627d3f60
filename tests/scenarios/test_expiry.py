"""What requests made: listed, warned of, extended, removed by uid, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.house import REQUESTS, House, acme_house
from tests.support.steps import apply, config_map, known, stepping

LINE = "/platform shelf.create checkout staging because we need room"
SHELF, BOX = config_map("shelf", size="10"), config_map("box", colour="red")
HOUR, DAY = 3600.0, 86400.0
MAPS = "/api/v1/namespaces/shop-staging/configmaps"


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch):
    known(monkeypatch, stepping(apply(SHELF), apply(BOX), expires=30 * DAY))
    async with acme_house() as house:
        await house.dana.types(LINE)
        await house.dana.sees(REQUESTS, "SUCCEEDED", within=10)
        yield house


async def later(house: House, seconds: float) -> None:
    """Moves the clock, and the assistant looks at what is over."""
    house.clock.advance(seconds)
    await house.assistant.expiry.look()


async def maps(house: House) -> dict[str, dict[str, Any]]:
    """The ConfigMaps that are there."""
    found = await house.cluster_call("GET", MAPS)
    return {one["metadata"]["name"]: one for one in found["items"]}


async def warnings(house: House) -> int:
    """How many warnings stand in the request's thread."""
    [row] = await house.rows("SELECT count(*) AS n FROM posts WHERE id LIKE 'R-1001/note/expires-%'")
    return int(row["n"])


async def test_it_warns_twice_then_removes_what_it_made_and_nothing_else(house: House) -> None:
    await house.cluster_call("POST", MAPS, {"metadata": {"name": "other"}})
    card = await house.dana.sees(REQUESTS, "SUCCEEDED")
    await later(house, 22 * DAY)
    assert await warnings(house) == 0
    await later(house, DAY)
    await card.thread("@dana", "ConfigMap/shelf", "is removed", "Extend")
    await house.dana.sees("team-shop", "R-1001, Dana", "is removed")
    for _ in range(3):
        await later(house, HOUR)
    assert await warnings(house) == 1
    await later(house, 6.5 * DAY)
    await later(house, HOUR)
    assert await warnings(house) == 2
    await later(house, DAY)
    await card.thread("The time of what R-1001 made is over: ConfigMap/box, ConfigMap/shelf removed.")
    assert set(await maps(house)) & {"shelf", "box", "other"} == {"other"}
    assert (await house.history()).count("expired") == 2
    await later(house, DAY)
    assert await warnings(house) == 2


async def test_extending_gives_the_whole_time_once_more_and_the_object_says_so(house: House) -> None:
    card = await house.dana.sees(REQUESTS, "SUCCEEDED")
    await later(house, 23 * DAY)
    warning = await card.thread("is removed", "Extend")
    await warning.click("Extend")
    await card.thread("Dana extended R-1001: ", "stays until 15 January 2027")
    await later(house, 0)
    found = await maps(house)
    assert found["shelf"]["metadata"]["annotations"]["chatops/expires-at"].startswith("2027-01-15T")
    await later(house, 8 * DAY)
    assert "shelf" in await maps(house)
    assert await warnings(house) == 1
    await later(house, 16 * DAY)
    assert await warnings(house) == 2
    assert "extended" in await house.history()


async def test_only_who_asked_and_the_owning_team_extend_it(house: House) -> None:
    await house.olu.types("/platform extend R-1001")
    await house.olu.sees("general", "Only Dana, who asked for R-1001, and the owning team")
    await house.lee.types("/platform extend 1001")
    await house.lee.sees("general", "stays until")


async def test_what_was_made_anew_by_somebody_else_stays(house: House) -> None:
    card = await house.dana.sees(REQUESTS, "SUCCEEDED")
    await house.cluster_call("DELETE", f"{MAPS}/shelf")
    await house.cluster_call("POST", MAPS, {"metadata": {"name": "shelf"}})
    await house.cluster_call("DELETE", f"{MAPS}/box")
    await later(house, 29.5 * DAY)
    await later(house, DAY)
    await card.thread("ConfigMap/box was gone already", "ConfigMap/shelf is another one by now and stays")
    assert "shelf" in await maps(house)


async def test_nothing_is_removed_without_a_warning_however_long_we_were_away(house: House) -> None:
    card = await house.dana.sees(REQUESTS, "SUCCEEDED")
    await later(house, 40 * DAY)
    await card.thread("In 1d", "is removed")
    assert "shelf" in await maps(house)
    await later(house, DAY)
    assert "shelf" not in await maps(house)


async def test_a_cluster_that_is_away_at_the_end_is_asked_again(house: House) -> None:
    await later(house, 29.5 * DAY)
    house.cluster_away(True)
    await later(house, DAY)
    house.cluster_away(False)
    assert "shelf" in await maps(house)
    await later(house, HOUR)
    assert not {"shelf", "box"} & set(await maps(house))


async def test_a_removal_that_the_cluster_forbids_is_told_once_and_tried_again(house: House) -> None:
    card = await house.dana.sees(REQUESTS, "SUCCEEDED")
    await later(house, 29.5 * DAY)
    house.cluster.fault(403, verb="delete", resource="configmaps", times=None, message="not you")
    await later(house, DAY)
    await card.thread("ConfigMap/shelf could not be removed", "not you")
    await later(house, HOUR)
    house.cluster.faults.clear()
    await later(house, HOUR)
    assert "shelf" not in await maps(house)
    [told] = await house.rows("SELECT count(*) AS n FROM posts WHERE id LIKE 'R-1001/note/not-removed-%'")
    assert told["n"] == 2, "once for each object"


async def test_a_removal_that_is_forbidden_after_the_cluster_was_away_is_told_too(house: House) -> None:
    card = await house.dana.sees(REQUESTS, "SUCCEEDED")
    await later(house, 29.5 * DAY)
    house.cluster.fault(503, verb="delete", resource="configmaps", times=None, message="busy")
    await later(house, DAY)
    house.cluster.faults.clear()
    house.cluster.fault(403, verb="delete", resource="configmaps", times=None, message="not you")
    await later(house, HOUR)
    await card.thread("ConfigMap/shelf could not be removed", "not you")


async def test_a_removal_that_was_cut_off_goes_on(house: House) -> None:
    card = await house.dana.sees(REQUESTS, "SUCCEEDED")
    await later(house, 29.5 * DAY)
    house.cluster.fault("hang", verb="delete", resource="configmaps", name="box", times=None)
    house.clock.advance(DAY)
    looking = asyncio.create_task(house.assistant.expiry.look())
    async with asyncio.timeout(5):
        while not await house.rows("SELECT 1 FROM objects WHERE name = 'box' AND removing_at > 0"):
            await asyncio.sleep(0.02)
    looking.cancel()
    await house.stop()
    house.cluster.faults.clear()
    await house.cluster_call("DELETE", f"{MAPS}/box")  # the call had arrived, and nobody heard its answer
    await house.start()
    await later(house, HOUR)
    await card.thread("ConfigMap/box, ConfigMap/shelf removed")
    assert not {"shelf", "box"} & set(await maps(house))


async def test_mine_lists_what_was_made_with_its_end_and_its_buttons(house: House) -> None:
    await house.dana.types("/platform mine")
    mine = await house.dana.sees(
        "general", "ConfigMap/box, ConfigMap/shelf in staging", "until 23 December 2026", "Dana"
    )
    assert "[Extend R-1001] [Remove R-1001]" in mine.text
    await house.olu.types("/platform mine")
    await house.olu.sees("general", "Nothing that you or your teams asked for")


async def test_remove_takes_away_what_a_request_made_once_two_teams_approved(house: House) -> None:
    await house.dana.types("/platform remove R-1001 staging checkout because the room is full")
    card = await house.lee.sees(REQUESTS, "Remove", "WAITING", "· 1. remove ConfigMap/box")
    await card.click("Approve")
    other = await house.sam.sees(REQUESTS, "Remove", "WAITING")
    await other.click("Approve")
    await card.becomes("SUCCEEDED", "2 steps done", within=10)
    assert not {"shelf", "box"} & set(await maps(house))
    assert await house.rows("SELECT 1 FROM objects WHERE removed_at = 0") == []


async def test_nobody_has_removed_what_is_not_theirs(house: House) -> None:
    await house.olu.types("/platform remove R-1001 staging checkout because it is ugly")
    await house.olu.sees(REQUESTS, "REFUSED", "Only Dana, who asked for R-1001")
    await house.dana.types("/platform remove R-1001 production checkout because it is ugly")
    await house.dana.sees(REQUESTS, "REFUSED", "belongs to the environment staging")
