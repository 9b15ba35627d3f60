"""Draws how a service does before and after a deploy. Imported by ``chatops.adapters.chart_worker`` alone.

One panel for each measure, one above the other, on the same time; what lies in a band between is the rollout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from chatops.adapters import drawing
from chatops.adapters.drawing import DPI, FAINT, GREY, INK, SMALL, TEXT, TITLE, WIDTH
from chatops.kernel.aftermath import Aftermath
from chatops.kernel.chart import Series, clock

ABOVE, PANEL, BELOW = 150, 260, 50  # pixels: the title, each panel with its name, the times
NAMED, FREE = 46, 34  # pixels of a panel for its name, and below it
BAND = "#E8F0FE"


def picture(asked: Aftermath, found: Mapping[str, Sequence[Series]]) -> bytes:
    """The PNG."""
    return drawing.png(figure(asked, found))


def figure(asked: Aftermath, found: Mapping[str, Sequence[Series]]) -> Figure:
    """The picture as matplotlib has it; a measure without numbers has no panel."""
    shown = [name for name in asked.measures if found.get(name)]
    height = ABOVE + PANEL * len(shown) + BELOW
    with matplotlib.rc_context({"text.parse_math": False, "font.size": TEXT, "axes.edgecolor": FAINT}):
        made = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
        FigureCanvasAgg(made)
        drawing.line_of_text(made, 1 - 22 / height, asked.title, fontsize=TITLE, weight="bold", color=INK)
        zone = ZoneInfo(asked.zone)
        day = datetime.fromtimestamp(asked.end, UTC).astimezone(zone)
        rolled = " to ".join(dict.fromkeys((clock(asked.begun, zone), clock(asked.done, zone))))
        said = f"rolled out {rolled} · {day:%a %-d %b} · {asked.zone}"
        drawing.line_of_text(made, 1 - 82 / height, said, fontsize=SMALL, color=GREY)
        for place, name in enumerate(shown):
            top = height - ABOVE - PANEL * place
            axes = made.add_axes((0.105, (top - PANEL + FREE) / height, 0.865, (PANEL - NAMED - FREE) / height))
            drawing.line_of_text(made, (top - 4) / height, name, fontsize=TEXT, weight="bold", color=INK)
            _panel(axes, asked, found[name], last=place == len(shown) - 1)
    return made


def _panel(axes: Axes, asked: Aftermath, shown: Sequence[Series], *, last: bool) -> None:
    axes.axvspan(asked.begun, max(asked.done, asked.begun + asked.step), color=BAND, linewidth=0, gid="rollout")
    axes.axvline(asked.done, color=INK, linewidth=2.5, linestyle=(0, (2, 2)), gid="done")
    drawing.lines(axes, shown, asked.step)
    drawing.scale(axes, [value for one in shown for _, value in one.points], most=3)
    drawing.times(axes, asked.start, asked.end, ZoneInfo(asked.zone), named=last)
