"""Who hears of a deploy, and when the next digest comes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.catalog import Channels, Environment, Platform, Route, Service, Team
from chatops.kernel.ports import Lane, Post
from chatops.kernel.routes import digest_at, hearing, spread

BERLIN = ZoneInfo("Europe/Berlin")


def platform(*routes: Route) -> Platform:
    return Platform(
        environments={
            "staging": Environment(name="staging", tier="test", namespace="s"),
            "production": Environment(name="production", tier="production", namespace="p"),
        },
        teams={"shop": Team(name="shop"), "payments": Team(name="payments", channels=Channels(deploys="pay"))},
        services={"cart": Service(name="cart", team="shop"), "bank": Service(name="bank", team="payments")},
        routes=routes,
    )


def heard(environment: str, service: str, *routes: Route) -> dict[str, str]:
    """The channels in their order, with the hour of the digest where they are quiet."""
    found = hearing(platform(*routes), environment, service)
    return {one.channel: one.digest.quiet if one.digest else "" for one in found}


@pytest.mark.parametrize(
    ("environment", "service", "channels"),
    [
        ("staging", "cart", ["deploys"]), ("production", "cart", ["deploys", "releases"]),
        ("production", "bank", ["pay", "releases", "audit"]), ("staging", "bank", ["pay", "audit"]),
        ("elsewhere", "warehouse", ["deploys"]),
    ],
)  # fmt: skip
def test_routes_add_channels_by_environment_tier_team_and_service(
    environment: str, service: str, channels: list[str]
) -> None:
    routes = (
        Route(channels=("releases",), tiers=("production",)), Route(channels=("audit", "releases"), teams=("payments",),
        environments=("production",)), Route(channels=("audit",), services=("bank",)),
    )  # fmt: skip
    assert list(heard(environment, service, *routes)) == channels


def test_a_channel_is_quiet_where_every_route_that_names_it_is() -> None:
    quiet, loud = Route(channels=("deploys", "shop"), quiet="17:00"), Route(channels=("shop",), tiers=("production",))
    assert heard("staging", "cart", quiet, loud) == {"deploys": "17:00", "shop": "17:00"}
    assert heard("production", "cart", quiet, loud) == {"deploys": "17:00", "shop": ""}
    assert heard("production", "cart", loud) == {"deploys": "", "shop": ""}


def test_a_message_for_all_of_them_keeps_its_name_in_the_usual_channel() -> None:
    found = spread(platform(Route(channels=("releases",))), Post("lock/1", Lane.NOTICE, "note"), "staging", "cart")
    assert [(one.id, one.channel) for one in found] == [("lock/1", "deploys"), ("lock/1/releases", "releases")]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-30 16:59", "2026-11-30 17:00"), ("2026-11-30 17:00", "2026-12-01 17:00"),
        ("2026-10-24 18:00", "2026-10-25 17:00"),  # the day with 25 hours
        ("2026-03-28 18:00", "2026-03-29 17:00"),  # the day with 23
    ],
)  # fmt: skip
def test_the_digest_comes_at_the_next_such_hour_of_its_own_clock(now: str, then: str) -> None:
    route = Route(channels=("deploys",), quiet="17:00", timezone="Europe/Berlin")
    at = datetime.fromisoformat(now).replace(tzinfo=BERLIN).timestamp()
    assert datetime.fromtimestamp(digest_at(route, at), UTC).astimezone(BERLIN).strftime("%Y-%m-%d %H:%M") == then


@pytest.mark.parametrize(
    ("now", "then"),
    [("2026-03-28T12:00", "2026-03-29T01:00"), ("2026-10-24T12:00", "2026-10-25T00:30")],
)
def test_an_hour_that_the_night_leaves_out_comes_after_it_and_one_that_it_has_twice_comes_once(
    now: str, then: str
) -> None:
    route = Route(channels=("deploys",), quiet="02:30", timezone="Europe/Berlin")
    first = digest_at(route, datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp())
    assert datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%dT%H:%M") == then
    assert digest_at(route, first) - first > 20 * 3600


@given(st.floats(1.7e9, 1.9e9), st.integers(0, 23), st.sampled_from(["Europe/Berlin", "Pacific/Apia", "UTC"]))
def test_there_is_always_a_next_one_within_two_days(now: float, hour: int, zone: str) -> None:
    found = digest_at(Route(channels=("deploys",), quiet=f"{hour:02}:15", timezone=zone), now)
    assert now < found <= now + 49 * 3600
