"""What somebody who is woken finds in Slack: the page, the way to the card, the runbook; what became of pages."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from chatops.incidents import store
from chatops.incidents.auditor import Auditor
from chatops.incidents.couriers import MOST_SPANS, spans
from chatops.incidents.incident import Incident, Paged
from chatops.incidents.paging import Paging
from chatops.incidents.timeline import sentences
from chatops.kernel import audit
from chatops.kernel.ports import Database, Lane, Post, Tx
from chatops.slack.rendering import renderers
from chatops.slack.views.incident import MOST_ON_A_PAGE
from tests.scenarios.test_incidents import INCIDENTS, alert, house, olu_is_on_call, tell
from tests.store.test_flat import heard
from tests.support.databases import POSTGRES
from tests.support.house import House, acme_house

__all__ = ["house"]


async def timeline(house: House) -> list[str]:
    await house.quiet()
    rows = await house.rows("SELECT at, who, what, data FROM audit WHERE chain = 'INC-101' ORDER BY seq")
    return [text for _, text in sentences(rows)]


async def test_a_page_mentions_its_person_leads_to_the_card_and_has_the_cards_buttons(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    page = await house.olu.sees("@platform", "You are paged.", "checkout in production", "INC-101")
    assert page.text.startswith("@olu You are paged.")
    assert page.buttons == ["Acknowledge", "Escalate", "Runbook"]
    await house.quiet()
    assert f"/p{card.ts.replace('.', '')}|INC-101>" in str(page.message)
    await page.click("Escalate")
    await house.lee.sees("@platform", "You are paged.", "INC-101")
    await page.click("Acknowledge")
    await page.becomes("needs nobody any more")
    assert page.buttons == []


async def test_the_catalogs_runbook_is_on_the_card_where_the_alert_names_none(house: House) -> None:
    await tell(
        house, alert(runbook=""), alert("Slow", labels={"service": "payments"}, runbook="https://slow.acme.test")
    )
    card = await house.olu.sees(INCIDENTS, "checkout", "NOBODY HAS IT")
    assert "https://runbooks.acme.test/checkout" in str(card.message)
    other = await house.olu.sees(INCIDENTS, "payments", "NOBODY HAS IT")
    assert "https://slow.acme.test" in str(other.message)
    await card.click("Acknowledge")
    await card.becomes("OLU HAS IT", "evidence in thread · runbook")


async def test_a_step_may_call_a_channel_whose_cards_stay_true() -> None:
    def called(content: dict[str, Any]) -> None:
        olu_is_on_call(content)
        steps = [{"page": ["rota:shop-rota"], "after": "0s"}, {"page": ["channel:general"], "after": "10m"}]
        content["escalations"]["default"] = {"steps": steps, "repeat": 1}

    async with acme_house(platform=called) as house:
        await tell(house, alert())
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Next: general")
        house.clock.advance(10 * 60)
        await house.assistant.paging.look()
        there = await house.dana.sees("general", "SEV1 · checkout · PRODUCTION · NOBODY HAS IT", "its first card")
        house.clock.advance(20 * 60)  # the second round, for an edited message rings nobody
        await house.assistant.paging.look()
        await house.assistant.paging.look()
        await house.quiet()
        again = [one for one in house.dana.messages[there.channel].values() if "NOBODY HAS IT" in str(one)]
        assert len(again) == 2
        assert "Paged #general (step 2)" in await timeline(house)
        await there.click("Acknowledge")  # by Dana, who was not paged
        await (await house.dana.sees("general", "Do you take it?")).click("Take over")
        await card.becomes("DANA HAS IT")
        await there.becomes("DANA HAS IT")
        await house.quiet()
        assert not [one for one in house.dana.messages[there.channel].values() if "NOBODY HAS IT" in str(one)]


async def test_a_card_says_for_how_long_it_has_been_also_while_nothing_happens(house: House) -> None:
    await tell(house, alert(severity="warning", labels={"service": ""}))
    card = await house.dana.sees(INCIDENTS, "SEV3 · ErrorRate", "Nobody is paged for it")
    house.clock.advance(47 * 60)
    await house.assistant.evidence.look_again()
    await card.becomes("since 09:00 UTC, 47 min")


async def test_what_became_of_a_page_in_slack_is_on_the_timeline(house: House) -> None:
    await house.sandbox.fault("error", method="conversations.open", error="user_disabled", times=1)
    await tell(house, alert())
    await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await house.assistant.paging.look()  # whose step the card tells of: the page itself comes after it
    said = await timeline(house)
    assert any(one.startswith("Olu could not be paged by Slack: ") and "user_disabled" in one for one in said), said
    house.clock.advance(10 * 60)
    await house.assistant.paging.look()
    await house.lee.sees("@platform", "You are paged.", "INC-101")
    assert (await timeline(house)).count("Slack has the page of Lee") == 1


async def test_what_is_said_to_be_less_bad_stops_paging_and_worse_begins_again(house: House) -> None:
    await tell(house, alert())
    card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT", "Paged: @olu")
    await house.lee.types("/platform incident severity INC-101 sev3")
    await card.becomes("SEV3")
    assert "Next" not in card.text
    house.clock.advance(3600)
    await house.assistant.paging.look()
    await house.lee.never_sees("@platform", "You are paged.")
    await house.lee.types("/platform incident severity INC-101 sev1")
    await house.assistant.paging.look()
    await house.lee.sees("@platform", "You are paged.", "INC-101")


async def test_whoever_has_what_got_worse_is_paged_again_when_that_severity_asks_for_it(house: House) -> None:
    mild = {"severity": "warning"}
    await tell(house, alert(**mild), alert("Cart", labels={"service": "cart"}, **mild))
    checkout = await house.olu.sees(INCIDENTS, "SEV3", "checkout", "Nobody is paged")
    cart = await house.olu.sees(INCIDENTS, "SEV3", "cart", "Nobody is paged")
    for card in (checkout, cart):
        await card.click("Acknowledge")
        await card.becomes("OLU HAS IT")
        assert "pages again" not in card.text
    await house.olu.types("/platform incident severity INC-101 sev1")  # a person says so
    await tell(house, alert("Cart", labels={"service": "cart"}, severity="critical"))  # an alert does
    for card in (checkout, cart):
        await card.becomes("SEV1", "OLU HAS IT", "pages again")
    house.clock.advance(30 * 60 + 1)
    await house.assistant.paging.look()
    for card in (checkout, cart):
        await card.becomes("NOBODY HAS IT")
    await house.olu.sees("@platform", "You are paged.")


# a page in a storm --------------------------------------------------------------------------------------------------


async def storm(house: House, many: int) -> str:
    """So many incidents wait for Olu, who is paged for all of them at once; the page's id."""
    now = house.clock.now()

    def wait(tx: Tx) -> None:
        for number in range(many):
            paged = (Paged(id="U0OLU", name="Olu", step=0, at=now),)
            given: dict[str, Any] = {"opened_at": now, "updated_at": now, "team": "shop", "paged": paged}
            one = store.insert(tx, Incident(id=0, key=f"production/{number}/{now}", **given))
            store.add_page(tx, one, 0, "U0OLU", "Olu", now)

    await house.assistant.database.write(wait)
    await house.assistant.paging.look()
    [newest] = await house.rows("SELECT page_id FROM paging ORDER BY incident_id DESC LIMIT 1")
    return str(newest["page_id"])


