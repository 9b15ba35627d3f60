"""What sharing a commit brings: the same store with a commit for each write, and with one for all that wait."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from chatops.adapters.sqlite import SQLite
from chatops.kernel import audit
from chatops.kernel.ports import Tx

_ADD = (
    "INSERT INTO inbox (key, kind, body, received_at) VALUES (:key, 'click', :body, :now) ON CONFLICT (key) DO NOTHING"
)
_BODY = json.dumps({"payload": "x" * 1500})


def fact(tx: Tx, key: str) -> None:
    """What an acknowledged click writes at least: its delivery, and a row of the audit trail."""
    now = time.time()
    tx.run(_ADD, key=key, body=_BODY, now=now)
    audit.append(tx, chain=key, who="lee@acme.test", what="approved", data={"digest": "c0ffee"}, at=now)


async def rate(folder: Path, batch: int, at_once: int, count: int, name: str) -> float:
    """Durable writes a second."""
    async with SQLite(folder / f"{name}.db", batch=batch) as database:
        waiting = iter(range(count))

        async def work() -> None:
            for number in waiting:
                await database.write(fact, f"{at_once}-{number}")

        await database.write(fact, "first")  # outside the measurement: statements prepared, the WAL begun
        begun = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        return count / (time.perf_counter() - begun)


async def rows(rounds: int) -> list[tuple[str, ...]]:
    """The table's rows: at once, one commit each, shared, ratio."""
    found: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for at_once, count in ((1, 300), (16, 1500), (64, 3000)):
            each: list[float] = []
            shared: list[float] = []
            for number in range(rounds):
                for batch, results in ((1, each), (256, shared)):
                    name = f"{at_once}-{number}-{batch}"
                    # One commit each is slower by so much that a tenth is enough to measure it.
                    some = count if batch > 1 or at_once == 1 else count // 5
                    results.append(await rate(Path(folder), batch, at_once, some, name))
            one, many = statistics.median(each), statistics.median(shared)
            found.append((f"durable writes, {at_once} at once", f"{one:,.0f}/s", f"{many:,.0f}/s", f"{many / one:.2f}"))
    return found
