"""Wrong words, forged buttons, broken configuration: each gets a clear answer, and nothing is lost or done twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatops.kernel.errors import Refused
from tests.support import yml
from tests.support.databases import everything_in
from tests.support.house import REQUESTS, House, acme_house
from tests.support.people import Modal, Seen

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
TOKEN = "xoxb-1234567890-abcdefghijklmnop"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


async def waiting(house: House) -> Seen:
    """A deploy that Lee may approve."""
    await house.dana.types(LINE)
    return await house.lee.sees(REQUESTS, "WAITING")


async def asked(house: House) -> int:
    """How many requests there are."""
    return int((await house.rows("SELECT count(*) AS n FROM requests"))[0]["n"])


# the line and the form ---------------------------------------------------------------------------------------------


async def test_a_wrong_word_is_said_back_with_what_there_is_and_asks_for_nothing(house: House) -> None:
    for line, *said in (
        ("frobnicate", "no action called 'frobnicate'", "I know deploy"),
        ("deploy zzzz 1.4.2 production because x", "no service called 'zzzz'", "There are checkout, cart"),
        ("deploy checkout 1.4.2 moon because x", "no environment called 'moon'", "staging, production"),
        ('deploy checkout "1.4 2" production because x', "Version must be an image tag", "no spaces"),
        ("deploy checkout 1.4 2 production because x", "I don't know what '2' is for"),
        ("rollback checkout production 12", "Did you mean revision=12?"),
        (f"deploy cart {'1' * 300} production because x", "at most 128 characters"),
        ("scale checkout production replicas=-1 because x", "Replicas must be 0 or more"),
        ("scale checkout production replicas=10000 because x", "between 0 and 50 in production"),
        ("scale checkout staging replicas=11 because x", "between 0 and 10 in staging"),
        ("scale checkout production replicas=many because x", "Replicas must be a whole number"),
        (f"deploy checkout 1.4.2 production because {'x' * 2001}", "Reason is too long: at most 2000 characters"),
    ):
        await house.dana.types(f"/platform {line}")
        await house.dana.sees("general", "Not quite", *said)
    assert await asked(house) == 0


async def test_a_typo_is_one_click_away_from_what_was_meant_or_from_the_form_filled_in_so_far(house: House) -> None:
    await house.dana.types("/platform deploy chekout 1.4.2 production because fixes the cart")
    answer = await house.dana.sees("general", "no service called 'chekout'", "Did you mean checkout?")
    await answer.click("Open the form")
    form = await house.dana.modal(title="Deploy")
    assert form.values["Version"] == "1.4.2"
    assert form.values["Environment"] == "production"
    assert form.values["Reason"] == "fixes the cart"
    await form.close()
    await answer.click("Use checkout")
    await house.lee.sees(REQUESTS, "Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION", "fixes the cart")
    assert await asked(house) == 1


async def test_a_mistake_in_a_form_stands_at_its_field_and_the_form_stays(house: House) -> None:
    await house.dana.types("/platform deploy checkout")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Environment="production", Version="1.4 2")
    assert "no spaces" in (await form.submit())["Version"]
    await form.fill(Version="1" * 300)
    assert "at most 128 characters" in (await form.submit())["Version"]
    await form.fill(Version="ghp_" + "0123456789abcdefABCDEF" * 2)
    assert "looks like a password or a token" in (await form.submit())["Version"]
    await form.fill(Version="1.4.2")
    assert await form.submit() == {}
    await house.dana.types("/platform scale checkout production")
    form = await house.dana.modal(title="Scale")
    for wrong, said in (("-1", "at least 0"), ("10000", "between 0 and 50 in production")):
        await form.fill(Replicas=wrong)
        assert said in (await form.submit())["Replicas"]
    await house.quiet()
    assert await asked(house) == 1


async def test_a_form_submitted_twice_at_once_makes_one_request(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.2")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Environment="production", Reason="fixes the cart")
    await asyncio.gather(form.submit(), form.submit(), return_exceptions=True)
    await house.lee.sees(REQUESTS, "WAITING")
    await house.quiet()
    assert await asked(house) == 1


async def test_scaling_to_nothing_is_allowed_and_warned_of_wherever_a_lead_decides(house: House) -> None:
    await house.dana.types("/platform scale checkout production replicas=0 because we moved")
    card = await house.lee.sees(REQUESTS, "Scale checkout 3 → 0 pods", "WAITING", "checkout stops: no pod will run")
    reply = await card.thread("@lee", "⚠ checkout stops: no pod will run")
    await reply.click("Approve")
    await card.becomes("SUCCEEDED", "scaled to 0")


# what people write into a reason ------------------------------------------------------------------------------------


def sent_to_slack(house: House) -> str:
    """Everything the local Slack holds of messages, as JSON."""
    channels = house.slack.state.conversations.values()
    return json.dumps([[one.messages, one.ephemerals] for one in channels], ensure_ascii=False)


async def test_a_reason_rings_nobody_and_shows_as_it_was_typed(house: House) -> None:
    reason = "ask <!channel>, <@U0LEE|lee> or <!subteam^S0LEADS> & see <https://evil.test|checkout>"
    await house.dana.types("/platform deploy checkout 1.4.2")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Environment="production", Reason=reason)
    await form.submit()
    card = await house.lee.sees(REQUESTS, "WAITING", f"“{reason}”")
    await card.click("Reject")
    why = await house.lee.modal()
    await why.fill(Reason="no <!here> *please* <@U0DANA>")
    await why.submit()
    await card.becomes("REJECTED", "no <!here>", "<@U0DANA>")
    await card.thread("@dana", "REJECTED")
    await house.quiet()
    raw = sent_to_slack(house)
    assert "&lt;!channel&gt;" in raw
    for forbidden in ("<!channel", "<!here", "<!subteam", "<https://evil", "<@U0LEE|"):
        assert forbidden not in raw


async def test_a_token_in_a_reason_is_masked_before_it_is_kept_or_shown_anywhere(house: House) -> None:
    await house.dana.types(f"/platform deploy checkout 1.4.2 production because its key is {TOKEN}")
    await house.dana.sees("general", "looked like a password or a token")
    card = await house.lee.sees(REQUESTS, "WAITING", "its key is [masked]")
    await card.click("Reject")
    why = await house.lee.modal()
    await why.fill(Reason=f"never write {TOKEN} here")
    await why.submit()
    await card.becomes("REJECTED", "never write [masked] here")
    await house.attending()
    await house.dana.types(f"@platform deploy cart 2.9.0 staging because {TOKEN}", channel=REQUESTS)
    await house.dana.sees(REQUESTS, "Deploy cart", "“[masked]”")
    await house.quiet()
    await house.sam.types(f"/platform pause because {TOKEN} leaked")
    await house.sam.sees("general", "New writes are paused")
    kept = everything_in(house.folder)
    assert b"[masked]" in kept
    assert TOKEN.encode() not in kept
    cards = [one for one in house.dana.messages[house.dana.channel_id(REQUESTS)].values() if one.get("bot_id")]
    assert len(cards) >= 4
    assert TOKEN not in json.dumps(cards)


# buttons and forms that are not ours --------------------------------------------------------------------------------


def forge(house: House, card: Seen, label: str, value: str) -> None:
    """Somebody else's app, an old version or a bug put another value behind a button."""
    message = house.slack.state.conversations[card.channel].messages[card.ts]
    for block in message["blocks"]:
        for element in block.get("elements", ()):
            if element.get("type") == "button" and element["text"]["text"] == label:
                element["value"] = value
                return
    raise AssertionError(f"no button {label}")