async def test_a_page_about_many_is_one_row_of_the_trail_and_on_the_timeline_of_each(house: House) -> None:
    page = await storm(house, 30)
    await house.olu.sees("@platform", "You are paged.", "… and 22 more: INC-109, ")
    await house.quiet()
    [row] = await house.rows("SELECT chain, data FROM audit WHERE what = 'page_arrived'")
    assert row["chain"] == page
    assert json.loads(row["data"]) == {"people": "Olu", "path": "Slack", "incidents": 30, "numbers": "101-130"}
    for name in ("INC-101", "INC-130"):
        await house.olu.types(f"/platform incident timeline {name}")
        await house.olu.sees("general", name, "Slack has the page of Olu")


@pytest.mark.skipif(POSTGRES, reason="what is asked is heard at SQLite's door: unset CHATOPS_TEST_DATABASE")
async def test_a_page_asks_the_database_as_much_about_sixty_incidents_as_about_thirty(house: House) -> None:
    async def asked(many: int) -> tuple[int, int]:
        post = Post(page := await storm(house, many), Lane.PAGE, "page", page, person="U0OLU")
        await house.quiet()
        database, render = (
            house.assistant.database,
            renderers(house.clock, links, house.assistant.configuration)["page"],
        )
        with heard() as shown:
            await database.read(render, post)
        with heard() as noted:
            await database.write(house.assistant.couriers.outcome, post, "")
        return len(shown), len(noted)

    links = house.assistant.permalinks
    few = await asked(30)
    house.clock.advance(61)  # nobody is paged twice within a minute
    assert await asked(60) == few
    assert few[0] == 1 + MOST_ON_A_PAGE


