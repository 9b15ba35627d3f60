"""What some tests want said at the end of a run, whichever process they ran in."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.support.chromium import chromium, found
from tests.support.databases import POSTGRES
from tests.support.processes import group_of, pytest_addoption, pytest_runtestloop
from tests.support.thoroughness import EVERYTHING, examples, in_share

# Commits wait for the disk (synchronous=FULL), 2 ms each, and tests make thousands: what they keep is kept in memory.
MEMORY, ROOM = "/dev/shm", 1 << 30
SCENARIOS = Path(__file__).parent / "scenarios"
LONG = ("test_storm.py", "test_replicas_storm.py")  # at Slack's pace
# Minutes of waiting for leases: of these CI plays a few at each commit, by turns.
BY_TURNS = ("test_replicas_killed_anywhere.py", "test_replicas_storm.py", "test_rolling_upgrade.py")
TURNS = 6
__all__ = ["pytest_addoption", "pytest_runtestloop"]  # hooks
BOTH = tuple(Path(__file__).parent / name for name in ("store", "model"))  # on SQLite in any case
UNTIL = float(os.environ.get("FIRE_UNTIL") or 0)
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = MEMORY
    tempfile.tempdir = None  # asked for again

if TYPE_CHECKING:
    from playwright.async_api import Browser

# Every client reads the system's certificates, 26 ms each, also to speak plain HTTP on loopback: give it none to read.
# A real cluster (`make test-cluster`) may need them.
if not os.environ.get("CHATOPS_TEST_KUBECONFIG"):
    os.environ["SSL_CERT_FILE"] = os.environ["SSL_CERT_DIR"] = os.devnull

# What matplotlib finds out about the machine's fonts takes half a second for each process that draws: it is kept.
os.environ.setdefault("MPLCONFIGDIR", str(Path(__file__).parents[1] / ".pytest_cache" / "matplotlib"))


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is PostgreSQL's own is `make test-postgresql`'s, which tries SQLite's stores no second time.

    `make test` (``CHATOPS_TEST_SHARE``) takes one in four of it. ``CHATOPS_TEST_PART=0/2`` plays the first half of the
    scenarios on PostgreSQL.
    """
    which, parts = map(int, (os.environ.get("CHATOPS_TEST_PART") or "0/1").split("/"))
    share = int(os.environ.get("CHATOPS_TEST_SHARE") or 1)

    def is_left(item: pytest.Item) -> bool:
        if group_of(item) == "postgresql":
            return not in_share(item.nodeid, share)
        if POSTGRES and any(item.path.is_relative_to(folder) for folder in BOTH):
            return True
        return item.path.is_relative_to(SCENARIOS) and not in_share(item.nodeid, parts, which)

    if left := [item for item in items if is_left(item)]:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]
    if EVERYTHING:  # what takes minutes begins first
        _take_turns([item for item in items if item.path.name in BY_TURNS])
        first = (*LONG, *BY_TURNS) if UNTIL else LONG
        items.sort(key=lambda item: item.path.name not in first or item.get_closest_marker("skip") is not None)


def _take_turns(items: list[pytest.Item]) -> None:
    """``FIRE_TURN``, a number that grows with the commits, says whose turn it is where time is short."""
    turn = int(os.environ.get("FIRE_TURN") or 0) % TURNS
    for place, item in enumerate(items):
        if UNTIL and place % TURNS != turn:
            item.add_marker(pytest.mark.skip("it is not its turn on this machine: make fire plays all of them"))


def pytest_runtest_setup() -> None:
    """CI gives `make fire` until ``FIRE_UNTIL`` (seconds since the epoch): what has not begun by then is left out."""
    if UNTIL and time.time() > UNTIL:
        pytest.skip("no time was left for it on this machine: make fire plays it")


def pytest_collection_finish() -> None:
    """What is imported by now stays until the end: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


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
    """Debian's Chromium; whoever uses it is in the group "browser", so that it starts once."""
    path = found()
    if path is None:
        pytest.skip("needs Debian's Chromium on the PATH: apt-get install chromium-headless-shell (or chromium)")
    async with chromium(path) as started:
        yield started
