"""When nothing is changed, as local wall clocks say it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel import freezes
from chatops.kernel.catalog import BreakGlass, Environment, Freeze, Platform, Service

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
PRODUCTION = Environment(name="production", tier="production", namespace="shop")
STAGING = Environment(name="staging", tier="staging", namespace="shop-staging")
CHECKOUT = Service(name="checkout", team="shop", image="registry.acme.test/shop/checkout")
WEEKEND = Freeze(
    name="weekends", start=datetime(2026, 11, 6, 18), end=datetime(2026, 11, 9, 8), timezone="Europe/Berlin",
    rrule="FREQ=WEEKLY;BYDAY=FR", tiers=("production",),
)  # fmt: skip
HOLIDAYS = Freeze(
    name="holidays", start=datetime(2026, 12, 24), end=datetime(2026, 12, 27), timezone="Europe/Berlin",
    message="Production is frozen for the holidays.", break_glass=BreakGlass(group="sre"),
)  # fmt: skip
BACKUP = Freeze(
    name="backup", start=datetime(2026, 1, 1, 2), end=datetime(2026, 1, 1, 3, 30), timezone="Europe/Berlin",
    rrule="RRULE:FREQ=DAILY",
)  # fmt: skip


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("freeze", "when", "holds"),
    [
        (HOLIDAYS, "2026-12-23 23:59", False), (HOLIDAYS, "2026-12-24 00:00", True),
        (HOLIDAYS, "2026-12-26 23:59", True), (HOLIDAYS, "2026-12-27 00:00", False),
        (WEEKEND, "2026-11-06 17:59", False), (WEEKEND, "2026-11-06 18:00", True), (WEEKEND, "2026-11-09 07:59", True),
        (WEEKEND, "2026-11-09 08:00", False), (WEEKEND, "2027-03-27 12:00", True), (WEEKEND, "2026-10-31 12:00", False),
    ],
)  # fmt: skip
def test_it_holds_from_its_beginning_until_just_before_its_end(freeze: Freeze, when: str, holds: bool) -> None:
    assert (freezes.window(freeze, at(when)) is not None) == holds


@pytest.mark.parametrize(
    ("night", "begin", "end"),
    [
        # 02:00 does not exist on the last Sunday of March: the first moment after the gap; 03:30 is CEST
        ("2027-03-28 03:10", "2027-03-28 01:00", "2027-03-28 01:30"),
        # 02:00 comes twice on the last Sunday of October, the freeze begins at the first
        ("2026-10-25 02:30", "2026-10-25 00:00", "2026-10-25 02:30"),
        ("2026-11-25 02:30", "2026-11-25 01:00", "2026-11-25 02:30"),
    ],
)
def test_nights_in_which_the_clock_is_changed_are_frozen_by_the_wall_clock(night: str, begin: str, end: str) -> None:
    held = freezes.window(BACKUP, at(night))
    assert held is not None
    assert [f"{datetime.fromtimestamp(one, UTC):%Y-%m-%d %H:%M}" for one in held] == [begin, end]


def test_a_weekend_across_the_change_of_the_clock_ends_when_the_wall_clock_says_so_in_two_zones() -> None:
    for zone, friday in ((BERLIN, "2027-03-26"), (NEW_YORK, "2027-03-12")):
        one = WEEKEND.model_copy(update={"timezone": zone.key})
        held = freezes.window(one, at(f"{friday} 20:00", zone))
        assert held is not None
        local = datetime.fromtimestamp(held[1], zone)
        assert (local.hour, local.weekday()) == (8, 0)
        assert held[1] - held[0] == 61 * 3600, "an hour shorter than the 62 of other weekends"


def test_what_begins_within_a_day_is_told_with_each_change_there() -> None:
    platform = Platform(freezes=(WEEKEND, HOLIDAYS))
    assert freezes.ahead(platform, PRODUCTION, CHECKOUT, at("2026-12-04 15:00")) == (
        "production freezes in 3 h (weekends)",
    )
    assert freezes.ahead(platform, STAGING, CHECKOUT, at("2026-12-04 15:00")) == ()
    assert freezes.ahead(platform, PRODUCTION, CHECKOUT, at("2026-12-03 15:00")) == ()
    assert freezes.ahead(platform, PRODUCTION, CHECKOUT, at("2026-12-05 15:00")) == (), "it holds already"
    assert freezes.begins(HOLIDAYS, at("2027-01-01 00:00")) == 0.0


@pytest.mark.parametrize(
    ("lists", "frozen"),
    [
        ({}, True), ({"environments": ("production",)}, True), ({"environments": ("staging",)}, False),
        ({"tiers": ("production",), "teams": ("shop",)}, True),
        ({"tiers": ("production",), "teams": ("payments",)}, False),
        ({"services": ("checkout", "cart")}, True), ({"services": ("cart",)}, False),
    ],
)  # fmt: skip
def test_it_holds_where_each_of_its_lists_names_the_place(lists: dict[str, tuple[str, ...]], frozen: bool) -> None:
    platform = Platform(freezes=(HOLIDAYS.model_copy(update=lists),))
    found = freezes.rules(platform, PRODUCTION, CHECKOUT, at("2026-12-25 12:00"), UTC)
    assert bool(found) == frozen


def test_it_refuses_in_its_own_words_with_its_end_and_who_may_lift_it() -> None:
    platform = Platform(freezes=(HOLIDAYS, WEEKEND.model_copy(update={"tiers": ()})))
    holidays, weekends = freezes.rules(platform, PRODUCTION, None, at("2026-12-26 12:00"), BERLIN)
    assert holidays.deny == "Production is frozen for the holidays (until 00:00 CET)."
    assert holidays.break_glass == BreakGlass(group="sre")
    assert weekends.deny == "Production is frozen: weekends (until Mon 28 Dec 08:00 CET)."


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)))
def test_what_holds_has_begun_is_not_over_and_what_begins_is_ahead(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC).timestamp()
    for one in (WEEKEND, HOLIDAYS, BACKUP):
        if held := freezes.window(one, now):
            assert held[0] <= now < held[1]
        begin = freezes.begins(one, now)
        assert begin == 0 or begin > now
        if begin:
            assert freezes.window(one, begin) is not None
