"""Expressions are evaluated in a process that can be ended, and every failure is an answer."""

import asyncio
import os
import signal
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from chatops.adapters.cel import LIMIT, CelEvaluator
from chatops.kernel.cel import CelError
from chatops.kernel.cel.types import FUNCTIONS, METHODS

NOW = datetime(2026, 12, 24, 23, 30, 5, tzinfo=UTC)  # a Thursday, and Friday already in Berlin
FACTS = {
    "env": {"tier": "production"},
    "now": NOW,
    "many": list(range(2000)),
    "text": "x" * 200_000,
    "deep": [{"at": NOW}],
    "requester": {"groups": ("sre",)},
}
ENDLESS = "many.all(a, many.all(b, many.all(c, a + b + c >= 0)))"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cel():
    evaluator = CelEvaluator()
    yield evaluator
    await evaluator.close()


pytestmark = pytest.mark.asyncio(loop_scope="module")


SAMPLES = [
    ('env.tier == "production"', True),
    ('"sre" in requester.groups', True),
    ('now >= timestamp("2026-12-24T00:00:00Z")', True),
    ("now", NOW),
    ("deep[0].at == now", True),
    ('duration("90m")', 5400.0),
    ("[1, 'a', null, {'b': 1.5}]", [1, "a", None, {"b": 1.5}]),
    ('timestamp(string(timestamp("2026-12-24T00:00:00Z"))) == timestamp("2026-12-24T00:00:00Z")', True),
    ('size("abc") + size([1]) + size({"a": 1}) + "abc".size()', 8),
    ('int("12") + int(1.9) + int(3u)', 16),
    ('uint("3") == 3u && uint(3) == 3u', True),
    ('double("1.5") + double(1)', 2.5),
    ('string(1) + string(1.5) + string(duration("90m"))', "11.51h30m0s"),
    ('duration(duration("1h")) == duration("60m")', True),
    ('"ab".startsWith("a") && "ab".endsWith("b") && "ab".contains("a") && "ab".matches("^a.$")', True),
    ('"aB".lowerAscii() + "aB".upperAscii() + " x ".trim()', "abABx"),
    ('"a-b".replace("-", "+").split("+").join("/")', "a/b"),
    ('"abc".substring(1) + "abc".substring(0, 1)', "bca"),
    ('"abc".indexOf("c")', 2),
    ("now.getFullYear()", 2026),
    ("now.getMonth()", 11),
    ("now.getDate()", 24),
    ("now.getDayOfMonth()", 23),
    ("now.getDayOfWeek()", 4),
    ('now.getDayOfWeek("Europe/Berlin")', 5),
    ("now.getDayOfYear()", 357),
    ("now.getHours()", 23),
    ('now.getHours("Europe/Berlin")', 0),
    ('now.getMinutes("Asia/Kolkata")', 0),
    ("now.getSeconds()", 5),
    ('duration("90m").getHours() + duration("90m").getMinutes() + duration("1m").getSeconds()', 151),
]


@pytest.mark.parametrize(("expression", "value"), SAMPLES)
async def test_what_an_expression_gives(expression, value, cel):
    assert await cel.evaluate(expression, FACTS) == value


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *METHODS}))
async def test_every_function_that_the_checker_knows_was_called_above(name):
    assert any(f"{name}(" in expression for expression, _ in SAMPLES)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("1 / (size(many) - 2000)", "it divides by zero"),
        ("env.nope", "there is no 'nope' in it"),
        ("many[5000]", "index out of bounds"),
        ("nope", "Undefined variable or function: 'nope'"),
        ("1 +", "Failed to parse"),
        ('now.getHours("Nowhere/Land") > 1', "No time zone found"),
        ("9223372036854775807 + size(many)", "overflow"),
        ("b'x'", "neither text, number, list nor map"),
        ("text + text", "it gives more than 256 KiB"),
    ],
)
async def test_a_failing_expression_says_why(expression, sentence, cel):
    with pytest.raises(CelError, match=sentence):
        await cel.evaluate(expression, FACTS)


async def test_an_endless_expression_is_ended_and_the_others_of_the_batch_still_answer(cel):
    values = await cel.evaluate_all([("1 + 1", FACTS), (ENDLESS, FACTS), ("now", FACTS), (ENDLESS, FACTS), ("3", {})])
    assert [value for value in values if not isinstance(value, CelError)] == [2, NOW, 3]
    assert [value.message for value in values if isinstance(value, CelError)] == ["it took longer than 0.5 s"] * 2
    assert values[1] is not values[3]


async def test_the_event_loop_goes_on_while_an_expression_takes_its_time(cel):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(CelError, match="it took longer"):
        await cel.evaluate(ENDLESS, FACTS)
    ticking.cancel()
    assert ticks > 5


async def test_a_process_that_gets_no_turn_on_a_busy_machine_is_waited_for(cel):
    assert await cel.evaluate("1", {}) == 1
    stopped = cel._process
    os.kill(stopped.pid, signal.SIGSTOP)
    asyncio.get_running_loop().call_later(LIMIT * 1.3, os.kill, stopped.pid, signal.SIGCONT)
    assert await cel.evaluate("2", {}) == 2
    assert cel._process is stopped


