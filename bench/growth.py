"""What people and the assistant do every day, over a new database and over one of years: none of it may grow.

The whole assistant runs once for each size, all in one process and by turns, so that whatever else the machine does
disturbs them alike. ``python -m bench.growth 10000000`` measures so many rows of the audit trail by hand.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientSession

from bench.assistant import DANA, LEE, TEAM, configuration, store_waiting
from bench.filling import AUDITED, BEFORE, PEOPLE, fill
from bench.harness import SECRET, show
from bench.load import signature
from bench.payloads import click, suggestion
from bench.table import HEADS, Line, milliseconds, over
from chatops.adapters.sqlite import SQLite
from chatops.kernel import audit
from chatops.main import Assistant
from chatops.sandbox.cluster import PracticeCluster
from chatops.settings import Settings
from chatops.slack import posts
from tests.support.people import acme_slack

AUDIT_ROWS = (1_000, 100_000, 1_000_000)
SERVICES = (10, 1_000, 100_000)
WARM, ROUNDS = 3, 30  # those that read the pages from disk, and those that count
OFTEN = 5  # times in a row, of what is too short for the clock of processor time
WORDS = ("che", "cart-se", "review", "inv", "chekout", "led-1", "p", "price-parcel-4", "")
OPERATIONS = (
    "a click on Approve", "a letter typed", "the list `requests`", "App Home of a requester", "App Home of an approver",
    "a card looked up", "a row appended to the audit trail",
)  # fmt: skip
Operation = Callable[[], Awaitable[object]]


def row(operation: str, kind: str) -> str:
    """The name of a line, of an operation over more and more ``audit rows`` or ``services``."""
    return f"{operation}, by {kind}"


ROWS = tuple(row(one, kind) for kind in ("audit rows", "services") for one in OPERATIONS)


@dataclass
class Grown:
    """A running assistant with so much behind it."""

    assistant: Assistant
    session: ClientSession
    waiting: list[tuple[int, str]]
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def post(self, body: str) -> None:
        """Sends what Slack would; fails when it is not acknowledged."""
        address = f"{self.assistant.http.address}/slack/events"
        headers = {"Content-Type": "application/x-www-form-urlencoded", **signature(body, SECRET)}
        async with self.session.post(address, data=body, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {await answer.text()}")
            await answer.read()

    async def clicks(self) -> None:
        """A vote on the next request, until it is decided on."""
        number, digest = self.waiting.pop()
        await self.post(click("approve", {"r": number, "d": digest}, user=LEE, team=TEAM))
        await self.assistant.front.background.idle()

    async def types(self) -> None:
        """The next few letters in the service field."""
        typed = WORDS[next(self.numbers) % len(WORDS)]
        await self.post(suggestion("pick_service", typed, user=DANA, team=TEAM))

    async def looks_up(self) -> None:
        """The oldest request's card."""
        if await self.assistant.database.read(posts.load, f"R-{BEFORE + 1}") is None:
            raise RuntimeError("the card is not there")

    async def appends(self) -> None:
        """A row to a chain that has some."""
        at, data = time.time(), {"digest": "c0ffee"}
        write = self.assistant.database.write
        await write(audit.append, chain=f"R-{BEFORE + 1}", who="lee@acme.test", what="step", data=data, at=at)

    def operations(self) -> dict[str, Operation]:
        """By their names."""
        road, dana, lee = self.assistant.road, PEOPLE["dana"], PEOPLE["lee"]
        every: tuple[Operation, ...] = (
            self.clicks, self.types, lambda: road.answer("requests", {"whose": "recent"}, person=dana),
            lambda: road.home(person=dana), lambda: road.home(person=lee), self.looks_up, self.appends,
        )  # fmt: skip
        return dict(zip(OPERATIONS, every, strict=True))


@asynccontextmanager
async def grown(folder: Path, rows: int, services: int) -> AsyncIterator[Grown]:
    """An assistant behind which there are so many rows of the audit trail, and all that goes with them."""
    config = folder / "config"
    config.mkdir(parents=True)
    # As in the filled rows: the first few are deployed all the time.
    (config / "platform.yml").write_text(configuration([f"cart-cart-{one}" for one in range(services)]))
    async with SQLite(folder / "chatops.db") as database:
        await fill(database, rows // AUDITED, time.time())
        count = (WARM + ROUNDS) * OFTEN
        waiting = await database.write(store_waiting, range(BEFORE, BEFORE + count), time.time())
    async with (
        acme_slack(rate_limits=False) as acme, PracticeCluster() as cluster, ClientSession() as session
    ):  # fmt: skip
        settings = Settings(
            config=config, database=str(folder / "chatops.db"), bot_token=acme.slack.state.workspace.app.bot_token,
            signing_secret=SECRET, slack_api_url=acme.slack.api_url, kubeconfig=cluster.kubeconfig(),
            listen="127.0.0.1:0",
        )  # fmt: skip
        async with Assistant(settings) as assistant:
            await assistant.measuring.look()
            yield Grown(assistant, session, waiting)


async def taken(operation: Operation) -> tuple[float, float]:
    """Seconds of time and of processor time, of one."""
    begun, spent = time.perf_counter(), time.process_time()
    for _ in range(OFTEN):
        await operation()
    return (time.perf_counter() - begun) / OFTEN, (time.process_time() - spent) / OFTEN


async def compared(kind: str, sizes: tuple[tuple[int, int], ...], than: str, here: str) -> list[Line]:
    """A line for each operation; ``sizes`` are rows and services, the ratios are of the last to the first."""
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="."))).resolve()
        every = [await stack.enter_async_context(grown(place / f"{one}-{two}", one, two)) for one, two in sizes]
        asked = [one.operations() for one in every]
        found: list[Line] = []
        for name in OPERATIONS:
            results: list[list[tuple[float, float]]] = []
            for number in range(-WARM, ROUNDS):
                turn = [await taken(operations[name]) for operations in asked]
                results += [turn] if number >= 0 else []
            medians = [statistics.median(turn[at][0] for turn in results) for at in range(len(sizes))]
            ratio, cpu = (statistics.median(over_[-1][at] / over_[0][at] for over_ in results) for at in (0, 1))
            shown = " · ".join(milliseconds(one) for one in medians[1:])
            found.append(
                Line(row(name, kind), f"{than}; here {here}", milliseconds(medians[0]), shown, over(ratio, 1),
                     over(cpu, 1))
            )  # fmt: skip
    return found


def _numbers(sizes: tuple[int, ...]) -> str:
    return " · ".join(f"{one:,}" for one in sizes)


async def by_rows(sizes: tuple[int, ...] = AUDIT_ROWS) -> list[Line]:
    """Over so many rows of the audit trail, with a thousand services."""
    every = tuple((size, 1_000) for size in sizes)
    return await compared("audit rows", every, f"{sizes[0]:,} rows", _numbers(sizes[1:]))


async def by_services(sizes: tuple[int, ...] = SERVICES) -> list[Line]:
    """With so many services in the catalog, over a thousand rows."""
    every = tuple((1_000, size) for size in sizes)
    return await compared("services", every, f"{sizes[0]:,} services", _numbers(sizes[1:]))


async def main() -> None:
    """The part about rows alone, with other sizes."""
    sizes = tuple(int(size) for size in sys.argv[1:]) or AUDIT_ROWS
    show("Flat growth", HEADS, [line.cells() for line in await by_rows((AUDIT_ROWS[0], *sizes))])


if __name__ == "__main__":
    asyncio.run(main())
