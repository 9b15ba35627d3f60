"""Quiet hours: of every local time, over midnight and over the nights on which the clocks change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.preferences import Preferences, hours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Preferences(quiet="22:00-07:00", timezone="Europe/Berlin")
SHORT = Preferences(quiet="22:00-02:30", timezone="Europe/Berlin")
NOON = Preferences(quiet="12:00-13:30", timezone="Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("wanted", "now", "until"),
    [
        (NIGHT, "2026-11-30 21:59", ""), (NIGHT, "2026-11-30 22:00", "2026-12-01 07:00"),
        (NIGHT, "2026-12-01 06:59", "2026-12-01 07:00"), (NIGHT, "2026-12-01 07:00", ""),
        (NIGHT, "2026-03-28 23:00", "2026-03-29 07:00"), (NIGHT, "2026-10-24 23:00", "2026-10-25 07:00"),
        (SHORT, "2027-03-28 01:30", "2027-03-28 03:00"), (SHORT, "2027-03-28 03:00", ""),  # that night has no 02:30
        (NOON, "2026-11-30 12:10", "2026-11-30 13:30"), (NOON, "2026-11-30 13:30", ""),
        (Preferences(), "2026-11-30 03:00", ""),
    ],
)  # fmt: skip
def test_it_is_quiet_until_the_end_of_the_hours_that_were_chosen(wanted: Preferences, now: str, until: str) -> None:
    assert wanted.quiet_until(at(now)) == (at(until) if until else 0.0)


@given(st.floats(1.7e9, 2.0e9), st.times(), st.times(), st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]))
def test_quiet_hours_end_within_a_day_and_are_over_then(now: float, begin: object, end: object, zone: str) -> None:
    said = f"{begin:%H:%M}-{end:%H:%M}"
    if said[:5] == said[6:]:
        with pytest.raises(ValueError, match="22:00-07:00"):
            hours(said)
        return
    wanted = Preferences(quiet=hours(said), timezone=zone)
    if until := wanted.quiet_until(now):
        assert now < until <= now + 26 * 3600
        assert not now < wanted.quiet_until(until) <= until


@pytest.mark.parametrize("typed", ["22-7", "25:00-07:00", "08:00-08:00", "always", ""])
def test_what_is_no_time_is_said(typed: str) -> None:
    with pytest.raises(ValueError, match="22:00-07:00, or none"):
        hours(typed)
