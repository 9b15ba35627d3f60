"""App Home and ``requests`` with a thousand and a million requests behind them: what people open must not grow."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

from approvals import store
from approvals.request import State
from bench.assistant import DANA, LEE, SERVICES, configuration, waiting_request
from bench.harness import show
from chatops.adapters.cel import CelEvaluator
from chatops.adapters.clock import SystemClock
from chatops.adapters.configuration.live import LiveConfiguration
from chatops.adapters.sqlite import SQLite
from chatops.kernel.people import Person, Standing
from chatops.kernel.ports import Tx
from chatops.notices.ledger import DeployLedger
from chatops.requests.expiry import Expiry
from chatops.requests.health import Health
from chatops.requests.pages import Pages
from chatops.requests.planning import Planner
from chatops.requests.questions import Answers
from chatops.requests.reviews import Reviews
from commands import registry
from commands.declared import action_of

SIZES = (1_000, 1_000_000)
WARM, ROUNDS = 3, 50  # those that read the pages from disk, and those that count
PART = 50_000  # rows of one transaction
WAITING = 20
HEADS = ("", *(f"{size:,} requests" for size in SIZES), "ratio")

# Everybody's requests, one a minute: one in forty is Dana's, of whose every fifth failed.
FILL = """
WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)
INSERT INTO requests (key, action, service, environment, requester_id, state, version, created_at, updated_at, ended_at,
                      body)
SELECT 'filled-' || i, 'deploy', 'cart-cart-' || (i % 50), iif(i % 2, 'production', 'staging'),
       iif(i % 40, 'U' || (i % 500), :dana), iif(i % 200, 'succeeded', 'failed'), 5,
       :now - (:last_of_all - i) * 60, :now - (:last_of_all - i) * 60, :now - (:last_of_all - i) * 60, :body
FROM n
"""
LEDGER = """
WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)
INSERT INTO ledger (request_id, action, service, environment, before, after, requested_by, started_at, ended_at,
                    outcome)
SELECT 1000 + i, 'deploy', 'cart-cart-' || (i % 50), iif(i % 2, 'production', 'staging'), '1.0.' || (i / 200),
       '1.0.' || (i / 100), 'Dana', :now - (:last_of_all - i) * 60 - 30, :now - (:last_of_all - i) * 60, 'succeeded'
FROM n
"""

PEOPLE = {
    name: Person(id=number, name=name, email=f"{name}@acme.test", standing=Standing.MEMBER, teams=("shop",))
    for name, number in (("dana", DANA), ("lee", LEE))
}


async def fill(database: SQLite, size: int, now: float, begin: int = 1) -> None:
    """So many requests that are over, with the ledger of them; at first also a few that wait for approval."""
    over = waiting_request(0, now).model_copy(update={"state": State.SUCCEEDED, "ended_at": now})
    body = over.model_dump_json(exclude={"id", "votes"})

    def write(tx: Tx, first: int, last: int) -> None:
        common: dict[str, Any] = {"first": first, "last": last, "now": now, "last_of_all": size}
        tx.run(FILL, dana=DANA, body=body, **common)
        tx.run(LEDGER, **common)

    def wait(tx: Tx) -> None:
        for number in range(WAITING):
            store.insert(tx, waiting_request(number, now), f"waits-{number}")

    for first in range(begin, size + 1, PART):
        await database.write(write, first, min(first + PART - 1, size))
    if begin == 1:
        await database.write(wait)


@asynccontextmanager
async def answering(folder: Path, database: SQLite) -> AsyncIterator[Answers]:
    """What answers people, over this database and five thousand services; no Slack and no cluster are behind it."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "platform.yml").write_text(configuration(SERVICES))
    clock = SystemClock()
    live = LiveConfiguration(folder / "config", registry.load(), clock, action_of)
    evaluator = CelEvaluator()
    nobody = cast(Any, None)  # App Home asks neither Slack nor a cluster: this would fail if it did
    ledger = DeployLedger(database, nobody, live)
    planner = Planner(live.actions, live, nobody, nobody, evaluator.evaluate_all, ledger, clock)
    planner.health = Health(live, clock)
    answers = Answers(
        live.actions, database, planner, live, clock, cast(Pages, nobody), cast(Expiry, nobody),
        cast(Reviews, nobody),
    )  # fmt: skip
    planner.questions = answers
    try:
        yield answers
    finally:
        await evaluator.close()


def _asked(answers: Answers) -> dict[str, Callable[[], Awaitable[object]]]:
    dana, lee = PEOPLE["dana"], PEOPLE["lee"]
    return {
        "App Home of a requester": lambda: answers.home(dana),
        "App Home of an approver": lambda: answers.home(lee),
        "requests mine": lambda: answers.requests(dana, "mine"),
        "requests waiting": lambda: answers.requests(lee, "waiting"),
        "requests recent": lambda: answers.requests(lee, "recent"),
    }


async def rows(folder: Path, sizes: tuple[int, ...] = SIZES) -> list[tuple[str, ...]]:
    """The table's rows: medians in milliseconds at each size, and their ratio.

    All sizes take turns, because another load on the machine then disturbs them alike.
    """
    async with AsyncExitStack() as stack:
        asked = []
        for size in sizes:
            place = folder / str(size)
            place.mkdir()
            database = await stack.enter_async_context(SQLite(place / "chatops.db"))
            await fill(database, size, time.time())
            asked.append(_asked(await stack.enter_async_context(answering(place, database))))
        found: list[tuple[str, ...]] = []
        for name in asked[0]:
            taken: list[list[float]] = [[] for _ in sizes]
            for number in range(-WARM, ROUNDS):
                for one, questions in zip(taken, asked, strict=True):
                    begun = time.perf_counter()
                    await questions[name]()
                    one += [(time.perf_counter() - begun) * 1000] if number >= 0 else []
            each = [statistics.median(one) for one in taken]
            found.append((name, *(f"{one:.1f} ms" for one in each), f"{each[-1] / each[0]:.2f}"))
        return found


async def main() -> None:
    """This table alone."""
    with tempfile.TemporaryDirectory() as folder:
        show("App Home and requests", HEADS, await rows(Path(folder)))


if __name__ == "__main__":
    asyncio.run(main())
