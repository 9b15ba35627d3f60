"""A storm of alerts taken in by the assistant, and by the Slack receiver of Alertmanager itself: the same burst.

10,000 alerts in 80 groups within a moment; Slack takes one message a second and channel, and answers 429 to more. Each
has a local Slack of its own, so that neither waits for the other's messages.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from bench.assistant import ACME, CLI, configuration
from bench.harness import SECRET, answers, free_port, running
from bench.table import Line, over
from chatops.sandbox.slack.seed import load_workspace
from chatops.sandbox.slack.server import LocalSlack

GROUPS, EACH = 80, 125
PATIENCE = 100.0  # seconds; whoever is not done by then is told how far it came
CHANNEL, TOKEN = "incidents", "bench-hook-token"
PROGRAM = "prometheus-alertmanager"
Start = Callable[[Path, LocalSlack], AbstractAsyncContextManager["Receiver"]]
_ALL = f"{GROUPS * EACH:,} alerts in {GROUPS} groups"
ROWS = (f"{_ALL}, taken in", "every group of them readable", "messages until then", "answers 429 until then")


def groups() -> list[list[dict[str, Any]]]:
    """The alerts as Alertmanager's API takes them, group by group; about 600 bytes each."""
    return [
        [
            {
                "labels": {
                    "alertname": f"Group{group}", "severity": "critical" if group % 3 == 0 else "warning",
                    "instance": f"10.0.{group}.{one}:9100", "job": "node", "pod": f"worker-{one}",
                },
                "annotations": {"summary": f"group {group} is bad", "description": "x" * 300},
                "generatorURL": "http://prometheus.acme.test/graph",
            }
            for one in range(EACH)
        ]
        for group in range(GROUPS)
    ]  # fmt: skip


def webhook(alerts: list[dict[str, Any]]) -> dict[str, Any]:
    """The group as Alertmanager's webhook tells it, version 4."""
    told = [
        {**one, "status": "firing", "fingerprint": one["labels"]["instance"], "startsAt": "2026-11-23T09:00:00Z"}
        for one in alerts
    ]
    return {
        "version": "4", "groupKey": alerts[0]["labels"]["alertname"], "status": "firing", "receiver": "chatops",
        "truncatedAlerts": 0, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.acme.test", "alerts": told,
    }  # fmt: skip


def readable(slack: LocalSlack) -> set[str]:
    """The groups that somebody who looks at the channel can read of."""
    found: set[str] = set()
    for one in slack.state.conversations.values():
        if one.name == CHANNEL:
            for message in one.messages.values():
                found |= set(re.findall(r"\bGroup\d+\b", json.dumps(message)))
    return found


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a burst: seconds until it was taken in and until it was readable, as far as that came."""

    taken: float
    readable: float
    shown: int
    posted: int
    limited: int

    def cells(self) -> tuple[str, ...]:
        """A cell for each of ``ROWS``."""
        whole = f"{self.readable:.0f} s" if self.shown == GROUPS else f"{self.shown} after {self.readable:.0f} s"
        return (f"{GROUPS * EACH / self.taken:,.0f}/s", whole, f"{self.posted:,}", f"{self.limited:,}")


async def measured(slack: LocalSlack, send: Callable[[], Awaitable[None]]) -> Taken:
    """Sends the burst, and waits until every group is readable or the patience is over."""
    begun = time.perf_counter()
    await send()
    taken = time.perf_counter() - begun
    while len(shown := readable(slack)) < GROUPS and time.perf_counter() - begun < PATIENCE:
        await asyncio.sleep(0.1)
    posted = sum(len(one.messages) for one in slack.state.conversations.values())
    return Taken(taken, time.perf_counter() - begun, len(shown), posted, slack.traffic.limited)


def local_slack() -> LocalSlack:
    """One that takes a message a second and channel."""
    return LocalSlack(load_workspace(ACME / "slack.yml"), rate_limits=True)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Something that runs and takes the burst in."""

    process: asyncio.subprocess.Process
    send: Callable[[], Awaitable[None]]


