"""Weeks in a time zone, over the nights on which the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.catalog import Route
from chatops.kernel.rota import moment
from chatops.kernel.routes import digest_at
from chatops.kernel.weeks import days_before, moment_after, shown

BERLIN, NINE = ZoneInfo("Europe/Berlin"), time(9)


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("now", "following", "hours"),
    [
        ("2026-11-30 08:59", "2026-11-30 09:00", 168),
        ("2026-11-30 09:00", "2026-12-07 09:00", 168),
        ("2026-03-24 12:00", "2026-03-30 09:00", 167),  # the night of the 29th lacks an hour
        ("2026-10-20 12:00", "2026-10-26 09:00", 169),  # that of the 25th has one twice
    ],
)
def test_it_comes_at_nine_on_monday_and_is_about_seven_whole_days(now: str, following: str, hours: int) -> None:
    found = moment_after(at(now), 0, NINE, BERLIN)
    assert found == at(following)
    since, until = days_before(found, 7, BERLIN), days_before(found, 0, BERLIN)
    assert until - since == hours * 3600
    assert until == at(following) - 9 * 3600


def test_a_time_that_the_night_lacks_or_has_twice_comes_once() -> None:
    half = time(2, 30)
    gap = moment_after(at("2026-03-28 12:00"), 6, half, BERLIN)
    assert datetime.fromtimestamp(gap, BERLIN).strftime("%a %H:%M") == "Sun 03:00", "the first after the gap"
    assert moment_after(gap, 6, half, BERLIN) == at("2026-04-05 02:30")
    first = moment_after(at("2026-10-24 12:00"), 6, half, BERLIN)
    assert datetime.fromtimestamp(first, UTC).hour == 0
    assert moment_after(first, 6, half, BERLIN) == at("2026-11-01 02:30")


@pytest.mark.parametrize(("day", "berlin"), [("2027-03-27", "03:00"), ("2027-10-30", "02:30")])
def test_rotas_digests_and_weeks_mean_the_same_moment_when_the_clocks_change(day: str, berlin: str) -> None:
    half, after = time(2, 30), at(f"{day} 12:00")
    route = Route(channels=("deploys",), quiet="02:30", timezone="Europe/Berlin")
    found = {moment_after(after, 6, half, BERLIN), digest_at(route, after)}
    found.add(moment(datetime.fromisoformat(day).date() + timedelta(1), half, BERLIN))
    assert [datetime.fromtimestamp(one, BERLIN).strftime("%H:%M") for one in found] == [berlin]


def test_a_week_is_shown_by_its_days() -> None:
    assert shown(at("2026-11-23"), at("2026-11-30"), BERLIN) == "23 to 29 November"
    assert shown(at("2026-11-30"), at("2026-12-07"), BERLIN) == "30 November to 6 December"


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.integers(0, 6), st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)  # fmt: skip
def test_each_comes_after_the_other_a_week_apart(now: datetime, weekday: int, hour: time, name: str) -> None:
    zone, hour = ZoneInfo(name), hour.replace(fold=0)
    first = moment_after(now.replace(tzinfo=UTC).timestamp(), weekday, hour, zone)
    second = moment_after(first, weekday, hour, zone)
    assert first > now.replace(tzinfo=UTC).timestamp()
    days = datetime.fromtimestamp(second, zone).date() - datetime.fromtimestamp(first, zone).date()
    assert days == timedelta(7)
    assert datetime.fromtimestamp(first, zone).weekday() == weekday
