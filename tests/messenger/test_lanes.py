"""Which message goes next, and when."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.ports import Lane
from chatops.slack.lanes import LONGEST_WAIT, Budget, Budgets, Job, Queue, backoff
from tests.support.clock import MovableClock


def job(name: str, thread: str = "", order: float = 0.0) -> Job:
    return Job(name, Lane.ANSWER, "C1", thread or name, order)


def queue(*jobs: Job) -> Queue:
    made = Queue(Lane.ANSWER, "C1")
    for one in jobs:
        made.add(one)
    return made


def test_the_oldest_goes_first() -> None:
    assert (found := queue(job("b", order=2), job("a", order=1)).next(0)) is not None
    assert found.id == "a"


def test_a_thread_waits_behind_its_first_and_others_do_not() -> None:
    first, second, other = job("1", "t", 1), job("2", "t", 2), job("3", "u", 3)
    line = queue(first, second, other)
    assert line.next(0) is first
    line.later(first, 10)
    assert line.next(0) is other
    line.done(other)
    assert line.next(0) is None
    assert line.wait_until() == 10
    assert line.next(10) is first
    line.done(first)
    assert line.next(10) is second
    line.done(second)
    assert line.wait_until() is None


def test_a_job_that_was_put_off_can_be_brought_forward() -> None:
    one = job("1")
    line = queue(one)
    assert line.next(0) is one
    line.later(one, float("inf"))
    assert line.next(100) is None
    line.sooner(one, 100)
    assert line.next(100) is one


def test_a_job_brought_forward_is_given_out_once() -> None:
    one = job("1")
    line = queue(one)
    line.later(one, 50)
    line.sooner(one, 10)
    assert line.next(10) is one
    line.later(one, 90)
    assert line.next(60) is None
    assert line.next(90) is one


def test_a_paused_queue_gives_out_nothing() -> None:
    line = queue(job("1"))
    line.pause_until = 5
    assert line.next(4) is None
    assert line.wait_until() == 5
    assert line.next(5) is not None


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "next", "later", "done", "sooner"]), st.integers(0, 5), st.floats(0, 20)),
        max_size=60,
    )
)
def test_nothing_gets_lost_or_overtakes_its_thread(steps: list[tuple[str, int, float]]) -> None:
    line, now, number = queue(), 0.0, 0
    waiting: dict[str, Job] = {}
    taken: Job | None = None
    finished: dict[str, list[float]] = {}
    for what, thread, time in steps:
        now += time / 10
        if what == "add":
            number += 1
            made = job(f"j{number}", f"t{thread}", float(number))
            waiting[made.id] = made
            line.add(made)
        elif what == "next" and taken is None:
            taken = line.next(now)
        elif what == "later" and taken is not None:
            line.later(taken, now + time)
            taken = None
        elif what == "done" and taken is not None:
            finished.setdefault(taken.thread, []).append(taken.order)
            del waiting[taken.id]
            line.done(taken)
            taken = None
        elif what == "sooner" and waiting:
            line.sooner(next(iter(waiting.values())), now)
    if taken is not None:
        line.later(taken, now)
    while (found := line.next(now + 1000)) is not None:
        finished.setdefault(found.thread, []).append(found.order)
        del waiting[found.id]
        line.done(found)
    assert waiting == {}
    assert all(orders == sorted(orders) for orders in finished.values())


@pytest.mark.parametrize("lane", list(Lane))
def test_waiting_grows_to_the_lanes_longest(lane: Lane) -> None:
    waits = [backoff(lane, failures, 0.5) for failures in range(1, 20)]
    assert waits == sorted(waits)
    assert waits[0] == 0.5
    assert waits[-1] == LONGEST_WAIT[lane]
    assert backoff(lane, 500, 1.0) <= LONGEST_WAIT[lane] * 1.21


async def test_a_page_is_served_before_a_notice_that_came_first() -> None:
    clock = MovableClock()
    budget = Budget(clock, 1, 1.0, shared=False)
    await budget.take(Lane.NOTICE)
    served: list[Lane] = []

    async def take(lane: Lane) -> None:
        await budget.take(lane)
        served.append(lane)

    tasks = [asyncio.create_task(take(lane)) for lane in (Lane.NOTICE, Lane.APPROVAL, Lane.PAGE)]
    for _ in range(3):
        await clock.advance(1.0)
    await asyncio.gather(*tasks)
    assert served == [Lane.PAGE, Lane.APPROVAL, Lane.NOTICE]


async def test_what_notices_leave_over_is_there_for_a_page() -> None:
    clock = MovableClock()
    budget = Budget(clock, 10, 60.0)
    for _ in range(6):
        assert not await budget.take(Lane.NOTICE)
    notice = asyncio.create_task(budget.take(Lane.NOTICE))
    await clock.advance(0.1)
    assert not notice.done()
    page = asyncio.create_task(budget.take(Lane.PAGE))
    await clock.advance(0.1)
    assert page.done()
    await clock.advance(61)
    assert await notice


async def test_who_stops_waiting_holds_up_nobody() -> None:
    clock = MovableClock()
    budget = Budget(clock, 1, 1.0, shared=False)
    await budget.take(Lane.PAGE)
    gone, stays = (asyncio.create_task(budget.take(lane)) for lane in (Lane.PAGE, Lane.NOTICE))
    await clock.advance(0.1)
    gone.cancel()
    await clock.advance(1.0)
    assert await stays


async def test_a_channel_may_have_a_small_burst_and_then_one_a_second() -> None:
    clock = MovableClock()
    budgets = Budgets(clock, burst=3)
    waited = [await budgets.admit("chat.postMessage", "C1", Lane.ANSWER) for _ in range(3)]
    assert waited == [False, False, False]
    fourth = asyncio.create_task(budgets.admit("chat.postMessage", "C1", Lane.ANSWER))
    await clock.advance(2.9)
    assert not fourth.done()
    await clock.advance(0.2)
    assert await fourth


async def test_retry_after_holds_one_method_in_one_channel() -> None:
    clock = MovableClock()
    budgets = Budgets(clock)
    budgets.hold("chat.update", "C1", 30)
    held = asyncio.create_task(budgets.admit("chat.update", "C1", Lane.PAGE))
    await clock.advance(29)
    assert not held.done()
    assert not await budgets.admit("chat.update", "C2", Lane.NOTICE)
    assert not await budgets.admit("chat.postMessage", "C1", Lane.NOTICE)
    await clock.advance(2)
    assert await held
