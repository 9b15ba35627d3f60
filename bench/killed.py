"""``python -m bench.killed``: the storm again, and whoever takes it in is killed (SIGKILL) while it posts.

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
from pathlib import Path

from bench import storm
from bench.harness import show
from bench.storm import CHANNEL, EACH, GROUPS, RECEIVERS, Row, is_missing, local_slack, readable
from chatops.sandbox.slack.server import LocalSlack

KILLED_AFTER = 10.0  # seconds of posting, one message a second
ALONE, AGAIN = 60.0, 240.0  # seconds without a new burst, and at most after one
HEADS = ("", "shown when killed", "lost, unless sent again", "sent again: shown", "shown twice")


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


async def row(name: str, start: storm.Start, folder: Path) -> Row:
    """One of them, from the burst to the end."""
    if is_missing(name):
        return (name, f"needs Debian's {storm.PROGRAM}", "", "", "")
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
            await asyncio.sleep(KILLED_AFTER)  # what is told twice may come last
        found = cards(slack)
        twice = sum(count > 1 for count in found.values())
    return (name, f"{before} of {GROUPS} groups", f"{lost:,} alerts", f"{len(found)} of {GROUPS}", f"{twice} groups")


async def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        both = [row(name, start, Path(place) / str(number)) for number, (name, start) in enumerate(RECEIVERS)]
        found = await asyncio.gather(*both)
    show(f"{GROUPS * EACH:,} alerts in {GROUPS} groups, killed after {KILLED_AFTER:.0f} s", HEADS, [*found])


if __name__ == "__main__":
    asyncio.run(main())
