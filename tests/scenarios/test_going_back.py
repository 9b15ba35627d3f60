"""Who was paged and has the incident goes back to what ran before at once; everybody else asks as ever."""

from collections.abc import AsyncIterator

import pytest

from chatops.incidents import store
from chatops.incidents.evidence import Evidence, Found
from chatops.kernel.alert import Alert, Delivery
from tests.support.house import REQUESTS, House, acme_house

INCIDENTS = "incidents"
LINE = "/platform rollback checkout production because it is slow"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


@pytest.fixture
async def broken(house: House) -> House:
    """1.4.2 was deployed to production, and an alert came."""
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    card = await house.lee.sees(REQUESTS, "Deploy checkout", "WAITING")
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=15)
    await tell(house)
    await house.olu.sees("@platform", "You are paged.")
    return house


async def tell(house: House) -> None:
    """An alert fires, since now."""
    labels = {"environment": "production", "service": "checkout"}
    alert = Alert(
        "alertmanager", "e1", "firing", "ErrorRate", severity="critical", labels=labels, starts_at=house.clock.now()
    )
    await house.assistant.alerts.take(Delivery("alertmanager", (alert,)))


async def test_who_acknowledged_the_page_goes_back_at_once(broken: House) -> None:
    page = await broken.olu.sees("@platform", "You are paged.")
    await page.click("Acknowledge")
    card = await broken.olu.sees(INCIDENTS, "OLU HAS IT", "Roll back goes to 1.4.1")
    await card.click("Roll back")
    form = await broken.olu.modal(title="Roll back")
    await form.becomes("Now: 1.4.2 healthy", "who has the incident goes back at once: allowed.")
    assert await form.submit() == {}
    change = await broken.olu.sees(REQUESTS, "Roll back checkout", "SUCCEEDED", within=15)
    assert await broken.image("checkout", "shop") == "1.4.1"
    trail = await broken.rows("SELECT data FROM audit WHERE chain LIKE 'R-%' AND data LIKE '%goes back at once%'")
    assert trail, "the trail says by which rule"
    await change.becomes("To be reviewed by Lee")
    asked = await change.thread(
        "To be reviewed: Olu did this at once", "@lee", "Lee: look at it, and say that you did."
    )
    assert asked.buttons == ["Reviewed"]
    await broken.olu.types("/platform review R-1002 because I know what I did")
    await broken.olu.sees("general", "Nobody reviews their own change. Ask Lee.")
    await broken.dana.types("/platform review R-1002 because fine")
    await broken.dana.sees("general", "R-1002 is reviewed by Lee.")
    await broken.gus.types("/platform review R-1002 because fine", channel=REQUESTS)
    await broken.gus.sees(REQUESTS, "answers only people of its home workspace")
    clicked = await broken.lee.sees(REQUESTS, "To be reviewed: Olu did this at once", thread=change.ts)
    await clicked.click("Reviewed")
    form = await broken.lee.modal(title="Review")
    await form.fill(**{"What you say": "It was right."})
    assert await form.submit() == {}
    await change.becomes("Reviewed by Lee: “It was right.”")
    await clicked.becomes("Reviewed by Lee: It was right.")
    assert clicked.buttons == []
    await broken.lee.types("/platform review R-1002 because again")
    await broken.lee.sees("general", "Lee has already reviewed R-1002: It was right.")
    assert "reviewed" in await broken.history()


