"""The picture shows Prometheus' numbers, and drawing it harms nobody whatever happens there."""

from __future__ import annotations

import asyncio
import io
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chatops.adapters.painter import ChartPainter
from chatops.kernel.aftermath import around
from chatops.kernel.chart import Chart, Series
from tests.kernel.test_chart import answer
from tests.support.later import Later
from tests.support.thoroughness import examples

pytestmark = pytest.mark.group("pictures")  # one process imports what draws, and no other
drawing, drawing_deploys = Later("chatops.adapters.drawing"), Later("chatops.adapters.drawing_deploys")

END = 1_795_000_000.0
CHART = Chart("ErrorRate · checkout", "errors", END - 3600, END, 15.0, END - 30, ">", 1.0, "Europe/Berlin")


def lines(chart: Chart, *shown: Series) -> dict[str, list[tuple[float, float]]]:
    [axes] = drawing.figure(chart, shown, 0).axes
    return {
        str(line.get_gid()): list(zip(_floats(line.get_xdata()), _floats(line.get_ydata()), strict=True))
        for line in axes.get_lines()
    }


def _floats(given: Any) -> list[float]:
    return [float(one) for one in given]


def steady(*values: float, **labels: str) -> Series:
    return Series(labels, tuple((END - 15.0 * (len(values) - 1 - place), value) for place, value in enumerate(values)))


def test_the_lines_are_the_numbers_with_gaps_where_there_are_none() -> None:
    one = Series({}, ((END - 90, 1.0), (END - 75, 2.5), (END - 15, 7.0)))
    drawn = lines(CHART, one)
    assert [point for point in drawn["series 0"] if not math.isnan(point[1])] == list(one.points)
    assert [math.isnan(value) for _, value in drawn["series 0"]] == [False, False, True, False, True]
    assert drawn["alone 0"] == [(END - 15, 7.0)], "a point without neighbours is a dot"
    assert [value for _, value in drawn["limit"]] == [1.0, 1.0]
    assert [at for at, _ in drawn["fired"]] == [END - 30, END - 30]


def test_without_a_threshold_there_is_no_line_for_it() -> None:
    whole = Chart("A", "a > 1 and b", END - 3600, END, 15.0, END)
    assert set(lines(whole, steady(1.0, 2.0))) == {"series 0", "fired"}


def test_several_have_a_legend_that_also_counts_those_not_shown() -> None:
    shown = [steady(1.0, 2.0, pod=f"_p{place}$") for place in range(3)]
    [legend] = drawing.figure(CHART, shown, 7).legends
    assert [text.get_text() for text in legend.get_texts()] == ["p0$", "p1$", "p2$ (and 7 more)"]


def test_the_time_is_that_of_the_zone() -> None:
    [axes] = drawing.figure(CHART, [steady(1.0, 2.0)], 0).axes
    said = [text.get_text() for text in axes.get_xticklabels()]
    assert said == ["11:10", "11:20", "11:30", "11:40", "11:50", "12:00"]
    assert {"fired 12:06", "Wed 18 Nov · Europe/Berlin", "alerts above 1"} <= {one.get_text() for one in axes.texts}


@pytest.mark.filterwarnings("ignore:Glyph")  # an empty box stands for it
@settings(max_examples=examples(15), deadline=None)
@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=5), st.floats(-1e300, 1e300), st.text(max_size=200),
    st.sampled_from(["UTC", "Asia/Kolkata", "Australia/Lord_Howe"]),
)  # fmt: skip
def test_any_numbers_and_any_words_make_a_picture(values: list[float], limit: float, text: str, zone: str) -> None:
    chart = Chart(text, text, END - 3600, END, 15.0, END, ">", limit, zone)
    drawn = drawing.picture(chart, [steady(*values, pod=text), steady(limit)], 3)
    shown = Image.open(io.BytesIO(drawn))
    assert (shown.format, shown.size) == ("PNG", (1200, 675))
    shown.load()


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_the_scale_holds_everything(one: float, other: float) -> None:
    low, high = drawing.bounds(min(one, other), max(one, other))
    assert low <= min(one, other)
    assert high >= max(one, other)
    assert low < high


