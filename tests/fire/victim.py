"""The assistant that kills or stops itself at one named point, run in a child of ``tests.fire.nursery``.

A point is (site, object, occurrence): "before commit _vote #1", "after slack chat.postMessage R-1001/notice #1". Every
point that is reached is appended to a file, so that the points of a whole run can be listed, and a point that was aimed
at and not reached is noticed. Replicas count together, in one file: whichever gets there first has reached it.
"""

from __future__ import annotations

import asyncio
import fcntl
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
from chatops.slack.client import SlackClient
from tests.support.clock import ShiftedClock
from tests.support.house import HOOK_TOKEN

LATE = "late slack"  # between the last look at the lease and the call; no point of a run, for tests that ask for it
_MADE_UP = re.compile(
    r"(?<=answer/line):\S+|(?<=Job/)\S+|(?<=Pod/)\S+|(?<=page/U0\w{3}/)\d+|(?<=inc-)\d{8}"
)  # ids that differ from run to run


class Points:
    """Counts the points that are reached, writes each down, and dies or stops at ``target``. Called from any thread."""

    def __init__(self, file: Path, target: str, how: signal.Signals = signal.SIGKILL) -> None:
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._target, self._how = target, how
        self._seen: Counter[str] = Counter()
        self._read = 0  # bytes of the file
        self._lock = threading.Lock()

    def hit(self, site: str, thing: str) -> None:
        with self._lock:
            name = self._written(f"{site} {_MADE_UP.sub('', thing)}")
            if name == self._target:
                os.kill(os.getpid(), self._how)

    def _written(self, key: str) -> str:
        fcntl.flock(self._file, fcntl.LOCK_EX)  # who is stopped must not have it
        try:
            while fresh := os.pread(self._file, 1 << 16, self._read):
                lines = fresh[: fresh.rindex(b"\n") + 1]
                self._read += len(lines)
                self._seen.update(line.rpartition(" #")[0] for line in lines.decode().splitlines())
            name = f"{key} #{self._seen[key] + 1}"
            os.write(self._file, f"{name}\n".encode())
            return name
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


async def main(given: dict[str, Any]) -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the nursery held it back until somebody listens
    how = signal.SIGSTOP if given["pause"] else signal.SIGKILL
    points, clock = Points(Path(given["points"]), given["target"], how), ShiftedClock(_offset(given))
    settings = Settings(
        config=Path(given["config"]), database=given["database"], bot_token=given["bot_token"],
        app_token=given["app_token"], slack_api_url=given["slack_api_url"], kubeconfig=given["kubeconfig"],
        listen="127.0.0.1:0", hook_tokens=Tokens((HOOK_TOKEN,)),
        mail=Mail.from_url(given["mail"]) if given["mail"] else None, page_hook_url=given["page_hook"],
        page_hook_secret="page-hook-of-the-trial" if given["page_hook"] else "",
    )  # fmt: skip
    while not stop.is_set():
        assistant = Assistant(
            settings, clock=clock, on_point=points.hit, burst=given["burst"], lease=given["lease"] or None
        )
        async with assistant:
            if given["target"].startswith(LATE):
                stop_between(assistant.client, points)
            await live(assistant, clock, stop, given)


def stop_between(client: SlackClient, points: Points) -> None:
    """Makes each call to Slack a point of its own, past everything that looks whether it may still be made."""
    call = client.api_call

    async def called(method: str, **given: Any) -> Any:
        points.hit(LATE, method)
        return await call(method, **given)

    client.api_call = called  # type: ignore[method-assign]


async def live(assistant: Assistant, clock: ShiftedClock, stop: asyncio.Event, given: dict[str, Any]) -> None:
    """Until it is to end, or other replicas have given it up: then it begins anew, as ``chatops run`` does."""
    beside = [asyncio.create_task(move(assistant, clock, given))]
    if given["recovered"]:
        beside.append(asyncio.create_task(recover(assistant, Path(given["recovered"]))))
    Path(given["address"]).write_text(assistant.http.address)
    waits = [asyncio.create_task(one.wait()) for one in (stop, assistant.replicas.lost)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in (*beside, *waits):
        task.cancel()


def _offset(given: dict[str, Any]) -> float:
    return float(Path(given["clock"]).read_text())


async def move(assistant: Assistant, clock: ShiftedClock, given: dict[str, Any]) -> None:
    """Follows the clock of the trial; who leads looks at what is due whenever it was moved."""
    looked = clock.offset
    while True:
        clock.offset = _offset(given)
        if clock.offset != looked and assistant.replicas.leads.is_set():
            looked = clock.offset
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
