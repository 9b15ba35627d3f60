"""Old requests are forgotten where the configuration says so, and what must stay stays."""

from __future__ import annotations

from typing import Any

import pytest
import sqlite_utils

from approvals import store
from approvals.request import Request, State, Vote
from chatops.adapters.databases import Opening
from chatops.adapters.migrations import migrate
from chatops.adapters.postgres_sql import marked
from chatops.kernel import audit
from chatops.kernel.errors import TooLate
from chatops.kernel.ports import Tx
from chatops.requests import retention
from chatops.requests.retention import AT_ONCE, prune
from tests.store.trails import add

DAY = 86400.0
NOW = 1_000 * DAY


def request(tx: Tx, key: str, ended_at: float, *posts: str) -> int:
    """A stored request with a vote, a row of audit and what stands of it in Slack; its number."""
    state = State.SUCCEEDED if ended_at else State.WAITING
    fields: dict[str, Any] = {"action": "deploy", "title": "Deploy", "risk": "change", "inputs": {}}
    made = Request(
        id=0, state=state, requester_id="U0DANA", requester_name="Dana", created_at=1.0, updated_at=1.0,
        ended_at=ended_at, **fields,
    )  # fmt: skip
    number = store.insert(tx, made, key)
    assert number is not None
    vote = Vote(person_id="U0LEE", name="Lee", verdict="approve", at=1.0, digest="d")
    store.add_vote(tx, number, vote)
    add(tx, f"R-{number}")
    for end in ("", "/approvers/d", *posts):
        tx.run(
            "INSERT INTO posts (id, lane, kind, sent, created_at, updated_at) VALUES (:id, 1, 'request', 1, 1.0, 1.0)",
            id=f"R-{number}{end}",
        )
    return number


def numbers(tx: Tx) -> list[int]:
    return [row["id"] for row in tx.all("SELECT id FROM requests ORDER BY id")]


async def test_what_ended_long_ago_goes_with_its_votes_and_messages_and_its_audit_trail_stays(
    database: Opening,
) -> None:
    def fill(tx: Tx) -> tuple[int, int, int]:
        return (
            request(tx, "old", NOW - 401 * DAY, "/note/reminder"), request(tx, "young", NOW - 399 * DAY),
            request(tx, "open", 0.0),
        )  # fmt: skip

    old, young, waiting = await database.write(fill)
    assert await database.write(prune, NOW, 400 * DAY) == 1
    assert await database.write(prune, NOW, 400 * DAY) == 0
    assert await database.read(numbers) == [young, waiting]
    left = await database.read(lambda tx: [row["id"] for row in tx.all("SELECT id FROM posts ORDER BY id")])
    assert left == sorted(f"R-{number}{end}" for number in (young, waiting) for end in ("", "/approvers/d"))
    assert not await database.read(lambda tx: tx.all("SELECT * FROM votes WHERE request_id = :id", id=old))
    assert await database.read(lambda tx: len(tx.all("SELECT * FROM audit WHERE chain = :id", id=f"R-{old}"))) == 1
    assert (await database.read(audit.verify)).bad is None
    with pytest.raises(TooLate, match="not known here"):
        await database.read(store.load, old)


async def test_a_number_is_never_given_again(database: Opening) -> None:
    last = await database.write(request, "last", NOW - 500 * DAY)
    await database.write(prune, NOW, 400 * DAY)
    assert await database.write(request, "next", 0.0) == last + 1


async def test_what_still_stands_in_a_cluster_or_is_to_be_reviewed_keeps_its_request(database: Opening) -> None:
    def fill(tx: Tx) -> tuple[int, int, int]:
        stands, gone, open_review = (request(tx, key, NOW - 500 * DAY) for key in ("stands", "gone", "review"))
        for number, removed_at in ((stands, 0.0), (gone, NOW - 490 * DAY)):
            tx.run(
                "INSERT INTO objects (uid, request_id, environment, requester_id, api_version, kind, namespace, name, "
                "made_at, removed_at) "
                "VALUES (:uid, :id, 'staging', 'U0DANA', 'v1', 'ConfigMap', 'shop', 'x', 1.0, :at)",
                uid=f"uid-{number}", id=number, at=removed_at,
            )  # fmt: skip
        tx.run("INSERT INTO reviews (request_id, remind_at) VALUES (:id, 1.0)", id=open_review)
        return stands, gone, open_review

    stands, _, open_review = await database.write(fill)
    assert await database.write(prune, NOW, 400 * DAY) == 1
    assert await database.read(numbers) == [stands, open_review]
    assert await database.read(lambda tx: [row["request_id"] for row in tx.all("SELECT * FROM objects")]) == [stands]


async def test_a_message_that_is_still_to_be_sent_is_not_forgotten(database: Opening) -> None:
    number = await database.write(request, "old", NOW - 500 * DAY)
    await database.write(lambda tx: tx.run("UPDATE posts SET wanted = 2 WHERE id = :id", id=f"R-{number}"))
    await database.write(prune, NOW, 400 * DAY)
    assert await database.read(lambda tx: [row["id"] for row in tx.all("SELECT id FROM posts")]) == [f"R-{number}"]


async def test_it_is_done_a_little_at_a_time_and_never_unasked(database: Opening) -> None:
    def fill(tx: Tx) -> None:
        for number in range(AT_ONCE + 3):
            request(tx, f"old-{number}", NOW - 500 * DAY)

    await database.write(fill)
    assert await database.write(prune, NOW, 0.0) == 0
    assert await database.write(prune, NOW, 400 * DAY) == AT_ONCE
    assert await database.write(prune, NOW, 400 * DAY) == 3


def test_every_statement_of_it_finds_its_rows_by_an_index() -> None:
    db = sqlite_utils.Database(memory=True)
    migrate(db)
    for sql in (retention.OLD, retention.FORGET, retention.FORGET_OBJECTS, retention.FORGET_POSTS):
        values = dict.fromkeys(marked(sql)[1], 1)
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert plan
        assert [step for step in plan if step.startswith("SCAN")] == [], sql
