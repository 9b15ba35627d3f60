"""Incidents as people meet them: an alert comes, somebody is paged, somebody has it, it is over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatops.incidents import digests
from chatops.incidents.incident import Incident
from chatops.incidents.paging import Paging
from chatops.kernel.alert import Alert, Delivery
from chatops.slack.directory import SlackDirectory
from tests.support.house import REQUESTS, House, acme_house

INCIDENTS = "incidents"


def olu_is_on_call(platform: dict[str, Any]) -> None:
    platform["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=olu_is_on_call) as house:
        yield house


def alert(name: str = "ErrorRate", status: str = "firing", **changes: Any) -> Alert:
    labels = {"environment": "production", "service": "checkout", **changes.pop("labels", {})}
    given: dict[str, Any] = {
        "severity": "critical", "summary": "5xx", "numbers": "12.4 % (limit 1 %)", "labels": labels,
        "runbook": "https://runbooks.acme.test/checkout", "fingerprint": name, **changes,
    }  # fmt: skip
    return Alert(source="alertmanager", status=status, name=name, **given)  # type: ignore[arg-type]


async def tell(house: House, *alerts: Alert) -> None:
    await house.assistant.alerts.take(Delivery("alertmanager", alerts))


async def test_an_alert_becomes_a_card_a_page_and_somebodys_with_one_click(house: House) -> None:
    await tell(house, alert(), alert("Latency"))
    card = await house.dana.sees(INCIDENTS, "SEV1 · checkout · PRODUCTION · NOBODY HAS IT")
    assert "5xx 12.4 % (limit 1 %)" in card.text
    assert "2 alerts: ErrorRate and Latency" in card.text
    await card.becomes("Owner: shop", "Paged: @olu", "Next: leads")
    assert card.buttons == ["Acknowledge", "Escalate", "Runbook"]
    page = await house.olu.sees("@platform", "You are paged.", "checkout in production", "INC-101")
    await page.click("Acknowledge")
    await card.becomes("OLU HAS IT", "@olu has it since", "pages again")
    await page.becomes("needs nobody any more", "Olu has it")
    assert card.buttons == ["Resolve", "Still on it", "More"]
    await card.click("Acknowledge", stale=True)
    late = await house.dana.sees(INCIDENTS, "Olu already has INC-101.")
    assert late.buttons == ["Take over"]


async def test_who_was_not_paged_is_asked_whether_to_take_it_over_and_the_paged_are_told(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await card.thread("Pods")
    await card.click("Acknowledge")
    asked = await house.dana.sees(INCIDENTS, "Olu was paged for INC-101, and has not answered yet. Do you take it?")
    assert "thread_ts" not in asked.message, "an answer in the thread is not seen by who clicks in the channel"
    assert "NOBODY HAS IT" in card.text
    await asked.click("Take over")
    await card.becomes("DANA HAS IT")
    await card.thread("@olu", "Dana has taken over INC-101.")


async def test_nobody_outside_decides_on_an_incident(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await house.gus.types("/platform incident ack INC-101", channel=REQUESTS)
    await house.gus.sees(REQUESTS, "answers only people of its home workspace")
    assert "NOBODY HAS IT" in card.text


async def test_nobody_acknowledges_and_everybody_is_paged_step_by_step_until_somebody_does(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Next: leads")
    await later(house, 540)
    await house.lee.never_sees("@platform", "You are paged.")
    await later(house, 61)
    await house.lee.sees("@platform", "You are paged.", "INC-101")
    await card.thread("Nobody has answered", "@lee")
    await later(house, 20 * 60)  # the second round
    await house.quiet()
    rounds = await house.rows("SELECT person_id, step FROM paging ORDER BY step, person_id")
    assert [(row["person_id"], row["step"]) for row in rounds][:3] == [("U0OLU", 0), ("U0LEE", 1), ("U0OLU", 2)]
    for _ in range(12):
        await later(house, 20 * 60)
    steps = [row["step"] for row in await house.rows("SELECT DISTINCT step FROM paging ORDER BY step")]
    assert steps == list(range(len(steps))), "no step is skipped"
    assert len(steps) > 6, "after the last step everybody is paged again and again"
    before = len(steps)
    await card.click("Acknowledge")
    await (await house.dana.sees(INCIDENTS, "Do you take it?")).click("Take over")
    await card.becomes("DANA HAS IT")
    await later(house, 600)
    assert len(await house.rows("SELECT DISTINCT step FROM paging")) == before


async def test_while_nobody_can_be_found_it_tries_anew_every_minute_and_no_step_is_spent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(self: SlackDirectory, source: str, team: str = "") -> tuple[()]:
        return ()

    with monkeypatch.context() as away:
        away.setattr(SlackDirectory, "members", nobody)
        await tell(house, alert())
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        await card.thread("Nobody could be reached")
        for _ in range(5):
            await later(house, 61)
    assert await house.rows("SELECT * FROM paging") == []
    await later(house, 61)
    await house.olu.sees("@platform", "You are paged.")
    assert [row["step"] for row in await house.rows("SELECT step FROM paging")] == [0]


async def test_one_incident_that_fails_keeps_nobody_else_asleep(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    find = Paging._people

    async def fails(self: Paging, target: str, incident: Incident) -> Any:
        if incident.service == "checkout":
            raise RuntimeError("its rota makes us stumble")
        return await find(self, target, incident)

    monkeypatch.setattr(Paging, "_people", fails)
    await tell(house, alert(), alert("Slow", labels={"service": "cart"}))
    page = await house.olu.sees("@platform", "You are paged.", "cart")
    assert "checkout" not in page.text


async def test_what_is_not_resolved_in_time_pages_again(house: House) -> None:
    await tell(house, alert())
    await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    card = await house.olu.sees(INCIDENTS, "OLU HAS IT")
    await later(house, 29 * 60)
    await card.click("Still on it")
    await house.olu.sees(INCIDENTS, "INC-101 stays yours")
    await later(house, 29 * 60)
    assert "OLU HAS IT" in card.text
    await later(house, 2 * 60)
    await card.becomes("NOBODY HAS IT")
    await card.thread("INC-101 is not resolved after 30 minutes with Olu")


async def test_a_person_is_paged_at_most_once_a_minute_with_everything_in_it(house: House) -> None:
    await tell(house, alert())
    await house.olu.sees("@platform", "You are paged.", "checkout")
    await tell(house, alert("DiskFull", labels={"service": "", "namespace": "shop"}))
    await tell(house, alert("Cart", labels={"service": "cart"}))
    await house.dana.sees(INCIDENTS, "cart", "NOBODY HAS IT")
    await house.assistant.paging.look()
    assert len(await house.rows("SELECT DISTINCT page_id FROM paging WHERE page_id <> ''")) == 1
    await later(house, 61)
    both = await house.olu.sees("@platform", "You are paged.", "DiskFull", "cart")
    numbers = [row["id"] for row in await house.rows("SELECT id FROM incidents ORDER BY id")]
    assert both.buttons == [f"Acknowledge INC-{number}" for number in numbers[1:]]
    await both.click(f"Acknowledge INC-{numbers[2]}")
    await house.dana.sees(INCIDENTS, "cart", "OLU HAS IT")
    await both.becomes("Olu has it")
    assert both.buttons == ["Acknowledge", "Escalate", "Runbook"]


async def test_all_resolved_proposes_to_resolve_and_coming_back_opens_it_again(house: House) -> None:
    await tell(house, alert())
    await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    card = await house.olu.sees(INCIDENTS, "OLU HAS IT")
    await tell(house, alert(status="resolved"))
    await card.becomes("All alerts are resolved.")
    await card.click("Resolve")
    await card.becomes("RESOLVED", "Resolved by Olu")
    assert card.buttons == []
    await later(house, 300)
    await tell(house, alert(starts_at=house.clock.now()))
    await card.becomes("NOBODY HAS IT", "It came back once")
    await card.thread("It is back: 5xx")
    await later(house, 3600)
    await house.lee.types("/platform incident resolve INC-101 because enough")
    await card.becomes("RESOLVED")
    await later(house, 16 * 60)
    await tell(house, alert(starts_at=house.clock.now()))
    await house.dana.sees(INCIDENTS, "INC-102", "NOBODY HAS IT")


async def test_the_same_delivery_three_times_is_one_incident_and_one_line_of_its_timeline(house: House) -> None:
    for _ in range(3):
        await tell(house, alert(), alert("Latency"))
    card = await house.dana.sees(INCIDENTS, "INC-101", "2 alerts")
    await card.becomes("Paged: @olu")
    await house.quiet()
    told = [row["what"] for row in await house.rows("SELECT what FROM audit WHERE chain = 'INC-101'")]
    assert sorted(told) == ["looked_into", "opened", "page_arrived", "paged"]


async def test_what_is_silenced_makes_no_noise_and_leaves_a_trace(house: House) -> None:
    await tell(house, alert(silenced=True))
    await house.dana.never_sees(INCIDENTS, "INC-101")
    await house.dana.types("/platform incidents")
    await house.dana.sees("general", "INC-101", "silenced")
    await tell(house, alert())
    await house.dana.sees(INCIDENTS, "INC-101", "NOBODY HAS IT")
    await house.olu.sees("@platform", "You are paged.")


async def test_the_timeline_tells_what_happened_in_order(house: House) -> None:
    await tell(house, alert())
    await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    await house.olu.sees(INCIDENTS, "OLU HAS IT")
    await house.olu.types("/platform incident note INC-101 because restarted the <!channel> pool")
    await house.olu.sees("general", "on the timeline")
    await house.olu.types("/platform incident severity INC-101 sev2")
    await house.olu.sees(INCIDENTS, "SEV2")
    await house.olu.types("/platform incident handover INC-101 lee@acme.test")
    card = await house.lee.sees(INCIDENTS, "LEE HAS IT")
    await card.thread("@lee", "Olu hands INC-101 over to you.")
    await house.dana.types("/platform incident timeline INC-101")
    said = await house.dana.sees("general", "Opened: ErrorRate firing")
    wanted = (
        "Opened",
        "Paged Olu",
        "acknowledged",
        "restarted the <!channel> pool",
        "from sev1 to sev2",
        "handed over",
    )
    places = [said.text.index(words) for words in wanted]
    assert places == sorted(places)


async def test_after_a_restart_nothing_is_forgotten_and_nobody_is_paged_twice(house: House) -> None:
    await tell(house, alert())
    await house.olu.sees("@platform", "You are paged.")
    await house.quiet()
    await house.stop()
    house.clock.advance(601)
    await house.start()
    await house.lee.sees("@platform", "You are paged.", within=10)
    rows = await house.rows("SELECT person_id, step FROM paging ORDER BY step")
    assert [(row["person_id"], row["step"]) for row in rows] == [("U0OLU", 0), ("U0LEE", 1)]


async def test_in_a_storm_a_digest_names_what_has_no_card_yet_and_links_it_afterwards(house: House) -> None:
    await tell(house, *(alert(f"Group{number}", labels={"service": ""}) for number in range(14)))
    digest = await house.dana.sees(INCIDENTS, "A storm of alerts", "4 incidents here", "Group13")
    assert "Group9" not in digest.text
    await house.dana.sees(INCIDENTS, "INC-114", "Group13", "NOBODY HAS IT")
    await house.quiet()
    await digests.refresh(house.assistant.database, house.assistant.messenger, house.clock)
    await house.quiet()
    assert "/archives/C0INCIDENTS/p" in str(digest.message)
    page = await house.olu.sees("@platform", "You are paged.", "and 6 more")
    assert page.text.count("Acknowledge INC-") == 8
    await house.olu.types("/platform incident ack INC-114")
    await digest.becomes("Olu")


async def test_a_monitor_sends_and_a_script_resolves(house: House) -> None:
    told = {"name": "Backup", "service": "checkout", "environment": "production", "severity": "critical"}
    assert await house.hook("alert", {**told, "summary": "two days old <!channel>"}) == 200
    card = await house.dana.sees(INCIDENTS, "SEV1 · checkout · PRODUCTION", "two days old <!channel>")
    await house.olu.sees("@platform", "You are paged.")
    assert await house.hook("alert", {**told, "status": "resolved"}) == 200
    await card.becomes("All alerts are resolved.")


async def test_grafana_tells_and_takes_it_back(house: House) -> None:
    labels = {"alertname": "QueueGrows", "severity": "critical", "service": "checkout", "environment": "production"}
    told = {
        "status": "firing", "fingerprint": "c0ffee", "labels": labels, "annotations": {"summary": "orders wait"},
        "values": {"B": 44.2394, "C": 1},
    }  # fmt: skip
    assert await house.hook("grafana", {"version": "1", "alerts": [told]}) == 200
    card = await house.dana.sees(INCIDENTS, "SEV1 · checkout · PRODUCTION", "orders wait B = 44.24, C = 1")
    await house.olu.sees("@platform", "You are paged.")
    assert await house.hook("grafana", {"version": "1", "alerts": [{**told, "status": "resolved"}]}) == 200
    await card.becomes("All alerts are resolved.")


async def later(house: House, seconds: float) -> None:
    house.clock.advance(seconds)
    await house.assistant.paging.look()


# notes ---------------------------------------------------------------------------------------------------------------


async def test_a_reply_that_begins_with_note_is_on_the_timeline_and_no_other(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await house.attending()
    await house.dana.types("is it the cart again?", channel=INCIDENTS, thread=card)
    await house.dana.types("Note: the cart times out <!channel> &amp; *more*", channel=INCIDENTS, thread=card)
    await house.dana.sees(INCIDENTS, "It is on the timeline of INC-101.", thread=card.ts)
    await house.gus.types("note: sell", channel=REQUESTS)
    await house.dana.types("note: not in a thread", channel=INCIDENTS)
    await house.dana.types("/platform incident timeline INC-101")
    shown = await house.dana.sees("general", "the cart times out")
    assert "dana@acme.test: the cart times out" in shown.text
    for other in ("cart again", "sell", "not in a thread"):
        assert other not in shown.text
    assert len(await house.rows("SELECT * FROM audit WHERE chain = 'INC-101' AND what = 'noted'")) == 1


@pytest.mark.parametrize("killed", [False, True])
async def test_a_note_under_a_card_that_slack_has_not_yet_confirmed_waits_for_it(house: House, killed: bool) -> None:
    await house.attending()
    await house.sandbox.fault("timeout_after_store", method="chat.postMessage", channel=INCIDENTS)
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
    await house.dana.types("note: the cart times out", channel=INCIDENTS, thread=card)
    async with asyncio.timeout(10):
        while not await house.rows("SELECT key FROM inbox WHERE kind = 'reply'"):
            await asyncio.sleep(0.02)
    if killed:
        await house.stop()
        await house.start()
    await house.dana.sees(INCIDENTS, "It is on the timeline of INC-101.", thread=card.ts, within=30)
    assert len(await house.rows("SELECT * FROM audit WHERE chain = 'INC-101' AND what = 'noted'")) == 1


async def test_app_home_shows_the_incidents_of_my_teams_and_who_is_on_call(house: House) -> None:
    await house.dana.home("On call", "shop-rota: Olu")
    await tell(house, alert())
    card = await house.olu.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await house.dana.home("Incidents", "INC-101 · SEV1 · checkout", "nobody has it")
    await card.click("Acknowledge")
    await house.dana.sees(INCIDENTS, "OLU HAS IT")
    await house.olu.home("INC-101", "Olu has it")


async def test_a_message_is_added_to_the_timeline_from_its_menu(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await house.quiet()  # the form finds the incident by where its card stands
    reply = await house.lee.types("I restarted the cache", channel=INCIDENTS, thread=card)
    await house.olu.uses_shortcut("add_to_timeline", on=reply)
    form = await house.olu.modal(title="Note")
    assert await form.submit() == {}
    elsewhere = await house.lee.types("The provider says it is them", channel="general")
    await house.olu.uses_shortcut("add_to_timeline", on=elsewhere)
    form = await house.olu.modal(title="Note")
    await form.fill(Incident="INC-101")
    assert await form.submit() == {}
    await house.quiet()
    await house.olu.types("/platform incident timeline INC-101")
    await house.olu.sees("general", "Lee: I restarted the cache", "Lee: The provider says it is them")


async def test_an_incident_is_opened_from_what_somebody_wrote(house: House) -> None:
    said = await house.lee.types("Nobody can pay any more, since 10 o'clock", channel="general")
    await house.dana.uses_shortcut("open_incident", on=said)
    form = await house.dana.modal("Lee: Nobody can pay any more, since 10 o'clock")
    await form.fill(Service="checkout", Environment="production")
    assert await form.submit() == {}
    await house.olu.sees(INCIDENTS, "checkout · PRODUCTION · NOBODY HAS IT", "Nobody can pay any more", "Paged: @olu")


# paging that is late ------------------------------------------------------------------------------------------------


async def test_paging_that_is_late_is_told_in_the_channel_until_it_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(self: Paging) -> int:
        return 0

    with monkeypatch.context() as broken:
        broken.setattr(Paging, "look", stuck)
        await tell(house, alert(), alert("Slow", labels={"service": "cart"}))
        await house.dana.sees(INCIDENTS, "cart", "NOBODY HAS IT")
        assert await house.assistant.auditor.look() == 0
        house.clock.advance(61)
        assert await house.assistant.auditor.look() == 2
        assert await house.assistant.auditor.look() == 2
        late = await house.dana.sees(INCIDENTS, "Paging is late.", "INC-101, INC-102")
    await house.assistant.paging.look()
    assert await house.assistant.auditor.look() == 0
    await late.becomes("Paging was late, and goes on.")
    await house.olu.sees("@platform", "You are paged.")


async def test_what_is_given_back_is_nobodys_and_is_paged_for_anew(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await (await house.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    await card.becomes("OLU HAS IT")
    await house.dana.types("/platform incident release INC-101")
    await house.dana.sees("general", "Only who has it can give it back.")
    await house.olu.types("/platform incident release INC-101")
    await card.becomes("NOBODY HAS IT")
    house.clock.advance(61)  # nobody is paged twice within a minute
    await house.assistant.paging.look()
    await house.quiet()
    assert [row["step"] for row in await house.rows("SELECT step FROM paging WHERE page_id LIKE 'page/U0OLU%'")] == [
        0,
        0,
    ]
    house.clock.advance(10 * 60)
    await house.assistant.paging.look()
    await house.lee.sees("@platform", "You are paged.", "INC-101")
