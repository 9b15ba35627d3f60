"""The chart in an incident's thread: its numbers are Prometheus', it comes once, and what is away costs a line."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from chatops.incidents import charts
from chatops.kernel.alert import Alert
from chatops.kernel.chart import Chart, Drawn, Painter, chosen, read, words
from tests.kernel.test_chart import answer
from tests.scenarios.test_incidents import INCIDENTS, alert, tell
from tests.scenarios.test_rooms import settled
from tests.support.clock import ShiftedClock
from tests.support.house import HOOK_TOKEN, House, acme_house
from tests.support.monitors import alertmanager, prometheus

NOTED = "SELECT data FROM audit WHERE what = 'looked_into' AND data LIKE '%chart%'"
EXPRESSION = 'shop_errors_percent{service="checkout"} > 1'
RULES = f"""
groups:
  - name: shop
    rules:
      - alert: ErrorRate
        expr: {EXPRESSION}
        labels: {{severity: critical, environment: production}}
        annotations: {{summary: "5xx of checkout", value: "{{{{ $value }}}} % (limit 1 %)"}}
"""


def an_hour_of_errors(now: float) -> str:
    """Little, and then more and more, of one of two pods."""
    lines = ["# TYPE shop_errors_percent gauge"]
    for pod, grows in (("a", 1.0), ("b", 0.0)):
        for step in range(200):
            value = 0.2 + (step % 7) / 50 + max(0, step - 150) * 0.24 * grows
            at = now - (199 - step) * 15
            lines.append(f'shop_errors_percent{{service="checkout",pod="{pod}"}} {value:.4f} {at:.3f}')
    return "\n".join([*lines, "# EOF", ""])


@dataclass
class Watching:
    """The real painter; keeps what it was given."""

    real: Painter
    given: list[tuple[Chart, bytes]] = field(default_factory=list)

    async def draw(self, chart: Chart, answer: bytes) -> Drawn:
        self.given.append((chart, answer))
        return await self.real.draw(chart, answer)


class Sketching:
    """Says the numbers as the process that draws does, and draws one dot, a second sooner."""

    async def draw(self, chart: Chart, answer: bytes) -> Drawn:
        try:
            shown = chosen(read(answer), chart)
        except ValueError:
            return Drawn(problem="Prometheus' answer can't be read")
        dot = io.BytesIO()
        Image.new("RGB", (1, 1)).save(dot, "PNG")
        return Drawn(words(chart, shown), dot.getvalue() if shown else b"")

    def close(self) -> None:
        """Nothing to put away."""


class Scribbling:
    """Draws at once, and nothing."""

    async def draw(self, chart: Chart, answer: bytes) -> Drawn:
        return Drawn("7 at last", problem="out of ink")


async def replies(house: House) -> list[dict[str, Any]]:
    """The messages about charts that stand in the incidents channel's threads, once nothing is left to do."""
    await house.quiet()
    [channel] = [one for one in house.slack.state.conversations.values() if one.name == INCIDENTS]
    return [one for one in channel.messages.values() if "Chart:" in one.get("text", "")]


async def shown_in(house: House) -> list[dict[str, Any]]:
    """The pictures in them."""
    return [block for one in await replies(house) for block in one["blocks"] if block["type"] == "image"]


@dataclass
class Monitor:
    """Answers range queries with two points of one series, the last one at the end; or as ``answers`` says."""

    address: str = ""
    status: int = 200
    value: float = 12.4
    asked: list[dict[str, str]] = field(default_factory=list)
    answers: Callable[[dict[str, str]], bytes] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        asked = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(asked)
        if self.answers is not None:
            return web.Response(body=self.answers(asked))
        end = float(asked["end"])
        body = answer(({"pod": "a"}, [[end - 15, "0.5"], [end, str(self.value)]]))
        return web.Response(status=self.status, body=body)


