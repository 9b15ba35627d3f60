"""How a service does in the minutes after a deploy, against the minutes before: what is asked, drawn and said.

Nothing here draws. The answers are read in the process that draws, for they may be large.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chatops.kernel.chart import Drawn, Series, number

if TYPE_CHECKING:  # the process that draws needs nothing of the catalog, which takes a third of its start
    from chatops.kernel.catalog import Environment, Service

AROUND = 300.0  # seconds before it began and after it was over
LONGEST = 3600.0  # seconds of a rollout that are drawn: what took longer is shown from then on
FINEST, MOST_POINTS = 5.0, 240  # seconds between two points of a line; points of it
MOST_LINES = 4  # of one measure
_NAMED = re.compile(r"\$\{([^}]*)\}")
PLACES = ("service.name", "service.team", "service.workload", "env.name", "env.namespace", "env.tier")


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is drawn: a panel for each of ``measures``. Times: epoch seconds; it was rolled out from ``begun`` to
    ``done``."""

    title: str
    measures: tuple[str, ...]
    start: float
    begun: float
    done: float
    end: float
    step: float
    zone: str = "UTC"


class Sketcher(Protocol):
    """Draws, somewhere where it harms nobody."""

    async def compare(self, asked: Aftermath, answers: Sequence[bytes]) -> Drawn:
        """The answers to range queries, one a measure; an empty one: there is none."""
        ...


def around(title: str, measures: Sequence[str], begun: float, done: float, zone: str) -> Aftermath:
    """From five minutes before to five minutes after."""
    begun = min(max(begun, done - LONGEST), done)
    end = float(int(done + AROUND))
    length = end - begun + AROUND
    step = max(FINEST, float(-(-length // MOST_POINTS)))
    return Aftermath(title, tuple(measures), end - int(length // step) * step, begun, done, end, step, zone)


def unknown(expression: str) -> str:
    """The first ``${…}`` of an expression that nothing is put in for; empty where there is none."""
    return next((name for name in _NAMED.findall(expression) if name not in PLACES), "")


def filled(expression: str, service: Service, environment: Environment) -> str:
    """The expression for a place; names in the catalog hold no quotes."""
    values = {
        "service.name": service.name, "service.team": service.team, "service.workload": service.workload_name,
        "env.name": environment.name, "env.namespace": environment.namespace, "env.tier": environment.tier,
    }  # fmt: skip
    return _NAMED.sub(lambda found: values[found[1]], expression)


def chosen(series: Sequence[Series], asked: Aftermath) -> list[Series]:
    """At most ``MOST_LINES`` that have numbers, the highest after it first."""
    shown = [one for one in series if one.points]
    return sorted(shown, key=lambda one: -(_mean(one, asked.done, asked.end) or 0.0))[:MOST_LINES]


def words(asked: Aftermath, found: Mapping[str, Sequence[Series]]) -> str:
    """``errors (%) 0.2 → 0.31 · latency (ms) 120 → 340``: the means before and after; empty without any numbers."""
    return " · ".join(filter(None, (_said(asked, name, found.get(name) or ()) for name in asked.measures)))


def _said(asked: Aftermath, name: str, shown: Sequence[Series]) -> str:
    if not shown:
        return ""
    before = _mean(shown[0], asked.start, asked.begun)
    after = _mean(shown[0], asked.done, asked.end)
    if before is None and after is None:
        return ""
    return f"{name} {_short(before)} → {_short(after)}"


def _mean(one: Series, since: float, until: float) -> float | None:
    values = [value for at, value in one.points if since <= at <= until]
    return sum(values) / len(values) if values else None


def _short(value: float | None) -> str:
    return "?" if value is None else number(float(f"{value:.3g}"))
