"""Two clicks on a request at once, in every order of their transactions: one of them was first, and both know it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.model.clicks import CLICKS, ON_THE_HOLDER, STATES, Buttons, Click, Outcome, come_to
from tests.model.office import Office, find, made
from tests.model.turns import Stage, Turns, as_if_one_was_first, every_order
from tests.support.thoroughness import EVERYTHING

SAMPLE = 41  # of which ``make test`` plays one pair


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("stage"))
    yield made
    made.close()


@pytest.fixture
def stage(whole: Stage) -> Iterator[Stage]:
    with whole.undone("test"):
        yield whole


class Table:
    """Two clicks on a request that has come into a state."""

    def __init__(self, stage: Stage, state: str) -> None:
        self.stage, self.office = stage, Office(Turns())
        numbers: dict[str, int] = stage.alone(come_to(self.office, state))
        self.seen = {on: stage.look(lambda tx, number=number: find(tx, number)) for on, number in numbers.items()}
        self.buttons = Buttons(self.office)
        self.office.plans.next = made("ask")
        self.before = stage.look(Outcome.of)
        self.alone: dict[Click, bool] = {}  # whether it does something
        self.orders = 0

    def played(self, clicks: tuple[Click, ...], choose: Callable[[list[int]], int], *, known: bool = True) -> Outcome:
        with self.stage.undone():
            plays = [
                self.buttons.press(f"click-{number}", click, self.seen, known=known)
                for number, click in enumerate(clicks)
            ]
            self.stage.play(plays, choose)
            found: Outcome = self.stage.look(Outcome.of)
            return found

    def every(self, pair: tuple[Click, Click], *, known: bool) -> tuple[Outcome, Outcome]:
        """Plays every order, and gives what the first before the second comes to, and the other way round."""
        found = every_order(lambda choose: self.played(pair, choose, known=known))
        self.orders += len(found)
        return as_if_one_was_first(found)

    def could(self, click: Click) -> bool:
        """Whether whoever clicks does something, had they been alone."""
        if click not in self.alone:
            self.alone[click] = self.did(self.played((click,), lambda alive: alive[0]), click)
        return self.alone[click]

    def did(self, found: Outcome, click: Click) -> bool:
        """Whether whoever clicked has done something."""
        return any(who == click.person.email for who, _ in found.trail[len(self.before.trail) :])


def pairs(state: str) -> list[tuple[Click, Click]]:
    """Every two clicks, also twice the same; in ``make test`` some of them, others for each state."""
    clicks = (*CLICKS, *ON_THE_HOLDER) if state in ("contested", "queued") else CLICKS
    every = list(itertools.combinations_with_replacement(clicks, 2))
    return every if EVERYTHING else every[STATES.index(state) :: SAMPLE]


@pytest.mark.fire
@pytest.mark.parametrize("state", STATES)
def test_whatever_the_order_of_two_clicks_it_is_as_if_one_of_them_had_been_first(
    state: str, stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    """Clicks of people who are known are decided at once; others' are kept first: more orders, where order matters."""
    table, tried = Table(stage, state), pairs(state)
    for pair in tried:
        serial = table.every(pair, known=True)
        told_who_was_first(table, pair, serial)
        if serial[0].kept[0] != serial[1].kept[0]:
            table.every(pair, known=False)
    if EVERYTHING:
        record_property("said", f"two clicks on what is {state}: {len(tried)} pairs, {table.orders} orders")


def told_who_was_first(table: Table, pair: tuple[Click, Click], serial: tuple[Outcome, Outcome]) -> None:
    """Whoever would have decided something, had they been alone, and came too late, is told who was first."""
    for first in (0, 1):
        one, other = pair[first], pair[1 - first]
        if one.person.email != other.person.email and table.could(other) and not table.did(serial[first], other):
            told = serial[first].answers[f"click-{1 - first}"]
            assert one.person.name in told, f"{other} after {one} is told {told}"
