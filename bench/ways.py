"""From what somebody does until what it is for: the first write to a cluster, the notice, the card.

The whole assistant with the local Slack and the practice cluster in one process, as the scenarios have it; what is
timed is where the assistant passes named points (``chatops.points``).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.assistant import SERVICES, Assistant, assistant
from bench.harness import Target, load, over_http
from bench.storm import webhook
from bench.table import Line, milliseconds, over
from tests.support.house import REQUESTS, House, acme_house, straight_to_production

ROUNDS = 6
APART = 1.1  # seconds: a channel takes one message a second
AT_ONCE, WEBHOOKS = (1, 16), (60, 400)
TOKEN = "bench-hook-token"
WRITE, NOTICE, CARD, HOOKS = (
    "from Approve clicked to the first write to Kubernetes", "from a rollout's end to its notice in Slack",
    "from an alert's webhook to its card in Slack", "webhooks taken in, an alert each, 16 at once",
)  # fmt: skip
ROWS = (WRITE, NOTICE, CARD, HOOKS)
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments?watch=1&fieldSelector=metadata.name=checkout"


@dataclass
class Passed:
    """When points were passed last; ``wait`` waits for the next time."""

    at: dict[str, float] = field(default_factory=dict)

    def hit(self, site: str, thing: str) -> None:
        """``chatops.points.OnPoint``; called on any thread."""
        self.at[f"{site} {thing}"] = time.perf_counter()

    def since(self, begun: float, fits: Callable[[str], bool]) -> float | None:
        """The first that fits and was passed after that."""
        found = [at for point, at in list(self.at.items()) if at >= begun and fits(point)]
        return min(found, default=None)

    async def wait(self, begun: float, fits: Callable[[str], bool]) -> float:
        """Seconds until it; fails after half a minute."""
        async with asyncio.timeout(30):
            while (found := self.since(begun, fits)) is None:
                await asyncio.sleep(0.01)
        return found - begun


def is_write(point: str) -> bool:
    return point == "before cluster apply Deployment/checkout"


def is_notice(point: str) -> bool:
    return point.startswith("after slack chat.postMessage R-") and point.endswith("/notice")


def is_card(point: str) -> bool:
    return point.startswith("after slack chat.postMessage INC-") and "/" not in point


async def rolled_out(house: House, version: str) -> float:
    """When the deployment runs this version and no other, as a watch beside the assistant's own hears it."""
    token = house.cluster.kubeconfig()["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(30), house.sandbox.session.get(house.cluster.url + DEPLOYMENTS, headers=headers) as said:
        async for line in said.content:
            live = json.loads(line)["object"]
            image = live["spec"]["template"]["spec"]["containers"][0]["image"] if "spec" in live else ""
            status, wanted = live.get("status") or {}, (live.get("spec") or {}).get("replicas")
            counts = {status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")}
            seen = status.get("observedGeneration") == (live.get("metadata") or {}).get("generation")
            if image.endswith(f":{version}") and seen and counts == {wanted}:
                return time.perf_counter()
    raise RuntimeError("the watch ended before the rollout did")


async def deploys(house: House, passed: Passed) -> tuple[list[float], list[float]]:
    """Seconds from clicks to first writes, and from the ends of rollouts to their notices."""
    writes, notices = [], []
    for number in range(ROUNDS):
        version = f"1.{6 + number}.0"
        await house.dana.types(f"/platform deploy checkout {version} production because measured")
        card = await house.lee.sees(REQUESTS, version, "WAITING", within=30)
        ending = asyncio.create_task(rolled_out(house, version))
        begun = time.perf_counter()
        await card.click("Approve")
        writes.append(await passed.wait(begun, is_write))
        end = await ending
        # What the watch here hears last may have reached the assistant's before.
        said = await passed.wait(begun, is_notice) + begun
        notices.append(max(0.0, said - end))
        await card.becomes("SUCCEEDED", within=30)
        await asyncio.sleep(APART)
    return writes, notices


def alert(number: int, name: str, service: str) -> dict[str, Any]:
    """One firing alert as Alertmanager's webhook tells it."""
    labels = {"alertname": name, "severity": "warning", "environment": "production", "service": service}
    return webhook([{"labels": {**labels, "instance": str(number)}, "annotations": {"summary": f"{name} is bad"}}])


async def cards(house: House, passed: Passed) -> list[float]:
    """Seconds from alerts to cards."""
    found = []
    for number in range(ROUNDS):
        begun = time.perf_counter()
        if await house.hook("alertmanager", alert(number, f"Bench{number}", "")) != 200:
            raise RuntimeError("the alert was not taken in")
        found.append(await passed.wait(begun, is_card))
        await asyncio.sleep(APART)
    return found


async def hooks(one: Assistant) -> Line:
    """Webhooks a second at sixteen at once, beside those one after the other."""
    numbers = itertools.count()

    def bodies(count: int) -> list[str]:
        return [json.dumps(alert(n, f"Bench{n % 50}", SERVICES[n % 500])) for n in itertools.islice(numbers, count)]

    target = Target("assistant", one.pid, over_http(one.port, "/hooks/alertmanager", TOKEN), bodies)
    await load(target, 50, 4)
    single, many = [await load(target, count, at_once) for at_once, count in zip(AT_ONCE, WEBHOOKS, strict=True)]
    return Line(
        HOOKS, "one after the other", f"{single.rate:,.0f}/s", f"{many.rate:,.0f}/s", over(many.rate, single.rate),
        over(many.cpu, single.cpu),
    )  # fmt: skip


async def lines() -> list[Line]:
    """All rows of this part."""
    passed = Passed()
    async with acme_house(platform=straight_to_production, on_point=passed.hit) as house:
        writes, notices = await deploys(house, passed)
        shown = await cards(house, passed)
    found = [
        Line(name, here=milliseconds(statistics.median(times)))
        for name, times in ((WRITE, writes), (NOTICE, notices), (CARD, shown))
    ]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="."))).resolve()
        one = await stack.enter_async_context(assistant(folder, 0, hook_token=TOKEN))
        return [*found, await hooks(one)]
