"""Two people at once, and what becomes of it: what is kept, what is told, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chatops.kernel.people import Person
from chatops.kernel.ports import Tx
from tests.model.turns import Stage, as_if_one_was_first, every_order

REQUESTS = (
    "SELECT id, state, version, slot, deadline_at, remind_at, approved_at, ended_at, body FROM requests ORDER BY id"
)
INCIDENTS = (
    "SELECT id, open_key, state, severity, holder_id, version, resolved_at, due_at, body FROM incidents ORDER BY id"
)
KEPT = (
    "SELECT request_id, digest, person_id, verdict, body, at, withdrawn_at FROM votes ORDER BY 1, 2, 3",
    "SELECT id, lane, kind, subject, person, thread_of, content, wanted FROM posts ORDER BY id",
    "SELECT key, done_at FROM inbox WHERE done_at IS NOT NULL ORDER BY key",
    "SELECT chain, seq, who, what, data, hash FROM audit ORDER BY chain, seq",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that people see and all that is kept, but for what tells no more than an order of rows."""

    stands: Sequence[tuple[Any, ...]]  # the requests, or the incidents
    kept: Sequence[Sequence[tuple[Any, ...]]]

    @classmethod
    def of(cls, tx: Tx, things: str = REQUESTS) -> Outcome:
        found = [[tuple(row.values()) for row in tx.all(sql)] for sql in (things, *KEPT)]
        return cls(found[0], found[1:])

    @property
    def trail(self) -> list[tuple[str, str]]:
        """Who did what."""
        return [(row[2], row[3]) for row in self.kept[3]]

    @property
    def answers(self) -> dict[str, str]:
        """What each person was told in private, by the click's key; of an approval nothing, which the card shows."""
        return {row[0].rpartition(":")[2]: row[6] for row in self.kept[1] if row[2] == "answer"}


class Button(Protocol):
    """What somebody presses."""

    @property
    def person(self) -> Person: ...


Press = Callable[
    [str, Any, bool], Coroutine[Any, Any, None]
]  # the click's key, what is pressed, whether by somebody known


class Table:
    """Two people before what has come into a state; ``alike`` says when two outcomes are the same."""

    def __init__(
        self, stage: Stage, press: Press, things: str = REQUESTS, alike: Callable[[Outcome], Any] = lambda found: found
    ) -> None:
        self.stage, self.press, self.things, self.alike = stage, press, things, alike
        self.before = self.look()
        self.alone: dict[Any, bool] = {}  # whether it does something
        self.orders = 0

    def look(self) -> Outcome:
        found: Outcome = self.stage.look(lambda tx: Outcome.of(tx, self.things))
        return found

    def played(self, clicks: Sequence[Any], choose: Callable[[list[int]], int], *, known: bool = True) -> Outcome:
        with self.stage.undone():
            plays = [self.press(f"click-{number}", click, known) for number, click in enumerate(clicks)]
            self.stage.play(plays, choose)
            return self.look()

    def every(self, pair: Sequence[Any], *, known: bool) -> tuple[Outcome, Outcome]:
        """Plays every order, and gives what the first before the second comes to, and the other way round."""
        found = every_order(lambda choose: self.played(pair, choose, known=known))
        self.orders += len(found)
        return as_if_one_was_first(found, self.alike)

    def both(self, pair: Sequence[Any]) -> tuple[Outcome, Outcome]:
        """Every order of what two decide; where it matters who is first, also with how each is kept before that.

        Kept and closed, a click takes two transactions more, which are nobody else's.
        """
        serial = self.every(pair, known=True)
        if serial[0].stands != serial[1].stands:
            self.every(pair, known=False)
        return serial

    def losers(self, pair: Sequence[Any], serial: tuple[Outcome, Outcome]) -> list[tuple[Any, Any, str]]:
        """Who would have done something alone, and came too late: after whom, and what they were told."""
        found = []
        for first in (0, 1):
            one, other = pair[first], pair[1 - first]
            if one.person.email != other.person.email and self.could(other) and not self.did(serial[first], other):
                found.append((one, other, serial[first].answers.get(f"click-{1 - first}", "")))
        return found

    def could(self, click: Button) -> bool:
        """Whether whoever clicks does something, had they been alone."""
        if click not in self.alone:
            self.alone[click] = self.did(self.played((click,), lambda alive: alive[0]), click)
        return self.alone[click]

    def did(self, found: Outcome, click: Button) -> bool:
        """Whether whoever clicked has done something."""
        return any(who == click.person.email for who, _ in found.trail[len(self.before.trail) :])
