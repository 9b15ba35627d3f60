"""Three replicas on one PostgreSQL, one of which is killed (SIGKILL) or paused (SIGSTOP) anywhere: the others finish.

The killed one is not started again. The paused one goes on once it has been given up: what it was about to do is
refused, and it begins anew. The points are those of a whole run, whichever replica reaches them; every other one is
paused. ``make test-postgresql`` tries a seeded sample, ``make fire`` every so many from a start chosen by chance.
"""

from __future__ import annotations

import asyncio
import os
import random
import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.fire.fleet import KILLED, PAUSED, Fleet, fleet
from tests.fire.nursery import Nursery, nursery
from tests.fire.plays import ALERT, AUTOMATION, DEPLOY, NOTICES, PAGES, ROOM, STEPS, Play
from tests.fire.trial import MISSED
from tests.fire.victim import LATE
from tests.support.databases import POSTGRES
from tests.support.people import render_text
from tests.support.thoroughness import EVERYTHING

SEED = int(os.environ.get("FIRE_SEED") or (random.randrange(10**6) if EVERYTHING else 20261130))
LISTINGS, TRIES = 2, 4
AT_ONCE = 3  # they wait for leases most of the time
TAKEN_IN = "before commit _add #"  # what each replica does at its start is tried with one of them


async def listed(play: Play, nursery: Nursery) -> list[str]:
    """The points that every undisturbed run reaches, in order, from where somebody does something."""

    async def run() -> list[str]:
        async with fleet(play, nursery) as one:
            await one.check()
            return one.points

    runs = await asyncio.gather(*(run() for _ in range(LISTINGS)))
    first = next((number for number, point in enumerate(runs[0]) if point.startswith(play.since)), 0)
    always = set.intersection(*map(set, runs))
    return [point for point in runs[0][first:] if point in always]


async def tried(play: Play, nursery: Nursery, point: str, how: str, tries: int = TRIES) -> str:
    """What went wrong when the replica was killed or paused that got to this point first; empty: nothing.

    A point may be missed, for how often something is looked at or edited differs a little; not again and again.
    """
    said = ""
    for _ in range(tries):
        try:
            async with fleet(play, nursery, point, how) as one:
                await one.check()
            return ""
        except (AssertionError, TimeoutError) as error:
            said = str(error) or f"{type(error).__name__} in {where(error)}"
            if MISSED not in said:
                break
    return f"{how} {point}: {said}"


async def reached(play: Play, nursery: Nursery, points: list[str], how: str) -> str:
    """The same for the last of some points; where it does not come again, those before it stand in."""
    said = ""
    for point in reversed(points):
        said = await tried(play, nursery, point, how, TRIES if len(points) == 1 else 2)
        if MISSED not in said:
            break
    return said


def where(error: BaseException) -> str:
    """Which functions of these plays it came through: a time that is over says nothing else."""
    frames = traceback.extract_tb(error.__traceback__)
    return " → ".join(f"{one.name}:{one.lineno}" for one in frames if "/tests/fire/" in one.filename)


@pytest.mark.fire
@pytest.mark.group("postgresql")
@pytest.mark.skipif(not (EVERYTHING or POSTGRES), reason="make test-postgresql tries a sample")
@pytest.mark.parametrize(
    ("play", "sample", "every", "stand_ins"),
    [
        (replace(DEPLOY, since=TAKEN_IN), 2, 9, 0), (STEPS, 0, 19, 0), (ALERT, 0, 17, 5), (AUTOMATION, 0, 19, 5),
        (ROOM, 0, 17, 5), (PAGES, 0, 13, 5), (NOTICES, 0, 9, 5),
    ],
    ids=["deploy", "steps", "alert", "automation", "room", "pages", "notices"],
)  # fmt: skip
async def test_whichever_replica_is_killed_or_paused_anywhere_the_others_finish_the_job(
    play: Play, sample: int, every: int, stand_ins: int, record_property: Callable[[str, object], None]
) -> None:
    chance, room = random.Random(SEED), asyncio.Semaphore(AT_ONCE)
    if not (EVERYTHING or sample):
        pytest.skip("make fire plays it")
    async with nursery() as forking:
        points = await listed(play, forking)
        assert len(points) > 30, points
        places = range(len(points))
        chosen = places[chance.randrange(every) :: every] if EVERYTHING else chance.sample(places, sample)
        ways = [(KILLED, PAUSED)[(number + SEED) % 2] for number in range(len(chosen))]

        async def one(place: int, how: str) -> str:
            async with room:
                return await reached(play, forking, points[max(0, place - stand_ins) : place + 1], how)

        failures = [said for said in await asyncio.gather(*map(one, chosen, ways)) if said]
    record_property(
        "said",
        f"of three replicas one was killed at {ways.count(KILLED)} and paused at {ways.count(PAUSED)} of {len(points)} "
        f"points (FIRE_SEED={SEED}, every {every}th)",
    )
    assert not failures, "\n".join(failures)


def cards(one: Fleet) -> list[str]:
    """The states that the cards of R-1001 in Slack show."""
    names = one.acme.lee.names
    found = [
        render_text(message, names)
        for messages in one.acme.slack.state.messages.values()
        for message in messages
        if message.get("metadata") and message["metadata"]["event_payload"]["id"] == "R-1001"
    ]
    return [next((state for state in ("SUCCEEDED", "WAITING") if state in text), text) for text in found]


@pytest.mark.fire
@pytest.mark.group("postgresql")
@pytest.mark.skipif(not (EVERYTHING or POSTGRES), reason="make test-postgresql plays it")
@pytest.mark.parametrize("call", ["chat.postMessage #1", "chat.update #3"])
async def test_one_that_is_stopped_between_its_last_look_and_the_call_leaves_nothing_twice_and_nothing_old(
    call: str,
) -> None:
    """It makes the call when it goes on, long after its successor has done so."""
    async with nursery() as forking, fleet(DEPLOY, forking, f"{LATE} {call}", PAUSED) as one:
        assert cards(one) == ["SUCCEEDED"]
        await one.check()
