"""Whom to page next, and when: to the last step and beyond it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.escalation import SHORTEST_WAIT, Plan, Step, step_at

PLAN = Plan(steps=(Step(page=("rota:shop",)), Step(page=("group:leads",), after=600)), repeat=1)


@pytest.mark.parametrize(
    ("number", "targets", "offset", "final"),
    [
        (0, ("rota:shop",), 0, False),
        (1, ("group:leads",), 600, False),
        (2, ("rota:shop",), 1200, False),  # once more, from the beginning
        (3, ("group:leads",), 1800, False),
        (4, ("rota:shop", "group:leads"), 2400, True),  # and then everybody, once a round, for ever
        (5, ("rota:shop", "group:leads"), 3600, True),
        (1000, ("rota:shop", "group:leads"), 1200 * 998, True),
    ],
)
def test_after_the_last_step_it_begins_again_and_then_everybody_is_paged_once_a_round(
    number: int, targets: tuple[str, ...], offset: float, final: bool
) -> None:
    assert step_at(PLAN, number) == (targets, offset, final)


def test_a_plan_of_one_step_leaves_time_to_answer() -> None:
    alone = Plan(steps=(Step(page=("rota:shop",)),))
    assert [step_at(alone, number).offset for number in range(3)] == [0, SHORTEST_WAIT, 2 * SHORTEST_WAIT]


def test_a_plan_without_steps_pages_nobody() -> None:
    with pytest.raises(ValueError, match="without steps"):
        step_at(Plan(), 0)


@given(st.lists(st.floats(1, 86400), min_size=1, max_size=6, unique=True), st.integers(0, 5), st.integers(0, 60))
def test_every_step_comes_later_than_the_one_before_it(waits: list[float], repeat: int, number: int) -> None:
    steps = tuple(Step(page=(f"user:{at}",), after=at) for at in sorted(waits))
    plan = Plan(steps=steps, repeat=repeat)
    assert step_at(plan, number + 1).offset > step_at(plan, number).offset
