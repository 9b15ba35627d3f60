"""Killed anywhere (SIGKILL), the next start finishes the job: one run, one card, one notice, one page for each step,
one room, one draft and one digest.

The points are listed by several whole runs; a run is then killed at each of them. ``make test`` tries a seeded sample,
``make fire`` all points of a deploy and every so many of the other plays, which make many of the same calls; with
``FIRE_MINUTES`` above the usual all of those, too, and below it fewer.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fire.nursery import Nursery, nursery
from tests.fire.plays import ALERT, AUTOMATION, DEPLOY, NOTICES, PAGES, ROOM, STEPS, Play
from tests.fire.trial import MISSED, trial
from tests.support.thoroughness import EVERYTHING, stride

SEED, SHARDS = 20261123, 2
# Edits of a card are gathered, and a rollout is looked at as time allows: a few numbers differ from run to run.
# Of a sample's points, those that are missed twice are passed over; it needs no such careful list.
LISTINGS, TRIES = (3, 6) if EVERYTHING else (1, 2)


async def listed(play: Play, nursery: Nursery) -> list[str]:
    """The points that every undisturbed run reaches, in order, from where the play differs from others."""
    runs = []
    for _ in range(LISTINGS):
        async with trial(play, nursery) as one:
            await one.check()
            runs.append(one.points)
    first = next((number for number, point in enumerate(runs[0]) if point.startswith(play.since)), 0)
    always = set.intersection(*map(set, runs))
    return [point for point in runs[0][first:] if point in always]


async def tried(play: Play, nursery: Nursery, point: str) -> str:
    """What went wrong when the assistant was killed at this point; empty: nothing.

    A point may be missed, for how often something is looked at or edited differs a little; not again and again.
    """
    said = ""
    for _ in range(TRIES):
        try:
            async with trial(play, nursery, point) as one:
                assert one.points[-1] == point, MISSED
                assert one.starts == 2, "the assistant was not killed there"
                await one.check()
            return ""
        except AssertionError as error:
            said = str(error)
            if MISSED not in said:
                break
    return said


async def sampled(play: Play, nursery: Nursery, points: list[str], count: int) -> dict[str, str]:
    """What went wrong at the first ``count`` points, in a seeded order, that a second run reaches, too."""
    found: dict[str, str] = {}
    for point in random.Random(SEED).sample(points, 2 * count):
        if len(found) < count and MISSED not in (said := await tried(play, nursery, point)):
            found[point] = said
    assert len(found) == count, f"most points were missed; reached: {sorted(found)}"
    return found


@pytest.mark.fire
@pytest.mark.parametrize("shard", range(SHARDS if EVERYTHING else 1))
@pytest.mark.parametrize(
    ("play", "sample", "every"),
    [(DEPLOY, 4, 1), (STEPS, 3, 3), (ALERT, 3, 3), (AUTOMATION, 3, 4), (ROOM, 2, 5), (PAGES, 2, 5), (NOTICES, 2, 4)],
    ids=["deploy", "steps", "alert", "automation", "room", "pages", "notices"],
)  # fmt: skip
@pytest.mark.group("nursery")  # to import everything once more costs as much as several starts
async def test_killed_at_any_point_the_next_start_finishes_the_job(
    play: Play, sample: int, every: int, shard: int, record_property: Callable[[str, object], None]
) -> None:
    start, step = stride(every)
    async with nursery() as forking:
        points = await listed(play, forking)
        assert len(points) > 30, points
        if EVERYTHING:
            chosen = points[start + shard * step :: SHARDS * step]
            said = {point: await tried(play, forking, point) for point in chosen}
        else:
            said = await sampled(play, forking, points, sample)
    failures = [f"{point}: {failure}" for point, failure in said.items() if failure]
    record_property("said", f"killed at {len(said)} of {len(points)} points (shard {shard})")
    assert not failures, "\n".join(failures)


def test_the_database_is_written_with_full_synchronous() -> None:
    """The writer's own connection says what it runs with; a reader's setting would prove nothing."""
    folder = Path(tempfile.mkdtemp())

    async def ask() -> tuple[int, str]:
        from chatops.adapters.sqlite import SQLite

        async with SQLite(folder / "chatops.db") as database:
            rows = await database.write(lambda tx: tx.all("SELECT * FROM pragma_synchronous, pragma_journal_mode"))
            return rows[0]["synchronous"], rows[0]["journal_mode"]

    try:
        assert asyncio.run(ask()) == (2, "wal")
    finally:
        shutil.rmtree(folder)
    assert sqlite3.sqlite_version_info >= (3, 37)
