"""The assistant that kills itself at one named point, run in a child of ``tests.fire.nursery``.

A point is (site, object, occurrence): "before commit _vote #1", "after slack chat.postMessage R-1001/notice #1". Every
point that is reached is appended to a file, so that the points of a whole run can be listed, and a point that was aimed
at and not reached is noticed.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from chatops.adapters.mail import Mail
from chatops.http.hooks import Tokens
from chatops.main import Assistant
from chatops.settings import Settings
from tests.support.clock import ShiftedClock
from tests.support.house import HOOK_TOKEN

_MADE_UP = re.compile(
    r"(?<=answer/line):\S+|(?<=Job/)\S+|(?<=Pod/)\S+|(?<=page/U0\w{3}/)\d+|(?<=inc-)\d{8}"
)  # ids that differ from run to run


class Points:
    """Counts the points that are reached, writes each down, and dies at ``target``. Called from any thread."""

    def __init__(self, file: Path, target: str) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._target = target
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def hit(self, site: str, thing: str) -> None:
        with self._lock:
            key = f"{site} {_MADE_UP.sub('', thing)}"
            self._seen[key] += 1
            name = f"{key} #{self._seen[key]}"
            os.write(self._file, f"{name}\n".encode())
            if name == self._target:
                os.kill(os.getpid(), signal.SIGKILL)


async def main(given: dict[str, Any]) -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the nursery held it back until somebody listens
    points, clock = Points(Path(given["points"]), given["target"]), ShiftedClock(_offset(given))
    settings = Settings(
        config=Path(given["config"]), database=given["database"], bot_token=given["bot_token"],
        app_token=given["app_token"], slack_api_url=given["slack_api_url"], kubeconfig=given["kubeconfig"],
        listen="127.0.0.1:0", hook_tokens=Tokens((HOOK_TOKEN,)),
        mail=Mail.from_url(given["mail"]) if given["mail"] else None, page_hook_url=given["page_hook"],
        page_hook_secret="page-hook-of-the-trial" if given["page_hook"] else "",
    )  # fmt: skip
    async with Assistant(settings, clock=clock, on_point=points.hit, burst=50) as assistant:
        recovering = asyncio.create_task(recover(assistant, Path(given["recovered"]))) if given["recovered"] else None
        Path(given["address"]).write_text(assistant.http.address)
        moving = asyncio.create_task(move(assistant, clock, given))
        await stop.wait()
        moving.cancel()
        if recovering is not None:
            recovering.cancel()


def _offset(given: dict[str, Any]) -> float:
    return float(Path(given["clock"]).read_text())


async def move(assistant: Assistant, clock: ShiftedClock, given: dict[str, Any]) -> None:
    """Follows the clock of the trial, and looks at what is due whenever it was moved."""
    while True:
        if (offset := _offset(given)) != clock.offset:
            clock.offset = offset
            await assistant.deadlines.look()
            await assistant.paging.look()
            await assistant.rooms.look()
            await assistant.couriers.look()
            await assistant.teller.look()
        await asyncio.sleep(0.02)


async def recover(assistant: Assistant, recovered: Path) -> None:
    """Makes the file once this start has met Slack, looked at what is due, and has nothing left to do or to say."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() in ("meet Slack", "cards")))
    await assistant.deadlines.look()
    await assistant.paging.look()
    await assistant.automations.look()
    await assistant.rooms.look()
    await assistant.couriers.look()
    await assistant.teller.look()
    while assistant.engine.tasks or assistant.evidence.tasks or not assistant.messenger.settled:
        await assistant.engine.idle()
        await asyncio.sleep(0.02)
    recovered.touch()
