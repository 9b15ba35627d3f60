"""A process that dies anywhere: the next one finishes, and nothing stands twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chatops.kernel.ports import Lane, Post
from chatops.slack import posts
from tests.messenger.desk import DEPLOYS, REQUESTS, Desk, desk

Point = tuple[str, str, int]


async def story(at: Desk) -> None:
    """A request from its card to its end, by the messages about it."""
    await at.show("R-1", "waiting", "waiting", channel="platform-requests")
    await at.show("R-1/approvers", "Lee?", thread_of="R-1", lane=Lane.APPROVAL, channel="platform-requests")
    await at.quiet()
    await at.show("R-1", "approved", "approved", channel="platform-requests")
    await at.show("R-1/notice", "deployed", channel=DEPLOYS, lane=Lane.NOTICE)
    await at.show("hint", "it is done", person="U0DANA")
    await at.quiet()


def watch(at: Desk, die_at: Point | None, seen: list[Point], died: asyncio.Event) -> None:
    """Counts every commit and call as (when, what, occurrence), and dies at one."""
    counts: dict[tuple[str, str], int] = {}

    def reached(when: str, what: str) -> bool:
        if died.is_set():
            return False
        counts[when, what] = counts.get((when, what), 0) + 1
        point = (when, what, counts[when, what])
        seen.append(point)
        if point == die_at:
            died.set()
            at.fall()
            return True
        return False

    def call(when: str, method: str, subject: str) -> None:
        if reached(when, f"{method} {subject}"):
            raise asyncio.CancelledError

    at.database.on_write = reached
    at.on_call = call


async def points(folder: Path) -> list[Point]:
    seen: list[Point] = []
    async with desk(folder) as at:
        watch(at, None, seen, asyncio.Event())
        await story(at)
    return seen


async def die_at(folder: Path, point: Point) -> None:
    """Tells the story with a death at one point and a new start, and looks at what stands in Slack."""
    folder.mkdir()
    async with desk(folder) as at:
        died = asyncio.Event()
        watch(at, point, [], died)
        telling = asyncio.create_task(story(at))
        await at.until(lambda: died.is_set() or telling.done())
        await at.restart()
        await telling
        await at.quiet()
        assert died.is_set(), f"{point} was not reached"
        assert at.texts() == ["approved", "Lee?"], point
        assert at.texts(DEPLOYS) == ["deployed"], point
        assert at.direct("U0DANA") == ["it is done"], point


async def test_dying_at_every_commit_and_call_leaves_one_message_each(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    every = await points(tmp_path / "count")
    assert len(every) > 20
    few = asyncio.Semaphore(6)

    async def one(number: int, point: Point) -> None:
        async with few:
            await die_at(tmp_path / str(number), point)

    async with asyncio.TaskGroup() as group:
        for number, point in enumerate(every):
            group.create_task(one(number, point))


async def test_what_was_committed_while_nothing_ran_is_sent_by_the_next_start(at: Desk) -> None:
    await at.die()
    await at.show("R-1", "waiting")
    await at.show("R-1/note", "a note", thread_of="R-1")
    assert at.messages() == []
    at.start()
    await at.quiet()
    assert at.texts() == ["waiting", "a note"]


async def test_what_was_committed_and_nobody_was_told_of_is_found_by_a_look(at: Desk) -> None:
    await at.show("R-1", "waiting")
    await at.quiet()
    at.says["R-2"] = ("lost", "")
    await at.database.real.write(posts.show, Post("R-2", Lane.ANSWER, "card", channel=REQUESTS), at.clock.now())
    await at.quiet()
    assert at.texts() == ["waiting"]
    await at.messenger.look()
    await at.messenger.look()
    await at.quiet()
    assert at.texts() == ["waiting", "lost"]


async def test_who_comes_after_another_waits_out_the_second_since_its_last_post(at: Desk) -> None:
    await at.show("R-1", "waiting")
    await at.quiet()
    await at.restart()
    await at.show("R-2", "of the next one")
    await at.show("R-3", "elsewhere", channel=DEPLOYS)
    await at.quiet()
    assert (at.texts(), at.texts(DEPLOYS)) == (["waiting", "of the next one"], ["elsewhere"])
    before, after = (float(one["ts"]) for one in at.messages())
    assert after - before >= 1.0
    assert at.slack.traffic.limited == 0


async def test_what_is_unsent_is_sent_though_the_database_was_away_at_the_start(at: Desk) -> None:
    await at.die()
    await at.show("R-1", "waiting")
    at.database.away = 2
    at.start()
    await at.quiet()
    assert at.texts() == ["waiting"]


async def test_a_private_answer_that_was_under_way_is_not_repeated_after_a_restart(at: Desk) -> None:
    at.fault("timeout", method="chat.postEphemeral")
    await at.show("answer/1", "only for you", channel=REQUESTS, person="U0DANA")
    await at.until(lambda: at.flying)
    await at.restart()
    await at.quiet()
    assert at.ephemerals("U0DANA") == []
    assert "not known" in (await at.row("answer/1"))["error"]


async def test_closing_lets_the_call_under_way_come_to_its_end(tmp_path: Path) -> None:
    async with desk(tmp_path, timeout=5) as at:
        at.fault("slow", method="chat.postMessage", delay=5)
        await at.show("R-1", "waiting")
        await at.until(lambda: at.flying and not list(at.slack.faults))
        closing = asyncio.create_task(at.messenger.close())
        await asyncio.sleep(0)
        at.slack.clock.advance(10)
        await closing
        assert (await at.row("R-1"))["ts"] == at.messages()[0]["ts"]


async def test_closing_does_not_wait_for_turns_and_the_next_start_takes_them(at: Desk) -> None:
    await at.show("R-1", "waiting", "waiting")
    await at.show("R-2", "another")  # a second later
    await at.show("R-3", "a third", channel="platform-requests")
    await at.all_asleep()
    before = at.clock.now()
    await at.messenger.close(grace=30)
    assert at.clock.now() == before
    at.start()
    await at.quiet()
    assert sorted(at.texts()) == ["a third", "another", "waiting"]


async def test_closing_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with desk(tmp_path, timeout=60) as at:
        at.fault("timeout", method="chat.postMessage")
        await at.show("R-1", "waiting")
        await at.until(lambda: at.flying)
        await at.messenger.close(grace=0.05)
        assert (await at.row("R-1"))["posting_since"] is not None


async def test_looking_for_unsent_posts_does_not_read_the_history(at: Desk) -> None:
    from chatops.slack import posts

    plan = await at.database.real.read(lambda tx: tx.all(f"EXPLAIN QUERY PLAN {posts.PENDING}"))
    assert any("posts_unsent" in str(step["detail"]) for step in plan)


async def test_a_messenger_runs_once(at: Desk) -> None:
    await at.all_asleep()
    with pytest.raises(RuntimeError, match="runs once"):
        await at.messenger.run()
