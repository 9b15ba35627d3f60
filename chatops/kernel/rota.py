"""Who is on call when. Pure.

A rota has layers; the first one that covers a moment says who it is. Within a layer people take turns, by the day or by
the week, and hand over at a local time of the rota's time zone, also when the clocks change: a shift then lasts an hour
less or more. A hand-over at a time that a night does not have (the clocks go forward over it) is at the first moment
after; of a time that a night has twice it is the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from chatops.kernel.record import Record

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ANCHOR = date(2024, 1, 1)  # a Monday: turns are counted from here where a layer names no start
LONGEST = timedelta(days=400)  # that turns are looked for at once


class Hours(Record):
    """Weekdays (0: Monday) and the local times between which a layer holds; ``end`` before ``begin``: over midnight."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    begin: time = time(0)
    end: time = time(0)  # midnight: the end of the day


class Layer(Record):
    """People who take turns."""

    people: tuple[str, ...] = Field(min_length=1)  # e-mails or Slack ids
    shift: Literal["daily", "weekly"] = "weekly"
    weekday: int = Field(default=0, ge=0, le=6)  # of the hand-over; weekly shifts alone
    at: time = time(9)  # of the hand-over, local
    start: date = ANCHOR  # the first person's first shift begins on this day, or on the weekday after it
    hours: Hours | None = None  # None: always


class Rota(Record):
    """Layers, the most particular first."""

    name: str
    timezone: str = "UTC"
    layers: tuple[Layer, ...] = Field(min_length=1)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of all its local times."""
        return ZoneInfo(self.timezone)

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who takes turns, each once."""
        return tuple(dict.fromkeys(one for layer in self.layers for one in layer.people))


class Override(Record):
    """Somebody takes the place of whoever it would be; epoch seconds, the end not included."""

    person: str
    start: float
    end: float


class Overridden(Override):
    """An override as it is kept; ``person`` as the configuration would name them: the e-mail, else the Slack id."""

    id: int
    rota: str
    person_id: str
    name: str
    by: str  # the name of who made it
    reason: str = ""


class Turn(NamedTuple):
    """One person's time on call; epoch seconds, the end not included."""

    person: str
    start: float
    end: float
    overridden: bool = False


def on_call(rota: Rota, at: float, overrides: Iterable[Override] = ()) -> Turn | None:
    """Who is on call at a moment, and from when until when in one piece; None in a gap.

    The newest override wins: later ones in ``overrides`` were made later.
    """
    day = 86400.0
    return next((one for one in turns(rota, at - 8 * day, at + 8 * day, overrides) if one.start <= at < one.end), None)


def turns(rota: Rota, start: float, end: float, overrides: Iterable[Override] = ()) -> list[Turn]:
    """Everybody's turns between two moments, in order; what is left out is a gap.

    Raises ``ValueError`` for more than a year.
    """
    if end - start > LONGEST.total_seconds():
        raise ValueError("turns are looked for within a year at most")
    taken = list(overrides)
    edges = sorted({start, end, *_edges(rota, start, end), *(t for one in taken for t in (one.start, one.end))})
    found: list[Turn] = []
    for begin, until in pairwise(edges):
        if begin < start or until > end:
            continue
        over = next((one for one in reversed(taken) if one.start <= begin < one.end), None)
        person = over.person if over else _person(rota, begin)
        if not person:
            continue
        last = found[-1] if found else None
        if last and last.end == begin and (last.person, last.overridden) == (person, over is not None):
            found[-1] = last._replace(end=until)
        else:
            found.append(Turn(person, begin, until, over is not None))
    return found


def gaps(rota: Rota, start: float, end: float) -> list[tuple[float, float]]:
    """The times between two moments in which nobody is on call."""
    found, covered = [], start
    for one in turns(rota, start, end):
        if one.start > covered:
            found.append((covered, one.start))
        covered = one.end
    return [*found, (covered, end)] if covered < end else found


def _person(rota: Rota, at: float) -> str:
    local = datetime.fromtimestamp(at, UTC).astimezone(rota.zone)
    for layer in rota.layers:
        if layer.hours is None or _within(layer.hours, local):
            return layer.people[_turn_number(layer, rota.zone, at) % len(layer.people)]
    return ""


def _within(hours: Hours, local: datetime) -> bool:
    now, today = local.time(), local.weekday()
    whole = hours.begin == hours.end
    if whole or hours.begin < hours.end or hours.end == time(0):
        until_midnight = whole or hours.end == time(0)
        return today in hours.days and now >= hours.begin and (until_midnight or now < hours.end)
    yesterday = (today - 1) % 7  # over midnight: the morning belongs to the day before
    return (today in hours.days and now >= hours.begin) or (yesterday in hours.days and now < hours.end)


def _first_day(layer: Layer) -> date:
    """The day of the hand-over with which turn 0 begins."""
    if layer.shift == "daily":
        return layer.start
    return layer.start + timedelta(days=(layer.weekday - layer.start.weekday()) % 7)


def _turn_number(layer: Layer, zone: ZoneInfo, at: float) -> int:
    """How many hand-overs lie between turn 0 and a moment; by the calendar, so that it costs the same at any time."""
    first, length = _first_day(layer), 1 if layer.shift == "daily" else 7
    today = datetime.fromtimestamp(at, UTC).astimezone(zone).date()
    number = (today - first).days // length
    # The hand-over of the day itself may still be to come.
    return number if at >= moment(first + timedelta(days=number * length), layer.at, zone) else number - 1


def _edges(rota: Rota, start: float, end: float) -> Iterator[float]:
    """Every moment at which somebody else may be on call."""
    zone = rota.zone
    day = datetime.fromtimestamp(start, UTC).astimezone(zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(end, UTC).astimezone(zone).date() + timedelta(days=1)
    while day <= last:
        for layer in rota.layers:
            if layer.shift == "daily" or day.weekday() == layer.weekday:
                yield moment(day, layer.at, zone)
            if layer.hours is not None:
                yield moment(day, layer.hours.begin, zone)
                yield moment(day, layer.hours.end, zone)
                yield moment(day, time(0), zone)
        day += timedelta(days=1)


def moment(day: date, at: time, zone: ZoneInfo) -> float:
    """The epoch seconds of a local time.

    A local time that does not exist is read with the offset from before the gap (PEP 495, fold 0), which lands as far
    after the gap as it stood after its beginning; the first moment after the gap is what is meant.
    """
    wanted = datetime.combine(day, at, zone)
    found = wanted.timestamp()
    back = datetime.fromtimestamp(found, UTC).astimezone(zone)
    if back.replace(tzinfo=None) == wanted.replace(tzinfo=None):
        return found
    before, after = wanted.utcoffset(), wanted.replace(fold=1).utcoffset()
    gap = abs(((before or timedelta()) - (after or timedelta())).total_seconds())
    low, high = found - gap - 1, found
    offset = datetime.fromtimestamp(low, UTC).astimezone(zone).utcoffset()
    while high - low > 1:  # the change of the clocks lies between; they change at whole seconds
        middle = (low + high) // 2
        same = datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == offset
        low, high = (middle, high) if same else (low, middle)
    return float(high)