@asynccontextmanager
async def monitored(*, drawn: bool = False) -> AsyncIterator[tuple[House, Monitor]]:
    """Acme with a Prometheus; with ``drawn``, the charts are real ones."""
    monitor, app = Monitor(), web.Application()
    app.router.add_post("/api/v1/query_range", monitor.answer)
    async with TestServer(app) as server:
        monitor.address = str(server.make_url("/"))

        def with_one(platform: dict[str, Any]) -> None:
            platform["prometheus"] = {"url": monitor.address}

        with pytest.MonkeyPatch.context() as patched:
            if not drawn:
                patched.setattr("chatops.parts.ChartPainter", Sketching)
            async with acme_house(platform=with_one) as house:
                yield house, monitor


def measured(name: str = "ErrorRate", **changes: Any) -> Alert:
    """One that names its expression, as Alertmanager's do."""
    return alert(name, **{"expression": "errors_percent > 1", **changes})


def without_prometheus(platform: dict[str, Any]) -> None:
    del platform["prometheus"]


async def test_the_hours_of_a_chart_are_those_of_the_team() -> None:
    async with monitored() as (house, _):
        path = house.settings.config / "platform.yml"
        changed = json.loads(path.read_text())
        changed["teams"]["shop"]["timezone"] = "Asia/Kolkata"
        path.write_text(json.dumps(changed))
        await house.until(lambda: bool(house.assistant.configuration.platform.teams["shop"].timezone))
        house.assistant.charts.painter = watching = Watching(house.assistant.charts.painter)
        await tell(house, measured())
        await house.until(lambda: bool(watching.given))
        assert watching.given[0][0].zone == "Asia/Kolkata", "its rota's is Europe/Berlin"


async def test_a_rule_fires_and_the_chart_in_the_thread_has_the_numbers_of_prometheus(tmp_path: Path) -> None:
    async with acme_house(platform=without_prometheus, clock=ShiftedClock(0.0)) as house:
        hook = f"{house.assistant.http.address}/hooks/alertmanager"
        house.assistant.charts.painter = watching = Watching(house.assistant.charts.painter)
        async with (
            alertmanager(tmp_path, hook, HOOK_TOKEN) as manager,
            prometheus(tmp_path, RULES, manager, an_hour_of_errors(time.time())) as monitor,
        ):
            settings = house.settings.config / "platform.yml"
            settings.write_text(json.dumps({**json.loads(settings.read_text()), "prometheus": {"url": monitor}}))
            await house.until(lambda: bool(house.assistant.configuration.platform.prometheus))
            card = await house.dana.sees(INCIDENTS, "SEV1 · checkout · PRODUCTION", "5xx of checkout", within=30)
            await card.thread("Chart:", "a: 12.", "alerts above 1", within=30)
            [block] = await shown_in(house)
            [(chart, answer)] = watching.given
            assert (chart.expression, chart.relation, chart.limit) == (EXPRESSION.partition(" >")[0], ">", 1.0)
            asked = {
                "query": chart.expression,
                "start": str(chart.start),
                "end": str(chart.end),
                "step": str(chart.step),
            }
            async with house.sandbox.session.get(f"{monitor}/api/v1/query_range", params=asked) as mine:
                found = await mine.json()
            assert json.loads(answer)["data"] == found["data"]
        shown = chosen(read(answer), chart)
        assert [one.labels["pod"] for one in shown] == ["a", "b"], "the one that alerts comes first"
        assert len(shown[0].points) > 180
        last = f"{shown[0].points[-1][1]:.4g}"
        assert block["alt_text"].startswith(f"ErrorRate · checkout · production: a: {last} at last (alerts above 1)")
        picture = Image.open(io.BytesIO(house.slack.state.contents[block["slack_file"]["id"]]))
        assert (picture.size, picture.format) == ((1200, 675), "PNG")


