"""Acme's local Slack with a small stand-in app, and Debian's Chromium to look at its page with."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from slack_sdk.web.async_client import AsyncWebClient

from tests.page.standin import Standin, standin

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WITHIN_MS = 15_000
expect.set_options(timeout=WITHIN_MS)

Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="module")
async def platform() -> AsyncIterator[Standin]:
    """The local Slack with the stand-in connected; a fresh workspace for each test."""
    async with standin() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's Chromium on the PATH: apt-get install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS, headless=True)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser, platform: Standin) -> AsyncIterator[Open]:
    """`page = await open_page("dana", "platform-requests")`; fails the test on any script error of the page."""
    errors: list[str] = []
    async with AsyncExitStack() as stack:

        async def opened(person: str, channel: str, *, width: int = 1440, height: int = 900, path: str = "") -> Page:
            context = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(WITHIN_MS)
            page.on("pageerror", lambda error: errors.append(str(error)))
            await page.goto(platform.slack.url + (path or f"/?as={person}&channel={channel}"))
            await page.locator("body[data-ready]").wait_for()
            return page

        yield opened
    assert not errors, errors


@pytest.fixture
def client(platform: Standin) -> AsyncWebClient:
    return platform.client
