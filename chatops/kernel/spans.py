"""Spans of time as people say them: ``tomorrow 9-17``, ``monday``, ``2026-11-25..2026-11-27 18:00-8:00``. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chatops.kernel.errors import InputError, TooLate
from chatops.kernel.rota import DAYS, moment

LONGEST = 30 * 86400.0  # seconds
LIKE = "Say it like `tomorrow 9-17`, `monday`, `2026-11-25 18:00-8:00` or `2026-11-25..2026-11-27`."
UNTIL = "Say it like 16:00, tomorrow 9:00, friday 17:00, 2026-11-25 18:00 or 2h."
_WHOLE = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = {name: number for names in (DAYS, _WHOLE) for number, name in enumerate(names)}
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"(\d{1,2})(?:[:.](\d{2}))?"
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})")
_LENGTH = re.compile(r"(\d{1,4})\s*(m|h|d)")
_HOURS = re.compile(f"{_TIME}-{_TIME}")


def span(day: str, hours: str, now: float, zone: ZoneInfo) -> tuple[float, float]:
    """Beginning and end in epoch seconds; days and times are those of ``zone``.

    ``day``: today, tomorrow, a weekday (the next one, today included), a date, or two dates with .. between them (the
    second one included). ``hours``: ``9-17`` or ``22:00-6:00`` (over midnight); empty: whole days. What has begun
    begins now. Raises ``InputError`` for what is over, empty, too long, or no time at all.
    """
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    first, last = _days(day.strip().casefold() or "today", today)
    begin, until = _hours(hours.strip())
    start = moment(first, begin, zone)
    over = until <= begin  # ends on the day after
    end = moment(last + timedelta(days=over), until, zone)
    if end <= now:
        raise InputError("That time is over already.", field="day", hint=LIKE)
    start = max(start, now)
    if end <= start:
        raise InputError("That span is empty: it ends before it begins.", field="day", hint=LIKE)
    if end - start > LONGEST:
        raise InputError("That is longer than 30 days: change the rota in the configuration instead.", field="day")
    return start, end


def ending(said: str, now: float, zone: ZoneInfo) -> float:
    """When something ends that people say ``until`` of: epoch seconds.

    ``16:00`` (the next one), ``tomorrow 9:00``, ``friday 17:00``, ``2026-11-25 18:00``, a day alone (when it begins),
    ``2h`` (from now). Times are those of ``zone``. Raises ``InputError`` for what is over, and for no time at all.
    """
    words = said.strip().casefold()
    if length := _LENGTH.fullmatch(words):
        return now + int(length[1]) * {"m": 60, "h": 3600, "d": 86400}[length[2]]
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    day, _, hour = words.rpartition(" ") if _CLOCK.fullmatch(words.rpartition(" ")[2]) else (words, "", "")
    try:
        first = _days(day, today)[0] if day else today
        found = _CLOCK.fullmatch(hour)
        at = moment(first, _time(found[1], found[2], said) if found else time(0), zone)
    except InputError as error:
        raise InputError(f"I don't know when {said[:40]!r} is.", field="until", hint=UNTIL) from error
    if at <= now and not day:
        at = moment(today + timedelta(days=1), _time(found[1], found[2], said), zone) if found else at
    if at <= now:
        raise InputError("That time is over already.", field="until", hint=UNTIL)
    return at


def check_ahead(at: float, now: float) -> None:
    """Raises ``TooLate`` for a moment that was ahead when somebody typed it, and is over by now (epoch seconds)."""
    if at <= now:
        raise TooLate("I came to it late: that time is over by now.")


def zone_of(name: str) -> ZoneInfo:
    """A person's time zone; UTC when it is not known."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ZoneInfo("UTC")


def shown(start: float, end: float, zone: ZoneInfo) -> str:
    """``Tue 24 Nov 09:00 to 17:00 CET``; with both days where it ends on another."""
    begin, until = (datetime.fromtimestamp(at, UTC).astimezone(zone) for at in (start, end))
    same = begin.date() == until.date()
    return f"{begin:%a %-d %b %H:%M} to {until:{'%H:%M' if same else '%a %-d %b %H:%M'} %Z}"


def _days(said: str, today: date) -> tuple[date, date]:
    if said in ("today", "tomorrow"):
        day = today + timedelta(days=said == "tomorrow")
        return day, day
    if said in _WEEKDAYS:
        day = today + timedelta(days=(_WEEKDAYS[said] - today.weekday()) % 7)
        return day, day
    if match := re.fullmatch(rf"({_DATE})(?:\.\.({_DATE}))?", said):
        try:
            first = date.fromisoformat(match[1])
            return first, date.fromisoformat(match[2]) if match[2] else first
        except ValueError as error:
            raise InputError(f"There is no such day: {said}.", field="day", hint=LIKE) from error
    raise InputError(f"I don't know which day {said[:40]!r} is.", field="day", hint=LIKE)


def _hours(said: str) -> tuple[time, time]:
    if not said:
        return time(0), time(0)
    match = _HOURS.fullmatch(said)
    if match is None:
        raise InputError(f"I don't know which hours {said[:40]!r} are.", field="hours", hint=LIKE)
    return _time(match[1], match[2], said), _time(match[3], match[4], said)


def _time(hour: str, minute: str | None, said: str) -> time:
    try:
        return time(int(hour) % 24 if hour == "24" else int(hour), int(minute or 0))
    except ValueError as error:
        raise InputError(f"There is no such time: {said}.", field="hours", hint=LIKE) from error
