"""A newcomer plays the tour of `chatops demo` in a real browser, from the first deploy to the guest who is refused.

`CHATOPS_PICTURE=1 pytest tests/browser` also takes the README's picture anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import WITHIN_MS, expect

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

from tests.browser.conftest import Demo

PICTURE = Path(__file__).parents[2] / "docs" / "page.png"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.group("browser"),
]


def tour(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Tour")


def thread(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Thread")


def card(page: Page, title: str) -> Locator:
    """The card in the channel; its copy above the open thread is not meant."""
    return page.get_by_role("log", name="Messages", exact=True).get_by_role("article").filter(has_text=title)


async def act_as(page: Page, name: str) -> None:
    person = page.get_by_role("button", name=f"Act as {name}")
    await person.click()
    await expect(person).to_have_attribute("aria-pressed", "true")


async def open_channel(page: Page, name: str) -> None:
    await page.get_by_role("link", name=name).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)


async def dana_asks_and_lee_approves(page: Page) -> None:
    await expect(tour(page).get_by_role("heading")).to_have_text("Ask for a deploy")
    await tour(page).get_by_role("button", name="Do it for me").click()
    first = card(page, "Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION")
    await expect(first).to_contain_text("WAITING: 1 approval from Lee")
    for line in (
        "Dana: “fixes the cart”",
        "3 pods",
        "1.4.1 healthy · no freeze",
        "back to 1.4.1",
        "production needs a lead",
    ):
        await expect(first).to_contain_text(line)
    await tour(page).get_by_role("button", name="Switch to Lee").click()
    await expect(page.get_by_role("button", name="Act as Lee")).to_have_attribute("aria-pressed", "true")
    if os.environ.get("CHATOPS_PICTURE"):
        await first.get_by_role("button", name="1 reply").click()
        await expect(thread(page)).to_contain_text("It needs 1 approval from Lee")
        await page.mouse.move(0, 0)
        await page.screenshot(path=PICTURE, animations="disabled")
        await thread(page).get_by_role("button", name="Close").click()
    await first.get_by_role("button", name="Approve").click()
    await expect(first).to_contain_text("SUCCEEDED: healthy, 3 pods ready")
    await expect(first).to_contain_text("Approved by Lee")
    await expect(first.get_by_role("button", name="Approve")).to_have_count(0)


async def everyone_is_told_once(page: Page) -> None:
    await tour(page).get_by_role("button", name="Switch to Olu").click()
    await expect(page.get_by_role("button", name="Act as Olu")).to_have_attribute("aria-pressed", "true")
    await open_channel(page, "deploys")
    notice = page.get_by_role("article").filter(has_text="Dana deployed checkout 1.4.1 → 1.4.2 to PRODUCTION")
    await expect(notice).to_have_count(1)
    await expect(notice).to_contain_text("approved by Lee")


async def dana_fills_in_the_form(page: Page) -> None:
    await act_as(page, "Dana")
    await open_channel(page, "platform-requests")
    box = page.get_by_label("Message #platform-requests")
    await box.press_sequentially("/platform ")
    await expect(page.get_by_role("option", name="rollback")).to_be_visible()
    await expect(page.get_by_role("option", name="pause Stops")).to_have_count(0)
    await box.fill("/platform deploy")
    await box.press("Enter")
    form = page.get_by_role("dialog", name="Deploy")
    await form.get_by_label("Service").fill("che")
    await page.get_by_role("option", name="checkout").click()
    await form.get_by_label("Environment").click()
    await page.get_by_role("option", name="staging").click()
    await expect(form).to_contain_text("Now: 1.4.2 healthy")
    await expect(form).to_contain_text("Allowed, without approval.")
    await form.get_by_label("Version").fill("1.5.0-broken")
    await form.get_by_label("Reason").fill("the new cart")
    await form.get_by_role("button", name="Deploy").click()
    await expect(form).to_have_count(0)


async def the_broken_version_is_undone(page: Page) -> None:
    broken = card(page, "1.4.2 → 1.5.0-broken · STAGING")
    await expect(broken).to_contain_text("ROLLED BACK: 1.4.2 runs again and is healthy")
    await broken.get_by_role("button", name="replies").click()
    await expect(tour(page).get_by_role("heading")).to_have_text("Not in production")
    await expect(thread(page)).to_contain_text("CrashLoopBackOff")
    await expect(thread(page)).to_contain_text("KeyError: 'PAYMENT_URL'")
    await expect(thread(page).get_by_role("article").last).to_contain_text("@Dana")
    await thread(page).get_by_role("button", name="Close").click()


async def it_does_not_come_to_production(page: Page) -> None:
    await tour(page).get_by_role("button", name="Do it for me").click()
    refused = card(page, "1.4.2 → 1.5.0-broken · PRODUCTION")
    await expect(refused).to_contain_text("DENIED: checkout 1.5.0-broken has to run well in staging first")
    await expect(refused.get_by_role("button", name="Approve")).to_have_count(0)


async def olu_asks_what_runs_where(page: Page) -> None:
    await tour(page).get_by_role("button", name="Do it for me, as Olu").click()
    answer = page.get_by_role("article").filter(has_text="Only visible to you")
    await expect(answer).to_contain_text("production   1.4.2    healthy")
    await expect(answer).to_contain_text("Dana")
    await page.get_by_label("Message #").press_sequentially("/platform pau")
    await expect(page.get_by_role("option", name="pause Stops")).to_be_visible()


async def gus_is_refused(page: Page) -> None:
    await tour(page).get_by_role("button", name="Do it for me, as Gus").click()
    answer = page.get_by_role("article").filter(has_text="Only visible to you")
    await expect(answer).to_contain_text("home workspace")
    await expect(card(page, "1.4.9")).to_have_count(0)
    await expect(tour(page).get_by_role("heading")).to_have_text("That is the tour")


async def app_home_shows_danas_requests(page: Page) -> None:
    await act_as(page, "Dana")
    await page.get_by_role("link", name="Platform", exact=True).click()
    home = page.get_by_role("region", name="Home")
    await expect(home).to_contain_text("Your requests (3)")
    await expect(home).to_contain_text("R-1002 · Deploy checkout 1.4.2 → 1.5.0-broken")
    await home.get_by_role("link", name="R-1002").last.click()  # among their requests; above, it is what came of it
    await expect(page.get_by_role("heading", level=1)).to_have_text("platform-requests")
    await expect(card(page, "1.4.2 → 1.5.0-broken · STAGING")).to_be_in_viewport()


async def the_inspector_shows_the_traffic(page: Page) -> None:
    await page.get_by_role("button", name="Inspector", exact=True).click()
    rows = page.get_by_role("listbox", name="Traffic").get_by_role("option")
    await page.get_by_label("Filter the traffic").fill("views.open")
    await expect(rows).to_have_count(1)
    await rows.first.click()
    await expect(page.get_by_role("region", name="Exchange")).to_contain_text("assistant → Slack")


async def test_a_newcomer_plays_the_tour(browser: Browser, demo: Demo) -> None:
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(demo.page)
    await page.locator("body[data-ready]").wait_for()
    await dana_asks_and_lee_approves(page)
    await everyone_is_told_once(page)
    await dana_fills_in_the_form(page)
    await the_broken_version_is_undone(page)
    await it_does_not_come_to_production(page)
    await olu_asks_what_runs_where(page)
    await gus_is_refused(page)
    await app_home_shows_danas_requests(page)
    await the_inspector_shows_the_traffic(page)
    await context.close()
    assert errors == []