async def test_the_card_and_the_evidence_follow_what_was_done_about_it(broken: House) -> None:
    card = await broken.olu.sees(INCIDENTS, "NOBODY HAS IT", "1.4.2 by Dana", "Pods: 3 of 3 ready")
    await (await broken.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    await card.becomes("OLU HAS IT")
    await broken.olu.types("/platform rollback checkout production because INC-101")
    await broken.olu.sees(REQUESTS, "Roll back checkout", "SUCCEEDED", within=15)
    edits = len(await broken.sandbox.traffic("chat.update"))
    broken.clock.advance(600)
    await broken.assistant.evidence.look_again()
    await card.becomes("1.4.2 by Dana, then 1.4.1 by Olu", "OLU HAS IT")
    assert "Roll back" not in card.buttons
    assert "10 min" in card.text, "for how long it has been is told anew"
    deploys = await card.thread("Deployed lately", "1.4.1 by Olu", "after it began: succeeded")
    assert deploys.buttons == []
    await broken.quiet()
    assert len(await broken.sandbox.traffic("chat.update")) > edits
    rows = "SELECT count(*) AS n FROM audit WHERE chain = 'INC-101' AND what = 'looked_into'"
    [told], edits = await broken.rows(rows), len(await broken.sandbox.traffic("chat.update"))
    await broken.assistant.evidence.look_again()
    await broken.quiet()
    assert len(await broken.sandbox.traffic("chat.update")) == edits, "what has not changed is not said again"
    assert await broken.rows(rows) == [told]


async def test_evidence_that_could_not_be_written_is_told_by_the_next_look(
    broken: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError("the disk is full")

    card = await broken.olu.sees(INCIDENTS, "NOBODY HAS IT", "1.4.2 by Dana")
    await (await broken.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    await broken.olu.sees(INCIDENTS, "OLU HAS IT")
    await broken.olu.types("/platform rollback checkout production because INC-101")
    await broken.olu.sees(REQUESTS, "Roll back checkout", "SUCCEEDED", within=15)
    with monkeypatch.context() as full:
        full.setattr(Evidence, "_tell_again", fails)
        with pytest.raises(OSError, match="disk is full"):
            await broken.assistant.evidence.look_again()
    await broken.assistant.evidence.look_again()
    await card.thread("Deployed lately", "1.4.1 by Olu", "after it began: succeeded")


async def test_what_was_found_before_an_incident_came_back_is_news_when_it_is_found_again(
    broken: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Found({"pods": ["3 of 3 ready"]})

    async def finds(*_: object) -> Found:
        return found

    card = await broken.olu.sees(INCIDENTS, "NOBODY HAS IT", "1.4.2 by Dana")
    monkeypatch.setattr(Evidence, "_found", finds)
    await broken.assistant.evidence.look_again()
    await card.thread("3 of 3 ready")
    before = await broken.assistant.database.read(store.load, 101)
    await broken.lee.types("/platform incident resolve INC-101 because it looks fine")
    await card.becomes("RESOLVED")
    found = Found({"pods": ["none is ready"]})
    await tell(broken)
    await card.becomes("NOBODY HAS IT", "It came back once")
    reply = await card.thread("none is ready")
    await broken.until(lambda: not broken.assistant.evidence.tasks)
    found = Found({"pods": ["3 of 3 ready"]})
    await broken.assistant.evidence._looked_again(before)  # a look that began before the end tells nothing
    await broken.assistant.evidence.look_again()
    await reply.becomes("3 of 3 ready")


async def test_before_the_acknowledgement_a_lead_is_asked(broken: House) -> None:
    await broken.olu.types(LINE)
    await broken.olu.sees(REQUESTS, "Roll back checkout", "WAITING", "1 approval from Lee")
    assert await broken.image("checkout", "shop") == "1.4.2"


async def test_who_only_takes_an_incident_over_gains_no_rights(broken: House) -> None:
    card = await broken.dana.sees(INCIDENTS, "NOBODY HAS IT")
    await card.click("Acknowledge")
    await (await broken.dana.sees(INCIDENTS, "Do you take it?")).click("Take over")
    await card.becomes("DANA HAS IT")
    await broken.dana.types(LINE)
    await broken.dana.sees(REQUESTS, "Roll back checkout", "WAITING", "1 approval from Lee")


async def test_everything_but_going_back_is_asked_for_as_ever(broken: House) -> None:
    await (await broken.olu.sees("@platform", "You are paged.")).click("Acknowledge")
    await broken.olu.sees(INCIDENTS, "OLU HAS IT")
    await broken.olu.types("/platform restart checkout production because it is slow")
    await broken.olu.sees(REQUESTS, "Restart checkout", "WAITING", "1 approval from Lee")
