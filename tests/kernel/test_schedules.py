"""When people say that something is to happen, and when it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from chatops.kernel.errors import InputError
from chatops.kernel.schedules import Schedule, parted, values_of, when

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=BERLIN).timestamp()  # a Monday


def local(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone(BERLIN):%a %-d %b %H:%M %Z}"


def often(said: str, now: float = NOW) -> Schedule:
    at, rule, start = when(said, now, BERLIN)
    return Schedule(
        person_id="U1", person_name="Dana", action="scale", values={}, line="scale checkout staging replicas=0",
        timezone="Europe/Berlin", rrule=rule, start=start, next_at=at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "time"),
    [
        ("deploy checkout 1.4.2 production at tomorrow 9:00", "deploy checkout 1.4.2 production", "at tomorrow 9:00"),
        ("at 16:00 restart cart staging", "restart cart staging", "at 16:00"),
        ("restart cart staging in 2h", "restart cart staging", "in 2h"),
        ("every weekday 20:00 scale cart staging replicas=0", "scale cart staging replicas=0", "every weekday 20:00"),
        ("restart cart staging every mon, wed, fri at 2:00", "restart cart staging", "every mon, wed, fri at 2:00"),
        ("deploy cart 1.4.2 production on friday at 17:00", "deploy cart 1.4.2 production", "on friday at 17:00"),
        ("deploy checkout 1.4.2 production", "deploy checkout 1.4.2 production", ""),
        ("deploy checkout at once", "deploy checkout at once", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_the_time_stands_first_or_last(text: str, line: str, time: str) -> None:
    assert parted(text) == (line, time)


def test_the_time_may_stand_at_the_end_of_the_reason() -> None:
    assert values_of("restart cart staging", "it leaks at tomorrow 9:00") == {
        "line": "restart cart staging", "when": "at tomorrow 9:00", "reason": "it leaks",
    }  # fmt: skip
    assert values_of("restart cart staging", "it looks at nothing") == {
        "line": "restart cart staging", "reason": "it looks at nothing",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("at tomorrow 9:00", "Tue 24 Nov 09:00 CET"), ("9:00", "Tue 24 Nov 09:00 CET"),
        ("16:00", "Mon 23 Nov 16:00 CET"),
        ("in 2h", "Mon 23 Nov 12:00 CET"), ("friday at 17:00", "Fri 27 Nov 17:00 CET"),
        ("2026-12-01 8:00", "Tue 1 Dec 08:00 CET"), ("every day 9:00", "Tue 24 Nov 09:00 CET"),
        ("every weekday 20:00", "Mon 23 Nov 20:00 CET"), ("every weekend 10:00", "Sat 28 Nov 10:00 CET"),
        ("every Wednesday at 7:30", "Wed 25 Nov 07:30 CET"), ("every fri and mon 9:00", "Fri 27 Nov 09:00 CET"),
    ],
)  # fmt: skip
def test_times_are_those_of_ones_own_clock(said: str, first: str) -> None:
    assert local(when(said, NOW, BERLIN)[0]) == first


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("soon", "I don't know when"), ("tomorrow", "I don't know when"), ("today 9:00", "That time is over"),
        ("2027-06-01 9:00", "more than 90 days"), ("every moonday 9:00", "I don't know when"),
        ("every day 25:00", "There is no such time"), ("every and 9:00", "I don't know when"),
        ("", "I don't know when"),
        ("friday 25:00", "I don't know when"),
    ],
)  # fmt: skip
def test_what_is_no_time_to_come_is_told(said: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as no:
        when(said, NOW, BERLIN)
    assert no.value.field == "when"


def test_an_hour_that_comes_twice_is_used_once_and_one_that_is_left_out_moves() -> None:
    before = datetime(2026, 10, 24, 12, 0, tzinfo=BERLIN).timestamp()  # the clocks go back on the 25th at 3:00
    found = islice(often("every day 2:30", before).occurrences(before), 2)
    assert [local(at) for at in found] == ["Sun 25 Oct 02:30 CEST", "Mon 26 Oct 02:30 CET"]
    first = next(often("every day 2:30", before).occurrences(before))
    assert local(often("every day 2:30", before).following(first + 1800)) == "Mon 26 Oct 02:30 CET"
    spring = datetime(2027, 3, 27, 12, 0, tzinfo=BERLIN).timestamp()
    found = islice(often("every day 2:30", spring).occurrences(spring), 2)
    assert [local(at) for at in found] == ["Sun 28 Mar 03:00 CEST", "Mon 29 Mar 02:30 CEST"]


@pytest.mark.parametrize(
    "said", ["every day 09:00", "every weekday 20:00", "every monday 07:30", "every monday and friday 09:00"]
)
def test_a_rhythm_is_said_as_it_is_read(said: str) -> None:
    assert often(said).often() == said
    assert often(often(said).often()).rrule == often(said).rrule
    assert often("at 16:00").often() == ""
