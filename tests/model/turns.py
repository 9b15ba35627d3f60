"""Every order in which a few people's transactions may follow each other, played one after the other.

What a click does is a coroutine that stops at each transaction; whoever plays it says whose is next. On SQLite that is
all there is: it has one writer, and a savepoint for each transaction. Everything is played on one file, in a savepoint
that is undone after each order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatops.adapters.sqlite import Writing
from chatops.adapters.sqlite_file import open_for_writing
from chatops.kernel.ports import Tx
from tests.support.databases import name_of

Work = Callable[[Tx], Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """A transaction that waits for its turn."""

    work: Work

    def __await__(self) -> Generator[Turn, Any, Any]:
        return (yield self)


class Turns:
    """``kernel.ports.Database`` that hands every transaction to whoever plays the coroutine."""

    def write(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        return Turn(lambda tx: fn(tx, *args, **kwargs))

    read = write


class Stage:
    """One SQLite on which everything is played; its transactions are savepoints, as the real writer's are."""

    def __init__(self, folder: Path) -> None:
        self.connection: sqlite3.Connection = open_for_writing(Path(name_of(folder, "sqlite")))
        self.connection.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def undone(self, what: str = "play") -> Iterator[None]:
        """What happens inside has not happened afterwards."""
        self.connection.execute(f"SAVEPOINT {what}")
        try:
            yield
        finally:
            self.connection.execute(f"ROLLBACK TO {what}")
            self.connection.execute(f"RELEASE {what}")

    def look(self, work: Work) -> Any:
        """What stands now."""
        return work(Writing(self.connection))

    def take(self, turn: Turn) -> tuple[Any, Exception | None]:
        """One transaction: what it gives, or why it was undone."""
        self.connection.execute("SAVEPOINT job")
        try:
            given = turn.work(Writing(self.connection))
        except Exception as error:
            self.connection.execute("ROLLBACK TO job")
            self.connection.execute("RELEASE job")
            return None, error
        self.connection.execute("RELEASE job")
        return given, None

    def alone(self, play: Coroutine[Turn, Any, Any]) -> Any:
        """Plays one from its beginning to its end."""
        one = Playing(play)
        while one.turn is not None:
            one.go_on(self)
        return one.result()

    def play(self, plays: Sequence[Coroutine[Turn, Any, Any]], choose: Callable[[list[int]], int]) -> list[Any]:
        """Plays several at once, of whom ``choose`` says who is next; gives what each of them came to."""
        playing = [Playing(one) for one in plays]
        while alive := [number for number, one in enumerate(playing) if one.turn is not None]:
            playing[choose(alive)].go_on(self)
        return [one.result() for one in playing]


class Playing:
    """A coroutine on its way; ``turn`` is the transaction that it waits for, None once it is over."""

    def __init__(self, play: Coroutine[Turn, Any, Any]) -> None:
        self.play, self.turn = play, None
        self._given: Any = None
        self._step(lambda: play.send(None))

    def go_on(self, stage: Stage) -> None:
        """Has its transaction, and comes to the next."""
        assert self.turn is not None
        given, error = stage.take(self.turn)
        self._step(lambda: self.play.throw(error) if error is not None else self.play.send(given))

    def result(self) -> Any:
        """What it came to; raises what it raised."""
        assert self.turn is None
        return self._given

    def _step(self, step: Callable[[], Turn]) -> None:
        try:
            self.turn: Turn | None = step()
        except StopIteration as over:
            self.turn, self._given = None, over.value


def every_order(play: Callable[[Callable[[list[int]], int]], Any]) -> dict[tuple[int, ...], Any]:
    """Plays every order there is, each once: what came of each; ``play`` is given what chooses who is next."""
    waiting, found = [()], dict[tuple[int, ...], Any]()
    while waiting:
        begin: tuple[int, ...] = waiting.pop()
        taken: list[int] = []

        def choose(alive: list[int], begin: tuple[int, ...] = begin, taken: list[int] = taken) -> int:
            at = len(taken)
            if at >= len(begin):
                waiting.extend((*taken, other) for other in alive[1:])  # type: ignore[misc]
            taken.append(begin[at] if at < len(begin) else alive[0])
            return taken[-1]

        came = play(choose)
        found[tuple(taken)] = came
    return found


def as_if_one_was_first(found: dict[tuple[int, ...], Any], alike: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What comes of the first before the second, and of the other way round: one of the two comes of every order."""
    first = next(came for order, came in found.items() if list(order) == sorted(order))
    second = next(came for order, came in found.items() if list(order) == sorted(order, reverse=True))
    serial = alike(first), alike(second)
    for order, came in found.items():
        assert alike(came) in serial, f"in the order {order} it comes to what neither being first comes to"
    return first, second
