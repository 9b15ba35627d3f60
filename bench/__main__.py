"""``python -m bench``: one table."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack

from bench import store
from bench.harness import SECRET, Target, answers, compare, free_port, running
from bench.payloads import click

ROUNDS = 3
LOADS = ((1, 100), (16, 1500), (64, 3000))


async def bare(stack: AsyncExitStack) -> Target:
    """The server everything is compared with."""
    port = free_port()
    command = [sys.executable, "-m", "bench.bare", str(port), SECRET]
    process = await stack.enter_async_context(running(command))
    await answers(port, process=process)
    return Target(
        "bare bolt", port, lambda n: [click("approve", {"r": 1, "d": "c0ffee"}, user="U01") for _ in range(n)]
    )


def show(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table as wide as its words."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    print(f"\n{title}")
    for row in (heads, *rows):
        print(
            "  "
            + "  ".join(
                cell.ljust(w) if n == 0 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )


async def main() -> None:
    begun = time.perf_counter()
    show("The store (one commit each | shared)", ("", "each", "shared", "ratio"), await store.rows(ROUNDS))
    async with AsyncExitStack() as stack:
        targets = [await bare(stack)]
        rows: list[tuple[str, ...]] = []
        for at_once, count in LOADS:
            results = await compare(targets, count, at_once, ROUNDS)
            for target, result in zip(targets, results, strict=True):
                ratio = result.rate / results[0].rate
                rows.append(
                    (
                        f"{target.name}, {at_once} at once",
                        f"{result.rate:,.0f}/s",
                        f"{result.median:.2f} ms",
                        f"{result.p99:.2f} ms",
                        f"{ratio:.2f}",
                    )
                )
        show("A click on Approve until its 200", ("", "rate", "median", "p99", "ratio"), rows)
    print(f"\n{time.perf_counter() - begun:.0f} s in all")


asyncio.run(main())