async def test_without_a_prometheus_or_an_expression_there_is_no_chart_and_no_word_of_it() -> None:
    async with acme_house() as house:
        await tell(house, measured())
        await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        assert await replies(house) == []
    async with monitored() as (house, monitor):
        await tell(house, alert())
        await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        assert (await replies(house), monitor.asked) == ([], [])
        await tell(house, measured("Latency"))  # now one says what it measures
        assert len(await shown_in(house)) == 1


async def test_only_the_configured_prometheus_is_asked_around_the_moment_it_fired() -> None:
    async with monitored() as (house, monitor):
        fired = house.clock.now() - 2 * 3600
        await tell(house, measured(link="http://127.0.0.1:9/graph?g0.expr=up", starts_at=fired))
        [block] = await shown_in(house)
        assert block["alt_text"] == (
            "ErrorRate · checkout · production: 12.4 at last (alerts above 1), 0.5 to 12.4 in 0 min"
        )
        [asked] = monitor.asked
        assert asked["query"] == "errors_percent"
        assert float(asked["start"]) == pytest.approx(fired - 3600, abs=31)
        assert float(asked["end"]) == pytest.approx(fired + 3600, abs=1)


async def test_it_is_made_once_and_once_more_when_the_incident_comes_back_in_the_same_message() -> None:
    async with monitored(drawn=True) as (house, monitor):
        await tell(house, measured())
        [first] = await shown_in(house)
        await tell(house, measured("Latency"), measured(summary="5xx, and more"))
        assert await shown_in(house) == [first]
        assert len(monitor.asked) == 1
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        await card.click("Acknowledge")
        await tell(house, measured(status="resolved"), measured("Latency", status="resolved"))
        await house.dana.types("/platform incident resolve INC-101")
        await card.becomes("RESOLVED")
        monitor.value = 3.3
        await tell(house, measured(starts_at=house.clock.now()))
        await card.becomes("It came back once")
        [again] = await shown_in(house)
        assert "3.3 at last" in again["alt_text"]
        assert again["slack_file"] != first["slack_file"]
        assert len(await replies(house)) == 1
        assert len(house.slack.state.files) == 2


async def test_the_draft_of_the_postmortem_links_the_message_with_the_chart() -> None:
    async with monitored() as (house, _):
        await tell(house, measured())
        assert len(await shown_in(house)) == 1
        [chart] = await replies(house)
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        await card.click("Acknowledge")
        await house.dana.types("/platform incident close INC-101")
        await card.becomes("RESOLVED")
        await settled(house, "SELECT 1 FROM rooms WHERE body LIKE '%\"drafts\":1%'")
        [file] = [one for one in house.slack.state.files.values() if one["name"].endswith(".md")]
        draft = house.slack.state.contents[file["id"]].decode()
        assert "![ErrorRate · checkout · production](inc-101-chart-1.png)" in draft
        assert "12.4 at last (alerts above 1)" in draft
        [picture] = [one for one in house.slack.state.files.values() if one["name"] == "inc-101-chart-1.png"]
        assert house.slack.state.contents[picture["id"]].startswith(b"\x89PNG")
        [shared] = [
            one["files"]
            for channel in house.slack.state.conversations.values()
            for one in channel.messages.values()
            if one.get("files")
        ]
        assert [one["name"] for one in shared] == ["inc-101-postmortem.md", "inc-101-chart-1.png"]
        [linked] = re.findall(r"\[the thread of INC-101's first card\]\(<(\S+)>\)", draft)
        assert linked.endswith(f"/p{chart['ts'].replace('.', '')}")


