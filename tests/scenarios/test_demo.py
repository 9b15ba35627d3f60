"""What the demo's page can do besides Slack."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import aiohttp
import pytest

from chatops.adapters.clock import SystemClock
from chatops.demo import ACME, broken, sandbox
from chatops.incidents import watcher as watching
from chatops.sandbox.prometheus import server as practice
from tests.support.people import Person


async def test_break_something_makes_a_service_crash_and_an_incident_of_it() -> None:
    async with sandbox("127.0.0.1:0", 0.02, ACME) as (slack, cluster, assistant):
        slack.lever("Break something", partial(broken, cluster))
        watcher = assistant.watcher
        async with aiohttp.ClientSession(slack.url) as page:
            async with page.get("/sandbox/api/bootstrap", params={"as": "dana"}) as answer:
                assert (await answer.json())["levers"] == ["Break something"]
            async with page.post("/sandbox/api/lever", json={"as": "dana", "label": "Break nothing"}) as answer:
                assert (await answer.json())["error"] == "unknown_lever"
            async with page.post("/sandbox/api/lever", json={"as": "dana", "label": "Break something"}) as answer:
                assert "search in production begins to crash" in (await answer.json())["said"]
        production = assistant.configuration.platform.environments["production"]
        async with asyncio.timeout(10):
            while not await watcher._look_at(production, assistant.clock.now()):
                await asyncio.sleep(0.02)
        [alert] = await watcher._look_at(production, assistant.clock.now())
        assert (alert.labels["workload"], alert.severity) == ("search", "error")


async def test_what_was_broken_has_a_chart_of_the_pods_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "STANDS", 0.0)
    monkeypatch.setattr(SystemClock, "now", lambda clock: time.time() + 30)  # as late as the watcher really is
    monkeypatch.setattr(practice, "EVERY", 0.05)
    async with sandbox("127.0.0.1:0", 0.02, ACME) as (slack, cluster, assistant), Person("dana", slack) as dana:
        await broken(cluster)
        async with asyncio.timeout(30):
            while not await assistant.database.read(lambda tx: tx.one("SELECT 1 FROM incidents")):
                await assistant.watcher.look()
                await asyncio.sleep(0.02)
        incident = await dana.sees("incidents", "search", "PRODUCTION", within=20)
        chart = await incident.thread("Chart: 0 at last", within=30)
        async with asyncio.timeout(30):
            while not any(block["type"] == "image" for block in chart.message["blocks"]):
                await asyncio.sleep(0.05)
        [picture] = [block for block in chart.message["blocks"] if block["type"] == "image"]
        assert "CrashLoopBackOff · search · production: 0 at last" in picture["alt_text"]
