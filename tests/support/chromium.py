"""Debian's Chromium through Playwright, which is imported by the process that drives it, and by no other."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import Browser

# Both are Debian's; without a window's parts around the page it takes two thirds of the computing.
NAMES = ("chromium-headless-shell", "chromium")
WITHIN_MS = 20_000  # how long something that shall be seen is waited for
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-features=NetworkServiceInProcess2",  # a page asks for fifty files: one process less that hands them on
]


def found() -> str | None:
    """The browser on the PATH; None when there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def expect(shown: Any) -> Any:
    """Playwright's ``expect``."""
    from playwright import async_api

    return async_api.expect(shown)


def expect_within(milliseconds: int) -> None:
    """How long ``expect`` waits from now on."""
    from playwright import async_api

    async_api.expect.set_options(timeout=milliseconds)


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    """The browser at ``path``, without a window."""
    from playwright import async_api

    expect_within(WITHIN_MS)
    async with async_api.async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS, headless=True)
        yield started
        await started.close()
