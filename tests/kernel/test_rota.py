"""Who is on call when, also in nights in which the clocks change."""

from datetime import date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatops.kernel.rota import Hours, Layer, Override, Rota, Turn, gaps, on_call, turns
from tests.support.thoroughness import examples

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Hours(days=(0, 1, 2, 3, 4), begin=time(9), end=time(17))
NIGHT = Hours(days=(0, 1, 2, 3, 4, 5, 6), begin=time(22), end=time(6))


def rota(*layers: Layer, zone: str = "Europe/Berlin") -> Rota:
    return Rota(name="shop-rota", timezone=zone, layers=layers)


WEEKLY = rota(Layer(people=("olu", "dana"), at=time(9), start=date(2026, 11, 2)))
DAILY = Layer(people=("olu", "dana", "lee"), shift="daily", at=time(9), start=date(2026, 1, 1))


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def who(found: Turn | None) -> str:
    return found.person if found else ""


@pytest.mark.parametrize(
    ("moment", "person"),
    [
        ("2026-11-02T08:59:59", "dana"),  # turns go on backwards from the start
        ("2026-11-02T09:00:00", "olu"),
        ("2026-11-09T08:59:59", "olu"),
        ("2026-11-09T09:00:00", "dana"),
        ("2026-11-16T09:00:00", "olu"),
        ("2036-11-03T09:00:00", "olu"),
    ],
)
def test_weekly_shifts_are_handed_over_at_the_local_hour(moment: str, person: str) -> None:
    assert who(on_call(WEEKLY, at(moment))) == person


def test_a_turn_says_from_when_until_when_in_one_piece() -> None:
    assert on_call(WEEKLY, at("2026-11-04T12:00:00")) == Turn("olu", at("2026-11-02T09:00"), at("2026-11-09T09:00"))


def test_a_shift_over_the_change_of_the_clocks_lasts_an_hour_less_or_more() -> None:
    spring = on_call(rota(DAILY), at("2026-03-28T12:00"))
    autumn = on_call(rota(DAILY), at("2026-10-24T12:00"))
    assert spring is not None
    assert autumn is not None
    assert [(one.end - one.start) / 3600 for one in (spring, autumn)] == [23, 25]


@pytest.mark.parametrize(
    ("zone", "hour", "day", "expected"),
    [
        ("Europe/Berlin", time(2, 30), "2026-03-29", "2026-03-29T03:00:00+02:00"),  # there is no 02:30
        ("Europe/Berlin", time(2, 30), "2026-10-25", "2026-10-25T02:30:00+02:00"),  # there are two: the first
        ("America/New_York", time(2, 0), "2026-03-08", "2026-03-08T03:00:00-04:00"),
        ("America/New_York", time(1, 30), "2026-11-01", "2026-11-01T01:30:00-04:00"),
        ("Australia/Lord_Howe", time(2, 15), "2026-10-04", "2026-10-04T02:30:00+11:00"),  # half an hour
    ],
)
def test_a_hand_over_in_the_night_of_the_change_happens_once(zone: str, hour: time, day: str, expected: str) -> None:
    layer = DAILY.model_copy(update={"at": hour})
    wanted = datetime.fromisoformat(expected).timestamp()
    of_the_day = rota(layer, zone=zone)
    found = turns(of_the_day, wanted - 5 * 3600, wanted + 5 * 3600)
    assert [one.start for one in found[1:]] == [wanted]
    assert found[0].person != found[1].person


def test_the_first_layer_that_covers_a_moment_wins() -> None:
    layered = rota(Layer(people=("lee",), hours=OFFICE), Layer(people=("olu", "dana"), start=date(2026, 11, 2)))
    assert who(on_call(layered, at("2026-11-03T10:00"))) == "lee"
    assert who(on_call(layered, at("2026-11-03T17:00"))) == "olu"
    assert who(on_call(layered, at("2026-11-07T10:00"))) == "olu"  # a Saturday


def test_hours_over_midnight_belong_to_the_evening_before() -> None:
    nights = rota(Layer(people=("olu",), hours=NIGHT.model_copy(update={"days": (4,)})))
    assert who(on_call(nights, at("2026-11-06T23:00"))) == "olu"  # Friday
    assert who(on_call(nights, at("2026-11-07T05:59:59"))) == "olu"
    assert who(on_call(nights, at("2026-11-07T06:00"))) == ""
    assert who(on_call(nights, at("2026-11-06T05:00"))) == ""


def test_gaps_are_found_to_the_second() -> None:
    office = rota(Layer(people=("olu",), hours=OFFICE))
    assert gaps(office, at("2026-11-02T09:00"), at("2026-11-03T12:00")) == [
        (at("2026-11-02T17:00"), at("2026-11-03T09:00"))
    ]
    assert gaps(WEEKLY, at("2026-11-02T09:00"), at("2026-12-02T09:00")) == []


def test_an_override_across_a_hand_over_holds_for_exactly_its_time_and_the_newest_wins() -> None:
    start, end = at("2026-11-09T08:00"), at("2026-11-09T12:00")
    first, second = Override(person="lee", start=start, end=end), Override(person="sam", start=end - 3600, end=end)
    found = turns(WEEKLY, start - 3600, end + 3600, [first, second])
    assert [(one.person, one.start, one.end, one.overridden) for one in found] == [
        ("olu", start - 3600, start, False), ("lee", start, end - 3600, True), ("sam", end - 3600, end, True),
        ("dana", end, end + 3600, False),
    ]  # fmt: skip


def test_more_than_a_year_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="within a year"):
        turns(WEEKLY, 0, 500 * 86400)


@settings(max_examples=examples(40), deadline=None)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    shift=st.sampled_from(["daily", "weekly"]),
    hour=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    weekday=st.integers(0, 6),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
)
def test_turns_cover_everything_once_and_agree_with_who_is_on_call(
    zone: str, shift: str, hour: time, weekday: int, start: datetime
) -> None:
    layer = Layer(people=("a", "b", "c"), shift=shift, at=hour, weekday=weekday)  # type: ignore[arg-type]
    one = rota(layer, zone=zone)
    begin = start.replace(tzinfo=ZoneInfo(zone)).timestamp()
    found = turns(one, begin, begin + 30 * 86400)
    assert (found[0].start, found[-1].end) == (begin, begin + 30 * 86400)
    for before, after in pairwise(found):
        assert before.end == after.start
        assert {"a": "b", "b": "c", "c": "a"}[before.person] == after.person
        assert who(on_call(one, after.start - 1)) == before.person
        assert who(on_call(one, after.start)) == after.person
        local = datetime.fromtimestamp(after.start, ZoneInfo(zone))
        assert local.time() >= hour
    lengths = {round((one.end - one.start) / 3600, 2) for one in found[1:-1]}
    whole = 24 if shift == "daily" else 168
    assert all(abs(length - whole) <= 2 for length in lengths)
