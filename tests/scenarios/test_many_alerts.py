"""Alerts as monitors really send them: at once, again and again, in other groups, about nothing known, out of time."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatops.incidents import digests
from chatops.incidents.sources import READERS
from tests.scenarios.test_incidents import INCIDENTS, alert, olu_is_on_call, tell
from tests.support.databases import ENGINES, name_of
from tests.support.house import House, acme_house

HOUR = 3600.0


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=olu_is_on_call) as house:
        yield house


def posted(key: str, *names: str, status: str = "firing") -> dict[str, Any]:
    """A notification of Alertmanager about some alerts of checkout, grouped as ``key`` says."""
    labels = {"environment": "production", "service": "checkout", "severity": "critical"}
    alerts = [
        {
            "status": status, "fingerprint": name, "labels": {**labels, "alertname": name},
            "annotations": {"summary": f"{name} of checkout"}, "startsAt": "2026-11-02T08:59:00Z",
        }
        for name in names
    ]  # fmt: skip
    return {"version": "4", "groupKey": key, "status": status, "receiver": "chatops", "alerts": alerts}


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_name_without_end_keeps_no_other_alert_out(engine: str, tmp_path: Path) -> None:
    endless = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(2000))  # which no index makes shorter
    told = posted("k", endless, "ErrorRate")
    for one in told["alerts"]:
        one["labels"].pop("service")  # so that an incident goes by the name of its alert
    async with acme_house(platform=olu_is_on_call, database=name_of(tmp_path, engine)) as house:
        for status in ("firing", "firing", "resolved"):
            for one in told["alerts"]:
                one["status"] = status
            await house.assistant.alerts.take(READERS["alertmanager"](json.dumps(told).encode()))
        await house.quiet()
        found = [tuple(row.values()) for row in await house.rows("SELECT name, status FROM alerts ORDER BY name")]
        assert found[0] == ("ErrorRate", "resolved")
        assert (len(found), found[1][0][:99], found[1][1]) == (2, endless[:99], "resolved")
        assert len(await house.rows("SELECT id FROM incidents")) == 2


async def what(house: House, chain: str = "INC-101") -> list[str]:
    await house.quiet()
    return [row["what"] for row in await house.rows("SELECT what FROM audit WHERE chain = :chain", chain=chain)]


async def test_two_people_acknowledge_at_once_and_one_of_them_has_it(house: House) -> None:
    await tell(house, alert())
    pages = [await house.olu.sees("@platform", "You are paged.", "INC-101")]
    house.clock.advance(10 * 60 + 1)
    await house.assistant.paging.look()
    pages.append(await house.lee.sees("@platform", "You are paged.", "INC-101"))
    await asyncio.gather(*(page.click("Acknowledge") for page in pages))
    card = await house.dana.sees(INCIDENTS, "INC-101", "has it since")
    assert (await what(house)).count("acknowledged") == 1
    first, second = ("Olu", house.lee) if "OLU HAS IT" in card.text else ("Lee", house.olu)
    await second.sees("@platform", f"{first} already has INC-101.")


async def test_what_comes_and_goes_is_one_incident_that_says_so_and_pages_once(house: House) -> None:
    for _ in range(4):
        await tell(house, alert())
        await tell(house, alert(status="resolved"))
        house.clock.advance(30)
    await tell(house, alert())
    await house.dana.sees(INCIDENTS, "INC-101", "It comes and goes: 8 changes so far")
    assert [row["n"] for row in await house.rows("SELECT count(*) AS n FROM incidents")] == [1]
    await house.assistant.paging.look()  # who is to be paged for the last time it came is looked for beside
    assert (await what(house)).count("paged") == 1


async def test_alerts_that_their_monitor_groups_anew_stay_one_incident(house: House) -> None:
    assert await house.hook("alertmanager", posted("by service", "ErrorRate", "Latency")) == 200
    card = await house.dana.sees(INCIDENTS, "INC-101", "2 alerts: ErrorRate and Latency")
    told = await what(house)
    for key, *names in (("by name: ErrorRate", "ErrorRate"), ("by name: Latency", "Latency")):
        assert await house.hook("alertmanager", posted(key, *names)) == 200
    assert await what(house) == told, "nothing of it is news"
    assert await house.hook("alertmanager", posted("by name: Latency", "Latency", status="resolved")) == 200
    await card.becomes("1 of 2 alerts: ErrorRate")
    assert [row["n"] for row in await house.rows("SELECT count(*) AS n FROM incidents")] == [1]


async def test_an_alert_about_an_unknown_service_is_somebodys_all_the_same(house: House) -> None:
    await tell(house, alert("QueueFull", labels={"service": "ghost"}))
    card = await house.dana.sees(INCIDENTS, "SEV1", "NOBODY HAS IT", "1 alert: QueueFull")
    assert "Owner: nobody, ghost is not in the catalog" in card.text
    await (await house.olu.sees("@platform", "You are paged.", "INC-101")).click("Acknowledge")
    await card.becomes("OLU HAS IT")


@pytest.mark.parametrize("off", [5 * HOUR, 0.0], ids=["a clock hours ahead", "no time at all"])
async def test_an_alert_from_a_clock_that_is_off_began_when_it_was_told(house: House, off: float) -> None:
    starts = house.clock.now() + off if off else 0.0
    await tell(house, alert(starts_at=starts))
    await house.dana.sees(INCIDENTS, "INC-101", "since 09:00 UTC", "NOBODY HAS IT")
    await house.olu.sees("@platform", "You are paged.", "INC-101")
    house.clock.advance(HOUR)
    await tell(house, alert(starts_at=starts + HOUR if off else 0.0))
    assert (await what(house)).count("opened") == 1
    [row] = await house.rows("SELECT starts_at FROM alerts")
    assert row["starts_at"] <= house.clock.now() - HOUR + 1, "it did not begin anew with each telling"


async def test_a_digest_that_is_full_goes_on_in_a_second_message(house: House) -> None:
    many = digests.MANY + digests.ROOM + 5
    await tell(house, *(alert(f"Group{number}", labels={"service": ""}) for number in range(many)))
    first = await house.dana.sees(INCIDENTS, "A storm of alerts", f"{digests.ROOM} incidents here")
    second = await house.dana.sees(INCIDENTS, "A storm of alerts", "5 incidents here")
    named = {name for one in (first, second) for name in re.findall(r"INC-\d+", one.text)}
    assert len(named) == digests.ROOM + 5, "each is named once, and none is left out"
    for one in (first, second):
        assert sum(len(block["text"]["text"]) for block in one.message["blocks"]) < 13_000
