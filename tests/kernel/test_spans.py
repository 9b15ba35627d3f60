"""Spans of time as people say them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from chatops.kernel.errors import InputError
from chatops.kernel.spans import ending, shown, span, zone_of

BERLIN, AUCKLAND = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp()  # a Monday, 10:00 in Berlin


def read(day: str, hours: str = "", now: float = NOW, zone: ZoneInfo = BERLIN) -> tuple[str, str]:
    start, end = (datetime.fromtimestamp(at, zone).strftime("%a %d %H:%M") for at in span(day, hours, now, zone))
    return start, end


@pytest.mark.parametrize(
    ("day", "hours", "start", "end"),
    [
        ("tomorrow", "9-17", "Tue 24 09:00", "Tue 24 17:00"),
        ("Tomorrow", "9:30-17.15", "Tue 24 09:30", "Tue 24 17:15"),
        ("today", "14-18", "Mon 23 14:00", "Mon 23 18:00"),
        ("today", "9-17", "Mon 23 10:00", "Mon 23 17:00"),  # it has begun: from now on
        ("", "22:00-6:00", "Mon 23 22:00", "Tue 24 06:00"),
        ("monday", "", "Mon 23 10:00", "Tue 24 00:00"),
        ("Sunday", "8-24", "Sun 29 08:00", "Mon 30 00:00"),
        ("2026-11-25", "", "Wed 25 00:00", "Thu 26 00:00"),
        ("2026-11-25..2026-11-27", "18:00-8:00", "Wed 25 18:00", "Sat 28 08:00"),
    ],
)
def test_what_people_say_is_understood_in_their_time_zone(day: str, hours: str, start: str, end: str) -> None:
    assert read(day, hours) == (start, end)


@pytest.mark.parametrize(
    ("day", "hours", "says"),
    [
        ("today", "8-9", "over already"),
        ("2026-11-20", "", "over already"),
        ("2026-11-27..2026-11-25", "", "empty"),
        ("2026-12-01..2027-01-15", "", "longer than 30 days"),
        ("2026-02-30", "", "no such day"),
        ("someday", "", "which day"),
        ("monkey", "", "which day"),
        ("tomorrow", "nine", "which hours"),
        ("tomorrow", "25-26", "no such time"),
        ("tomorrow", "9:75-10", "no such time"),
    ],
)
def test_what_is_no_span_is_refused_with_an_example_of_one(day: str, hours: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        span(day, hours, NOW, BERLIN)


def test_a_night_in_which_the_clocks_change_is_as_long_as_it_is() -> None:
    before = datetime(2026, 10, 24, 9, 0, tzinfo=UTC).timestamp()  # Berlin goes back on the 25th
    start, end = span("2026-10-24", "22:00-6:00", before, BERLIN)
    assert end - start == 9 * 3600
    before = datetime(2026, 9, 25, 9, 0, tzinfo=UTC).timestamp()  # Auckland goes forward on the 27th
    start, end = span("2026-09-26", "22:00-6:00", before, AUCKLAND)
    assert end - start == 7 * 3600


def test_a_span_is_shown_with_the_second_day_where_there_is_one() -> None:
    start, end = span("tomorrow", "9-17", NOW, BERLIN)
    assert shown(start, end, BERLIN) == "Tue 24 Nov 09:00 to 17:00 CET"
    assert shown(start, end + 86400, zone_of("Mars/Olympus")) == "Tue 24 Nov 08:00 to Wed 25 Nov 16:00 UTC"


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("16:00", "2026-11-23 16:00"), ("9:30", "2026-11-24 09:30"), ("tomorrow 9:00", "2026-11-24 09:00"),
        ("friday 17:00", "2026-11-27 17:00"), ("Friday", "2026-11-27 00:00"), ("2026-12-01 18.00", "2026-12-01 18:00"),
        ("2h", "2026-11-23 14:00"), ("30 m", "2026-11-23 12:30"), ("2d", "2026-11-25 12:00"),
    ],
)  # fmt: skip
def test_an_end_is_understood_in_the_zone_of_who_says_it(said: str, when: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    noon = datetime(2026, 11, 23, 12, tzinfo=zone).timestamp()
    assert f"{datetime.fromtimestamp(ending(said, noon, zone), zone):%Y-%m-%d %H:%M}" == when


@pytest.mark.parametrize("said", ["", "soon", "25:00", "today 9:00", "2026-11-22 9:00", "today", "9 30", "-2h"])
def test_what_is_no_end_or_over_is_said_with_what_would_be_one(said: str) -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
    with pytest.raises(InputError) as no:
        ending(said, noon, ZoneInfo("UTC"))
    assert no.value.field == "until"
    assert "16:00" in no.value.hint
