"""PagerDuty and the incidents channel: what happens in one is known in the other, once."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from chatops.http.hooks import Tokens
from chatops.incidents import pagerduty_store
from chatops.incidents.pagerduty_changes import GIVEN_UP_AFTER
from chatops.kernel.ports import Tx
from tests.scenarios.test_incidents import alert, tell
from tests.support.house import HOOK_TOKEN, REQUESTS, House, acme_house
from tests.support.pagerduty import (
    API_TOKEN,
    NOTE,
    RESPONDER,
    SECRET,
    SERVICE,
    UPDATE,
    StandIn,
    pagerduty,
    reference,
    signature,
)  # fmt: skip

INCIDENTS = "incidents"
LATER = "2026-11-23T09:05:00.000Z"
LATEST = "2026-11-23T09:10:00.000Z"


@pytest.fixture
async def there() -> AsyncIterator[StandIn]:
    async with pagerduty() as found:
        yield found


@pytest.fixture
async def house(there: StandIn) -> AsyncIterator[House]:
    async with connected(there, {"from": "olu@acme.test"}) as found:
        yield found


@asynccontextmanager
async def connected(there: StandIn, section: dict[str, Any]) -> AsyncIterator[House]:
    """Acme with PagerDuty, both ways; ``section`` is what ``pagerduty:`` says beside its address."""

    def platform(content: dict[str, Any]) -> None:
        content["pagerduty"] = {"url": there.address, **section}
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
        event = there.about("incident.annotated", {**NOTE, "content": words}, LATER, "PXPGF42")
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
    await house.dana.sees(INCIDENTS, "Something from PagerDuty could not be read", "no object event")
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


async def notes_here(house: House) -> list[str]:
    rows = await house.rows("SELECT data FROM audit WHERE chain = 'INC-101' AND what = 'noted' ORDER BY seq")
    return [json.loads(row["data"])["text"] for row in rows]


async def test_a_long_note_of_ours_that_comes_back_trimmed_is_known_again(house: House, there: StandIn) -> None:
    await opened(house, there)
    said = f"the cache is full {'and full ' * 40}"
    await house.olu.types(f"/platform incident note INC-101 because {said}", channel=REQUESTS)
    await house.olu.sees(REQUESTS, "It is on the timeline")
    await told(house)
    for ending in ("", "…", "..."):
        back = {**NOTE, "content": f"{there.notes[0][:200]}{ending}", "trimmed": True}
        assert await there.sends(house, there.about("incident.annotated", back, LATER)) == 200
    assert len(await notes_here(house)) == 1
    other = {**NOTE, "content": "INC-101, olu@acme.test: another", "trimmed": True}
    assert await there.sends(house, there.about("incident.annotated", other, LATER)) == 200
    assert len(await notes_here(house)) == 2


async def test_what_is_said_there_is_on_the_timeline_and_the_rest_is_taken_and_left(
    house: House, there: StandIn
) -> None:
    await opened(house, there)
    for name, data in (
        ("incident.status_update_published", UPDATE), ("incident.responder.added", RESPONDER),
        ("incident.responder.replied", RESPONDER), ("service.updated", SERVICE), ("service.deleted", SERVICE),
    ):  # fmt: skip
        assert await there.sends(house, there.about(name, data, LATER, "PXPGF42")) == 200
    for kind in ("escalated", "delegated", "reassigned"):
        assert await there.sends(house, there.event(kind, LATER, "PXPGF42")) == 200
    assert await notes_here(house) == [
        "The cache is being emptied", "escalated it there", "gave it to another escalation policy there",
        "gave it to somebody else there",
    ]  # fmt: skip
    await told(house)
    assert there.notes == [], "what came from there is not told back"


async def test_a_note_of_somebody_unknown_there_is_made_in_the_name_that_the_configuration_gives(
    house: House, there: StandIn
) -> None:
    await opened(house, there)
    await house.dana.types("/platform incident note INC-101 because the cache is full", channel=REQUESTS)
    await house.dana.sees(REQUESTS, "It is on the timeline")
    await told(house)
    assert there.notes == ["INC-101, dana@acme.test: the cache is full"], "the words say who it was"
    assert [email for _, path, email in there.told if path.endswith("/notes")] == ["dana@acme.test", "olu@acme.test"]


async def test_without_such_a_name_the_thread_says_that_the_note_stayed_here(there: StandIn) -> None:
    async with connected(there, {}) as house:
        card = await opened(house, there)
        await house.dana.types("/platform incident note INC-101 because the cache is full", channel=REQUESTS)
        await card.thread("PagerDuty was not told that it is noted", "Requester User Not Found", "do it there")
        assert there.notes == []
        await house.olu.types("/platform incident note INC-101 because it is empty", channel=REQUESTS)
        await house.until(lambda: bool(there.notes))
        await told(house)
        assert there.notes == ["INC-101, olu@acme.test: it is empty"]
        assert await house.rows("SELECT id FROM pagerduty_changes WHERE ended = ''") == []


async def test_where_it_is_said_to_page_its_incidents_page_here_too_until_somebody_has_it_there(
    there: StandIn,
) -> None:
    async with connected(there, {"pages": True}) as house:
        card = await opened(house, there)
        await house.olu.sees("@platform", "You are paged.")
        assert await there.sends(house, there.event("acknowledged", LATER, "PGUEST1")) == 200
        await card.becomes("GUS IN PAGERDUTY HAS IT")
        before = len(await house.rows("SELECT * FROM paging"))
        await house.later(1800)
        assert len(await house.rows("SELECT * FROM paging")) == before
        assert await there.sends(house, there.event("unacknowledged", LATEST)) == 200
        await card.becomes("NOBODY HAS IT")
        await house.later(60)
        await house.assistant.paging.look()
        assert len(await house.rows("SELECT * FROM paging")) > before, "nobody has it: it pages again"


async def test_also_where_it_pages_what_is_not_urgent_wakes_nobody(there: StandIn) -> None:
    async with connected(there, {"pages": True}) as house:
        assert await there.sends(house, there.event("triggered", urgency="low")) == 200
        await house.dana.sees(INCIDENTS, "SEV3 · checkout · PRODUCTION")
        await house.later(3600)
        assert await house.rows("SELECT * FROM paging") == []


async def test_another_monitors_alert_pages_for_it_only_when_it_is_worse(house: House, there: StandIn) -> None:
    card = await opened(house, there)
    await tell(house, alert("Latency", severity="error"))
    await card.becomes("2 alerts")
    await house.later(3600)
    assert await house.rows("SELECT * FROM paging") == [], "as bad as what PagerDuty pages for already"
    await tell(house, alert("ErrorRate", severity="critical"))
    await card.becomes("SEV1")
    await house.olu.sees("@platform", "You are paged.")


@pytest.mark.parametrize(
    ("services", "there_called", "card"),
    [
        ({"PIJ90N7": {"service": "payments", "environment": "staging"}}, "Checkout (production)", "payments · STAGING"),
        ({"The till": {"service": "checkout", "environment": "production"}}, "The till", "checkout · PRODUCTION"),
        ({"PIJ90N7": {"service": "checkout"}}, "The till", "checkout"),
        ({"PIJ90N7": {"service": "payments"}, "The till": {"service": "checkout"}}, "The till", "payments"),
        ({}, "checkout", "checkout"),
        ({}, "Production checkout", "checkout · PRODUCTION"),
        ({}, "The till", "The cart answers with errors"),
    ],
    ids=[
        "id before name",
        "name",
        "no environment",
        "id before listed name",
        "called like it",
        "with place",
        "neither",
    ],
)
async def test_a_service_there_is_the_one_that_the_configuration_names_else_the_one_it_is_called_like(
    there: StandIn, services: dict[str, Any], there_called: str, card: str
) -> None:
    async with connected(there, {"services": services} if services else {}) as house:
        event = there.event("triggered", service=reference("service", "PIJ90N7", there_called))
        assert await there.sends(house, event) == 200
        await house.dana.sees(INCIDENTS, card)
        [row] = await house.rows("SELECT service, environment FROM incidents")
        wanted = services.get("PIJ90N7") or services.get(there_called) or {}
        if services:
            assert (row["service"], row["environment"]) == (wanted["service"], wanted.get("environment", ""))
        elif there_called == "The till":
            assert (row["service"], row["environment"]) == ("", "")


async def test_events_and_what_was_told_are_forgotten_after_a_month_and_what_waits_is_not(
    house: House, there: StandIn
) -> None:
    card = await opened(house, there)
    await card.click("Acknowledge")
    await card.becomes("DANA HAS IT")
    await told(house)
    await house.assistant.database.write(
        pagerduty_store.add, "PT4KHLK", 101, "note", "still to be told", "", house.clock.now()
    )
    await house.assistant.forget()
    assert len(await house.rows("SELECT id FROM pagerduty_events")) == 1
    assert len(await house.rows("SELECT id FROM pagerduty_changes")) == 2
    await house.assistant.database.write(pagerduty_store.prune, house.clock.now() + pagerduty_store.KEPT + 1)
    assert await house.rows("SELECT id FROM pagerduty_events") == []
    [left] = await house.rows("SELECT note, ended FROM pagerduty_changes")
    assert (left["note"], left["ended"]) == ("still to be told", "")
    assert len(await house.rows("SELECT id FROM pagerduty_incidents")) == 1, "a late event is still known to be late"
    assert await there.sends(house, there.event("triggered", "2026-11-23T08:00:00Z")) == 200
    await house.quiet()
    assert "DANA HAS IT" in card.text


async def test_much_that_is_too_old_is_forgotten_some_at_a_time(house: House, there: StandIn) -> None:
    now = house.clock.now()

    def fill(tx: Tx) -> None:
        for number in range(pagerduty_store.AT_ONCE + 7):
            pagerduty_store.first_time(tx, f"old-{number}", now - pagerduty_store.KEPT - 1)
        pagerduty_store.first_time(tx, "young", now - pagerduty_store.KEPT + 60)

    await house.assistant.database.write(fill)
    assert await house.assistant.database.write(pagerduty_store.prune, now) == pagerduty_store.AT_ONCE
    await house.assistant.forget()
    assert [row["id"] for row in await house.rows("SELECT id FROM pagerduty_events")] == ["young"]
