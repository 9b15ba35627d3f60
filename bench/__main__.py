"""``python -m bench``: a few tables, about seven minutes, most of them spent waiting for Alertmanager's receiver.

``python -m bench clicks`` makes that part alone; see ``PARTS``.

Rates move with the machine and with whatever else it does; the ratios are of turns taken in the same run.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bench import digest, form, home, loading, store, storm
from bench.assistant import CLI, LEE, TEAM, Assistant, assistant, keys, warm
from bench.harness import SECRET, Result, Rows, Target, answers, compare, free_port, memory, middle, running, show
from bench.payloads import click

ROUNDS, WRITE_ROUNDS = 7, 3
LOADS = ((1, 60), (16, 400), (64, 800))
CLICKS = ROUNDS * sum(count for _, count in LOADS) + 100


async def in_turns(what: str, bare: Target, ours: Target, loads: tuple[tuple[int, int], ...]) -> Rows:
    """One row for each number at once: both rates, the middle ratio of a round, both latencies, both costs."""
    rows: Rows = []
    for at_once, count in loads:
        pairs = await compare((bare, ours), count, at_once, ROUNDS)
        ratio = statistics.median(mine.rate / theirs.rate for theirs, mine in pairs)
        theirs, mine = (middle(turns) for turns in zip(*pairs, strict=True))
        rates = (f"{theirs.rate:,.0f}/s", f"{mine.rate:,.0f}/s", f"{ratio:.2f}")
        costs = (f"{theirs.cpu:.2f}", f"{mine.cpu:.2f}") if count >= 400 else ("", "")  # the clock ticks every 10 ms
        rows.append((f"{what}, {at_once} at once", *rates, _latency(theirs), _latency(mine), *costs))
    return rows


def _latency(result: Result) -> str:
    return f"{result.median:.1f} / {result.p99:.1f}"


def _megabytes(pid: int) -> str:
    return f"{memory(pid):.0f} MB"


async def demo_ready() -> float:
    """Seconds from the start of ``chatops demo`` until it says that it is ready."""
    begun = time.perf_counter()
    command = [*CLI, "demo", "--listen", f"127.0.0.1:{free_port()}"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if b"is ready" in line:
                    return time.perf_counter() - begun
        raise RuntimeError("chatops demo ended before it was ready")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def clicks_and_keys(ours: Assistant, bare_pid: int, bare_port: int) -> None:
    """The tables about the running assistant; fails when a click was acknowledged that is not on disk."""
    bare = Target(
        "bare", bare_pid, bare_port, lambda n: [click("approve", {"r": 1}, user=LEE, team=TEAM) for _ in range(n)]
    )
    await warm(ours)
    heads = (
        "",
        "bare bolt",
        "assistant",
        "ratio",
        "bare ms (median / p99)",
        "assistant ms",
        "bare CPU ms",
        "assistant CPU ms",
    )
    rows = await in_turns("Approve", bare, ours.clicks, LOADS)
    sent, kept = 20 + ROUNDS * sum(count for _, count in LOADS), ours.votes()
    if sent != kept:
        raise SystemExit(f"{sent} clicks were acknowledged, {kept} votes are on disk")
    empty = Target("bare", bare_pid, bare_port, keys())
    rows += await in_turns("a letter typed, of 5,000 services", empty, ours.keys, ((16, 800),))
    show("From a press in Slack to its 200 (each acknowledged vote is on disk)", heads, rows)


async def served() -> None:
    """The tables about the running assistant beside bare Bolt: clicks, memory, and how soon it is ready."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare_port = free_port()
        command = [sys.executable, "-m", "bench.bare", str(bare_port), SECRET]
        bare = await stack.enter_async_context(running(command))
        await answers(bare_port, process=bare)
        ours = await stack.enter_async_context(assistant(folder, CLICKS))
        await asyncio.sleep(2)  # idle: what it does once at its start is over
        sizes: Rows = [("bare bolt", _megabytes(bare.pid)), ("assistant, 5,000 services", _megabytes(ours.pid))]
        await clicks_and_keys(ours, bare.pid, bare_port)
        sizes.append(("assistant, after the clicks", _megabytes(ours.pid)))
    show("Resident memory, with child processes", ("", ""), sizes)
    show("From start to ready", ("", ""), [("assistant, 5,000 services", f"{ours.ready:.2f} s")])


async def writes() -> None:
    """The table about the store alone."""
    heads = ("", "each", "shared", "ratio")
    show("Durable writes: a commit for each, and shared", heads, await store.rows(WRITE_ROUNDS))


async def starts() -> None:
    """How long a configuration takes to load, a form to open, and the demo to be ready."""
    with tempfile.TemporaryDirectory() as place:
        alone, both = loading.seconds(Path(place) / "loading")
    heads = ("", "5,000 services", f"and {loading.ACTIONS} declared actions")
    show("Loading a configuration", heads, [("seconds", f"{alone:.2f}", f"{both:.2f}")])
    with tempfile.TemporaryDirectory() as place:
        show("A form, from its line until it is open", form.HEADS, await form.rows(Path(place)))
    show("From start to ready", ("", ""), [("chatops demo", f"{await demo_ready():.2f} s")])


async def pages() -> None:
    """What grows with the number of requests and notices."""
    with tempfile.TemporaryDirectory() as place:
        show("What people open, with 5,000 services", home.HEADS, await home.rows(Path(place)))
    with tempfile.TemporaryDirectory() as place:
        digests: Rows = [*await digest.rows(Path(place))]
    show("The digest of a quiet channel", digest.HEADS, digests)


async def alerts() -> None:
    """The table about a storm of alerts."""
    with tempfile.TemporaryDirectory() as place:
        found: Rows = [*await storm.rows(Path(place))]
    show(f"A storm of {storm.GROUPS * storm.EACH:,} alerts in {storm.GROUPS} groups", storm.HEADS, found)


PARTS: dict[str, Callable[[], Awaitable[None]]] = {
    "writes": writes,
    "starts": starts,
    "pages": pages,
    "clicks": served,
    "storm": alerts,
}


async def main(wanted: Sequence[str]) -> None:
    begun = time.perf_counter()
    for name in wanted or PARTS:
        await PARTS[name]()
    print(f"\n{time.perf_counter() - begun:.0f} s in all")


if unknown := [name for name in sys.argv[1:] if name not in PARTS]:
    raise SystemExit(f"there is no part called {unknown[0]}: {', '.join(PARTS)}")
asyncio.run(main(sys.argv[1:]))
