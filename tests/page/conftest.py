"""Acme's local Slack with a small stand-in app, and pages of Chromium to look at it with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from slack_sdk.web.async_client import AsyncWebClient

from tests.page.standin import Standin, standin
from tests.support.chromium import WITHIN_MS

if TYPE_CHECKING:
    from playwright.async_api import Browser, Error, Page

Open = Callable[..., Awaitable["Page"]]


@pytest_asyncio.fixture(loop_scope="session")
async def platform() -> AsyncIterator[Standin]:
    """The local Slack with the stand-in connected; a fresh workspace for each test."""
    async with standin() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def first_page(browser: Browser) -> AsyncIterator[Page]:
    """The page that each test looks at first: a new one takes half a second, going elsewhere with an old one does not.

    Nothing of a test stays in it, for each has a Slack of its own, at an address of its own.
    """
    context = await browser.new_context(reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, platform: Standin, first_page: Page) -> AsyncIterator[Open]:
    """`page = await open_page("dana", "platform-requests")`; fails the test on any script error of the page.

    `fresh`: for a test that puts itself between the page and its server, which a page is never rid of again.
    """
    errors: list[str] = []
    unused = [first_page]

    def failed(error: Error) -> None:
        errors.append(str(error))

    async with AsyncExitStack() as stack:

        async def opened(
            person: str, channel: str, *, width: int = 1440, height: int = 900, path: str = "", fresh: bool = False
        ) -> Page:
            if unused and not fresh:
                page = unused.pop()
                stack.push_async_callback(page.goto, "about:blank")
            else:
                context = await browser.new_context(reduced_motion="reduce")
                stack.push_async_callback(context.close)
                page = await context.new_page()
            await page.set_viewport_size({"width": width, "height": height})
            page.set_default_timeout(WITHIN_MS)
            page.on("pageerror", failed)
            await page.goto(platform.slack.url + (path or f"/?as={person}&channel={channel}"))
            await page.locator("body[data-ready]").wait_for()
            return page

        yield opened
    first_page.remove_listener("pageerror", failed)
    assert not errors, errors


@pytest.fixture
def client(platform: Standin) -> AsyncWebClient:
    return platform.client
