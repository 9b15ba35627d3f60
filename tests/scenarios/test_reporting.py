"""People tell of what is wrong in their own words, and ask for a team's help."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.scenarios.test_incidents import INCIDENTS, alert, olu_is_on_call, tell
from tests.scenarios.test_weekly import on
from tests.support.house import REQUESTS, House, acme_house

BEFORE_NOON = datetime(2026, 3, 30, 11, 59, 58, tzinfo=UTC).timestamp()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=olu_is_on_call) as house:
        yield house


async def test_what_somebody_tells_of_becomes_an_incident_and_pages_like_any_other(house: House) -> None:
    await house.dana.types("/platform incident open checkout production because carts are <!channel> *empty*")
    await house.dana.sees("general", "INC-101 · checkout in production", "INC-101 is open; somebody is paged")
    card = await house.dana.sees(INCIDENTS, "SEV2 · checkout · PRODUCTION · NOBODY HAS IT", "(Dana)")
    assert "1 alert: reported by Dana" in card.text
    assert "<!channel>" not in str(card.message)
    await house.olu.sees("@platform", "You are paged.", "checkout in production", "INC-101")
    await house.dana.types("/platform incident timeline INC-101")
    await house.dana.sees("general", "dana@acme.test reported: carts are")


@pytest.mark.parametrize("way", ["line", "button"])
async def test_whoever_tells_of_something_may_have_its_room_at_once(house: House, way: str) -> None:
    line = "/platform incident open payments production{} because nobody can pay"
    await house.lee.types(line.format(" room=yes" if way == "line" else ""))
    said = await house.lee.sees("general", "INC-101 is open; somebody is paged")
    if way == "line":
        assert "The room #inc-" in said.text
    else:
        assert said.buttons == ["Open a room"]
        await said.click("Open a room")
    await house.until(lambda: any(one.name.startswith("inc-") for one in house.slack.state.conversations.values()))
    [room] = [one for one in house.slack.state.conversations.values() if one.name.startswith("inc-")]
    assert room.name.endswith("-payments-101")
    await house.lee.sees(room.name, "payments · PRODUCTION · NOBODY HAS IT")


async def test_whoever_does_not_belong_to_it_and_did_not_tell_of_it_makes_no_room() -> None:
    def sam_is_of_payments_alone(platform: dict[str, Any]) -> None:
        olu_is_on_call(platform)
        platform["groups"]["platform"]["members"] = ["olu@acme.test"]

    async with acme_house(platform=sam_is_of_payments_alone) as house:
        await house.lee.types("/platform incident open search production because nothing is found")
        await house.lee.sees("general", "INC-101 is open")
        await house.sam.types("/platform incident room INC-101")
        await house.sam.sees("general", "INC-101 belongs to team shop.")
        await house.sam.types("/platform incident open search production room=yes because I see it too")
        await house.sam.sees("general", "has your words", "The room #inc-")


async def test_what_is_told_of_again_is_the_same_incident_and_its_holder_hears_of_it(house: House) -> None:
    await tell(house, alert())
    page = await house.olu.sees("@platform", "You are paged.")
    await house.dana.types("/platform incident open checkout production because carts are empty")
    await house.dana.sees("general", "INC-101 was open already, and has your words; somebody is paged")
    await page.click("Acknowledge")
    card = await house.dana.sees(INCIDENTS, "OLU HAS IT", "2 alerts: ErrorRate and reported by Dana")
    await house.lee.types("/platform incident open checkout production because the bank says no")
    await house.lee.sees("general", "Olu has INC-101, and is told what you say.")
    await card.thread("@olu", "Lee: the bank says no")
    assert len(await house.rows("SELECT id FROM incidents")) == 1


async def test_what_is_about_no_service_is_called_by_its_words(house: House) -> None:
    await house.dana.types("/platform incident open severity=sev3 because the office has no network")
    await house.dana.sees("general", "INC-101 is open; nobody is paged")
    await house.dana.sees(INCIDENTS, "SEV3 · the office has no network · NOBODY HAS IT")


async def test_a_team_is_paged_by_its_own_escalation() -> None:
    def of_payments(platform: dict[str, Any]) -> None:
        platform["escalations"]["payments"] = {"steps": [{"page": ["user:lee@acme.test"], "after": "0s"}]}

    async with acme_house(platform=of_payments) as house:
        await house.dana.types("/platform page payments because the bank's certificate ends tonight")
        await house.dana.sees("general", "payments is needed", "INC-101 is open; somebody is paged")
        await house.dana.sees(INCIDENTS, "payments is needed", "Owner: payments")
        await house.lee.sees("@platform", "You are paged.", "bank's certificate ends tonight (Dana)")
        await house.olu.never_sees("@platform", "You are paged.")


async def test_whoever_is_woken_by_it_is_told_why(house: House) -> None:
    for line, wrong in (
        ("page paymnts because help", "There is no team called 'paymnts'"),
        ("incident open severity=sev9 because help", "There is no severity called 'sev9'"),
    ):
        await house.dana.types(f"/platform {line}")
        await house.dana.sees("general", wrong)
    assert await house.rows("SELECT id FROM incidents") == []


async def test_without_words_the_form_asks_for_them(house: House) -> None:
    await house.dana.types("/platform incident open checkout production")
    form = await house.dana.modal(title="Open an incident")
    assert set(await form.submit()) == {"Text"}
    await form.fill(Text="  ")
    assert await form.submit() == {"Text": "Text is needed."}
    await form.fill(Text="carts are empty")
    assert await form.submit() == {}
    await house.olu.sees("@platform", "You are paged.", "carts are empty (Dana)")


async def test_where_nobody_is_paged_that_is_said_instead_of_waiting_for_nobody() -> None:
    def without(platform: dict[str, Any]) -> None:
        del platform["escalations"]

    async with acme_house(platform=without) as house:
        await house.dana.types("/platform page @payments because help")
        await house.dana.sees("general", "Nobody is paged for team payments")
        assert await house.rows("SELECT id FROM incidents") == []


async def test_the_platform_team_is_asked_about_what_somebody_wrote() -> None:
    async with acme_house() as house:
        said = await house.lee.types("Why is staging frozen?", channel="general")
        await house.dana.uses_shortcut("ask_team", on=said)
        form = await house.dana.modal("Ask the platform team")
        assert form.values["Text"] == "Lee: Why is staging frozen?"
        await form.fill(Text="Until when is staging frozen? Lee needs it.")
        assert await form.submit() == {}
        asked = await house.sam.sees(
            REQUESTS, "Dana asks the platform team", "Until when is staging frozen?", "@olu", "@sam"
        )
        assert "The message that it is about" in asked.text
        assert f"p{said.ts.replace('.', '')}" in str(asked.message["blocks"])
        await house.dana.sees("general", "I have asked Olu, Sam in #platform-requests.")


async def test_the_same_question_is_asked_once_and_nobody_asks_themselves() -> None:
    async with acme_house() as house:
        for _ in range(2):
            await house.sam.types("/platform ask because what is `promote_from`?")
            await house.sam.sees("general", "I have asked Olu in #platform-requests.")
        await house.quiet()
        assert len(await house.rows("SELECT id FROM posts WHERE id LIKE 'question/%'")) == 1
        await house.gus.types("/platform ask because what is this?", channel=REQUESTS)
        await house.gus.sees(REQUESTS, "only people of its home workspace")


@pytest.mark.parametrize("seconds", [5, 3600])
async def test_a_question_that_is_worked_off_again_after_a_crash_is_asked_once(seconds: float) -> None:
    async with acme_house(clock=on(BEFORE_NOON)) as house:
        await house.dana.types("/platform ask because who runs this?")
        await house.dana.sees("general", "I have asked Olu, Sam")
        await house.quiet()
        # As when it had died before it could say that it was done
        await house.assistant.database.write(lambda tx: tx.run("UPDATE inbox SET done_at = NULL"))
        await house.stop()
        house.clock.advance(seconds)
        await house.start()
        await house.quiet()
        assert len(await house.rows("SELECT id FROM posts WHERE id LIKE 'question/%'")) == 1


async def test_the_same_question_is_asked_again_only_after_ten_minutes_at_whatever_hour() -> None:
    async with acme_house(clock=on(BEFORE_NOON)) as house:
        for seconds, asked in ((0, 1), (5, 1), (600, 2)):
            house.clock.advance(seconds)
            await house.dana.types("/platform ask because who runs this?")
            await house.quiet()
            assert len(await house.rows("SELECT id FROM posts WHERE id LIKE 'question/%'")) == asked


async def test_where_nobody_is_on_the_platform_team_that_is_said() -> None:
    def without(content: dict[str, Any]) -> None:
        content["operators"] = []

    async with acme_house(platform=without) as house:
        await house.dana.types("/platform ask because who runs this?")
        await house.dana.sees("general", "I know of nobody on the platform team.")
