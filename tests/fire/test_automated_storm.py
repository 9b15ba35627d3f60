"""A storm in which every alert makes a rule hold: the limit holds, each incident says so, and the work stays in step.

How much work it is, is counted (statements, and the steps of SQLite's machine), not timed. ``make test`` plays small
ones, ``make fire`` one of 10,000 alerts in 200 groups, and one of 2,000 in a single group.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters import sqlite
from chatops.kernel import audit
from chatops.kernel.alert import Alert, Delivery
from tests.fire.test_storm import HurriedClock, standing
from tests.support.house import House, acme_house
from tests.support.thoroughness import EVERYTHING

SERVICES = ("checkout", "cart", "catalog", "search", "web")
AT_MOST = 3
MANY = ((12, 10), (200, 50) if EVERYTHING else (12, 40))  # groups and alerts in each, of a small storm and a large one
ONE = ((1, 100), (1, 2_000) if EVERYTHING else (1, 400))
SPEED = 20.0  # times as fast as the machine's clock
STEPS = 100  # of SQLite's machine between two looks


@dataclass
class Work:
    """What the writer's connection did."""

    statements: int = 0
    steps: int = 0

    def since(self, before: Work) -> Work:
        return Work(self.statements - before.statements, self.steps - before.steps)


@contextmanager
def counted() -> Iterator[Work]:
    """Counts on every connection that is opened for writing meanwhile."""
    work, opened = Work(), sqlite.open_for_writing

    def one_more(statement: str) -> None:
        work.statements += 1

    def stepped() -> int:
        work.steps += STEPS
        return 0

    def counting(path: Path) -> sqlite3.Connection:
        connection = opened(path)
        connection.set_trace_callback(one_more)
        connection.set_progress_handler(stepped, STEPS)
        return connection

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sqlite, "open_for_writing", counting)
        yield work


def matching(content: dict[str, Any]) -> None:
    """Every alert is for the rule, and every group an incident of its own."""
    rule = {"name": "restart-what-leaks", "when": 'alert.name == "Leak"', "run": "restart"}
    content["automations"] = [{**rule, "at_most": f"{AT_MOST} in 1h"}]
    content["alerts"] = [{"when": "true", "key": "alert.summary"}]
    content["watcher"] = {"enabled": False}
    content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]


def storm(groups: int, each: int) -> tuple[Alert, ...]:
    return tuple(
        Alert(
            source="alertmanager", status="firing", name="Leak", fingerprint=f"{group}-{one}", severity="warning",
            summary=f"memory at 97 % in group {group}",
            labels={"environment": "production", "service": SERVICES[group % len(SERVICES)]},
        )
        for group in range(groups)
        for one in range(each)
    )  # fmt: skip


async def settled(house: House) -> None:
    await house.assistant.automations.look()
    async with asyncio.timeout(300):
        while not house.assistant.messenger.settled:
            await asyncio.sleep(0.05)


async def played(work: Work, groups: int, each: int) -> tuple[Work, Work]:
    """The storm and what must have come of it; the work of taking in, and of the automation."""
    async with acme_house(platform=matching, clock=HurriedClock(SPEED), burst=50) as house:
        automations = house.assistant.automations
        async with automations._looking:  # so that the two are told apart
            before = replace(work)
            await house.assistant.alerts.take(Delivery("alertmanager", storm(groups, each)))
            between = replace(work)
        await automations.look()
        after = replace(work)
        await settled(house)
        await check(house, groups, each)
    return between.since(before), after.since(between)


async def check(house: House, groups: int, each: int) -> None:
    assert (await house.rows("SELECT count(*) AS n FROM incidents"))[0]["n"] == groups
    asked = min(groups, AT_MOST)
    assert (await house.rows("SELECT count(*) AS n FROM requests"))[0]["n"] == asked, "the limit holds"
    came = Counter(row["outcome"] for row in await house.rows("SELECT outcome FROM automation_runs"))
    assert sum(came.values()) == groups * each, "every alert was looked at, and for each it is known what came of it"
    assert came["asked"] == asked
    assert not came[""]
    assert not came["failed"]
    told: dict[str, list[str]] = {}
    for name, text in standing(house).items():
        if "/automation/" in name:
            told.setdefault(name.partition("/")[0], []).append(text)
    assert len(told) == groups, "each incident's thread says what was asked for, or that nothing was"
    limited = await house.rows("SELECT DISTINCT incident_id FROM automation_runs WHERE outcome = 'limited'")
    for row in limited:
        lines = [one for one in told[f"INC-{row['incident_id']}"] if f"it asks at most {AT_MOST} × in 1h" in one]
        assert len(lines) == 1, f"INC-{row['incident_id']} says it {len(lines)} times"
    assert len(limited) >= groups - AT_MOST
    assert (await house.assistant.database.read(audit.verify)).bad is None


@pytest.mark.fire
@pytest.mark.parametrize("storms", [MANY, ONE], ids=["many groups", "one group"])
async def test_when_every_alert_of_a_storm_is_for_a_rule_the_limit_holds_and_the_work_grows_with_the_alerts(
    storms: Sequence[tuple[int, int]], record_property: Callable[[str, object], None]
) -> None:
    found = []
    for groups, each in storms:
        with counted() as work:
            taken, looked = await played(work, groups, each)
            found.append((groups * each, taken, looked))
    (few, taken, looked), (many, taken_of_many, looked_of_many) = found
    for name, one, other in (("taking in", taken, taken_of_many), ("the automation", looked, looked_of_many)):
        said = f"{name}: {one} for {few} alerts, {other} for {many}"
        record_property("said", f"automated storm, {said}")
        assert other.statements / many <= 1.2 * one.statements / few, said
        assert other.steps / many <= 1.5 * one.steps / few, said
