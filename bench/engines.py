"""The assistant on PostgreSQL beside the assistant on SQLite: the same presses."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.assistant import assistant, warm
from bench.clicks import in_turns
from bench.postgres import postgres_server
from bench.table import Line

ROUNDS = 3
LOADS = ((1, 40), (16, 200), (64, 400))
COUNT = ROUNDS * sum(count for _, count in LOADS) + 20
WHAT, THAN = "Approve on PostgreSQL", "on SQLite"
ROWS = tuple(f"{WHAT}, {at_once} at once" for at_once, _ in LOADS)


async def lines() -> list[Line]:
    """All rows of this part; fails when a click was acknowledged that is in neither database."""
    async with AsyncExitStack() as stack:
        # Beside the checkout, as for the store alone: what is temporary may be kept in memory, without a disk.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="."))).resolve()
        server = stack.enter_context(postgres_server(folder / "server"))
        here = await stack.enter_async_context(assistant(folder / "postgresql", COUNT, database=server.database("c")))
        there = await stack.enter_async_context(assistant(folder / "sqlite", COUNT))
        for one in (here, there):
            await warm(one)
        found = await in_turns(WHAT, {THAN: there.clicks}, here.clicks, LOADS, ROUNDS)
        if (kept := (await here.votes(), await there.votes())) != (COUNT, COUNT):
            raise RuntimeError(f"{COUNT} clicks were acknowledged by each, {kept} votes are kept")
    return found
