"""The storm again, and whoever takes it in is killed (SIGKILL) while it posts.

It is started again on what it has on disk. First nobody sends anything anew: what is not shown then is lost. Then the
same burst is sent once more, as Prometheus does while an alert fires: what stands there twice then was told twice.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import storm
from bench.storm import ALERTMANAGER, CHANNEL, EACH, GROUPS, LACKING, RECEIVERS, is_missing, local_slack, readable
from bench.table import Line
from chatops.sandbox.slack.server import LocalSlack

KILLED_AFTER = 8.0  # seconds of posting, one message a second
ALONE, AGAIN, LAST = 15.0, 85.0, 3.0  # seconds without a new burst, at most after one, and for what is told twice
ROWS = (
    "the same, killed (kill -9) while posting: groups shown", "alerts lost, unless sent again",
    "groups shown once all was sent again", "groups shown twice then",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Survived:
    """What became of a burst whose taker was killed: groups that were shown, alerts lost; both ends."""

    before: int
    lost: int
    shown: int
    twice: int

    def cells(self) -> tuple[str, ...]:
        """A cell for each of ``ROWS``."""
        return (f"{self.before} of {GROUPS}", f"{self.lost:,}", f"{self.shown} of {GROUPS}", str(self.twice))


def cards(slack: LocalSlack) -> Counter[str]:
    """How many messages of its own each group has in the channel; a digest, which names many, is none."""
    found: Counter[str] = Counter()
    for one in slack.state.conversations.values():
        for ts, message in one.messages.items() if one.name == CHANNEL else ():
            named = set(re.findall(r"\bGroup\d+\b", json.dumps(message)))
            if len(named) == 1 and message.get("thread_ts", ts) == ts:
                found[named.pop()] += 1
    return found


async def until(done: Callable[[], bool], seconds: float) -> None:
    """Waits until it is so, at most this long."""
    end = time.perf_counter() + seconds
    while not done() and time.perf_counter() < end:
        await asyncio.sleep(0.2)


async def survived(start: storm.Start, folder: Path) -> Survived:
    """One of them, from the burst to the end."""
    async with local_slack() as slack:
        async with start(folder, slack) as receiver:
            await receiver.send()
            await asyncio.sleep(KILLED_AFTER)
            receiver.process.kill()
            await receiver.process.wait()
        before = len(readable(slack))
        async with start(folder, slack) as receiver:
            await until(lambda: len(readable(slack)) == GROUPS, ALONE)
            lost = (GROUPS - len(readable(slack))) * EACH
            await receiver.send()
            await until(lambda: len(cards(slack)) == GROUPS, AGAIN)
            await asyncio.sleep(LAST)
        found = cards(slack)
    return Survived(before, lost, len(found), sum(count > 1 for count in found.values()))


async def lines() -> list[Line]:
    """All rows of this part: both at once, for nearly all of it is waiting for Slack's pace."""
    here = [name for name in RECEIVERS if not is_missing(name)]
    with tempfile.TemporaryDirectory() as place:
        every = [survived(RECEIVERS[name], Path(place) / str(number)) for number, name in enumerate(here)]
        found = dict(zip(here, await asyncio.gather(*every), strict=True))
    theirs = found[ALERTMANAGER].cells() if ALERTMANAGER in found else [LACKING] * len(ROWS)
    every_row = zip(ROWS, theirs, found["assistant"].cells(), strict=True)
    return [Line(what, ALERTMANAGER, there, here) for what, there, here in every_row]
