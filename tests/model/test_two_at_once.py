"""Two clicks that are really at once: each on a connection of its own, and both have looked before either writes."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.postgres import Postgres
from chatops.kernel.ports import Row, Tx
from tests.model.clicks import CLICKS, ON_THE_HOLDER, Buttons, Click, come_to
from tests.model.office import Office, clear, find, made
from tests.model.two import Outcome
from tests.support.databases import name_of
from tests.support.thoroughness import EVERYTHING

DECIDE = {
    "waiting": {"approve", "reject", "cancel"}, "waiting, two leads": {"approve", "reject", "cancel"},
    "waiting, one of two": {"approve", "reject", "cancel", "withdraw"}, "approved": {"withdraw", "cancel"},
    "stalled": {"withdraw", "start", "cancel"}, "contested": {"wait", "replace", "cancel", "approve", "reject"},
    "denied": {"break_glass"},
}  # fmt: skip
PATIENCE = 20.0  # seconds after which somebody waits for who does not come


class Meeting:
    """Where two who have looked wait for each other; who has nothing to decide any more is not waited for."""

    def __init__(self) -> None:
        self._here, self._changed = 0, threading.Condition()

    def come(self) -> None:
        with self._changed:
            self._here += 1
            self._changed.notify_all()

    def wait(self) -> None:
        self.come()
        with self._changed:
            assert self._changed.wait_for(lambda: self._here >= 2, PATIENCE)


class Looking:
    """A transaction that meets the other after its first look."""

    def __init__(self, tx: Tx, meeting: Meeting) -> None:
        self.tx, self.meeting, self.looked = tx, meeting, False
        self.one, self.run, self.after_commit = tx.one, tx.run, tx.after_commit

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        found = self.tx.all(sql, **values)
        if not self.looked:
            self.looked = True
            self.meeting.wait()
        return found


class AtOnce:
    """``kernel.ports.Database`` on which decisions meet, where there is a meeting."""

    def __init__(self, real: Postgres) -> None:
        self.real, self.read = real, real.read
        self.meeting: Meeting | None = None

    def write(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        meeting = self.meeting
        if meeting is None or fn.__name__ not in ("_vote", "_choose"):
            return self.real.write(fn, *args, **kwargs)
        return self.real.write(lambda tx: fn(Looking(tx, meeting), *args, **kwargs))


def anew(tx: Tx) -> None:
    """An empty database that counts from its beginning again."""
    clear(tx)
    tx.one("SELECT setval(pg_get_serial_sequence('requests', 'id'), 1000)")


async def played(database: AtOnce, state: str, clicks: Sequence[tuple[str, Click]], *, at_once: bool) -> Outcome:
    """What two clicks on a request in a state come to: the one after the other, or at once."""
    await database.write(anew)
    office = Office(database)
    numbers = await come_to(office, state)
    seen = {on: await database.read(find, number) for on, number in numbers.items()}
    office.plans.next = made("ask")
    buttons, meeting = Buttons(office), Meeting()

    async def press(key: str, click: Click) -> None:
        await buttons.press(key, click, seen, known=True)
        meeting.come()

    if at_once:
        database.meeting = meeting
        await asyncio.gather(*(press(key, click) for key, click in clicks))
        database.meeting = None
    else:
        for key, click in clicks:
            await press(key, click)
    return await database.read(Outcome.of)


def pairs(state: str) -> list[tuple[Click, Click]]:
    clicks = [*CLICKS, *(ON_THE_HOLDER if state == "contested" else ())]
    deciding = [one for one in clicks if one.button in DECIDE[state] and one.person.is_member]
    every = list(itertools.combinations_with_replacement(deciding, 2))
    return every if EVERYTHING else every[len(every) // 2 :][:1]


@pytest.mark.fire
@pytest.mark.group("postgresql")
@pytest.mark.parametrize("state", DECIDE)
async def test_of_two_clicks_at_once_one_was_first(state: str, tmp_path: Path) -> None:
    async with Postgres(name_of(tmp_path, "postgresql")) as real:
        database = AtOnce(real)
        for pair in pairs(state):
            clicks = list(zip(("click-0", "click-1"), pair, strict=True))
            serial = [await played(database, state, order, at_once=False) for order in (clicks, clicks[::-1])]
            found = await played(database, state, clicks, at_once=True)
            assert found in serial, f"{pair[0]} beside {pair[1]}"
