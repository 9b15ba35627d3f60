"""Small durable writes: with a commit for each, with one for all that wait, and on PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench.postgres import postgres_server
from bench.table import Line, over
from chatops.adapters.postgres import Postgres
from chatops.adapters.sqlite import SQLite
from chatops.kernel import audit
from chatops.kernel.ports import Database, Tx

ROUNDS = 5
LOADS = (1, 16, 64)
SECONDS = 1.0
EACH, SHARED, POSTGRESQL = (
    "SQLite, a commit for each", "durable writes, SQLite", "durable writes, PostgreSQL",
)  # fmt: skip
ROWS = tuple(f"{kind}, {at_once} at once" for kind in (SHARED, POSTGRESQL) for at_once in LOADS)
_ADD = (
    "INSERT INTO inbox (key, kind, body, received_at) VALUES (:key, 'click', :body, :now) ON CONFLICT (key) DO NOTHING"
)
_BODY = json.dumps({"payload": "x" * 1500})


def fact(tx: Tx, key: str) -> None:
    """What an acknowledged click writes at least: its delivery, and a row of the audit trail."""
    now = time.time()
    tx.run(_ADD, key=key, body=_BODY, now=now)
    audit.append(tx, chain=key, who="lee@acme.test", what="approved", data={"digest": "c0ffee"}, at=now)


async def rate(database: Database, name: str, at_once: int) -> float:
    """Durable writes a second, for ``SECONDS``."""
    for number in range(8):  # outside the measurement: threads connected, statements prepared, the log begun
        await database.write(fact, f"{name}-first-{number}")
    numbers = itertools.count()
    begun = time.perf_counter()

    async def work() -> None:
        while time.perf_counter() - begun < SECONDS:
            await database.write(fact, f"{name}-{next(numbers)}")

    await asyncio.gather(*(work() for _ in range(at_once)))
    return next(numbers) / (time.perf_counter() - begun)


async def lines() -> list[Line]:
    """All rows of this part; the three take turns."""
    found: list[Line] = []
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="."))).resolve()
        server = stack.enter_context(postgres_server(place / "server"))
        kinds: dict[str, Database] = {
            EACH: await stack.enter_async_context(SQLite(place / "each.db", batch=1)),
            SHARED: await stack.enter_async_context(SQLite(place / "shared.db")),
            POSTGRESQL: await stack.enter_async_context(Postgres(server.database("w"))),
        }
        for at_once in LOADS:
            rates: dict[str, list[float]] = {kind: [] for kind in kinds}
            for turn in range(ROUNDS):
                for kind, database in kinds.items():
                    rates[kind].append(await rate(database, f"{at_once}-{turn}", at_once))
            found.append(_line(SHARED, EACH, at_once, rates))
            found.append(_line(POSTGRESQL, SHARED, at_once, rates))
    return sorted(found, key=lambda line: ROWS.index(line.what))


def _line(what: str, than: str, at_once: int, rates: dict[str, list[float]]) -> Line:
    """Both medians, and the median of the ratios of each turn."""
    ratio = statistics.median(here / there for here, there in zip(rates[what], rates[than], strict=True))
    there, here = (statistics.median(rates[kind]) for kind in (than, what))
    name = f"{what}, {at_once} at once"
    return Line(name, than, f"{there:,.0f}/s", f"{here:,.0f}/s", over(ratio, 1))
