"""The running assistant in Socket Mode beside Bolt's own Socket Mode: presses in Slack."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.assistant import assistant, warm
from bench.clicks import in_turns, presses
from bench.harness import Target, answers, running
from bench.slack_side import over_socket
from bench.table import Line

ROUNDS = 7
LOADS = ((1, 60), (16, 400), (64, 800))
CLICKS = ROUNDS * sum(count for _, count in LOADS) + 100
WHAT, THAN = "Approve over Socket Mode", "Bolt's own, only acks"
ROWS = tuple(f"{WHAT}, {at_once} at once" for at_once, _ in LOADS)


async def lines() -> list[Line]:
    """All rows of this part; fails when a click was acknowledged that is not on disk."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="."))).resolve()
        ours = await stack.enter_async_context(assistant(folder, CLICKS, socket_mode=True))
        command = [sys.executable, "-m", "bench.bare", "socket", f"http://127.0.0.1:{ours.slack}/api/"]
        process = await stack.enter_async_context(running(command))
        await answers(ours.slack, "/linked/bare", process=process)
        await asyncio.sleep(2)  # what the assistant does once at its start is over
        await warm(ours)
        bare = Target("bare", process.pid, over_socket(ours.slack, "bare"), presses)
        found = await in_turns(WHAT, {THAN: bare}, ours.clicks, LOADS, ROUNDS)
        sent, kept = 20 + ROUNDS * sum(count for _, count in LOADS), await ours.votes()
        if sent != kept:
            raise RuntimeError(f"{sent} clicks were acknowledged, {kept} votes are on disk")
    return found
