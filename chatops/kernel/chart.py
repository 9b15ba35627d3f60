"""A chart of what an alert measures: what is asked of Prometheus, what of its answer is shown, and how that is said.

Nothing here draws. The answer is read in the process that draws, for it may be large
(https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from chatops.kernel.masking import mask

MOST_SERIES = 6  # lines that a person tells apart on a phone
LARGEST = 1e300  # beyond it is infinity, as far as a picture goes
_WORDS = {
    ">": "above {}", ">=": "from {} up", "<": "below {}", "<=": "from {} down", "==": "at {}", "!=": "unless {}",
}  # fmt: skip
_UNITS = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn. Times: epoch seconds; it alerts at ``relation`` to ``limit``, empty: no threshold is known."""

    title: str
    expression: str  # what is asked of Prometheus
    start: float
    end: float
    step: float
    fired_at: float
    relation: str = ""
    limit: float = 0.0
    zone: str = "UTC"
    labels: tuple[Mapping[str, str], ...] = ()  # of the alerts that fire: their series are shown first


@dataclass(frozen=True, slots=True)
class Series:
    """One line: labels, and (epoch seconds, value) where Prometheus had a number; never infinite."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """``words`` say the numbers, empty: Prometheus had none; without a ``picture`` (PNG) ``problem`` says why."""

    words: str = ""
    picture: bytes = b""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A chart of what is over; without a ``picture`` (PNG) ``words`` say why there is none."""

    name: str  # of the file
    title: str
    words: str
    picture: bytes = b""


class Monitor(Protocol):
    """A Prometheus."""

    @property
    def configured(self) -> bool: ...

    async def query_range(self, expression: str, start: float, end: float, step: float) -> bytes | None:
        """The answer as it came; None: it is larger than anybody draws.

        Raises ``Refused`` for what it will never answer and ``Unavailable`` when it is away.
        """
        ...


class Painter(Protocol):
    """Draws, somewhere where it harms nobody."""

    async def draw(self, chart: Chart, answer: bytes) -> Drawn: ...


class Pictures(Protocol):
    """Where pictures are kept for messages to show."""

    async def keep(self, name: str, title: str, picture: bytes) -> str:
        """Puts a PNG there and gives its id; raises ``Unavailable``."""
        ...


def read(answer: bytes) -> list[Series]:
    """The series of an answer to a range query; NaN and infinity are gaps. Raises ``ValueError`` for anything else."""
    try:
        found: Any = json.loads(answer)
        if found["status"] != "success" or found["data"]["resultType"] != "matrix":
            raise ValueError("no answer to a range query")
        return [
            Series({str(name): str(value) for name, value in one["metric"].items()}, tuple(_points(one)))
            for one in found["data"]["result"]
        ]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("an answer of another shape") from error


def _points(one: Mapping[str, Any]) -> Iterable[tuple[float, float]]:
    for at, text in one.get("values") or ():  # none: a native histogram, which no line shows
        value = float(text)
        if math.isfinite(value) and abs(value) < LARGEST:
            yield float(at), value


def chosen(series: Sequence[Series], chart: Chart) -> list[Series]:
    """At most ``MOST_SERIES`` that have numbers: the alerts' own first, then those that are the worst at the end."""
    shown = [one for one in series if one.points]
    shown.sort(key=lambda one: (not _alerted(one, chart), _good(one.points[-1][1], chart), sorted(one.labels.items())))
    return shown[:MOST_SERIES]


def _alerted(one: Series, chart: Chart) -> bool:
    """Whether an alert carries the labels of this series; it may have more, from its rule."""
    own = [(name, value) for name, value in one.labels.items() if name != "__name__"]
    return bool(own) and any(all(labels.get(name) == value for name, value in own) for labels in chart.labels)


def _good(value: float, chart: Chart) -> float:
    """The smaller, the worse."""
    if chart.relation in ("==", "!="):
        off = abs(value - chart.limit)
        return off if chart.relation == "==" else -off
    return value if chart.relation in ("<", "<=") else -value


def words(chart: Chart, shown: Sequence[Series]) -> str:
    """What the chart shows, for those who do not see it: 12.4 at last (alerts above 1), 0.2 to 12.6 in 60 min."""
    if not shown:
        return ""
    first = shown[0].points
    values = [value for _, value in first]
    said = f"{number(first[-1][1])} at last"
    if chart.relation:
        said += f" ({threshold(chart)})"
    if len(first) > 1:
        said += f", {number(min(values))} to {number(max(values))} in {round((first[-1][0] - first[0][0]) / 60)} min"
    return f"{legends(shown)[0]}: {said}" if len(shown) > 1 else said


def threshold(chart: Chart) -> str:
    """``alerts above 1``."""
    return f"alerts {_WORDS[chart.relation].format(number(chart.limit))}"


def number(value: float) -> str:
    """A number with what fits on a phone: 0.0124, 12.4, 3.5 k, 1.2e-07."""
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return f"{value:.3g}"
    unit, name = next(((unit, name) for unit, name in _UNITS if size >= unit), (1.0, ""))
    return f"{value / unit + 0.0:.4g}{name}"


def clock(at: float, zone: ZoneInfo) -> str:
    """The time of day there."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone).strftime("%H:%M")


def legends(shown: Sequence[Series]) -> list[str]:
    """What tells the series apart: the values of the labels on which they differ."""
    names = sorted({name for one in shown for name in one.labels})
    telling = [name for name in names if len({one.labels.get(name) for one in shown}) > 1]
    said = (" · ".join(filter(None, (one.labels.get(name, "") for name in telling))) for one in shown)
    return [mask(one)[0] or "(no labels)" for one in said]
