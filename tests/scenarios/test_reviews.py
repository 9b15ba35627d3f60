"""What nobody had to approve is looked at afterwards; whoever may is reminded once a day until somebody has."""

from __future__ import annotations

import json
from pathlib import Path

import sqlite_utils

from chatops.adapters import migrations
from tests.support.house import REQUESTS, House, acme_house
from tests.support.people import Seen

DAY = 86400.0


def at_once(content: dict[str, object]) -> None:
    content["policies"] = [{"name": "at once", "when": "true", "review": "group:leads"}]


async def carried_out(house: House) -> Seen:
    await house.dana.types("/platform restart checkout production because it is slow")
    change = await house.lee.sees(REQUESTS, "Restart checkout", "SUCCEEDED", within=15)
    await change.thread("To be reviewed: Dana did this at once")
    return change


async def reminders(house: House) -> list[str]:
    """Which reminders there are, after a look and once all is posted."""
    await house.assistant.reviews.look()
    await house.quiet()
    told = await house.rows("SELECT id FROM posts WHERE id LIKE 'R-1001/note/review/%' ORDER BY id")
    return [row["id"].rpartition("/")[2] for row in told]


async def test_those_who_may_review_are_reminded_once_a_day_until_somebody_has() -> None:
    async with acme_house(platform=at_once) as house:
        change = await carried_out(house)
        assert await reminders(house) == []
        house.clock.advance(DAY)
        assert await reminders(house) == await reminders(house) == ["1"]
        first = await change.thread("Still to be reviewed: Dana did this at once", "@lee", "Lee")
        assert first.buttons == ["Reviewed"]
        house.clock.advance(DAY)
        assert await reminders(house) == ["1", "2"]
        await first.becomes("Still to be reviewed")
        await house.until(lambda: not first.buttons)
        await house.lee.types("/platform review R-1001 because It was right.")
        await house.lee.sees("general", "You have reviewed R-1001.")
        await change.thread("Reviewed by Lee: It was right.")
        house.clock.advance(10 * DAY)
        assert await reminders(house) == ["1", "2"]
        still = await house.rows("SELECT content FROM posts WHERE id LIKE 'R-1001/note/review%'")
        assert not any(json.loads(row["content"])["buttons"] for row in still)


async def test_a_reminder_outlives_the_process_and_days_without_one_are_one_reminder() -> None:
    async with acme_house(platform=at_once) as house:
        await carried_out(house)
        await house.stop()
        house.clock.advance(5 * DAY)
        await house.start()
        assert await reminders(house) == ["1"]
        house.clock.advance(DAY / 2)
        assert await reminders(house) == ["1"]
        house.clock.advance(DAY / 2)
        assert await reminders(house) == ["1", "2"]


async def test_the_scheduler_looks_for_what_is_to_be_reminded_of() -> None:
    async with acme_house(platform=at_once) as house:
        jobs = house.assistant.scheduler.get_jobs()
        assert house.assistant.reviews.look in [look for job in jobs for look in job.args]


def test_what_was_open_before_the_update_is_reminded_of_unless_it_is_long_ago(tmp_path: Path) -> None:
    db = sqlite_utils.Database(tmp_path / "chatops.db")
    step = next(name for name in migrations.names() if name.endswith("_reviews"))
    migrations.migrations.apply(db, stop_before=step)
    decision = {"reviewers": ["group:leads"]}
    bodies = {
        1: (90 * DAY, {"started_at": 1.0, "reviewed": None, "decision": decision}),
        2: (90 * DAY, {"started_at": 1.0, "reviewed": {"name": "Lee"}, "decision": decision}),
        3: (90 * DAY, {"started_at": 0.0, "reviewed": None, "decision": decision}),
        4: (90 * DAY, {"started_at": 1.0, "reviewed": None, "decision": {"reviewers": []}}),
        5: (90 * DAY, {"started_at": 0.0, "decision": None}),
        6: (10 * DAY, {"started_at": 1.0, "reviewed": None, "decision": decision}),
    }
    for number, (ended, body) in bodies.items():
        db.execute(
            "INSERT INTO requests (id, key, action, requester_id, state, created_at, updated_at, ended_at, body)"
            " VALUES (?, ?, 'restart', 'U1', 'succeeded', 1, ?, ?, ?)",
            [number, str(number), ended, ended, json.dumps(body)],
        )
    migrations.migrations.apply(db)
    found = [(row["request_id"], row["remind_at"]) for row in db["reviews"].rows]
    db.close()
    assert found == [(1, 91 * DAY)]
