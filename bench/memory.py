"""Memory and start with much behind: none of it may be kept in the process or looked at before it is ready."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench.assistant import assistant, requests
from bench.filling import PENDING_CARDS, fill
from bench.harness import load, memory
from bench.table import Line, over
from chatops.adapters.sqlite import SQLite

MANY, PENDING, PRESSES = 100_000, 10_000, 10_000
AT_A_TIME = 1_000  # presses: they are signed together, and a signature holds for five minutes
STARTS = 3
OPENED = 30  # clicks and letters before memory is looked at
BEHIND, USED, READY = (
    f"memory with {MANY:,} requests behind it", f"memory after {PRESSES:,} presses",
    f"from start to ready with {PENDING:,} requests pending",
)  # fmt: skip
ROWS = (BEHIND, USED, READY)


async def filled(database: Path, count: int) -> None:
    """A database with so many requests that are over."""
    async with SQLite(database) as opened:
        await fill(opened, count, time.time())


async def resident(folder: Path, count: int, presses: int = 0) -> tuple[float, float]:
    """Megabytes of an assistant with so many requests behind it that was used a little; and after so many presses."""
    folder.mkdir()
    await filled(folder / "behind.db", count)
    async with assistant(folder / "run", 0, database=str(folder / "behind.db")) as one:
        await load(one.keys, OPENED, 4)
        await asyncio.sleep(2)  # what it does once at its start is over
        before = memory(one.pid)
        for _ in range(presses // AT_A_TIME):
            await load(one.keys, AT_A_TIME, 16)
        return before, memory(one.pid)


async def starts(folder: Path) -> tuple[float, float]:
    """Seconds until ready with nothing pending and with thousands, medians of starts by turns."""
    none, many = folder / "none.db", folder / "many.db"
    async with SQLite(none):
        pass
    await requests(str(many), PENDING)
    async with SQLite(many) as opened:
        await opened.write(lambda tx: tx.run(PENDING_CARDS, now=time.time()))
    found: dict[Path, list[float]] = {none: [], many: []}
    for number in range(STARTS):
        for kept, taken in found.items():
            place = folder / f"{kept.stem}-{number}"
            place.mkdir()
            shutil.copy(kept, place / "copy.db")
            async with assistant(place / "run", 0, database=str(place / "copy.db")) as one:
                taken.append(one.ready)
    return statistics.median(found[none]), statistics.median(found[many])


async def lines() -> list[Line]:
    """All rows of this part."""
    with tempfile.TemporaryDirectory(dir=".") as place:
        folder = Path(place).resolve()
        few, used = await resident(folder / "few", 1, PRESSES)
        behind, _ = await resident(folder / "behind", MANY)
        none, many = await starts(folder)
    return [
        Line(BEHIND, "with 1", f"{few:.0f} MB", f"{behind:.0f} MB", over(behind, few)),
        Line(USED, f"after {OPENED}", f"{few:.0f} MB", f"{used:.0f} MB", over(used, few)),
        Line(READY, "with none", f"{none:.2f} s", f"{many:.2f} s", over(many, none)),
    ]
