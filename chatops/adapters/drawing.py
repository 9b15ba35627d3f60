"""Draws a chart with matplotlib, to be read on a phone. Imported by the process that draws alone.

On a phone the picture is about 360 points wide, a third of its 1200 pixels: no letter is smaller than 25 of them.
"""

from __future__ import annotations

import io
import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from chatops.kernel.chart import Chart, Series, clock, legends, number, threshold

WIDTH, HEIGHT, DPI = 1200, 675, 100  # pixels
TITLE, TEXT, SMALL = 27.0, 20.0, 18.5  # points of 1/72 inch
# Okabe and Ito's colours, told apart by the colour-blind as well; the threshold has the red one to itself.
COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
RED, INK, GREY, FAINT = "#C62828", "#202124", "#5F6368", "#D5D8DC"
MINUTES = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 360, 720, 1440)
MOST_TICKS = 6


def picture(chart: Chart, shown: Sequence[Series], more: int) -> bytes:
    """The PNG; ``more`` series are not shown."""
    return png(figure(chart, shown, more))


def png(made: Figure) -> bytes:
    """The figure as a file; two thirds as much is computed as at the usual level, for a hundredth more of bytes."""
    written = io.BytesIO()
    made.savefig(written, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    return written.getvalue()


def figure(chart: Chart, shown: Sequence[Series], more: int) -> Figure:
    """The picture as matplotlib has it."""
    # "$" in an expression would begin a formula
    with matplotlib.rc_context({"text.parse_math": False, "font.size": TEXT, "axes.edgecolor": FAINT}):
        made = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
        FigureCanvasAgg(made)
        below = 0.095 + (0.02 + 0.058 * math.ceil(len(shown) / 2) if len(shown) > 1 else 0.0)
        axes = made.add_axes((0.105, below, 0.865, 0.775 - below))
        line_of_text(made, 0.965, chart.title, fontsize=TITLE, weight="bold", color=INK)
        line_of_text(made, 0.885, chart.expression, fontsize=SMALL, color=GREY)
        lines(axes, shown, chart.step)
        _moment(axes, chart)
        _scales(axes, chart, shown)
        if chart.relation:
            _threshold(axes, chart)
        if len(shown) > 1:
            _legend(made, axes, shown, more)
    return made


def line_of_text(made: Figure, y: float, text: str, *, left: float = 0.02, right: float = 0.98, **look: Any) -> None:
    """A line of text between two shares of the width, all of it if not told; cut in its middle until it fits."""
    written = made.text(left, y, "", va="top", **look)

    def fits(most: int) -> bool:
        written.set_text(_middle(text, most))
        return bool(written.get_window_extent().x1 <= right * WIDTH)

    lengths = range(120, 8, -2)
    if not fits(lengths[0]):
        fits(lengths[min(bisect_left(lengths, True, key=fits), len(lengths) - 1)])


def lines(axes: Axes, shown: Sequence[Series], step: float) -> None:
    """The last drawn lies on top: the worst one. Where Prometheus had no number, a line has a gap."""
    for place, one in reversed(list(enumerate(shown))):
        look: dict[str, Any] = {"color": COLOURS[place % len(COLOURS)], "clip_on": False}
        runs = _runs(one, step)
        points = [point for run in runs for point in (*run, (run[-1][0], math.nan))]
        axes.plot(*zip(*points, strict=True), linewidth=4.0, solid_capstyle="round", gid=f"series {place}", **look)
        alone = [run[0] for run in runs if len(run) == 1]
        if alone:  # a line needs two points
            axes.plot(*zip(*alone, strict=True), "o", markersize=10, gid=f"alone {place}", **look)


def _runs(one: Series, step: float) -> list[list[tuple[float, float]]]:
    """The points between the gaps."""
    runs: list[list[tuple[float, float]]] = []
    for point in one.points:
        if runs and point[0] - runs[-1][-1][0] <= 1.5 * step:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _moment(axes: Axes, chart: Chart) -> None:
    zone = ZoneInfo(chart.zone)
    axes.axvline(chart.fired_at, color=INK, linewidth=2.5, linestyle=(0, (2, 2)), gid="fired")
    late = chart.fired_at > (chart.start + chart.end) / 2
    axes.text(
        chart.fired_at, 1.015, f"fired {clock(chart.fired_at, zone)}", transform=axes.get_xaxis_transform(),
        ha="right" if late else "left", va="bottom", fontsize=SMALL, color=INK,
    )  # fmt: skip
    day = datetime.fromtimestamp(chart.end, UTC).astimezone(zone)
    axes.text(
        0.0, 1.015, f"{day:%a %-d %b} · {chart.zone}", transform=axes.transAxes, va="bottom", fontsize=SMALL, color=GREY
    )


def _threshold(axes: Axes, chart: Chart) -> None:
    axes.axhline(chart.limit, color=RED, linewidth=3.5, linestyle=(0, (5, 2)), clip_on=False, gid="limit")
    low, high = axes.get_ylim()
    above = chart.limit < low + 0.8 * (high - low)
    axes.annotate(
        threshold(chart), (0.01, chart.limit), xycoords=("axes fraction", "data"), xytext=(0, 7 if above else -7),
        textcoords="offset points", va="bottom" if above else "top", color=RED, fontsize=TEXT, weight="bold",
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _scales(axes: Axes, chart: Chart, shown: Sequence[Series]) -> None:
    scale(axes, [value for one in shown for _, value in one.points] + ([chart.limit] if chart.relation else []))
    start, end = min(chart.start, chart.fired_at), max(chart.end, chart.fired_at)
    times(axes, chart.start, chart.end, ZoneInfo(chart.zone), start, end)


def scale(axes: Axes, values: Sequence[float], *, most: int = 5) -> None:
    """Upwards: what shows all the values, with round numbers beside it."""
    low, high = bounds(min(values), max(values))
    axes.set_ylim(low, high)
    steps = _steps(low, high, most)
    axes.set_yticks(steps, _labels(steps))


def times(
    axes: Axes, start: float, end: float, zone: ZoneInfo, first: float | None = None, last: float | None = None, *,
    named: bool = True,
) -> None:  # fmt: skip
    """Sideways: from ``start`` to ``end``, or from ``first`` to ``last`` where that is more; and the plain frame."""
    slack = 0.02 * (end - start) or 1.0
    axes.set_xlim((start if first is None else first) - slack, (end if last is None else last) + slack)
    moments = _times(start, end, zone)
    axes.set_xticks(moments, [clock(at, zone) for at in moments] if named else [])
    axes.tick_params(length=0, pad=8, labelsize=TEXT, labelcolor=INK)
    axes.grid(color=FAINT, linewidth=1.2)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _legend(made: Figure, axes: Axes, shown: Sequence[Series], more: int) -> None:
    lines = {str(line.get_gid()): line for line in axes.get_lines()}
    handles = [lines[f"series {place}"] for place in range(len(shown))]
    # A label that begins with "_" would be left out
    texts = [_middle(text.lstrip("_") or text, 38) for text in legends(shown)]
    if more:
        texts[-1] = f"{_middle(texts[-1], 24)} (and {more} more)"
    made.legend(
        handles, texts, loc="lower left", bbox_to_anchor=(0.02, 0.0), ncols=2, frameon=False, fontsize=SMALL,
        handlelength=1.0, columnspacing=1.2, labelspacing=0.35, borderpad=0.2,
    )  # fmt: skip


def bounds(low: float, high: float) -> tuple[float, float]:
    """What the scale shows: from 0 where that does not flatten the line, with some room."""
    if low >= 0 and low < 0.5 * high:
        return 0.0, high * 1.12
    if high <= 0 and high > 0.5 * low:
        return low * 1.12, 0.0
    room = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _steps(low: float, high: float, most: int = 5) -> list[float]:
    """At most ``most`` and one round numbers between."""
    wide = (high - low) / most
    size = 10.0 ** math.floor(math.log10(wide))
    step = next(size * round_one for round_one in (1, 2, 5, 10) if size * round_one >= wide)
    first = math.ceil(low / step)
    return [place * step for place in range(first, math.floor(high / step) + 1)]


def _labels(steps: Sequence[float]) -> list[str]:
    """Short numbers; all their digits where short ones would not tell the steps apart."""
    short = [number(at) for at in steps]
    return short if len(set(short)) == len(short) else [f"{at:.12g}" for at in steps]


def _times(start: float, end: float, zone: ZoneInfo) -> list[float]:
    """Full hours, halves, quarters or the like of that zone's clock, at most ``MOST_TICKS``."""
    offset = datetime.fromtimestamp(start, UTC).astimezone(zone).utcoffset()
    shift = offset.total_seconds() if offset else 0.0
    every = next((60.0 * one for one in MINUTES if (end - start) / (60.0 * one) <= MOST_TICKS), 86400.0)
    first = math.ceil((start + shift) / every)
    return [place * every - shift for place in range(first, math.floor((end + shift) / every) + 1)]


def _middle(text: str, most: int) -> str:
    """On one line, cut in the middle: both ends of a name or an expression tell more than its middle."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most // 2]}…{line[len(line) - (most - 1 - most // 2) :]}"
