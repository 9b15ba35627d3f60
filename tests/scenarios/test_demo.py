"""What the demo's page can do besides Slack."""

from __future__ import annotations

import asyncio
from functools import partial

import aiohttp

from chatops.demo import ACME, broken, sandbox


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
