"""What is due, looked at as often as somebody wakes the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from approvals import store
from approvals.request import Request, State
from chatops.kernel import audit
from chatops.kernel.ports import Database, Tx
from chatops.requests import deadlines
from chatops.requests.deadlines import Deadlines
from tests.support.clock import ShiftedClock
from tests.support.databases import database as database_in

UNSEALED = "SELECT count(*) AS n FROM audit_heads WHERE sealed = 0"


def storm(tx: Tx, chains: int) -> None:
    """A row in each of many chains."""
    for number in range(chains):
        audit.append(
            tx, chain=f"R-{number}", who="assistant", what="requested", data={}, at=1.0, configuration="c0ffee"
        )


async def unsealed(database: Database) -> int:
    def count(tx: Tx) -> int:
        row = tx.one(UNSEALED)
        assert row is not None
        return int(row["n"])

    return await database.read(count)


async def test_one_look_seals_everything_a_storm_has_left(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:
        looks = Deadlines(database, cast(Any, None), ShiftedClock())
        await database.write(storm, 2 * audit.MAX_HEADS + 1)
        await looks.look()
        assert await unsealed(database) == 0
        verdict = await database.read(audit.verify)
        assert (verdict.seals, verdict.bad) == (3, None)


async def test_what_has_started_is_not_looked_at_for_its_old_deadline(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database:

        def stored(tx: Tx, state: State) -> int | None:
            asked = Request(
                id=0, action="deploy", title="Deploy", inputs={}, requester_id="U0DANA", requester_name="Dana",
                state=state, deadline_at=10.0,
            )  # fmt: skip
            return store.insert(tx, asked, state.value)

        due = []
        for state in State:
            number = await database.write(stored, state)
            if state in (State.WAITING, State.CONTESTED, State.STALLED):
                due.append(number)
        assert sorted(await database.read(store.due, 20.0)) == sorted(due)


async def test_a_look_does_not_seal_for_ever(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(deadlines, "MOST_SEALS", 1)
    async with database_in(tmp_path) as database:
        looks = Deadlines(database, cast(Any, None), ShiftedClock())
        await database.write(storm, audit.MAX_HEADS + 7)
        await looks.look()
        assert await unsealed(database) == 7
        await looks.look()
        assert await unsealed(database) == 0
