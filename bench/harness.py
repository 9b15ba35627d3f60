"""Servers started as processes, load sent from another process, and medians of alternating runs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

SECRET = "bench-signing-secret"
Rows = list[tuple[str, ...]]
Send = Callable[[list[str], int], Awaitable[dict[str, Any]]]  # so many at once; what ``bench.load`` prints


@dataclass(frozen=True, slots=True)
class Result:
    """One run of the load: requests acknowledged a second, and worked off; median, 99th percentile and the server's
    CPU time, with that of the work that follows, in milliseconds."""

    rate: float
    done_rate: float
    median: float
    p99: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Target:
    """A server process; ``send`` brings it payloads, ``bodies(n)`` gives n fresh ones, none used twice."""

    name: str
    pid: int
    send: Send
    bodies: Callable[[int], list[str]]
    settled: Callable[[], Awaitable[None]] | None = None  # returns once all that was acknowledged is worked off


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def running(
    command: Sequence[str], *, environ: Mapping[str, str] | None = None, log: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process for the time of the block; ended with SIGTERM, by force after ten seconds."""
    out = log.open("wb") if log else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, env=environ)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()
        if log:
            out.close()  # type: ignore[union-attr]


async def answers(port: int, path: str = "", *, process: asyncio.subprocess.Process, within: float = 60.0) -> float:
    """Seconds until the port accepts connections or, given a path, answers it with 200; fails when it never does."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < within:
        if process.returncode is not None:
            raise RuntimeError(f"the server on port {port} ended with exit code {process.returncode}")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.write(f"GET {path or '/'} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split()
        writer.close()
        if status and (not path or status[1] == b"200"):
            return time.perf_counter() - begun
        await asyncio.sleep(0.01)
    raise RuntimeError(f"nothing answered on port {port} within {within:.0f} s")


def over_http(port: int, path: str = "/slack/events", token: str = "") -> Send:
    """Posts payloads from a process of its own: form-encoded and signed as Slack's, or JSON with a token."""

    async def send(bodies: list[str], at_once: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            order = Path(folder) / "order.json"
            told = {"port": port, "path": path, "token": token, "secret": SECRET, "at_once": at_once, "bodies": bodies}
            order.write_text(json.dumps(told))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.load", str(order), stdout=asyncio.subprocess.PIPE
            )
            said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the load on port {port} failed")
        found: dict[str, Any] = json.loads(said)
        return found

    return send


async def load(target: Target, count: int, at_once: int) -> Result:
    """Sends ``count`` payloads; every answer must be a 200."""
    bodies = target.bodies(count)
    before = cpu_seconds(target.pid)
    answer = await target.send(bodies, at_once)
    begun = time.perf_counter()
    if target.settled is not None:
        await target.settled()
    after = time.perf_counter() - begun
    used = cpu_seconds(target.pid) - before
    if answer["statuses"] != {"200": count}:
        raise RuntimeError(f"{target.name} answered {answer['statuses']} to {count} payloads")
    slowest = sorted(answer["latencies"])
    return Result(
        rate=count / answer["seconds"],
        done_rate=count / (answer["seconds"] + after),
        median=statistics.median(slowest) * 1000,
        p99=slowest[min(len(slowest) - 1, int(len(slowest) * 0.99))] * 1000,
        cpu=used / count * 1000,
    )


async def compare(targets: Sequence[Target], count: int, at_once: int, rounds: int) -> list[list[Result]]:
    """The same load on all targets in turns, another one first each round; the results of each round, by target.

    Short turns and many, because another load on the machine then disturbs all alike.
    """
    found = []
    for number in range(rounds):
        turn = number % len(targets)
        results = [await load(target, count, at_once) for target in (*targets[turn:], *targets[:turn])]
        found.append([*results[len(targets) - turn :], *results[: len(targets) - turn]])
    return found


def middle(results: Sequence[Result]) -> Result:
    """Each figure's median."""
    return Result(*(statistics.median(getattr(one, field.name) for one in results) for field in fields(Result)))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with all its threads so far, from Linux' /proc."""
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Resident megabytes of a process and all its children, now."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += _resident(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            waiting += [int(child) for child in task.read_text().split()]
    return total / 1024


def _resident(pid: int) -> int:
    """Kilobytes, from Linux' /proc."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def show(title: str, heads: tuple[str, ...], rows: Rows) -> None:
    """A table as wide as its words; the first column to the left, figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    print(f"\n{title}", flush=True)
    for first, *rest in (heads, *rows) if any(heads) else rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        print("  " + "  ".join(cells).rstrip(), flush=True)