def tamper(house: House, form: Modal, **changes: Any) -> None:
    """What a form brings back about where it was opened is something else."""
    views = house.slack._page_api._clicks._views
    content = next(view for view in views.stacks[form.person.id] if view.id == form.id).content
    content["private_metadata"] = changes.pop("raw", None) or json.dumps(
        json.loads(content["private_metadata"]) | changes
    )


async def test_a_button_with_a_value_that_is_not_its_own_decides_nothing(house: House) -> None:
    card = await waiting(house)
    await house.dana.types("/platform scale cart production replicas=4 because new")
    other = await house.lee.sees(REQUESTS, "Scale cart", "WAITING")
    number, theirs = 1001, json.loads(value_of(other, "Approve"))["d"]
    mine = json.loads(value_of(card, "Approve"))["d"]
    for value, said in (
        ("{", "older version of the card"),
        ("[1001]", "older version of the card"),
        (json.dumps({"r": "1001", "d": mine}), "older version of the card"),
        (json.dumps({"r": True, "d": mine}), "older version of the card"),
        (json.dumps({"r": 10**30, "d": mine}), "older version of the card"),
        (json.dumps({"r": 4711, "d": mine}), "R-4711 is not known here"),
        (json.dumps({"r": number, "d": theirs}), "The plan of R-1001 has changed since that card"),
        (json.dumps({"r": number}), "The plan of R-1001 has changed since that card"),
        (json.dumps({"r": number, "d": mine[0]}), "The plan of R-1001 has changed since that card"),
    ):
        forge(house, card, "Approve", value)
        await card.click("Approve")
        await answered(house, said)
    await house.quiet()
    assert "satisfied" not in await house.history()


