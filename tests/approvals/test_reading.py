from __future__ import annotations

from pathlib import Path

from approvals import store
from approvals.request import Request, State, Vote
from chatops.adapters.sqlite import SQLite
from chatops.kernel.ports import Tx

DIGEST = "c0ffee" * 8


def asked(**fields: object) -> Request:
    return Request.model_validate(
        {
            "id": 0,
            "action": "deploy",
            "title": "Deploy",
            "inputs": {"service": "cart"},
            "requester_id": "U0DANA",
            "requester_name": "Dana",
            "state": State.WAITING,
            "digest": DIGEST,
            **fields,
        }
    )


async def test_a_request_that_is_read_again_has_its_newest_version_and_votes(tmp_path: Path) -> None:
    def voted(tx: Tx, number: int) -> tuple[Request, Request]:
        before = store.load(tx, number)
        vote = Vote(person_id="U0LEE", name="Lee", verdict="approve", at=5.0, digest=DIGEST)
        after = before.model_copy(update={"version": 1, "updated_at": 5.0, "votes": (vote,)})
        store.add_vote(tx, number, vote)
        store.save(tx, after, before)
        return before, store.load(tx, number)

    async with SQLite(tmp_path / "chatops.db") as database:
        number = await database.write(store.insert, asked(), "one")
        assert number is not None
        before, after = await database.write(voted, number)
        assert (before.version, before.votes) == (0, ())
        assert (after.version, after.updated_at, [vote.name for vote in after.votes]) == (1, 5.0, ["Lee"])


async def test_two_requests_that_say_the_same_are_two(tmp_path: Path) -> None:
    async with SQLite(tmp_path / "chatops.db") as database:
        numbers = [await database.write(store.insert, asked(), key) for key in ("one", "other")]
        found = [await database.read(store.load, number or 0) for number in numbers]
        assert [one.id for one in found] == numbers
        assert len(set(numbers)) == 2


async def test_what_changed_in_a_request_is_read_as_it_is_now(tmp_path: Path) -> None:
    async with SQLite(tmp_path / "chatops.db") as database:
        number = await database.write(store.insert, asked(), "one") or 0
        first = await database.read(store.load, number)
        changed = first.model_copy(update={"version": 1, "state": State.CANCELLED, "outcome": "not needed"})
        await database.write(store.save, changed, first)
        assert await database.read(store.load, number) == changed
        assert first.state is State.WAITING
