"""Weeks as people have them: local days and hours of a time zone, also when the clocks change. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chatops.kernel.rota import moment


def moment_after(after: float, weekday: int | None, at: time, zone: ZoneInfo) -> float:
    """The first time after a moment (epoch seconds) that it is ``at`` on that weekday (0: Monday; None: any) there.

    A time that a night lacks or has twice is what ``rota.moment`` says it is.
    """
    day = _local(after, zone).date()
    for ahead in range(9):
        here = day + timedelta(days=ahead)
        if weekday in (None, here.weekday()) and (found := moment(here, at, zone)) > after:
            return found
    raise AssertionError("a week has every weekday")


def days_before(now: float, days: int, zone: ZoneInfo) -> float:
    """The midnight there that lies so many days before the one with which the day of ``now`` begins."""
    return moment(_local(now, zone).date() - timedelta(days=days), time(0), zone)


def shown(since: float, until: float, zone: ZoneInfo) -> str:
    """``16 to 22 November``, ``30 November to 6 December``: from one midnight up to another."""
    first, last = _local(since, zone).date(), (_local(until, zone) - timedelta(hours=1)).date()
    begun = f"{first.day}" if (first.month, first.year) == (last.month, last.year) else f"{first:%-d %B}"
    return f"{begun} to {last:%-d %B}"


def _local(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(zone)