def value_of(card: Seen, label: str) -> str:
    """What stands behind a button."""
    for block in card.message["blocks"]:
        for element in block.get("elements", ()):
            if element.get("type") == "button" and element["text"]["text"] == label:
                return str(element["value"])
    raise AssertionError(f"no button {label}")


async def answered(house: House, said: str) -> None:
    """Lee is told, privately, and the answer is taken off the screen so that the next one is seen for itself."""
    answer = await house.lee.sees(REQUESTS, said)
    house.lee.messages[answer.channel].pop(answer.ts)


async def test_a_card_of_a_request_long_gone_says_so_on_every_button(house: House) -> None:
    card = await waiting(house)
    await house.quiet()

    def forget(tx: Any) -> None:
        tx.run("DELETE FROM votes")
        tx.run("DELETE FROM requests")

    await house.assistant.database.write(forget)
    for label in ("Approve", "Cancel"):
        await card.click(label)
        await answered(house, "R-1001 is not known here; it may be from another installation or long gone.")
    await card.click("Reject")
    why = await house.lee.modal(title="Reject R-1001")
    await why.fill(Reason="no")
    await why.submit()
    await why.becomes("R-1001 is not known here")
    await why.close()
    await card.click("Full diff")
    await house.lee.modal("R-1001 is not known here", title="R-1001")
    await house.dana.types("/platform deploy checkout 1.4.2 production because again")
    await house.lee.sees(REQUESTS, "R-1002", "WAITING")


async def test_a_form_that_brings_back_something_else_asks_for_nothing_and_says_so(house: House) -> None:
    for changes in (
        {"raw": "{"},
        {"raw": "[]"},
        {"action": "database.drop"},
        {"action": ["deploy"]},
        {"nonsense": 1},
        {"request": "1001"},
    ):
        await house.dana.types("/platform deploy checkout 1.4.2")
        form = await house.dana.modal(title="Deploy")
        await form.fill(Environment="production")
        tamper(house, form, **changes)
        await form.submit()
        await form.becomes("older version", "/platform")
        await form.close()
    assert await asked(house) == 0
    card = await waiting(house)
    for changes, said in (({"verdict": "wipe"}, "R-1001"), ({"request": 7}, "R-7 is not known"), ({"raw": "{"}, "R-0")):
        await card.click("Reject")
        why = await house.lee.modal()
        await why.fill(Reason="no")
        tamper(house, why, **changes)
        await why.submit()
        await why.becomes(said)
        await why.close()
    assert await house.history() == ["requested", "asked"]


