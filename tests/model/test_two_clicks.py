"""Two clicks on a request at once, in every order of their transactions: one of them was first, and both know it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.model.clicks import CLICKS, ON_THE_HOLDER, STATES, Buttons, Click, come_to
from tests.model.office import Office, find, made
from tests.model.turns import Stage, Turns
from tests.model.two import Table
from tests.support.thoroughness import EVERYTHING

SAMPLE = 120  # of which ``make test`` plays one pair


def table(stage: Stage, state: str) -> Table:
    """A request that has come into a state."""
    office = Office(Turns())
    numbers: dict[str, int] = stage.alone(come_to(office, state))
    seen = {on: stage.look(lambda tx, number=number: find(tx, number)) for on, number in numbers.items()}
    buttons = Buttons(office)
    office.plans.next = made("ask")
    return Table(stage, lambda key, click, known: buttons.press(key, click, seen, known=known))


def pairs(state: str) -> list[tuple[Click, Click]]:
    """Every two clicks, also twice the same; in ``make test`` some of them, others for each state."""
    clicks = (*CLICKS, *ON_THE_HOLDER) if state in ("contested", "queued") else CLICKS
    every = list(itertools.combinations_with_replacement(clicks, 2))
    return every if EVERYTHING else every[5 * STATES.index(state) :: SAMPLE]


@pytest.mark.fire
@pytest.mark.parametrize("state", STATES)
def test_whatever_the_order_of_two_clicks_it_is_as_if_one_of_them_had_been_first(
    state: str, stage: Stage, record_property: Callable[[str, Any], None]
) -> None:
    at, tried = table(stage, state), pairs(state)
    for pair in tried:
        serial = at.both(pair)
        for one, other, told in at.losers(pair, serial):
            assert one.person.name in told, f"{other} after {one} is told {told}"
    if EVERYTHING:
        record_property("said", f"two clicks on what is {state}: {len(tried)} pairs, {at.orders} orders")
