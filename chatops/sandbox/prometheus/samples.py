"""Samples over time, and what a plain selector finds among them, as Prometheus answers it.

https://prometheus.io/docs/prometheus/latest/querying/basics/#time-series-selectors
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

LOOKBACK = 300.0  # seconds for which a sample stands: Prometheus' --query.lookback-delta
KEPT = 6 * 3600.0  # seconds
_NAME = re.compile(r"\s*(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(?P<labels>.*)\})?\s*", re.DOTALL)
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=|!=)\s*"((?:[^"\\\n]|\\["\\])*)"\s*(?:,|$)')

Labels = tuple[tuple[str, str], ...]
"""Sorted; the metric's name is the label ``__name__``."""
Found = tuple[dict[str, str], list[tuple[float, float]]]
"""Labels, and points (epoch seconds, value)."""


class Unreadable(ValueError):
    """A query that a real Prometheus might answer, and this one does not."""


@dataclass(frozen=True)
class Selector:
    """Which series: each label, whether it must be equal, and to what; a label that is not there is empty."""

    wanted: tuple[tuple[str, bool, str], ...]

    @classmethod
    def of(cls, query: str) -> Selector:
        """``name{label="value", other!="value"}``; raises ``Unreadable``."""
        found = _NAME.fullmatch(query)
        if found is None:
            raise Unreadable("the practice Prometheus reads a metric's name with labels, and nothing else of PromQL")
        wanted = [("__name__", True, found["name"])]
        labels, place = (found["labels"] or "").strip(), 0
        while place < len(labels):
            one = _LABEL.match(labels, place)
            if one is None:
                raise Unreadable('the practice Prometheus reads labels like name="value" and name!="value"')
            wanted.append((one[1], one[2] == "=", re.sub(r"\\(.)", r"\1", one[3])))
            place = one.end()
        return cls(tuple(wanted))

    def chooses(self, labels: Mapping[str, str]) -> bool:
        return all((labels.get(name, "") == value) is equal for name, equal, value in self.wanted)


@dataclass
class Series:
    """The points of one line; a value of None: it was gone by then, and is not looked back for."""

    points: deque[tuple[float, float | None]] = field(default_factory=deque)

    def at(self, moments: Iterable[float]) -> Iterator[tuple[float, float]]:
        """The newest value at each moment, where there is one."""
        times = [at for at, _ in self.points]
        for moment in moments:
            place = bisect_right(times, moment) - 1
            if place >= 0 and moment - times[place] < LOOKBACK:
                value = self.points[place][1]
                if value is not None:
                    yield moment, value


class Samples:
    """Every series by its labels."""

    def __init__(self) -> None:
        self._series: dict[Labels, Series] = {}

    def add(self, at: float, found: Mapping[Labels, float]) -> None:
        """One look at everything (epoch seconds); what is not found any more ends then."""
        for labels in found:
            self._series.setdefault(labels, Series())
        for labels, series in list(self._series.items()):
            value = found.get(labels)
            if value is not None or series.points[-1][1] is not None:
                series.points.append((at, value))
            while series.points and series.points[0][0] < at - KEPT:
                series.points.popleft()
            if not series.points:
                del self._series[labels]

    def find(self, selector: Selector, moments: Iterable[float]) -> list[Found]:
        """Labels and points of the series that it chooses, of those that have a value at one of the moments."""
        wanted = tuple(moments)
        chosen = [(dict(labels), series) for labels, series in sorted(self._series.items())]
        answers = [(labels, list(series.at(wanted))) for labels, series in chosen if selector.chooses(labels)]
        return [(labels, points) for labels, points in answers if points]
