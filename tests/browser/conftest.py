"""`chatops demo` as a process of its own."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from playwright.async_api import Browser

# The quarter of a second that a pod takes to come up is long enough to be seen, and the tour takes ten seconds.
DEMO = [sys.executable, "-c", "from chatops.cli import cli; cli()", "demo", "--listen", "127.0.0.1:0", "--pace", "0.1"]


@dataclass(frozen=True, slots=True)
class Demo:
    """The addresses that the demo prints: of its page, and of its hook for alerts."""

    page: str
    hook: str


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def demo(browser: Browser) -> AsyncIterator[Demo]:
    """A demo that can be used."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*DEMO, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    assert process.stdout is not None
    said = []
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                said.append(line.decode())
                if found := re.search(r"is ready:\s+(\S+).*\s(\S+/hooks/alert)", "".join(said), re.DOTALL):
                    break
            else:
                pytest.fail(f"the demo ended before it was ready: {''.join(said)}")
        yield Demo(found[1], found[2])
    finally:
        if process.returncode is None:
            process.terminate()
        said.append((await process.stdout.read()).decode())
        await process.wait()
    assert "Traceback" not in "".join(said), "".join(said)
