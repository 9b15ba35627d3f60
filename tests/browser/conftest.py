"""`chatops demo` as a process of its own, and Debian's Chromium to look at its page with."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

# The third of a second that a pod takes to come up is long enough to be seen, and the tour takes half a minute.
DEMO = [sys.executable, "-c", "from chatops.cli import cli; cli()", "demo", "--listen", "127.0.0.1:0", "--pace", "0.3"]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's Chromium on the PATH: apt-get install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS, headless=True)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def demo(browser: Browser) -> AsyncIterator[str]:
    """The address that the demo prints when it can be used."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*DEMO, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    assert process.stdout is not None
    said = []
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                said.append(line.decode())
                if found := re.search(r"is ready:\s+(\S+)", said[-1]):
                    yield found[1]
                    break
            else:
                pytest.fail(f"the demo ended before it was ready: {''.join(said)}")
    finally:
        if process.returncode is None:
            process.terminate()
        said.append((await process.stdout.read()).decode())
        await process.wait()
    assert "Traceback" not in "".join(said), "".join(said)