async def test_a_form_cannot_be_turned_into_what_its_person_may_not_do(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.2")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Environment="production", Reason="I may do anything")
    tamper(house, form, action="pause")
    await form.submit()
    tamper(house, form, action="deploy", break_glass=True)
    assert await form.submit() == {}
    card = await house.lee.sees(REQUESTS, "Deploy checkout", "WAITING")
    assert await house.rows("SELECT value FROM settings WHERE name = 'paused'") == []
    await card.becomes("1 approval from Lee")


async def test_a_change_that_is_the_platform_teams_alone_is_refused_by_the_road_itself(house: House) -> None:
    assistant = house.assistant
    actions = dict(assistant.road.actions)
    actions["deploy"] = replace(actions["deploy"], operators_only=True)
    road = replace(assistant.road, actions=actions)
    values = {"service": "checkout", "version": "1.4.2", "environment": "staging"}
    with pytest.raises(Refused, match="Only the platform team can ask for deploy"):
        await road.ask("deploy", values, person=await assistant.directory.person("U0DANA"), key="a")
    await road.ask("deploy", values, person=await assistant.directory.person("U0OLU"), key="b")
    await house.olu.sees(REQUESTS, "Deploy checkout", "STAGING")


# the configuration -------------------------------------------------------------------------------------------------


def settings_of(house: House) -> Path:
    return house.folder / "config" / "platform.yml"


async def taken_over(house: House, before: str) -> str:
    """Waits for another configuration than ``before`` and returns its digest."""
    async with asyncio.timeout(10):
        while (now := house.assistant.configuration.platform.digest) == before:
            await asyncio.sleep(0.02)
    return now


async def test_an_invalid_configuration_changes_nothing_but_that_the_platform_team_hears_of_it_once(
    house: House,
) -> None:
    first = house.assistant.configuration.platform.digest
    good = settings_of(house).read_text()
    settings_of(house).write_text(good + f"\nnonsense: 1\n{TOKEN}: 1\n")
    told = await house.sam.sees(REQUESTS, "The configuration was changed into something invalid", "platform.yml:")
    assert "nonsense" in told.text
    assert "has an unknown key [masked]" in told.text
    assert "@olu" in told.text
    assert "@sam" in told.text
    card = await waiting(house)
    changed = yml.load(good)
    changed["policies"][0]["name"] = "a lead must agree"
    settings_of(house).write_text(json.dumps(changed))
    second = await taken_over(house, first)
    await told.becomes("The configuration is valid again.", "nonsense")
    await card.click("Approve")
    await card.becomes("WAITING", "Rule: a lead must agree", "void")
    await house.quiet()
    assert house.sam.screen(REQUESTS).count("something invalid") == 1
    assert TOKEN not in sent_to_slack(house)
    assert TOKEN.encode() not in everything_in(house.folder)
    rows = await house.rows("SELECT what, configuration FROM audit ORDER BY at, seq")
    by = {row["what"]: row["configuration"] for row in rows}
    assert by["configuration_refused"] == by["requested"] == by["asked"] == first
    assert by["voided"] == second
    assert {row["configuration"] for row in rows} == {first, second}


async def test_a_configuration_repaired_while_the_assistant_was_down_is_told_as_valid_again(house: House) -> None:
    good = settings_of(house).read_text()
    settings_of(house).write_text(good + "\nnonsense: 1\n")
    told = await house.sam.sees(REQUESTS, "The configuration was changed into something invalid", "nonsense")
    await house.quiet()
    await house.stop()
    settings_of(house).write_text(good)
    await house.start()
    await told.becomes("The configuration is valid again.", "nonsense")
    await house.stop()
    await house.start()  # it is told once
    await house.quiet()
    rows = await house.rows("SELECT what FROM audit WHERE chain = 'platform' ORDER BY seq")
    assert [row["what"] for row in rows] == ["configuration_refused", "configuration_repaired"]


async def test_what_was_asked_for_a_service_that_left_the_catalog_is_refused_in_words(house: House) -> None:
    card = await waiting(house)
    first = house.assistant.configuration.platform.digest
    changed = yml.load(settings_of(house).read_text())
    del changed["services"]["checkout"]
    settings_of(house).write_text(json.dumps(changed))
    await taken_over(house, first)
    await card.click("Approve")
    await card.becomes("REFUSED", "The service checkout was taken out of the configuration")
    assert await house.image("checkout") == "1.4.1"
