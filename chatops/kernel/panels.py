"""A picture of a few figures over time: what each is now and was before, and bars of the time in which it came about.

Nothing here draws.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from chatops.kernel.chart import Drawn
from chatops.kernel.dora import Judged, counted
from chatops.kernel.durations import lasted

BARS = 12  # of each of the two periods
DAY = 86400.0
_VALUE = re.compile(r"([^(,]*?)(?:((?: \(|, ).*))?")


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure. ``bars``: of the period before, then of this one; None where there is nothing to count."""

    title: str
    now: str
    note: str  # what it was counted from
    before: str
    bars: tuple[float | None, ...]
    most: str  # the highest bar in words


@dataclass(frozen=True, slots=True)
class Panels:
    """The whole picture; ``ticks`` are the dates at its beginning, where this period begins, and at its end."""

    title: str
    subtitle: str
    ticks: tuple[str, str, str]
    panels: tuple[Panel, ...]


class PanelPainter(Protocol):
    """Draws, somewhere where it harms nobody."""

    async def paint(self, panels: Panels) -> Drawn: ...


def dora_panels(title: str, deploys: Sequence[Judged], edges: tuple[float, float, float], zone: ZoneInfo) -> Panels:
    """The four DORA figures of a period beside those of the one before; ``edges``: where both begin, and the end."""
    earlier, since, until = edges
    parts = max(1, min(BARS, round((until - since) / DAY)))
    spans = [
        counted(deploys, begin + place * size, end if place == parts - 1 else begin + (place + 1) * size)
        for begin, end in ((earlier, since), (since, until))
        for size in ((end - begin) / parts,)
        for place in range(parts)
    ]
    bars: tuple[tuple[float | None, ...], ...] = (
        tuple(one.per_week for one in spans), tuple(one.lead for one in spans), tuple(one.rate for one in spans),
        tuple(one.recovery for one in spans),
    )  # fmt: skip
    now, before = counted(deploys, since, until).rows(), counted(deploys, earlier, since).rows()
    each = zip(now, before, bars, (_a_week, lasted, _percent, lasted), strict=True)
    return Panels(
        title, "blue: this period, grey: the one before",
        (_day(earlier, zone), _day(since, zone), _day(until, zone)),
        tuple(
            Panel(name, *_parted(said), _parted(was)[0], row, words(high) if high else "")
            for (name, said), (_, was), row, words in each
            for high in (max((one for one in row if one), default=0.0),)
        ),
    )  # fmt: skip


def _parted(said: str) -> tuple[str, str]:
    """``2 h`` and ``median of 3, 1 not recovered``."""
    value, rest = _VALUE.fullmatch(said).groups("")  # type: ignore[union-attr]  # any text matches
    note = rest.strip("(, ").replace(")", "", 1)
    return value, f"{note} deploys" if note.isdigit() else note


def _a_week(value: float) -> str:
    return f"{value:.3g} a week"


def _percent(value: float) -> str:
    return f"{value * 100:.0f} %"


def _day(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone(zone):%-d %b}"