@asynccontextmanager
async def assistant(folder: Path, slack: LocalSlack) -> AsyncIterator[Receiver]:
    """The assistant, told by a webhook for each group; an answer means that it is on disk. Goes on in a used folder."""
    config, port = folder / "config", free_port()
    config.mkdir(parents=True, exist_ok=True)
    (config / "platform.yml").write_text(configuration(["checkout"]) + "watcher: {enabled: false}\n")
    app = slack.state.workspace.app
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "CHATOPS_"))}
    environ |= {
        "SLACK_BOT_TOKEN": app.bot_token, "SLACK_SIGNING_SECRET": SECRET, "SLACK_API_URL": slack.api_url,
        "CHATOPS_DATABASE": str(folder / "chatops.db"), "CHATOPS_LISTEN": f"127.0.0.1:{port}",
        "CHATOPS_HOOK_TOKEN": TOKEN, "KUBECONFIG": os.devnull,
    }  # fmt: skip
    command = [*CLI, "run", "--config", str(config)]
    async with (
        running(command, environ=environ, log=folder / "assistant.log") as process,
        ClientSession(timeout=ClientTimeout(60)) as session,
    ):
        await answers(port, "/readyz", process=process)

        async def post(alerts: list[dict[str, Any]]) -> None:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            address = f"http://127.0.0.1:{port}/hooks/alertmanager"
            async with session.post(address, json=webhook(alerts), headers=headers) as answer:
                answer.raise_for_status()

        async def send() -> None:
            await asyncio.gather(*(post(alerts) for alerts in groups()))

        yield Receiver(process, send)


@asynccontextmanager
async def alertmanager(folder: Path, slack: LocalSlack) -> AsyncIterator[Receiver]:
    """Alertmanager with its Slack receiver, told by its API. Goes on in a used folder."""
    port, token = free_port(), slack.state.workspace.app.bot_token
    folder.mkdir(parents=True, exist_ok=True)
    async with ClientSession(timeout=ClientTimeout(60)) as session:
        [channel] = [one.id for one in slack.state.conversations.values() if one.name == CHANNEL]
        await session.post(
            f"{slack.api_url}conversations.join", data={"channel": channel},
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        (folder / "alertmanager.yml").write_text(f"""
route: {{receiver: slack, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: slack
    slack_configs:
      - api_url: {slack.api_url}chat.postMessage
        channel: {channel}
        http_config: {{authorization: {{credentials: "{token}"}}}}
""")
        command = [
            PROGRAM, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        ]  # fmt: skip
        async with running(command, log=folder / "alertmanager.log") as process:
            await answers(port, "/-/ready", process=process)

            async def send() -> None:
                every = [one for alerts in groups() for one in alerts]
                async with session.post(f"http://127.0.0.1:{port}/api/v2/alerts", json=every) as answer:
                    answer.raise_for_status()

            yield Receiver(process, send)


ALERTMANAGER = "Alertmanager's Slack receiver"
RECEIVERS: dict[str, Start] = {"assistant": assistant, ALERTMANAGER: alertmanager}
LACKING = f"needs Debian's {PROGRAM}"


def is_missing(name: str) -> bool:
    """Whether this one cannot be started here: Debian's package is not installed."""
    return name != "assistant" and shutil.which(PROGRAM) is None


async def lines() -> list[Line]:
    """All rows of this part: both, one after the other."""
    found: dict[str, Taken] = {}
    with tempfile.TemporaryDirectory() as place:
        for number, (name, start) in enumerate(RECEIVERS.items()):
            if not is_missing(name):
                async with local_slack() as slack, start(Path(place) / str(number), slack) as receiver:
                    found[name] = await measured(slack, receiver.send)
    ours, theirs = found["assistant"], found.get(ALERTMANAGER)
    cells = zip(ROWS, ours.cells(), theirs.cells() if theirs else [LACKING] * len(ROWS), strict=True)
    ratios = [over(theirs.taken, ours.taken), over(ours.readable, theirs.readable), "", ""] if theirs else [""] * 4
    return [
        Line(what, ALERTMANAGER, there, here, ratio) for (what, here, there), ratio in zip(cells, ratios, strict=True)
    ]
