"""PagerDuty and the incidents channel: what happens in one is known in the other, once."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from chatops.http.hooks import Tokens
from chatops.incidents.pagerduty_changes import GIVEN_UP_AFTER
from tests.support.house import HOOK_TOKEN, REQUESTS, House, acme_house
from tests.support.pagerduty import API_TOKEN, SECRET, StandIn, pagerduty, signature

INCIDENTS = "incidents"
LATER = "2026-11-23T09:05:00.000Z"
LATEST = "2026-11-23T09:10:00.000Z"


@pytest.fixture
async def there() -> AsyncIterator[StandIn]:
    async with pagerduty() as found:
        yield found


@pytest.fixture
async def house(there: StandIn) -> AsyncIterator[House]:
    def platform(content: dict[str, Any]) -> None:
        content["pagerduty"] = {"url": there.address, "from": "olu@acme.test"}
        content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]

    async with acme_house(platform=platform) as house:
        await house.stop()
        tokens = Tokens((HOOK_TOKEN,), {"pagerduty": (SECRET,)})
        house.settings = replace(house.settings, hook_tokens=tokens, pagerduty_token=API_TOKEN)
        await house.start()
        yield house


async def told(house: House) -> None:
    """PagerDuty is told what is due."""
    await house.assistant.pagerduty_changes.look()
    await house.quiet()


async def opened(house: House, there: StandIn) -> Any:
    assert await there.sends(house, there.event("triggered")) == 200
    return await house.dana.sees(INCIDENTS, "checkout · PRODUCTION · NOBODY HAS IT", "The cart answers with errors")


async def test_what_is_triggered_there_is_a_card_here_and_pages_nobody_a_second_time(
    house: House, there: StandIn
) -> None:
    await opened(house, there)
    await house.later(3600)
    assert await house.rows("SELECT * FROM paging") == []


async def test_acknowledging_and_resolving_here_does_so_there_in_the_name_of_who_did_it(
    house: House, there: StandIn
) -> None:
    card = await opened(house, there)
    await card.click("Acknowledge")
    await card.becomes("DANA HAS IT")
    await told(house)
    assert there.status == "acknowledged"
    assert there.told[-1] == ("PUT", "/incidents/PT4KHLK", "olu@acme.test"), "PagerDuty has no user dana@acme.test"
    before = len(there.told)
    assert await there.sends(house, there.event("acknowledged", LATER, "PXPGF42")) == 200
    await card.click("Resolve")
    await card.becomes("RESOLVED")
    await told(house)
    assert there.status == "resolved"
    assert await there.sends(house, there.event("resolved", LATEST, "PXPGF42")) == 200
    await told(house)
    rows = await house.rows("SELECT who, what FROM audit WHERE chain = 'INC-101' AND what = 'acknowledged'")
    assert [row["who"] for row in rows] == ["dana@acme.test"], "the echo makes no second change"
    assert len(there.told) == before + 2, "one call that was refused for its From, one that counts"


async def test_acknowledging_there_is_that_persons_here_and_is_not_told_back(house: House, there: StandIn) -> None:
    card = await opened(house, there)
    assert await there.sends(house, there.event("acknowledged", LATER, "PXPGF42")) == 200
    await card.becomes("OLU HAS IT", "@olu has it since")
    await told(house)
    assert there.told == []
    assert await there.sends(house, there.event("unacknowledged", LATEST)) == 200
    await card.becomes("NOBODY HAS IT")


async def test_somebody_who_is_nobody_here_has_it_by_name(house: House, there: StandIn) -> None:
    card = await opened(house, there)
    assert await there.sends(house, there.event("acknowledged", LATER, "PGUEST1")) == 200
    await card.becomes("GUS IN PAGERDUTY HAS IT", "Gus in PagerDuty has it since")


async def test_resolved_there_is_resolved_here_and_reopened_there_is_back(house: House, there: StandIn) -> None:
    card = await opened(house, there)
    assert await there.sends(house, there.event("resolved", LATER, "PXPGF42")) == 200
    await card.becomes("RESOLVED")
    assert await there.sends(house, there.event("reopened", LATEST, "PXPGF42")) == 200
    await card.becomes("NOBODY HAS IT")
    await told(house)
    assert there.told == []


async def test_an_event_that_comes_twice_or_late_changes_nothing(house: House, there: StandIn) -> None:
    triggered, resolved = there.event("triggered"), there.event("resolved", LATEST)
    acknowledged = there.event("acknowledged", LATER, "PXPGF42")
    for event in (resolved, triggered, acknowledged, triggered, resolved):
        assert await there.sends(house, event) == 200
    assert await house.rows("SELECT * FROM incidents") == [], "it was over before anybody here heard of it"
    again = there.event("reopened", "2026-11-23T09:20:00Z")
    for event in (again, again, there.event("priority_updated", LATER), triggered):
        assert await there.sends(house, event) == 200
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
    audit = await house.rows("SELECT what FROM audit WHERE chain = 'INC-101' AND what <> 'looked_into'")
    assert [row["what"] for row in audit if row["what"] != "noted"] == ["opened"]
    assert "NOBODY HAS IT" in card.text


async def test_notes_go_both_ways_once(house: House, there: StandIn) -> None:
    await opened(house, there)
    await house.olu.types("/platform incident note INC-101 because the cache is full", channel=REQUESTS)
    await house.olu.sees(REQUESTS, "It is on the timeline")
    await told(house)
    assert there.notes == ["INC-101, olu@acme.test: the cache is full"]
    for words in (there.notes[0], "I look at the cache"):
        data = {"id": "PN1", "type": "incident_note", "content": words, "trimmed": False}
        event = there.event("annotated", LATER, "PXPGF42")
        event["event"]["data"] = {**data, "incident": {"id": "PT4KHLK", "type": "incident_reference"}}
        assert await there.sends(house, event) == 200
    await told(house)
    noted = await house.rows("SELECT data FROM audit WHERE chain = 'INC-101' AND what = 'noted' ORDER BY seq")
    assert len(noted) == 2
    assert len(there.notes) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((503, {}), "PagerDuty answered 503"),
        ((401, {}), "PagerDuty refuses CHATOPS_PAGERDUTY_TOKEN (401)"),
        ((429, {"Retry-After": "40"}), "PagerDuty asks us to wait (429)"),
    ],
)
async def test_when_it_cannot_be_told_the_thread_says_so_and_it_is_tried_again(
    house: House, there: StandIn, answer: tuple[int, dict[str, str]], said: str
) -> None:
    card = await opened(house, there)
    there.answers = [answer]
    await card.click("Acknowledge")
    await card.thread("PagerDuty does not know yet that it is acknowledged", said)
    calls = len(there.calls)
    if answer[0] == 429:
        await house.later(39)
        await told(house)
        assert len(there.calls) == calls, "PagerDuty asked to wait"
    await house.later(41)
    await told(house)
    await card.thread("PagerDuty knows now that it is acknowledged")
    assert there.status == "acknowledged"


async def test_after_an_hour_it_is_given_up_and_said(house: House, there: StandIn) -> None:
    card = await opened(house, there)
    there.answers = [(500, {})] * 3
    await card.click("Acknowledge")
    await card.thread("PagerDuty answered 500. It is tried again")
    await house.later(GIVEN_UP_AFTER + 1)
    await told(house)
    await card.thread("PagerDuty was not told that it is acknowledged", "do it there")
    calls = len(there.calls)
    await house.later(3600)
    await told(house)
    assert len(there.calls) == calls


async def test_a_restart_in_the_middle_forgets_nothing(house: House, there: StandIn) -> None:
    card = await opened(house, there)
    there.hangs = True
    await card.click("Acknowledge")
    await house.until(lambda: bool(there.told))
    await house.stop()
    there.hangs = False
    await house.start()
    await told(house)
    assert there.status == "acknowledged"
    assert await house.rows("SELECT id FROM pagerduty_changes WHERE ended = ''") == []


async def test_only_who_knows_the_secret_may_send(
    house: House, there: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    event = there.event("triggered")
    for wrong in ("", "v1=", "v1=00", signature(b"another body"), "v1=ü", signature(b"{}", HOOK_TOKEN)):
        assert await there.sends(house, event, wrong) == 401
    assert await house.rows("SELECT * FROM incidents") == []
    assert await there.sends(house, b"{}", f"v1=00, {signature(b'{}')}") == 400
    await house.dana.sees(INCIDENTS, "Something from PagerDuty could not be read.", "no object event")
    ping = {"event": {"id": "01P", "event_type": "pagey.ping", "resource_type": "pagey", "data": {"type": "ping"}}}
    assert await there.sends(house, ping) == 200
    assert await there.sends(house, b" " * (17 << 20)) == 413
    there.answers = [(401, {})]
    card = await opened(house, there)
    await card.click("Acknowledge")
    await card.thread("PagerDuty does not know yet")
    dump = str(await house.rows("SELECT * FROM audit")) + str(await house.rows("SELECT * FROM posts")) + caplog.text
    assert API_TOKEN not in dump
    assert SECRET not in dump