async def test_the_drafts_charts_show_the_whole_incident_one_for_each_expression_also_of_what_is_over() -> None:
    async with monitored() as (house, monitor):
        began = house.clock.now()
        await tell(house, measured(), measured("Latency", expression="latency > 2"), measured("Again"))
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        await card.click("Acknowledge")
        await shown_in(house)
        house.clock.advance(3 * 3600)
        await tell(house, measured(status="resolved"), measured("Again", status="resolved"))
        await house.dana.types("/platform incident close INC-101")
        await card.becomes("RESOLVED")
        await settled(house, "SELECT 1 FROM rooms WHERE body LIKE '%\"drafts\":1%'")
        names = [one["name"] for one in house.slack.state.files.values()]
        assert [one for one in names if "-chart-" in one] == ["inc-101-chart-1.png", "inc-101-chart-2.png"]
        last = monitor.asked[-2:]
        assert {one["query"] for one in last} == {"errors_percent", "latency"}
        for one in last:
            assert float(one["start"]) <= began - 3000, "an hour before it fired, to the last point"
            assert float(one["end"]) >= began + 3 * 3600 - 60


async def test_a_prometheus_that_is_away_costs_the_draft_its_chart_and_a_line_and_no_time() -> None:
    async with monitored() as (house, monitor):
        await tell(house, measured())
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        assert len(await shown_in(house)) == 1
        await card.click("Acknowledge")
        monitor.status = 503
        await house.dana.types("/platform incident close INC-101")
        await card.becomes("RESOLVED")
        await settled(house, "SELECT 1 FROM rooms WHERE body LIKE '%\"drafts\":1%'")
        [file] = [one for one in house.slack.state.files.values() if one["name"].endswith(".md")]
        draft = house.slack.state.contents[file["id"]].decode()
        assert "## Charts" in draft
        assert "ErrorRate: Prometheus" in draft
        assert ".png" not in draft


async def test_a_prometheus_that_is_away_costs_a_line_and_is_asked_again() -> None:
    async with monitored() as (house, monitor):
        monitor.status = 503
        await tell(house, measured())
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        line = await card.thread("Chart:", "Prometheus answered 503; it is tried again.")
        monitor.status = 200
        await line.becomes("12.4 at last")
        assert len(await shown_in(house)) == 1


async def test_it_is_not_asked_for_ever() -> None:
    async with monitored() as (house, monitor):
        monitor.status = 503
        await tell(house, measured())
        [said] = await replies(house)
        assert said["text"] == "*Chart:* Prometheus answered 503; it is not tried again."
        asked = len(monitor.asked)
        assert asked == 2 * (len(charts.PAUSES) + 1)
        monitor.status = 200
        await tell(house, measured("Latency"))
        await house.quiet()
        assert len(monitor.asked) == asked
        [row] = await house.rows(NOTED)
        assert "no chart: Prometheus answered 503" in row["data"]


async def test_what_prometheus_refuses_or_does_not_know_is_said() -> None:
    async with monitored() as (house, monitor):
        monitor.status = 400
        await tell(house, measured())
        [said] = await replies(house)
        assert said["text"] == "*Chart:* Prometheus refuses the question: 400 Bad Request"
    async with monitored() as (house, monitor):
        monitor.answers = lambda asked: answer()
        await tell(house, measured())
        [said] = await replies(house)
        assert said["text"] == "*Chart:* Prometheus has no numbers for it around that time."
    async with monitored() as (house, monitor):
        monitor.answers = lambda asked: b"<html>no Prometheus</html>"
        await tell(house, measured())
        [said] = await replies(house)
        assert said["text"] == "*Chart:* Prometheus' answer can't be read."


async def test_of_too_many_series_those_that_alert_are_shown() -> None:
    async with monitored() as (house, monitor):
        huge = b" " * 5_000_000
        monitor.answers = lambda asked: (
            answer(({"pod": "a"}, [[float(asked["end"]), "7"]])) if asked["query"] == "errors > 1" else huge
        )
        await tell(house, measured(expression="errors > 1"))
        [block] = await shown_in(house)
        assert "7 at last (alerts above 1)" in block["alt_text"]
        monitor.answers = lambda asked: huge
        await tell(house, measured("Other", labels={"service": "cart"}))
        assert {one["text"] for one in await replies(house)} >= {"*Chart:* It has too many series for a chart."}


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"])
async def test_an_upload_that_fails_costs_a_line_and_is_tried_again(method: str) -> None:
    async with monitored() as (house, _):
        await house.sandbox.fault("error", method=method, times=1, status=500)
        await tell(house, measured())
        card = await house.dana.sees(INCIDENTS, "NOBODY HAS IT")
        await card.thread("12.4 at last")
        assert len(await shown_in(house)) == 1
        assert len(await replies(house)) == 1


