"""Five minutes after a deploy, the thread of its message shows how its service does: once, whatever happens between."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from chatops.kernel.aftermath import AROUND, Aftermath, chosen, words
from chatops.kernel.chart import Chart, Drawn, read
from chatops.notices import aftermath
from tests.scenarios.test_outside_deploys import told
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house

DEPLOY = "/platform deploy cart 2.4.0 staging because it is faster"
SAID = "Five minutes after: errors (%) 0.5 → 4.5 · latency (ms) 120 → 300"


@dataclass
class Monitor:
    """Answers with numbers that jump at the middle of what is asked for; or as ``status`` says."""

    status: int = 200
    empty: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        asked = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(asked)
        start, end = float(asked["start"]), float(asked["end"])
        low, high = (0.5, 4.5) if asked["query"].startswith("errors") else (120.0, 300.0)
        points = [[at, str(low if at < (start + end) / 2 else high)] for at in range(int(start), int(end) + 1, 5)]
        found = [] if self.empty else [{"metric": {}, "values": points}]
        body = {"status": "success", "data": {"resultType": "matrix", "result": found}}
        return web.json_response(body, status=self.status)


@dataclass
class Sketching:
    """Says the numbers as the process that draws does, and draws one dot, a second sooner."""

    zones: list[str] = field(default_factory=list)

    async def draw(self, chart: Chart, answer: bytes) -> Drawn:
        raise AssertionError(f"nobody has an incident here: {chart}")

    async def compare(self, asked: Aftermath, answers: Sequence[bytes]) -> Drawn:
        self.zones.append(asked.zone)
        found = {
            name: chosen(read(one), asked) if one else [] for name, one in zip(asked.measures, answers, strict=True)
        }
        dot, said = io.BytesIO(), words(asked, found)
        Image.new("RGB", (1, 1)).save(dot, "PNG")
        return Drawn(said, dot.getvalue() if said else b"")

    def close(self) -> None:
        """Nothing to put away."""


@asynccontextmanager
async def measured(
    *routes: dict[str, Any], drawn: bool = False, configured: bool = True, timezone: str = "Europe/Berlin"
) -> AsyncIterator[tuple[House, Monitor]]:
    """Acme with a Prometheus that is asked two things; with ``drawn``, the pictures are real ones."""
    monitor, app = Monitor(), web.Application()
    app.router.add_post("/api/v1/query_range", monitor.answer)
    async with TestServer(app) as server:

        def with_one(platform: dict[str, Any]) -> None:
            questions = {
                "errors (%)": 'errors{app="${service.name}",namespace="${env.namespace}"}',
                "latency (ms)": 'latency{app="${service.name}"}',
            }
            platform["prometheus"] = {"after_deploys": questions}
            platform["routes"] = list(routes)
            platform["teams"]["shop"]["timezone"] = timezone
            if configured:
                platform["prometheus"]["url"] = str(server.make_url("/"))

        with pytest.MonkeyPatch.context() as patched:
            if not drawn:
                patched.setattr("chatops.parts.ChartPainter", Sketching)
            async with acme_house(platform=with_one) as house:
                yield house, monitor


async def passes(house: House, seconds: float) -> None:
    """Time goes by, and the assistant looks at what is due."""
    house.clock.advance(seconds)
    await house.assistant.aftermaths.look()


async def replies(house: House, channel: str = DEPLOYS) -> list[dict[str, Any]]:
    """What stands in the threads of a channel about the minutes after."""
    await house.quiet()
    [found] = [one for one in house.slack.state.conversations.values() if one.name == channel]
    return [one for one in found.messages.values() if "Five minutes after" in one.get("text", "")]


async def deployed(house: House) -> None:
    await house.dana.types(DEPLOY)
    await house.dana.sees(DEPLOYS, "Dana deployed cart", "2.4.0")


async def test_the_thread_of_the_notice_shows_errors_and_latency_before_and_after() -> None:
    async with measured(drawn=True) as (house, monitor):
        await deployed(house)
        await passes(house, AROUND - 10)
        assert (await replies(house), monitor.asked) == ([], []), "it is not yet five minutes"
        await passes(house, 30)
        [reply] = await replies(house)
        assert SAID in reply["text"].replace("*", "")
        notice = await house.dana.sees(DEPLOYS, "Dana deployed cart")
        assert reply["thread_ts"] == notice.ts
        [block] = [one for one in reply["blocks"] if one["type"] == "image"]
        assert "→ 2.4.0 · staging, five minutes before and after: errors (%) 0.5 → 4.5" in block["alt_text"]
        picture = Image.open(io.BytesIO(house.slack.state.contents[block["slack_file"]["id"]]))
        assert (picture.format, picture.width) == ("PNG", 1200)
        assert [one["query"] for one in monitor.asked] == [
            'errors{app="cart",namespace="shop-staging"}', 'latency{app="cart"}'
        ]  # fmt: skip
        [row] = await house.rows("SELECT started_at, ended_at FROM ledger")
        assert float(monitor.asked[0]["start"]) == pytest.approx(row["started_at"] - AROUND, abs=6)
        assert float(monitor.asked[0]["end"]) == pytest.approx(row["ended_at"] + AROUND, abs=1)


async def test_its_hours_are_those_of_the_team() -> None:
    async with measured(timezone="Asia/Kolkata") as (house, _):
        house.assistant.aftermaths.painter = sketching = Sketching()
        await deployed(house)
        await passes(house, AROUND + 20)
        assert sketching.zones == ["Asia/Kolkata"], "its rota's is Europe/Berlin"


async def test_it_comes_after_a_restart_in_between_and_never_twice() -> None:
    async with measured() as (house, monitor):
        await deployed(house)
        await house.quiet()
        await house.stop()
        house.clock.advance(AROUND + 60)
        await house.start()
        await passes(house, 0)
        [reply] = await replies(house)
        await house.stop()
        await house.start()
        await passes(house, 3600)
        assert await replies(house) == [reply]
        assert len(monitor.asked) == 2
        assert len(house.slack.state.files) == 1


async def test_a_process_that_dies_after_the_upload_shows_one_picture_all_the_same() -> None:
    async with measured() as (house, _):
        await deployed(house)
        keep = house.assistant.aftermaths.pictures.keep

        async def dies(name: str, title: str, picture: bytes) -> str:
            await keep(name, title, picture)
            raise KeyboardInterrupt  # what is not caught, as a kill is not

        house.assistant.aftermaths.pictures = _Keeping(dies)
        with pytest.raises(KeyboardInterrupt):
            await passes(house, AROUND + 60)
        assert await replies(house) == []
        await house.stop()
        await house.start()
        await passes(house, 0)
        assert len(await replies(house)) == 1


@dataclass
class _Keeping:
    keep: Any


async def test_a_deploy_of_another_pipeline_has_its_picture_too() -> None:
    async with measured() as (house, _):
        await told(house, state="running")
        house.clock.advance(30)
        await told(house, state="succeeded")
        await house.dana.sees(DEPLOYS, "✅", "2.4.0 was deployed in staging")
        await passes(house, AROUND + 60)
        assert len(await replies(house)) == 1
        await told(house, service="warehouse", id="other", state="succeeded")
        await passes(house, AROUND + 60)
        assert len(await replies(house)) == 1, "what the catalog does not have is measured by nobody"


async def test_a_prometheus_that_is_away_is_asked_again_and_given_up_with_a_line() -> None:
    async with measured() as (house, monitor):
        monitor.status = 503
        await deployed(house)
        await passes(house, AROUND + 60)
        assert await replies(house) == []
        monitor.status = 200
        await passes(house, aftermath.PAUSES[0] + 1)
        assert SAID in (await replies(house))[0]["text"].replace("*", "")
        monitor.status = 503
        await house.dana.types("/platform rollback cart staging because it is slow")
        await house.dana.sees(DEPLOYS, "Dana rolled back cart")
        await passes(house, AROUND + 60)
        for pause in aftermath.PAUSES:
            assert len(await replies(house)) == 1
            await passes(house, pause + 1)
        [_, last] = await replies(house)
        assert "there is no picture: Prometheus answered 503" in last["text"]


async def test_nothing_is_said_where_nobody_measures() -> None:
    async with measured() as (house, monitor):
        monitor.empty = True
        await deployed(house)
        await passes(house, AROUND + 60)
        assert await replies(house) == []
        assert len(monitor.asked) == 2
    async with measured(configured=False) as (house, monitor):
        await deployed(house)
        assert await house.rows("SELECT subject FROM aftermaths") == []
        assert monitor.asked == []


async def test_what_prometheus_refuses_is_said_beside_what_it_answers() -> None:
    async with measured() as (house, monitor):
        monitor.status = 400
        await deployed(house)
        await passes(house, AROUND + 60)
        [reply] = await replies(house)
        assert "latency (ms): Prometheus refuses the question" in reply["text"]
        assert "image" not in json.dumps(reply["blocks"])


async def test_a_deploy_that_failed_has_its_picture_too() -> None:
    async with measured() as (house, _):
        await house.dana.types("/platform deploy search 0.9.8-broken staging because nobody tried it")
        await house.dana.sees(DEPLOYS, "Deploy search", "failed", within=30)
        await passes(house, AROUND + 60)
        assert SAID in (await replies(house))[0]["text"].replace("*", "")


async def test_it_is_in_the_thread_of_each_channel_that_was_told_and_where_a_digest_tells_there_is_none() -> None:
    quiet = {"channels": [DEPLOYS], "quiet": "17:00"}
    async with measured(quiet, {"channels": ["team-shop"]}) as (house, monitor):
        await house.dana.types(DEPLOY)
        notice = await house.dana.sees("team-shop", "Dana deployed cart", "2.4.0")
        await passes(house, AROUND + 60)
        [reply] = await replies(house, "team-shop")
        assert reply["thread_ts"] == notice.ts
        assert await replies(house) == []
        assert len(house.slack.state.files) == 1
        assert len(monitor.asked) == 2
    async with measured(quiet) as (house, monitor):
        await house.dana.types(DEPLOY)
        await house.dana.sees(REQUESTS, "SUCCEEDED")
        await passes(house, AROUND + 60)
        assert (await house.rows("SELECT due_at FROM aftermaths"), monitor.asked) == ([{"due_at": 0.0}], [])
