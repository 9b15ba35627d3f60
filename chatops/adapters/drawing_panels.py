"""Draws a few figures over time with matplotlib. Imported by ``chatops.adapters.chart_worker`` alone."""

from __future__ import annotations

from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from chatops.adapters.drawing import COLOURS, DPI, FAINT, GREY, INK, SMALL, TEXT, TITLE, WIDTH, line_of_text, png
from chatops.kernel.panels import Panel, Panels

HEIGHT, VALUE = 900, 31.0  # pixels, points
COLUMNS = 2
SIDES: tuple[Literal["left", "center", "right"], ...] = ("left", "center", "right")  # of the three dates
EARLIER = "#B0B5BA"
HEAD, GAP = 0.125, 0.02  # of the height above the panels, of either size around each


def picture(panels: Panels) -> bytes:
    """The PNG."""
    return png(figure(panels))


def figure(panels: Panels) -> Figure:
    """The picture as matplotlib has it: two panels beside each other, the figures in large letters above their bars."""
    with matplotlib.rc_context({"text.parse_math": False, "font.size": TEXT, "axes.edgecolor": FAINT}):
        made = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
        FigureCanvasAgg(made)
        line_of_text(made, 0.975, panels.title, fontsize=TITLE, weight="bold", color=INK)
        line_of_text(made, 0.915, panels.subtitle, fontsize=SMALL, color=GREY)
        rows = -(-len(panels.panels) // COLUMNS)
        wide, high = 1 / COLUMNS, (1 - HEAD) / rows
        for place, one in enumerate(panels.panels):
            row, column = divmod(place, COLUMNS)
            _panel(made, one, panels.ticks, column * wide, 1 - HEAD - (row + 1) * high, wide, high)
    return made


def _panel(made: Figure, one: Panel, ticks: tuple[str, str, str], x: float, y: float, wide: float, high: float) -> None:
    """One figure in the rectangle at (x, y), in shares of the picture."""
    edge, top = x + GAP, y + high
    line_of_text(made, top - 0.02, one.title, left=edge, right=x + wide, fontsize=TEXT, weight="bold", color=INK)
    value = made.text(edge, top - 0.062, one.now, va="top", fontsize=VALUE, weight="bold", color=COLOURS[0])
    beside = value.get_window_extent().x1 / WIDTH + 0.015
    if one.note:
        line_of_text(made, top - 0.07, one.note, left=beside, right=x + wide, fontsize=SMALL, color=GREY)
    before = f"before: {one.before}"
    line_of_text(
        made, top - 0.1 if one.note else top - 0.08, before, left=beside, right=x + wide, fontsize=SMALL, color=GREY
    )
    axes = made.add_axes((edge, y + 0.06, wide - 2 * GAP, high - 0.215))
    _bars(axes, one, ticks)


def _bars(axes: Axes, one: Panel, ticks: tuple[str, str, str]) -> None:
    half = len(one.bars) // 2
    for first, bars, colour in ((0, one.bars[:half], EARLIER), (half, one.bars[half:], COLOURS[0])):
        places = [first + place + 0.5 for place, value in enumerate(bars) if value is not None]
        axes.bar(places, [value for value in bars if value is not None], width=0.8, color=colour)
    highest = max((value for value in one.bars if value), default=0.0)
    axes.set_ylim(0, highest * 1.05 or 1.0)
    axes.set_xlim(0, len(one.bars))
    axes.set_yticks([])
    axes.set_xticks([0, half, len(one.bars)], list(ticks))
    axes.tick_params(length=0, pad=8, labelsize=SMALL, labelcolor=GREY)
    for label, aligned in zip(axes.get_xticklabels(), SIDES, strict=True):
        label.set_horizontalalignment(aligned)
    if highest:
        axes.axhline(highest, color=FAINT, linewidth=1.2, zorder=0)
        axes.text(0, highest * 1.02, one.most, va="bottom", fontsize=SMALL, color=GREY, clip_on=False)
    else:
        axes.text(0.5, 0.4, "nothing to show", transform=axes.transAxes, ha="center", fontsize=SMALL, color=GREY)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
