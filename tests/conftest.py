"""What some tests want said at the end of a run, whichever worker they ran on."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.support.chromium import chromium
from tests.support.thoroughness import EVERYTHING, examples

# Commits wait for the disk (synchronous=FULL), 2 ms each, and tests make thousands: what they keep is kept in memory.
MEMORY, ROOM = "/dev/shm", 1 << 30
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = MEMORY
    tempfile.tempdir = None  # asked for again

if TYPE_CHECKING:
    from playwright.async_api import Browser

# Every client reads the system's certificates, 26 ms each, also to speak plain HTTP on loopback: give it none to read.
# A real cluster (`make test-cluster`) may need them.
if not os.environ.get("CHATOPS_TEST_KUBECONFIG"):
    os.environ["SSL_CERT_FILE"] = os.environ["SSL_CERT_DIR"] = os.devnull


# No test is timed: on a busy machine an example may take longer than the 200 ms that Hypothesis gives by default, and
# making them longer than the second. `make test` tries the same few examples every time, `make fire` many new ones.
settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=examples(),
    derandomize=not EVERYTHING,
)
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """What is imported by now stays until the end: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints every ``record_property("said", …)``."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == "said":
                    terminalreporter.write_line(str(value))


@pytest.fixture(autouse=True)
def _its_own_databases() -> Iterator[None]:
    """What a test made on the PostgreSQL of ``tests.support.postgres`` goes with it: 9 MB each."""
    yield
    if support := sys.modules.get("tests.support.postgres"):
        support.drop_made()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; whoever uses it is in the xdist group "browser", so that it starts once."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Debian's Chromium on the PATH: apt-get install chromium")
    async with chromium(path) as started:
        yield started
