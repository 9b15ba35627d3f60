"""The running assistant beside bare Bolt: presses in Slack, memory, and how soon it is ready."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.assistant import LEE, TEAM, Assistant, assistant, keys, warm
from bench.harness import (
    SECRET,
    Result,
    Rows,
    Send,
    Target,
    answers,
    compare,
    free_port,
    memory,
    middle,
    over_http,
    running,
    show,
)  # fmt: skip
from bench.payloads import click
from bench.table import Line, over

ROUNDS = 7
LOADS = ((1, 200), (16, 400), (64, 800))
CLICKS = ROUNDS * sum(count for _, count in LOADS) + 100
BARE = "bare Bolt, only acks"
UNPOLLED = "bare Bolt without its ack poll"
LETTER = "a letter typed, of 5,000 services"
IDLE, AFTER, READY = (
    "memory when idle, 5,000 services", "memory after the clicks", "from start to ready, 5,000 services",
)  # fmt: skip
WAIT, LONG_WAIT = "Approve, 1 at once: the middle wait", "Approve, 64 at once: 99 of 100 wait no longer than"
ROWS = (
    *(f"Approve, {at_once} at once" for at_once, _ in LOADS),
    *(f"Approve, {at_once} at once, unpolled" for at_once, _ in LOADS),
    *(f"Approve, {at_once} at once, decided on" for at_once, _ in LOADS),
    WAIT, LONG_WAIT, f"{LETTER}, 16 at once", IDLE, AFTER, READY,
)  # fmt: skip
HEADS = ("", "compared with", "median / p99 ms", "assistant ms", "CPU ms", "assistant CPU ms")


@dataclass(frozen=True, slots=True)
class Turns:
    """What came of the same load on both: the middle of each figure, and the middle ratio of a round."""

    what: str
    than: str
    there: Result
    here: Result
    ratio: float
    exact: bool  # the clock of processor time ticks every 10 ms, too seldom for a short load

    def line(self) -> Line:
        rates = (f"{self.there.rate:,.0f}/s", f"{self.here.rate:,.0f}/s", f"{self.ratio:.2f}")
        return Line(self.what, self.than, *rates, over(self.here.cpu, self.there.cpu) if self.exact else "")

    def decided(self) -> Line:
        """The same until the last of it was worked off."""
        there, here = self.there.rate, self.here.done_rate
        return Line(f"{self.what}, decided on", self.than, f"{there:,.0f}/s", f"{here:,.0f}/s", f"{here / there:.2f}")

    def details(self) -> tuple[str, ...]:
        costs = (f"{self.there.cpu:.2f}", f"{self.here.cpu:.2f}") if self.exact else ("", "")
        return (self.what, self.than, _latency(self.there), _latency(self.here), *costs)


async def turns(
    what: str, others: Mapping[str, Target], ours: Target, loads: tuple[tuple[int, int], ...], rounds: int = ROUNDS
) -> list[list[Turns]]:
    """For each number at once what came of it beside each of the others, all in the same turns; prints the details."""
    found: list[list[Turns]] = []
    for at_once, count in loads:
        taken = await compare((*others.values(), ours), count, at_once, rounds)
        middles = [middle(results) for results in zip(*taken, strict=True)]
        here, name = middles.pop(), f"{what}, {at_once} at once"
        found.append([])
        for place, (than, there) in enumerate(zip(others, middles, strict=True)):
            ratio = statistics.median(results[-1].rate / results[place].rate for results in taken)
            found[-1].append(Turns(name, than, there, here, ratio, exact=count >= 400))
    rows: Rows = [one.details() for each in found for one in each]
    show(f"{what}: latencies and costs", HEADS, rows)
    return found


async def in_turns(
    what: str, others: Mapping[str, Target], ours: Target, loads: tuple[tuple[int, int], ...], rounds: int = ROUNDS
) -> list[Line]:
    """One row for each number at once and each of the others."""
    return [one.line() for each in await turns(what, others, ours, loads, rounds) for one in each]


def _latency(result: Result) -> str:
    return f"{result.median:.1f} / {result.p99:.1f}"


def _megabytes(pid: int) -> str:
    return f"{memory(pid):.0f} MB"


def presses(count: int) -> list[str]:
    """Presses on Approve that bare Bolt takes; what they decide on does not matter to it."""
    return [click("approve", {"r": 1}, user=LEE, team=TEAM) for _ in range(count)]


async def approvals(ours: Assistant, bare: Target, unpolled: Target) -> list[Line]:
    """The rows about votes; fails when a click was acknowledged that is not on disk."""
    found = await turns("Approve", {BARE: bare, UNPOLLED: unpolled}, ours.clicks, LOADS)
    sent, kept = 20 + ROUNDS * sum(count for _, count in LOADS), await ours.votes()
    if sent != kept:
        raise RuntimeError(f"{sent} clicks were acknowledged, {kept} votes are on disk")
    beside = [[one.line() for one in each] for each in zip(*found, strict=True)]
    alone, crowded = found[0][0], found[-1][0]
    waits = (
        (WAIT, alone.there.median, alone.here.median),
        (LONG_WAIT, crowded.there.p99, crowded.here.p99),
    )  # fmt: skip
    return [
        *beside[0],
        *(replace(line, what=f"{line.what}, unpolled") for line in beside[1]),
        *(one.decided() for one, _ in found),
        *(Line(what, BARE, f"{there:.2f} ms", f"{here:.2f} ms", over(here, there)) for what, there, here in waits),
    ]


async def bare_bolt(stack: AsyncExitStack, *how: str) -> tuple[int, Send]:
    """The bare handler as a process; its process id, and how to send it payloads."""
    port = free_port()
    process = await stack.enter_async_context(running([sys.executable, "-m", "bench.bare", str(port), SECRET, *how]))
    await answers(port, process=process)
    return process.pid, over_http(port)


async def lines() -> list[Line]:
    """All rows of this part."""
    async with AsyncExitStack() as stack:
        # Beside the checkout: what is temporary may be kept in memory, without a disk.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="."))).resolve()
        pid, send = await bare_bolt(stack)
        unpolled = Target("unpolled", *await bare_bolt(stack, "unpolled"), presses)
        ours = await stack.enter_async_context(assistant(folder, CLICKS))
        await asyncio.sleep(2)  # idle: what it does once at its start is over
        idle = Line(IDLE, BARE, _megabytes(pid), _megabytes(ours.pid))
        await warm(ours)
        found = await approvals(ours, Target("bare", pid, send, presses), unpolled)
        found += await in_turns(LETTER, {BARE: Target("bare", pid, send, keys())}, ours.keys, ((16, 800),))
        after = Line(AFTER, BARE, _megabytes(pid), _megabytes(ours.pid))
    return [*found, idle, after, Line(READY, here=f"{ours.ready:.2f} s")]
