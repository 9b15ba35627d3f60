"""App Home and the picture of the DORA figures in a real browser, at a desk and on a phone.

`CHATOPS_PICTURE=1 pytest tests/browser` also takes the pictures of both in docs/ anew.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from chatops.demo import TOKEN
from tests.browser.conftest import Demo
from tests.support.chromium import expect, expect_within

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

DOCS = Path(__file__).parents[2] / "docs"
WITHIN_MS = 40_000  # a picture is drawn by a process that lets others go first
DAY, MINUTE = 86400.0, 60.0

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.group("browser"),
]

# Days ago, minutes that it took, service, how it ended: what Acme's pipelines deployed to production.
DEPLOYS = [
    (58, 9, "checkout", "succeeded"), (54, 12, "cart", "succeeded"), (51, 8, "catalog", "failed"),
    (50, 15, "catalog", "succeeded"), (44, 9, "checkout", "succeeded"), (40, 30, "search", "rolled_back"),
    (37, 9, "checkout", "succeeded"), (33, 22, "cart", "failed"), (32.5, 11, "cart", "succeeded"),
    (28, 9, "checkout", "succeeded"), (26, 10, "catalog", "succeeded"), (24, 9, "checkout", "succeeded"),
    (21, 14, "cart", "succeeded"), (20, 9, "search", "succeeded"), (17, 25, "checkout", "rolled_back"),
    (16, 9, "checkout", "succeeded"), (13, 10, "cart", "succeeded"), (11, 9, "catalog", "succeeded"),
    (9, 8, "search", "succeeded"), (7, 9, "checkout", "succeeded"), (5, 12, "cart", "succeeded"),
    (3, 9, "checkout", "succeeded"), (1, 9, "catalog", "succeeded"),
]  # fmt: skip
RUNS = {"checkout": "1.4.1", "cart": "2.8.0", "catalog": "3.12.4", "search": "0.9.7"}  # in Acme's cluster


async def tell_of_deploys(demo: Demo) -> None:
    """What Acme's pipelines did in the last two months, as they tell it: its beginning, then its end."""
    address, now = demo.hook.replace("/hooks/alert", "/hooks/deploy"), time.time()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        for number, (days, minutes, service, outcome) in enumerate(DEPLOYS):
            begun, last = now - days * DAY, service not in {later for _, _, later, _ in DEPLOYS[number + 1 :]}
            version = RUNS[service] if last else f"0.{number}.0"
            for state, at in (("running", begun), (outcome, begun + minutes * MINUTE)):
                told = {
                    "service": service, "environment": "production", "version": version, "state": state,
                    "by": "Dana", "id": f"run-{number}", "at": at, "pipeline": "Jenkins",
                }  # fmt: skip
                async with session.post(address, data=json.dumps(told)) as answer:
                    assert answer.status < 300, await answer.text()


async def opened(browser: Browser, demo: Demo, width: int, height: int, errors: list[str]) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(demo.page)
    await page.locator("body[data-ready]").wait_for()
    return page


async def types(page: Page, line: str) -> None:
    box = page.get_by_label("Message #platform-requests")
    await box.fill(line)
    await box.press("Enter")


async def fits(page: Page) -> None:
    """Nothing has to be pushed sideways to be read."""
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0


async def the_figures_are_one_picture(page: Page) -> None:
    await types(page, "/platform dora 30d")
    answer = page.get_by_role("article").filter(has_text="DORA · all teams · production · last 30 days")
    for line in ("Deployment frequency", "Change failure rate", "· before: 1.4 a week (6)", "checkout: "):
        await expect(answer).to_contain_text(line)
    picture = answer.get_by_role("img", name="DORA · all teams")
    await expect(picture).to_be_visible()
    await page.wait_for_function("image => image.naturalWidth === 1200", arg=await picture.element_handle())


async def lee_decides_at_home(page: Page) -> None:
    await page.get_by_role("button", name="Act as Lee").click()
    await page.get_by_role("link", name="Platform", exact=True).click()
    home = page.get_by_role("region", name="Home")
    await expect(home).to_contain_text("Waiting for you (1)")
    for line in ("Deploy checkout 1.4.1 → 1.4.2 in production", "On call", "Your services", "ready", "Preferences"):
        await expect(home).to_contain_text(line)


async def test_app_home_and_the_dora_figures(browser: Browser, demo: Demo) -> None:
    expect_within(WITHIN_MS)
    errors: list[str] = []
    await tell_of_deploys(demo)
    page = await opened(browser, demo, 1280, 1000, errors)
    await the_figures_are_one_picture(page)
    if os.environ.get("CHATOPS_PICTURE"):
        await page.mouse.move(0, 0)
        await page.screenshot(path=DOCS / "dora.png", animations="disabled")
    await types(page, "/platform deploy checkout 1.4.2 production because fixes the cart")
    await expect(page.get_by_role("article").filter(has_text="WAITING: 1 approval from Lee").first).to_be_visible()
    await lee_decides_at_home(page)
    if os.environ.get("CHATOPS_PICTURE"):
        await page.mouse.move(0, 0)
        await page.screenshot(path=DOCS / "home.png", animations="disabled")
    home = page.get_by_role("region", name="Home")
    await home.get_by_role("button", name="Change").click()
    form = page.get_by_role("dialog", name="Preferences")
    await form.get_by_label("Quiet hours").fill("22:00-07:00")
    await form.get_by_role("button", name="Preferences").click()
    await expect(home).to_contain_text("quiet from 22:00 to 07:00")
    await home.get_by_role("button", name="Approve").click()
    await expect(home).to_contain_text("Nothing waits for you.")
    phone = await opened(browser, demo, 390, 844, errors)
    await the_figures_are_one_picture(phone)
    await fits(phone)
    await phone.get_by_role("button", name="Back to the list").click()
    await phone.get_by_role("link", name="Platform", exact=True).click()
    await expect(phone.get_by_role("region", name="Home")).to_contain_text("Your requests")
    await fits(phone)
    for one in (page, phone):
        await one.context.close()
    assert errors == []