async def test_the_answer_counts_that_came_while_we_were_stopped(cel, monkeypatch):
    """Whoever is stopped, as by a machine that is moved, finds the time over first."""
    loop, process = asyncio.get_running_loop(), await cel._started()
    now = loop.time
    os.kill(process.pid, signal.SIGSTOP)
    asked = asyncio.create_task(cel.evaluate("env.tier", FACTS))
    while process.stdout._waiter is None:
        await asyncio.sleep(0)
    monkeypatch.setattr(loop, "time", lambda: now() + 60)
    os.kill(process.pid, signal.SIGCONT)
    assert await asked == "production"
    assert cel._process is process


async def test_a_process_that_hangs_is_not_waited_for_without_end():
    evaluator = CelEvaluator(limit=0.1)
    assert await evaluator.evaluate("1", {}) == 1
    os.kill(evaluator._process.pid, signal.SIGSTOP)
    with pytest.raises(CelError, match="it took longer"):
        await evaluator.evaluate("2", {})
    assert await evaluator.evaluate("3", {}) == 3
    await evaluator.close()


async def test_a_killed_process_is_replaced_without_anybody_noticing(cel):
    assert await cel.evaluate("1", {}) == 1
    first = cel._process
    os.kill(first.pid, signal.SIGKILL)
    await first.wait()
    assert await cel.evaluate("2", {}) == 2
    assert cel._process.pid != first.pid


async def test_a_process_killed_between_its_death_and_our_notice_is_replaced_too(cel):
    assert await cel.evaluate("1", {}) == 1
    os.kill(cel._process.pid, signal.SIGKILL)  # returncode is not known yet
    assert await cel.evaluate_all([("2", {}), ("3", {})]) == [2, 3]


async def test_a_process_killed_in_the_middle_of_an_expression_is_an_error_and_the_next_one_answers(monkeypatch):
    evaluator = CelEvaluator(limit=60)
    assert await evaluator.evaluate("1", {}) == 1
    worker, answered = evaluator._process, asyncio.Event()
    readline = worker.stdout.readline

    async def heard():
        line = await readline()
        answered.set()
        return line

    monkeypatch.setattr(worker.stdout, "readline", heard)
    asked = asyncio.create_task(evaluator.evaluate_all([("1", {}), (ENDLESS, FACTS), ("3", {})]))
    async with asyncio.timeout(60):
        # What it has computed does not say that the first is answered: on a busy machine reading the batch counts for
        # more, and a process that dies before its first answer is replaced without anybody noticing.
        await answered.wait()
        before = used(worker.pid)
        while used(worker.pid) < before + 5:
            await asyncio.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    first, second, third = await asked
    assert (first, third) == (1, 3)
    assert "its process died" in second.message
    await evaluator.close()


def used(pid: int) -> int:
    """The hundredths of a second that the process has computed."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rsplit(") ", 1)[1].split()[11])


async def test_an_expression_that_wants_all_memory_ends_its_process_only():
    evaluator = CelEvaluator(limit=60)
    facts = {**FACTS, "text": "x" * 500_000}
    value = await evaluator.evaluate_all([("[text]" + ".map(a, a + a)" * 12, facts), ("2", {})])
    assert isinstance(value[0], CelError)
    assert "memory" in value[0].message
    assert value[1] == 2
    await evaluator.close()


async def test_a_cancelled_question_does_not_leave_its_answers_to_the_next_one(cel):
    asked = asyncio.create_task(cel.evaluate_all([("'old'", {})] * 50))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked.cancel()
    assert await cel.evaluate("'new'", {}) == "new"


async def test_many_ask_at_once_and_each_gets_their_own_answer(cel):
    values = await asyncio.gather(*(cel.evaluate("x * 2", {"x": number}) for number in range(100)))
    assert values == [number * 2 for number in range(100)]


async def test_variables_that_are_too_large_or_no_plain_values_are_an_error(cel):
    large, strange, fine = await cel.evaluate_all([("1", {"x": "y" * 2_000_000}), ("1", {"x": object()}), ("1", {})])
    assert large.message == "its variables are larger than 1024 KiB"
    assert "cannot be handed over" in strange.message
    assert fine == 1


async def test_nothing_of_our_environment_reaches_the_process(monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "secret")
    evaluator = CelEvaluator()
    await evaluator.start()
    with open(f"/proc/{evaluator._process.pid}/environ", "rb") as file:
        assert b"SLACK" not in file.read()
    await evaluator.close()


async def test_a_closed_evaluator_leaves_no_process_and_can_be_used_again():
    evaluator = CelEvaluator()
    assert await evaluator.evaluate("1", {}) == 1
    process = evaluator._process
    await evaluator.close()
    assert process.returncode is not None
    assert await evaluator.evaluate("1", {}) == 1
    await evaluator.close()


async def test_a_worker_whose_parent_is_gone_ends_itself_even_in_an_endless_expression():
    evaluator = CelEvaluator(limit=0.2)
    await evaluator.start()
    process = evaluator._process
    process.stdin.write(b'{"variables":[{"many":%s}],"times":[],"items":[["%s",0]]}\n' % (
        str(list(range(2000))).encode(), ENDLESS.encode()))  # fmt: skip
    async with asyncio.timeout(10):
        # its computing time is over, or on a machine that gives it none the time by the clock
        assert await process.wait() in (-signal.SIGPROF, -signal.SIGALRM)
