"""Secrets never pass through Slack: set on a one-time page, rotated unseen, listed by name and age."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from tests.support.databases import everything_in
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house
from tests.support.onetime import Browser, approved, code_on, link_for, values

VALUE = "correct horse <battery> & staple\nsecond line"
MADE = {
    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "checkout-secrets", "namespace": "shop"},
    "data": {"API_KEY": base64.b64encode(b"older value").decode(), "OTHER": base64.b64encode(b"kept").decode()},
}  # fmt: skip


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


@pytest.fixture
async def browsers() -> AsyncIterator[list[Browser]]:
    opened: list[Browser] = []
    yield opened
    for one in opened:
        await one.session.close()


async def written_down(house: House) -> str:
    """Everything that stands in the database and in Slack."""
    return everything_in(house.folder).decode(errors="replace") + repr(house.slack.state.messages)


async def test_a_value_goes_from_the_page_into_the_cluster_and_nowhere_else(
    house: House, browsers: list[Browser], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    card = await approved(house, "/platform secret set checkout production API_KEY because the vendor renewed it")
    browser = Browser(await link_for(house.dana))
    browsers.append(browser)
    code = code_on(await browser.opens())
    assert code_on(await browser.opens()) == code, "a reload is the same browser"
    assert browser.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in browser.headers["Content-Security-Policy"]
    asked = await house.dana.sees("@platform", f"does your page show {code}?")
    await asked.click(f"Yes, {code} is mine")
    await house.dana.sees("@platform", "the page shows the field now")
    assert "<textarea" in await browser.opens()
    assert "It is stored" in await browser.sends(VALUE)
    await card.becomes("SUCCEEDED")
    assert await values(house) == {"API_KEY": VALUE}
    assert "gone" in await browser.sends("once more") or browser.status == 403
    assert "Stored" in await browser.opens()
    await house.quiet()
    everywhere = await written_down(house) + caplog.text
    for trace in ("correct horse", base64.b64encode(VALUE.encode()).decode()[:20]):
        assert trace not in everywhere
    assert "page_confirmed" in await house.history()


async def test_opening_uses_nothing_up_and_each_browser_has_a_code_of_its_own(
    house: House, browsers: list[Browser]
) -> None:
    await approved(house, "/platform secret set checkout production API_KEY")
    url = await link_for(house.dana)
    preview, hers = Browser(url), Browser(url)
    browsers += [preview, hers]
    other, own = code_on(await preview.opens()), code_on(await hers.opens())
    assert other != own
    await (await house.dana.sees("@platform", f"does your page show {own}?")).click(f"Yes, {own} is mine")
    await house.dana.sees("@platform", "the page shows the field now")
    assert "<textarea" in await hers.opens()
    assert "<textarea" not in await preview.opens()
    assert "not confirmed" in await preview.sends("theirs")
    assert preview.status == 403
    stranger = Browser(url)
    browsers.append(stranger)
    assert "not confirmed" in await stranger.sends("theirs")
    assert "It is stored" in await hers.sends("mine")
    assert await values(house) == {"API_KEY": "mine"}


async def test_who_did_not_open_the_page_closes_it(house: House, browsers: list[Browser]) -> None:
    card = await approved(house, "/platform secret set checkout production API_KEY")
    browser = Browser(await link_for(house.dana))
    browsers.append(browser)
    code = code_on(await browser.opens())
    asked = await house.dana.sees("@platform", f"does your page show {code}?")
    await asked.click("No, close the page")
    await card.becomes("FAILED", "somebody else did", "Nothing was changed")
    assert "This page is gone" in await browser.opens()


async def test_nobody_but_the_requester_confirms_a_page(house: House, browsers: list[Browser]) -> None:
    await approved(house, "/platform secret set checkout production API_KEY")
    browser = Browser(await link_for(house.dana))
    browsers.append(browser)
    code = code_on(await browser.opens()).replace(" ", "")
    await house.lee.types(f"/platform secret confirm 1001 {code} yes")
    await house.lee.sees("general", "Only Dana, who asked for R-1001, can say so")
    await house.dana.types("/platform secret confirm 1001 000000 yes")
    await house.dana.sees("general", "not one of an open page")
    assert "<textarea" not in await browser.opens()


async def test_a_page_that_is_left_alone_ends_its_request(house: House, browsers: list[Browser]) -> None:
    card = await approved(house, "/platform secret set checkout production API_KEY")
    url = await link_for(house.dana)
    house.clock.advance(11 * 60)
    await house.stop()
    await house.start()
    await card.becomes("FAILED", "Nobody gave the value within 10 minutes", "Nothing was changed")
    browser = Browser(url.replace(url.split("/page/")[0], house.assistant.http.address))
    browsers.append(browser)
    assert "This page is gone" in await browser.opens()
    assert browser.status == 404


async def test_a_restart_in_between_leaves_the_page_as_it_was(house: House, browsers: list[Browser]) -> None:
    card = await approved(house, "/platform secret set checkout production API_KEY")
    url = await link_for(house.dana)
    await house.stop()
    await house.start()
    browser = Browser(url.replace(url.split("/page/")[0], house.assistant.http.address))
    browsers.append(browser)
    code = code_on(await browser.opens())
    await (await house.dana.sees("@platform", f"does your page show {code}?")).click(f"Yes, {code} is mine")
    await house.dana.sees("@platform", "the page shows the field now")
    assert "It is stored" in await browser.sends("mine")
    await card.becomes("SUCCEEDED")


async def test_a_cluster_that_is_away_asks_for_the_value_once_more(house: House, browsers: list[Browser]) -> None:
    card = await approved(house, "/platform secret set checkout production API_KEY")
    browser = Browser(await link_for(house.dana))
    browsers.append(browser)
    code = code_on(await browser.opens())
    await (await house.dana.sees("@platform", f"does your page show {code}?")).click(f"Yes, {code} is mine")
    await house.dana.sees("@platform", "the page shows the field now")
    house.cluster_away(True)
    assert "Not stored" in await browser.sends("mine")
    assert browser.status == 503
    house.cluster_away(False)
    assert "It is stored" in await browser.sends("mine")
    await card.becomes("SUCCEEDED")


async def test_a_rotated_key_has_a_value_nobody_saw_and_its_neighbours_stay(house: House) -> None:
    await house.cluster_call("POST", "/api/v1/namespaces/shop/secrets?fieldManager=kubectl", MADE)
    card = await approved(house, "/platform secret rotate checkout production API_KEY because it leaked")
    await card.becomes("SUCCEEDED")
    found = await values(house)
    assert found["OTHER"] == "kept"
    assert found["API_KEY"] != "older value"
    assert len(found["API_KEY"]) >= 40
    await house.olu.sees(DEPLOYS, "API_KEY of checkout-secrets")
    assert found["API_KEY"] not in await written_down(house)


async def test_a_key_that_is_not_there_is_not_rotated(house: House) -> None:
    await house.dana.types("/platform secret rotate checkout production API_KEY")
    await house.dana.sees(REQUESTS, "has no key API_KEY")


async def test_the_list_tells_names_and_ages_and_reads_no_value(house: House) -> None:
    await house.cluster_call("POST", "/api/v1/namespaces/shop/secrets?fieldManager=kubectl", MADE)
    await house.dana.types("/platform secret list checkout production")
    said = await house.dana.sees("general", "Secrets of checkout in production", "checkout-secrets", "API_KEY", "OTHER")
    assert "older value" not in said.text
    assert base64.b64encode(b"older value").decode() not in said.text


async def test_the_confirming_action_is_in_no_list(house: House) -> None:
    await house.dana.types("/platform help")
    said = await house.dana.sees("general", "secret list")
    assert "confirm" not in said.text


async def test_a_wrong_name_of_a_key_stands_at_its_field(house: House) -> None:
    await house.dana.types("/platform secret set checkout production key=two/words")
    await house.dana.sees("general", "Key")
    assert await house.rows("SELECT id FROM requests") == []


async def test_two_values_at_once_are_stored_as_one(house: House, browsers: list[Browser]) -> None:
    card = await approved(house, "/platform secret set checkout production API_KEY")
    browser = Browser(await link_for(house.dana))
    browsers.append(browser)
    code = code_on(await browser.opens())
    await (await house.dana.sees("@platform", f"does your page show {code}?")).click(f"Yes, {code} is mine")
    await house.dana.sees("@platform", "the page shows the field now")
    await asyncio.gather(browser.sends("one"), browser.sends("one"))
    await card.becomes("SUCCEEDED")
    assert await values(house) == {"API_KEY": "one"}
    assert (await house.history()).count("written") == 1
