"""The picture of the DORA figures: its bars are the ledger's, and it is drawn from any of them."""

from __future__ import annotations

import io
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chatops.adapters.painter import ChartPainter
from chatops.kernel.dora import DAY, Change, counted, judged
from chatops.kernel.panels import Panel, Panels, dora_panels
from tests.kernel.test_dora import CHANGES, LEDGER
from tests.support.later import Later
from tests.support.thoroughness import examples

pytestmark = pytest.mark.group("pictures")  # one process imports what draws, and no other
drawing = Later("chatops.adapters.drawing_panels")

BERLIN = ZoneInfo("Europe/Berlin")


def drawn(changes: list[Change], since: float, until: float) -> Panels:
    return dora_panels("DORA · all teams", judged(changes), (2 * since - until, since, until), BERLIN)


def test_each_figure_stands_beside_the_one_before_with_a_bar_for_each_part_of_both() -> None:
    found = drawn(LEDGER, 14 * DAY, 28 * DAY)
    assert found.ticks == ("1 Jan", "15 Jan", "29 Jan")
    frequency, lead, rate, recovery = found.panels
    assert (frequency.now, frequency.note, frequency.before) == ("8.0 a week", "16 deploys", "10.5 a week")
    assert (lead.now, lead.note, lead.before) == ("3 h", "median of 16", "60 min")
    assert (rate.now, rate.note, rate.before) == ("6 %", "1 of 17", "13 %")
    assert (recovery.now, recovery.note, recovery.before) == ("–", "1 not recovered", "2 h 5 min")
    assert {len(one.bars) for one in found.panels} == {24}
    [axes, *_] = drawing.figure(found).axes
    heights = [round(bar.get_height(), 6) for bar in axes.patches]  # type: ignore[attr-defined]
    assert heights == [round(value, 6) for value in frequency.bars if value is not None]
    assert sum(value or 0 for value in frequency.bars[12:]) / 12 == pytest.approx(8.0)
    assert sum(value or 0 for value in frequency.bars[:12]) / 12 == pytest.approx(10.5)


@given(CHANGES, st.floats(0, 30), st.floats(1, 30))
def test_the_bars_of_a_period_add_up_to_it(changes: list[Change], first: float, length: float) -> None:
    since, until = first * DAY, (first + length) * DAY
    deploys = judged(changes)
    frequency, *others = drawn(changes, since, until).panels
    half = len(frequency.bars) // 2
    week = sum(value or 0 for value in frequency.bars[half:]) / half
    assert week == pytest.approx(counted(deploys, since, until).per_week)
    for one, value in zip(
        others, (counted(deploys, since, until).lead, counted(deploys, since, until).rate), strict=False
    ):
        assert any(bar is not None for bar in one.bars[half:]) == (value is not None)


@settings(max_examples=examples(8), deadline=None)
@given(st.text(max_size=60), st.lists(st.none() | st.floats(0, 1e12), min_size=2, max_size=24))
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_words_and_any_bars_make_a_picture(text: str, bars: list[float | None]) -> None:
    each = Panel(text, text, text, text, tuple(bars), text)
    shown = Image.open(io.BytesIO(drawing.picture(Panels(text, text, (text, text, text), (each, each, each)))))
    assert shown.size == (1200, 900)


async def test_it_is_drawn_in_a_process_of_its_own() -> None:
    painter = ChartPainter()
    try:
        found = await painter.paint(drawn(LEDGER, 14 * DAY, 28 * DAY))
    finally:
        painter.close()
    assert found.problem == ""
    assert Image.open(io.BytesIO(found.picture)).size == (1200, 900)
