"""The running assistant beside bare Bolt: presses in Slack, memory, and how soon it is ready."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.assistant import LEE, TEAM, Assistant, assistant, keys, warm
from bench.harness import SECRET, Result, Rows, Target, answers, compare, free_port, memory, middle, running, show
from bench.payloads import click
from bench.table import Line, over

ROUNDS = 7
LOADS = ((1, 60), (16, 400), (64, 800))
CLICKS = ROUNDS * sum(count for _, count in LOADS) + 100
BARE = "bare Bolt, only acks"
LETTER = "a letter typed, of 5,000 services"
IDLE, AFTER, READY = (
    "memory when idle, 5,000 services", "memory after the clicks", "from start to ready, 5,000 services",
)  # fmt: skip
ROWS = (*(f"Approve, {at_once} at once" for at_once, _ in LOADS), f"{LETTER}, 16 at once", IDLE, AFTER, READY)
HEADS = ("", "bare ms (median / p99)", "assistant ms", "bare CPU ms", "assistant CPU ms")


async def in_turns(
    what: str,
    bare: Target,
    ours: Target,
    loads: tuple[tuple[int, int], ...],
    than: str = BARE,
    rounds: int = ROUNDS,
) -> list[Line]:
    """One row for each number at once: both rates, the middle ratio of a round; prints latencies and costs."""
    lines: list[Line] = []
    details: Rows = []
    for at_once, count in loads:
        pairs = await compare((bare, ours), count, at_once, rounds)
        ratio = statistics.median(mine.rate / theirs.rate for theirs, mine in pairs)
        theirs, mine = (middle(turns) for turns in zip(*pairs, strict=True))
        name, exact = f"{what}, {at_once} at once", count >= 400  # the clock of processor time ticks every 10 ms
        cpu = over(mine.cpu, theirs.cpu) if exact else ""
        lines.append(Line(name, than, f"{theirs.rate:,.0f}/s", f"{mine.rate:,.0f}/s", f"{ratio:.2f}", cpu))
        costs = (f"{theirs.cpu:.2f}", f"{mine.cpu:.2f}") if exact else ("", "")
        details.append((name, _latency(theirs), _latency(mine), *costs))
    show(f"{what}: latencies and costs", HEADS, details)
    return lines


def _latency(result: Result) -> str:
    return f"{result.median:.1f} / {result.p99:.1f}"


def _megabytes(pid: int) -> str:
    return f"{memory(pid):.0f} MB"


async def clicks_and_keys(ours: Assistant, bare_pid: int, bare_port: int) -> list[Line]:
    """The rows about presses; fails when a click was acknowledged that is not on disk."""
    bare = Target(
        "bare", bare_pid, bare_port, lambda n: [click("approve", {"r": 1}, user=LEE, team=TEAM) for _ in range(n)]
    )
    await warm(ours)
    lines = await in_turns("Approve", bare, ours.clicks, LOADS)
    sent, kept = 20 + ROUNDS * sum(count for _, count in LOADS), ours.votes()
    if sent != kept:
        raise SystemExit(f"{sent} clicks were acknowledged, {kept} votes are on disk")
    empty = Target("bare", bare_pid, bare_port, keys())
    return lines + await in_turns(LETTER, empty, ours.keys, ((16, 800),))


async def lines() -> list[Line]:
    """All rows of this part."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare_port = free_port()
        command = [sys.executable, "-m", "bench.bare", str(bare_port), SECRET]
        bare = await stack.enter_async_context(running(command))
        await answers(bare_port, process=bare)
        ours = await stack.enter_async_context(assistant(folder, CLICKS))
        await asyncio.sleep(2)  # idle: what it does once at its start is over
        idle = Line(IDLE, BARE, _megabytes(bare.pid), _megabytes(ours.pid))
        found = await clicks_and_keys(ours, bare.pid, bare_port)
        after = Line(AFTER, BARE, _megabytes(bare.pid), _megabytes(ours.pid))
    return [*found, idle, after, Line(READY, here=f"{ours.ready:.2f} s")]