async def test_slack_without_room_for_pictures_still_has_the_numbers() -> None:
    async with monitored() as (house, _):
        await house.sandbox.fault("error", method="files.getUploadURLExternal", error="missing_scope", times=0)
        await tell(house, measured())
        [said] = await replies(house)
        assert "12.4 at last (alerts above 1)" in said["text"]
        assert said["text"].endswith("Slack did not take the picture (missing_scope); it is not tried again.")


@pytest.mark.parametrize("lost", ["drop_after_store", "timeout_after_store"])
async def test_an_upload_of_unknown_fate_never_makes_a_second_picture(
    lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatops.slack.files.UPLOADS", 0.5)
    async with monitored() as (house, _):
        await house.sandbox.fault(lost, method="files.completeUploadExternal", times=1)
        await tell(house, measured())
        assert len(await shown_in(house)) == 1
        assert len(await replies(house)) == 1
        assert len(house.slack.state.files) == 2, "the first one is seen by nobody"


@dataclass
class Stuck:
    """Something real that stops for ever before or after one of its calls, as a process does that is about to die."""

    real: Any
    before: str = ""
    after: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self, *given: Any) -> str:
        return str(await self._called("keep", self.real.keep, *given))

    async def write(self, fn: Any, /, *given: Any) -> Any:
        return await self._called(fn.__name__, self.real.write, fn, *given)

    async def read(self, fn: Any, /, *given: Any, **named: Any) -> Any:
        return await self.real.read(fn, *given, **named)

    async def _called(self, name: str, call: Any, *given: Any) -> Any:
        await self._stop(self.before == name)
        answer = await call(*given)
        await self._stop(self.after == name)
        return answer

    async def _stop(self, here: bool) -> None:
        if here:
            self.reached.set()
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("when", "where"), [("before", "keep"), ("after", "keep"), ("before", "_done"), ("after", "_done")]
)
async def test_killed_around_the_upload_or_its_note_there_is_one_chart_in_the_end(when: str, where: str) -> None:
    async with monitored() as (house, _):
        made = house.assistant.charts
        stuck = Stuck(
            made.pictures if where == "keep" else made.database,
            before=where * (when == "before"),
            after=where * (when == "after"),
        )
        setattr(made, "pictures" if where == "keep" else "database", stuck)
        await tell(house, measured())
        async with asyncio.timeout(20):
            await stuck.reached.wait()
        await house.stop()
        await house.start()
        async with asyncio.timeout(20):
            while not (found := await house.rows(NOTED)):
                await asyncio.sleep(0.02)
        assert len(found) == 1
        assert len(await shown_in(house)) == 1
        assert len(await replies(house)) == 1
        assert len(house.slack.state.files) == (1 if (when, where) in (("before", "keep"), ("after", "_done")) else 2)


async def test_in_a_storm_those_that_only_a_digest_names_get_theirs_when_somebody_has_them() -> None:
    async with monitored() as (house, monitor):
        house.assistant.charts.painter = Scribbling()
        names = [f"Alert{number}" for number in range(15)]
        await tell(house, *(measured(name, labels={"service": "", "environment": ""}) for name in names))
        await house.quiet()
        in_digests = await house.rows("SELECT id FROM incidents WHERE digest <> '' ORDER BY id")
        assert in_digests
        assert len(monitor.asked) == len(names) - len(in_digests)
        await house.dana.types(f"/platform incident take INC-{in_digests[0]['id']}")
        await house.until(lambda: len(monitor.asked) == len(names) - len(in_digests) + 1)
