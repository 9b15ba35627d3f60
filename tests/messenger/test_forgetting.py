"""Old messages are forgotten in the database, never in Slack; what has buttons is kept, or it would be said twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from approvals import store
from approvals.request import Request, State
from chatops.kernel.ports import Tx
from chatops.slack import posts
from chatops.slack.posts import KEPT, prune
from tests.messenger.desk import Desk, desk

OLD = KEPT + 1


def request(tx: Tx, state: State, ended_at: float = 0.0) -> int:
    """A stored request; its number."""
    fields: dict[str, Any] = {"action": "deploy", "title": "Deploy", "risk": "change", "inputs": {}}
    made = Request(
        id=0, state=state, requester_id="U0DANA", requester_name="Dana", created_at=1.0, updated_at=1.0,
        ended_at=ended_at, **fields,
    )  # fmt: skip
    number = store.insert(tx, made, f"key-{state}")
    assert number is not None
    return number


async def ids(at: Desk) -> set[str]:
    return {row["id"] for row in await at.database.real.read(lambda tx: tx.all("SELECT id FROM posts"))}


async def later(at: Desk) -> int:
    return int(await at.database.real.write(prune, at.clock.now() + OLD))


async def test_what_is_only_said_once_is_forgotten_and_stays_in_slack(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        asked_at = at.clock.now()
        for kind in ("answer", "note", "notice", "end", "asked", "request", "approvers", "incident"):
            await at.show(f"{kind}-1", kind, kind=kind)
        await at.quiet()
        assert await at.database.real.write(prune, asked_at + KEPT) == 0
        assert await later(at) == 5
        assert await ids(at) == {"request-1", "approvers-1", "incident-1"}
        assert len(at.texts()) == 8


async def test_a_card_that_is_shown_again_after_years_is_updated_where_it_stands(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.show("R-1001", "succeeded", kind="request")
        await at.quiet()
        await at.database.real.write(prune, at.clock.now() + 100 * OLD)
        await at.show("R-1001", "succeeded, as you can see", kind="request")
        await at.quiet()
        assert at.texts() == ["succeeded, as you can see"]


async def test_what_waits_to_be_sent_is_never_forgotten(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.fault("error", method="chat.postMessage", times=0)
        await at.show("note-1", "hello", kind="note")
        assert await later(at) == 0
        assert await ids(at) == {"note-1"}


async def test_notes_of_an_open_request_are_kept_or_they_could_be_said_twice(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        open_one = await at.database.real.write(request, State.WAITING)
        ended = await at.database.real.write(request, State.SUCCEEDED, 2.0)
        await at.show("note-open", "a", kind="note", subject=str(open_one))
        await at.show("note-ended", "b", kind="note", subject=str(ended))
        await at.quiet()
        assert await later(at) == 1
        assert await ids(at) == {"note-open"}


async def test_forgetting_looks_at_old_messages_only(tmp_path: Path) -> None:
    def plan(tx: Tx) -> str:
        rows = tx.all("EXPLAIN QUERY PLAN " + posts.PRUNE, before=1.0, limit=1)
        return "\n".join(str(row["detail"]) for row in rows)

    async with desk(tmp_path) as at:
        told = await at.database.real.read(plan)
    assert "USING INDEX posts_old (updated_at<?)" in told
    assert "SCAN posts" not in told, told


async def test_a_little_is_forgotten_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "AT_ONCE", 2)
    async with desk(tmp_path) as at:
        for number in range(3):
            await at.show(f"note-{number}", "hello", kind="note")
        await at.quiet()
        assert [await later(at), await later(at)] == [2, 1]
