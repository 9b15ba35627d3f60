"""Freezes: times at which nothing is changed, one-off or again and again, as local wall clocks say it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from chatops.kernel.catalog import Environment, Freeze, Platform, PolicyRule, Service
from chatops.kernel.durations import lasted
from chatops.kernel.rota import moment
from chatops.kernel.scope import covers

AHEAD = 24 * 3600.0  # seconds: what begins later is not yet told with each change
_RARE = re.compile(r"\bFREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)\b")
NEVER_FROZEN = frozenset({"rollback"})  # nothing keeps anybody from going back


@lru_cache(maxsize=256)
def recurrence(text: str, start: datetime) -> rrule:
    """The occurrences of an iCalendar RRULE from a local start; raises ``ValueError``.

    https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10; DAILY and rarer, UNTIL as a local time.
    """
    if "\n" in text or not _RARE.search(text):
        raise ValueError("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY")  # what comes more often would be walked for ever
    found = rrulestr(text.removeprefix("RRULE:"), dtstart=start)
    if not isinstance(found, rrule):
        raise ValueError("it is one rule alone")
    return found


def window(freeze: Freeze, now: float) -> tuple[float, float] | None:
    """Beginning and end (epoch seconds) of the freeze that holds now."""
    zone = ZoneInfo(freeze.timezone)
    local = datetime.fromtimestamp(now, zone).replace(tzinfo=None)
    start = freeze.start
    if freeze.rrule:
        started = recurrence(freeze.rrule, freeze.start).before(local, inc=True)
        if started is None:
            return None
        start = started
    return _held(freeze, start, now)


def _held(freeze: Freeze, start: datetime, now: float) -> tuple[float, float] | None:
    begin, end = _moments(freeze, start)
    return (begin, end) if begin <= now < end else None


def begins(freeze: Freeze, now: float) -> float:
    """When it begins next (epoch seconds); 0 when it does not begin again."""
    local = datetime.fromtimestamp(now, ZoneInfo(freeze.timezone)).replace(tzinfo=None)
    following = recurrence(freeze.rrule, freeze.start).after(local) if freeze.rrule else freeze.start
    begin = _moments(freeze, following)[0] if following is not None else 0.0
    return begin if begin > now else 0.0


def _moments(freeze: Freeze, start: datetime) -> tuple[float, float]:
    zone, end = ZoneInfo(freeze.timezone), start + (freeze.end - freeze.start)
    return moment(start.date(), start.time(), zone), moment(end.date(), end.time(), zone)


def concerning(platform: Platform, environment: Environment | None, service: Service | None) -> Iterable[Freeze]:
    """The freezes of a place."""
    for one in platform.freezes:
        if environment is not None and covers(one, environment, service):
            yield one


def rules(
    platform: Platform, environment: Environment | None, service: Service | None, now: float, zone: tzinfo
) -> tuple[PolicyRule, ...]:
    """The freezes that hold at a place, as denials in the words of policy; times in ``zone``."""
    found = []
    for one in concerning(platform, environment, service):
        if held := window(one, now):
            where = environment.name if environment else ""
            said = one.message or f"{where[:1].upper()}{where[1:]} is frozen: {one.name}"
            text = f"{said.rstrip('.')} (until {shown(held[1], now, zone)})."
            found.append(PolicyRule(name=one.name, when="true", deny=text, break_glass=one.break_glass))
    return tuple(found)


def ahead(platform: Platform, environment: Environment | None, service: Service | None, now: float) -> tuple[str, ...]:
    """What begins at a place within a day: ``production freezes in 3 h (holidays)``."""
    found = []
    for one in concerning(platform, environment, service):
        begin = begins(one, now)
        if begin and begin - now <= AHEAD and window(one, now) is None:
            where = environment.name if environment else ""
            found.append((begin, f"{where} freezes in {lasted(begin - now)} ({one.name})"))
    return tuple(said for _, said in sorted(found))


def shown(at: float, now: float, zone: tzinfo) -> str:
    """A moment as people read it; with its day where that is not plain."""
    found = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return f"{found:{'%a %-d %b ' if abs(at - now) > 18 * 3600 else ''}%H:%M %Z}"