@pytest.mark.parametrize(
    ("numbers", "said"),
    [([101], "101"), ([101, 102, 103, 105, 107, 108], "101-103, 105, 107-108"), ([], "")],
)
def test_numbers_are_told_in_spans(numbers: list[int], said: str) -> None:
    assert spans(numbers) == said


def test_spans_that_are_too_many_for_a_row_are_counted() -> None:
    said = spans(range(10**6, 10**6 + 2 * MOST_SPANS + 4, 2))
    assert said.endswith(f"{10**6 + 2 * MOST_SPANS - 2} and 2 more spans")
    assert len(said) < audit.MAX_DATA


# paging that is late ------------------------------------------------------------------------------------------------


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pages and nobody looks after paging but the test."""
    monkeypatch.setattr("chatops.main.AUDIT_EVERY", 3600)
    monkeypatch.setattr("chatops.main.LOOK_EVERY", 3600)


@pytest.fixture
async def stuck(seldom: None, house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """An alert came more than a minute ago, and nobody is paged for it."""

    async def nothing(self: Paging) -> int:
        return 0

    monkeypatch.setattr(Paging, "look", nothing)
    await tell(house, alert())
    await house.dana.sees(INCIDENTS, "checkout", "NOBODY HAS IT")
    await house.quiet()  # a look leaves an incident that its evidence changes meanwhile to the next one
    house.clock.advance(61)
    return house


async def test_paging_that_was_late_before_a_restart_is_taken_back_after_it(
    stuck: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await stuck.assistant.auditor.look() == 1
    late = await stuck.dana.sees(INCIDENTS, "Paging is late.", "INC-101")
    await stuck.quiet()
    await stuck.stop()
    monkeypatch.undo()
    await stuck.start()
    await stuck.assistant.paging.look()
    assert await stuck.assistant.auditor.look() == 0
    await late.becomes("Paging was late, and goes on.")
    rows = await stuck.rows("SELECT what FROM audit WHERE chain = 'paging' ORDER BY seq")
    assert [row["what"] for row in rows] == ["paging_late", "paging_goes_on"]


@dataclass(slots=True)
class Held:
    """A database whose writes wait at a gate."""

    real: Database
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, *args: Any) -> Any:
        return await self.real.read(*args)

    async def write(self, *args: Any) -> Any:
        self.reached.set()
        await self.gate.wait()
        return await self.real.write(*args)


async def test_two_who_look_at_the_same_time_take_one_message_back(
    stuck: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = stuck.assistant.auditor
    assert await auditor.look() == 1
    late = await stuck.dana.sees(INCIDENTS, "Paging is late.", "INC-101")
    monkeypatch.undo()
    await stuck.assistant.paging.look()
    auditor.database = held = Held(stuck.assistant.database)
    first = asyncio.create_task(auditor.look())
    await held.reached.wait()
    second = asyncio.create_task(auditor.look())
    for _ in range(20):  # in which the second one would have read what it reads, and ended
        await stuck.rows("SELECT 1")
    held.gate.set()
    assert (await first, await second) == (0, 0)
    await late.becomes("Paging was late, and goes on.")
    rows = await stuck.rows("SELECT id FROM posts WHERE id = '' OR id LIKE 'overdue/%'")
    assert [row["id"].partition("/")[0] for row in rows] == ["overdue"]


@pytest.mark.parametrize("goes_on", [False, True])
async def test_what_could_not_be_written_of_late_paging_is_said_by_the_next_look(
    stuck: House, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    def fails(self: Auditor, tx: Tx, *_: str) -> None:
        raise OSError("the disk is full")

    auditor = stuck.assistant.auditor
    if goes_on:
        assert await auditor.look() == 1
    with monkeypatch.context() as full:
        full.setattr(Auditor, "_show", fails)  # for the scheduler's look, too, which may come in between
        if goes_on:
            monkeypatch.undo()
            assert await stuck.assistant.paging.look() == 1
        with pytest.raises(OSError, match="disk is full"):
            await auditor.look()
    assert await auditor.look() == (0 if goes_on else 1)
    await stuck.dana.sees(INCIDENTS, "Paging was late, and goes on." if goes_on else "Paging is late.")
