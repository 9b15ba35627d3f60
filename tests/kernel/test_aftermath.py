"""What is asked, drawn and said of the minutes after a deploy."""

from __future__ import annotations

import pytest

from chatops.kernel.aftermath import AROUND, LONGEST, MOST_LINES, around, chosen, filled, unknown, words
from chatops.kernel.catalog import Environment, Service, Workload
from chatops.kernel.chart import Series

DONE = 1_795_000_000.0
SERVICE = Service(name="checkout", team="shop", workload=Workload(name="checkout-web"))
STAGING = Environment(name="staging", tier="test", namespace="shop-staging")


def steps(before: float | None, after: float | None, **labels: str) -> Series:
    """A line that is at one value before the rollout of a minute, and at another after it."""
    points = [(DONE - 60 - at, before) for at in (200.0, 100.0)] + [(DONE + at, after) for at in (100.0, 200.0)]
    return Series(labels, tuple((at, value) for at, value in points if value is not None))


def test_it_is_drawn_from_five_minutes_before_the_rollout_to_five_minutes_after_it() -> None:
    asked = around("checkout", ["errors"], DONE - 60, DONE, "UTC")
    assert asked.end == DONE + AROUND
    assert asked.start == pytest.approx(DONE - 60 - AROUND, abs=asked.step)
    assert (asked.end - asked.start) % asked.step == 0


def test_of_a_rollout_of_hours_the_last_one_is_drawn_in_as_many_points() -> None:
    asked = around("checkout", ["errors"], DONE - 9 * 3600, DONE, "UTC")
    assert asked.begun == DONE - LONGEST
    assert (asked.end - asked.start) / asked.step <= 241


def test_a_pipeline_whose_clock_runs_backwards_gives_a_picture_all_the_same() -> None:
    assert around("checkout", ["errors"], DONE + 900, DONE, "UTC").begun == DONE


def test_the_place_is_put_into_the_question() -> None:
    asked = filled(
        'e{a="${service.name}",w="${service.workload}",n="${env.namespace}",t="${env.tier}"}', SERVICE, STAGING
    )
    assert asked == 'e{a="checkout",w="checkout-web",n="shop-staging",t="test"}'
    assert unknown('e{a="${service.name}"} + ${env.region}') == "env.region"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.2, 4.5, "errors 0.2 → 4.5"), (None, 4.5, "errors ? → 4.5"), (0.21234, None, "errors 0.212 → ?"),
        (1234.0, 0.0, "errors 1.23 k → 0"), (None, None, ""),
    ],
)  # fmt: skip
def test_the_means_before_and_after_are_said(before: float | None, after: float | None, said: str) -> None:
    asked = around("checkout", ["errors"], DONE - 60, DONE, "UTC")
    assert words(asked, {"errors": chosen([steps(before, after)], asked)}) == said


def test_of_many_lines_the_highest_afterwards_are_drawn_and_the_first_of_them_is_said() -> None:
    asked = around("checkout", ["errors"], DONE - 60, DONE, "UTC")
    shown = chosen([steps(1.0, float(place), pod=str(place)) for place in range(9)], asked)
    assert [one.labels["pod"] for one in shown] == ["8", "7", "6", "5"][:MOST_LINES]
    assert words(asked, {"errors": shown}) == "errors 1 → 8"
