"""How long clicks wait while the assistant does everything else at once, a storm of alerts among it.

Clicks, letters, opened homes and webhooks come at their own pace, whether those before were answered or not, and the
wait of each counts from when it was due: what queues up is not left out.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.assistant import CLI, DANA, TEAM, Assistant, assistant, warm
from bench.harness import SECRET
from bench.load import Connection, posted, signature, signed
from bench.storm import webhook
from bench.table import Line, milliseconds, over

SECONDS = 15.0
CLICKS, LETTERS, HOMES = 40, 40, 4  # a second
ALERTS, EACH = 10_000, 25  # a minute, and in one webhook
CONNECTIONS = 16  # of each kind
SLOWED = [sys.executable, "-m", "bench.slowed", "2"]
TOKEN = "bench-hook-token"
_P99 = f"a click's p99, {CLICKS} a second"
STORM, SLOW, BOTH = (
    f"{_P99}, beside {ALERTS:,} alerts a minute, letters and homes", f"{_P99}, fsync 2 ms slower",
    f"{_P99}, in that storm, fsync 2 ms slower",
)  # fmt: skip
ROWS = (STORM, SLOW, BOTH)
Stream = dict[str, Any]  # rate (a second), requests


def home_opened(port: int) -> bytes:
    """Somebody looks at App Home; https://docs.slack.dev/reference/events/app_home_opened"""
    event = {"type": "app_home_opened", "user": DANA, "channel": "D0DANA", "tab": "home", "event_ts": "1781510400.0001"}
    body = json.dumps(
        {"type": "event_callback", "team_id": TEAM, "api_app_id": "A01", "event": event, "event_id": uuid.uuid4().hex}
    )
    fields = {"Content-Type": "application/json", **signature(body, SECRET)}
    return posted("/slack/events", body, fields, port)


def alerts(port: int) -> list[bytes]:
    """The storm's webhooks."""
    fields = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    groups = [
        [
            {"labels": {"alertname": f"Group{number % 80}", "severity": "warning", "instance": f"{number}.{one}",
                        "service": f"cart-cart-{number % 50}", "environment": "production"},
             "annotations": {"summary": "bad", "description": "x" * 300}}
            for one in range(EACH)
        ]
        for number in range(int(ALERTS * SECONDS / 60) // EACH)
    ]  # fmt: skip
    return [posted("/hooks/alertmanager", json.dumps(webhook(group)), fields, port) for group in groups]


def streams(one: Assistant, storm: bool) -> dict[str, Stream]:
    """What is sent, by its kind."""
    port = one.port

    def slack(bodies: list[str]) -> list[bytes]:
        return [signed(body, SECRET, port) for body in bodies]

    found = {"clicks": {"rate": CLICKS, "requests": slack(one.clicks.bodies(int(CLICKS * SECONDS)))}}
    if storm:
        found["letters"] = {"rate": LETTERS, "requests": slack(one.keys.bodies(int(LETTERS * SECONDS)))}
        found["homes"] = {"rate": HOMES, "requests": [home_opened(port) for _ in range(int(HOMES * SECONDS))]}
        found["alerts"] = {"rate": ALERTS / EACH / 60, "requests": alerts(port)}
    return found


async def flow(port: int, rate: float, requests: list[bytes]) -> tuple[list[float], list[int]]:
    """Sends each when it is due; seconds that each waited from then on, and their statuses."""
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait((await loop.create_connection(Connection, "127.0.0.1", port))[1])
    waits: list[float] = []
    statuses: list[int] = []

    async def send(request: bytes, due: float) -> None:
        connection = await free.get()
        statuses.append(await connection.ask(request))
        waits.append(time.perf_counter() - due)
        free.put_nowait(connection)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(request, due))
    while not free.empty():
        free.get_nowait().close()
    return waits, statuses


async def send_all(order: dict[str, Any]) -> dict[str, Any]:
    """All streams beside each other: the clicks' waits, and which statuses each stream got."""
    kinds = order["streams"]
    every = [flow(order["port"], one["rate"], [text.encode() for text in one["requests"]]) for one in kinds.values()]
    answers = dict(zip(kinds, await asyncio.gather(*every), strict=True))
    return {"waits": answers["clicks"][0], "statuses": {kind: sorted(set(got)) for kind, (_, got) in answers.items()}}


async def p99(one: Assistant, storm: bool) -> float:
    """Seconds that 99 of 100 clicks did not wait for longer, sent from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        order = Path(folder) / "order.json"
        kinds = {
            kind: {**stream, "requests": [request.decode() for request in stream["requests"]]}
            for kind, stream in streams(one, storm).items()
        }
        order.write_text(json.dumps({"port": one.port, "streams": kinds}))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.mixed", str(order), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(SECONDS * 6):
            told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the mixed load failed")
    answer = json.loads(told)
    if any(statuses != [200] for statuses in answer["statuses"].values()):
        raise RuntimeError(f"not everything was taken in: {answer['statuses']}")
    waits = sorted(answer["waits"])
    return float(waits[int(len(waits) * 0.99)])


async def measured(folder: Path, program: list[str]) -> tuple[float, float]:
    """Alone, then in the storm, of an assistant of its own; fails when a click was acknowledged that is not on disk."""
    count = 2 * int(CLICKS * SECONDS) + 20
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(assistant(folder, count, program=program, hook_token=TOKEN))
        await warm(one)
        found = await p99(one, storm=False), await p99(one, storm=True)
        if (kept := await one.votes()) != count:
            raise RuntimeError(f"{count} clicks were acknowledged, {kept} votes are on disk")
    return found


async def lines() -> list[Line]:
    """All rows of this part."""
    with tempfile.TemporaryDirectory(dir=".") as place:
        alone, storm = await measured(Path(place).resolve() / "as-it-is", CLI)
        slow_alone, slow_storm = await measured(Path(place).resolve() / "slowed", SLOWED)
    return [
        Line(what, than, milliseconds(there), milliseconds(here), over(here, there))
        for what, than, there, here in (
            (STORM, "the clicks alone", alone, storm), (SLOW, "fsync as it is", alone, slow_alone),
            (BOTH, "fsync as it is, in that storm", storm, slow_storm),
        )
    ]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send_all(json.loads(Path(sys.argv[1]).read_text())))))
