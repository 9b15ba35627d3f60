"""What monitors send and nobody can read is never a lost page: it is an incident of its own, with what was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.scenarios.test_incidents import INCIDENTS, alert, house, olu_is_on_call, tell
from tests.support.house import House, acme_house

__all__ = ["house"]

GOOD: dict[str, Any] = {
    "status": "firing", "fingerprint": "1", "startsAt": "2026-11-23T08:59:00Z",
    "labels": {"alertname": "ErrorRate", "service": "checkout", "environment": "production", "severity": "critical"},
    "annotations": {"summary": "5xx"},
}  # fmt: skip
BAD = {**GOOD, "fingerprint": "2", "status": "perhaps", "labels": {"alertname": "Latency <!channel>"}}


async def test_a_version_that_nobody_knows_wakes_somebody_and_what_was_sent_is_in_the_thread(house: House) -> None:
    sent = {"version": "5", "alerts": [], "password": "hunter2-and-more", "note": "<!channel> *x*"}
    assert await house.hook("alertmanager", sent) == 400
    card = await house.dana.sees(INCIDENTS, "SEV2 · Something from alertmanager could not be read · NOBODY HAS IT")
    assert "version is '5'; this reads Alertmanager's webhook version 4." in card.text
    await house.olu.sees("@platform", "You are paged.", "Something from alertmanager could not be read", "INC-101")
    reply = await card.thread("What alertmanager sent", '"alerts": []')
    assert "<!channel>" not in json.dumps(reply.message)
    assert "hunter2" not in reply.text
    stored = [await house.rows(f"SELECT * FROM {table}") for table in ("posts", "alerts", "incidents", "audit")]
    assert "hunter2" not in str(stored)


async def test_one_alert_that_says_nonsense_does_not_cost_the_others_their_page(house: House) -> None:
    status, said = await house.hook_says("alertmanager", {"version": "4", "alerts": [GOOD, BAD]})
    assert status == 400
    assert said == (
        "1 of 2 alerts; alerts[1].status is 'perhaps'; it should be firing or resolved. The other 1 are taken."
    )
    await house.dana.sees(INCIDENTS, "SEV1 · checkout · PRODUCTION · NOBODY HAS IT", "5xx")
    card = await house.dana.sees(INCIDENTS, "Something from alertmanager could not be read", "1 of 2 alerts")
    await card.thread("What alertmanager sent", "perhaps", "Latency <!channel>")
    await house.assistant.paging.look()
    pages = await house.rows("SELECT incident_id FROM paging WHERE person_id = 'U0OLU'")
    assert len({row["incident_id"] for row in pages}) == 2


async def test_what_cannot_be_read_again_and_again_is_one_incident_that_counts_and_no_flood(house: House) -> None:
    for number in range(15):
        assert await house.hook("alert", {"name": f"Backup {number}", "sevrity": "critical"}) == 400
    card = await house.dana.sees(
        INCIDENTS, "Something from alert could not be read", "15 times", "meant to be severity"
    )
    await card.thread("What alert sent", "Backup 14")
    await house.quiet()
    assert len(await house.rows("SELECT id FROM posts WHERE id LIKE 'INC-101/unread/%'")) == 10
    assert len(await house.rows("SELECT id FROM incidents")) == 1
    await house.dana.types("/platform incident ack INC-101")
    await (await house.dana.sees("general", "Do you take it?")).click("Take over")
    await house.dana.types("/platform incident resolve INC-101")
    await card.becomes("RESOLVED")
    house.clock.advance(3600)
    assert await house.hook("alert", {"name": "Backup 14", "sevrity": "critical"}) == 400
    again = await house.dana.sees(INCIDENTS, "Something from alert could not be read", "NOBODY HAS IT", "INC-102")
    assert "times" not in again.text


async def test_a_rule_may_say_that_a_scripts_typos_wake_nobody() -> None:
    def ruled(content: dict[str, Any]) -> None:
        olu_is_on_call(content)
        content["alerts"] = [{"when": 'alert.name == "Something from alert could not be read"', "severity": "sev3"}]

    async with acme_house(platform=ruled) as house:
        assert await house.hook("alert", {"sevrity": "critical"}) == 400
        await house.dana.sees(INCIDENTS, "SEV3 · Something from alert could not be read", "Nobody is paged")
        assert await house.hook("grafana", {"version": "9"}) == 400
        await house.dana.sees(INCIDENTS, "SEV2 · Something from grafana could not be read", "Paged: @olu")


@pytest.mark.parametrize("later", [60.0, 3600.0], ids=["within its window", "long after"])
async def test_a_script_that_only_ever_says_firing_is_heard_again_after_its_incident_was_resolved(
    house: House, later: float
) -> None:
    backup = {"name": "Backup", "service": "checkout", "environment": "production", "severity": "critical"}
    for _ in range(2):
        assert await house.hook("alert", backup) == 200
    card = await house.dana.sees(INCIDENTS, "INC-101", "NOBODY HAS IT", "Paged: @olu")
    await card.click("Acknowledge")  # by Dana, who was not paged
    await (await house.dana.sees(INCIDENTS, "Do you take it?")).click("Take over")
    await house.dana.types("/platform incident resolve INC-101")
    await card.becomes("RESOLVED")
    house.clock.advance(later)
    assert await house.hook("alert", backup) == 200
    number = "INC-101" if later < 900 else "INC-102"
    await house.dana.sees(INCIDENTS, number, "NOBODY HAS IT")
    await house.quiet()
    assert len(await house.rows("SELECT id FROM incidents")) == (1 if later < 900 else 2)


async def test_a_monitor_that_names_the_beginning_is_not_heard_anew_when_it_repeats_itself(house: House) -> None:
    began = house.clock.now() - 60
    await tell(house, alert(starts_at=began))
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    await house.olu.types("/platform incident resolve INC-101")
    await card.becomes("RESOLVED")
    house.clock.advance(4 * 3600)
    await tell(house, alert(starts_at=began))
    await house.quiet()
    assert "RESOLVED" in card.text
    assert len(await house.rows("SELECT id FROM incidents")) == 1