@pytest.mark.parametrize("long", [60.0, 900.0, 3600.0, 7200.0, 86400.0, 30 * 86400.0])
def test_a_phone_shows_few_times(long: float) -> None:
    [axes] = drawing.figure(Chart("A", "a", END - long, END, long / 240, END), [steady(1.0, 2.0)], 0).axes
    assert len(axes.get_xticks()) <= max(drawing.MOST_TICKS, long // 86400)


async def drawn(given_answer: bytes, **options: Any) -> tuple[str, bool, str]:
    painter = ChartPainter(**options)
    found = await painter.draw(CHART, given_answer)
    painter.close()
    return found.words, found.picture.startswith(b"\x89PNG"), found.problem


GOOD = answer(({"pod": "a"}, [[END - 15, "0.5"], [END, "12.4"]]))
WORDS = "12.4 at last (alerts above 1), 0.5 to 12.4 in 0 min"


async def test_a_process_of_its_own_draws_and_says_the_numbers() -> None:
    assert await drawn(GOOD) == (WORDS, True, "")


@pytest.mark.parametrize("given_answer", [answer(), answer(({}, [[END, "NaN"], [END, "+Inf"]]))])
async def test_without_numbers_nothing_is_drawn(given_answer: bytes) -> None:
    assert await drawn(given_answer) == ("", False, "")


async def test_no_process_is_started_to_find_out_that_there_are_no_numbers() -> None:
    painter = ChartPainter(worker=("-c", 'print(\'{"words": "asked"}\')'))
    assert (await painter.draw(CHART, answer())).words == ""
    assert (await painter.compare(ASKED, [answer(), b""])).words == ""
    assert (await painter.draw(CHART, b"")).words == (await painter.compare(ASKED, [answer(), GOOD])).words == "asked"
    painter.close()


async def test_an_answer_that_cannot_be_read_is_said_to_be() -> None:
    assert await drawn(GOOD[:-20]) == ("", False, "Prometheus' answer can't be read")


async def test_a_bad_zone_or_any_defect_there_ends_there() -> None:
    painter = ChartPainter()
    found = await painter.draw(Chart("A", "a", 0, 1, 1, 1, zone="Nowhere/At_all"), GOOD)
    painter.close()
    assert (found.picture, found.problem) == (b"", "the process that draws died, perhaps for lack of memory or time")


def test_the_assistant_itself_loads_none_of_it() -> None:
    loaded = "import sys, chatops.cli, chatops.main; print({'matplotlib', 'numpy', 'PIL'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def worker(first: str) -> dict[str, Any]:
    """The real process, in which something happens before it begins to draw."""
    code = f"import sys, resource\nfrom chatops.adapters import chart_worker\n{first}\nchart_worker.main()"
    return {"worker": ("-P", "-c", code)}


async def test_without_matplotlib_the_numbers_are_said() -> None:
    missing = worker("sys.modules['matplotlib'] = None")
    assert await drawn(GOOD, **missing) == (WORDS, False, "matplotlib is not installed (the extra `charts`)")


async def test_one_that_runs_out_of_memory_ends_alone_and_its_numbers_are_kept() -> None:
    little = worker("chart_worker.MEMORY = 60 * 1024 * 1024")
    said, picture_there, problem = await drawn(GOOD, **little)
    assert (said, picture_there) == (WORDS, False)
    assert problem == "the process that draws died, perhaps for lack of memory or time"


@pytest.mark.parametrize("first", ["", "print('{\"words\": ', end='')", "print('{\"words\": \"7\"}'); print('GIF89a')"])
async def test_one_that_ends_early_leaves_no_half_a_picture(first: str) -> None:
    said, picture_there, problem = await drawn(GOOD, **worker(f"{first}\nsys.exit(0)"))
    assert (said in ("", "7"), picture_there) == (True, False)
    assert problem in ("the process that draws said nothing", "the process that draws left none")


async def test_one_that_takes_too_long_is_ended() -> None:
    slow = worker("import time\nchart_worker.words = lambda *_: time.sleep(600)")
    async with asyncio.timeout(30):
        assert await drawn(GOOD, limit=0.5, **slow) == ("", False, "drawing took longer than 0.5 s")


async def test_a_process_without_a_token_in_its_environment_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-not-for-the-painter")
    seen = worker("import os\nassert not any('SLACK' in name for name in os.environ)")
    assert (await drawn(GOOD, **seen))[1]


ASKED = around(
    "cart 2.3.0 → 2.4.0 · staging", ["errors (%)", "latency (ms)", "nothing"], END - 60, END, "Europe/Berlin"
)


def test_after_a_deploy_each_measure_has_a_panel_with_its_numbers_and_the_rollout_between() -> None:
    jumped = Series({}, tuple((END + 15.0 * place, 0.5 if place < 0 else 4.5) for place in range(-20, 20)))
    made = drawing_deploys.figure(ASKED, {"errors (%)": [jumped], "latency (ms)": [jumped], "nothing": []})
    assert len(made.axes) == 2
    for axes in made.axes:
        [line] = [one for one in axes.get_lines() if one.get_gid() == "series 0"]
        drawn = [point for point in zip(line.get_xdata(), line.get_ydata(), strict=True) if not math.isnan(point[1])]
        assert drawn == list(jumped.points)
        [band] = [one for one in axes.patches if one.get_gid() == "rollout"]
        assert band.get_extents().width > 0
    assert next(text.get_text() for text in made.texts) == ASKED.title


async def test_the_process_draws_what_was_measured_after_a_deploy_and_says_what_it_cannot_read() -> None:
    painter = ChartPainter()
    points = [[END - 200, "0.5"], [END + 200, "4.5"]]
    drawn = await painter.compare(ASKED, [answer(({}, points)), b"", answer()])
    assert drawn.words == "errors (%) 0.5 → 4.5"
    assert Image.open(io.BytesIO(drawn.picture)).width == 1200
    assert (await painter.compare(ASKED, [b"", b"", b""])).picture == b""
    assert (await painter.compare(ASKED, [b"<html>", b"", b""])).problem == "Prometheus' answer can't be read"
    painter.close()
