"""Three replicas on one PostgreSQL, killed and paused at random moments while requests, approvals and alerts
are in flight; a killed one is started again, as by a supervisor.

What was acknowledged is never lost and nothing is done or said twice. ``make test-postgresql`` plays a small one;
``FIRE_MINUTES`` makes the one of ``make fire`` longer, ``FIRE_SEED`` repeats the moments of another.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from chatops.adapters import databases
from tests.fire.fleet import LEASE, REPLICAS, Fleet, gone
from tests.fire.nursery import Child, nursery
from tests.fire.plays import Wakes, taken_in
from tests.fire.trial import Trial, playing, prepared
from tests.support.databases import POSTGRES
from tests.support.people import SlackSays
from tests.support.thoroughness import EVERYTHING, MINUTES, USUAL

LONGER = max(1.0, MINUTES / USUAL)  # FIRE_MINUTES=50: 300 requests and 200 alerts
MANY, ALERTS = (int(30 * LONGER), int(20 * LONGER)) if EVERYTHING else (12, 8)
TROUBLES = int(6 * LONGER) if EVERYTHING else 3
SEED = int(os.environ.get("FIRE_SEED") or (random.randrange(10**6) if EVERYTHING else 20261130))
WITHIN = 240.0 * LONGER  # seconds until a storm is over, on a machine that does much else
HANDS = 25  # of those who type and of the monitors, each
AGAIN = 6.0  # seconds until somebody clicks again
BOX = """
name: box.create
title: Put up a box
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-box"}
      data: {size: "10"}
"""
WAITING = """
SELECT requests.id, posts.ts, posts.channel_id FROM requests JOIN posts ON posts.id = 'R-' || requests.id
WHERE requests.state = 'waiting' AND posts.ts <> ''
"""
ONCE = dict.fromkeys(("requested", "asked", "satisfied", "begun", "written", "step_done"), 1)


def bays(platform: dict[str, Any]) -> None:
    """A service for each request; what happens to one is an incident of its own, and pages nobody."""
    platform["services"] |= {f"bay-{number}": {"team": "shop"} for number in range(MANY)}
    platform["automations"] = []
    platform["watcher"] = {"enabled": False}


@dataclass
class Tossed(Fleet):
    """Replicas that are killed and paused at random moments, and started again."""

    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    calm: asyncio.Event = field(default_factory=asyncio.Event)  # nobody is to be killed or paused any more
    troubles: Counter[str] = field(default_factory=Counter)

    async def supervise(self) -> None:
        self.children = [await self._replica(number, burst=10_000) for number in range(REPLICAS)]
        keeping = [asyncio.create_task(self._keep(number)) for number in range(REPLICAS)]
        tossing = asyncio.create_task(self._toss())
        try:
            await self.ended.wait()
        finally:
            tossing.cancel()
            await asyncio.gather(tossing, return_exceptions=True)
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
            for child in self.children:
                child.end()
            codes = [await gone(child) for child in self.children]
        if tossing.done() and not tossing.cancelled():
            tossing.result()
        assert set(codes) == {0}, f"the replicas ended with {codes}"

    async def _keep(self, number: int) -> None:
        """A supervisor."""
        while True:
            code = await self.children[number].wait()
            self.troubles[f"ended with {code}"] += 1
            self.children[number] = await self._replica(number, burst=10_000)

    async def _toss(self) -> None:
        """Each time once all are up again: how fast that is depends on the machine."""
        await self.begun.wait()
        for _ in range(TROUBLES):
            await self._until(lambda: self.calm.is_set() or all(map(self.lives, self.children)))
            await asyncio.sleep(self.chance.uniform(0.0, 1.0))
            if self.calm.is_set():
                return
            await asyncio.gather(*(self._trouble(child) for child in self.chance.sample(self.children, self._some())))

    def _some(self) -> int:
        """How many at once: mostly one, and sometimes all."""
        return self.chance.choice((1, 1, 1, 2, REPLICAS))

    async def _trouble(self, child: Child) -> None:
        """Kills it, or pauses it for less than its lease, for about as long, or for much longer."""
        pause = self.chance.choice((0.0, 0.0, 0.0, 0.5 * LEASE, 1.1 * LEASE, 2 * LEASE))
        self.troubles["paused" if pause else "killed"] += 1
        if not pause:
            child.kill()
            return
        child.pause()
        await asyncio.sleep(pause)
        child.resume()


@dataclass
class Storm:
    """``Play``: everybody at once."""

    actions: Mapping[str, str] = field(default_factory=lambda: {"box.create.yml": BOX})
    routes: Sequence[Mapping[str, Any]] = ()
    wakes: Wakes | None = None
    since: str = ""
    beside: bool = False
    there: set[str] = field(default_factory=set)  # the services that something was asked for
    moved: int = 0  # how many requests nobody has to decide on any more
    waiting: list[dict[str, Any]] = field(default_factory=list)
    lines: Counter[str] = field(default_factory=Counter)  # what Slack said of what was typed

    async def acted(self, trial: Trial) -> None:
        """Dana types, monitors tell, Lee approves until nothing is left; the last part of it in peace."""
        assert isinstance(trial, Tossed)
        trial.begun.set()
        async with asyncio.timeout(WITHIN):
            async with asyncio.TaskGroup() as group:
                typing = _each(range(MANY), partial(self._type, trial))
                telling = _each(range(ALERTS), partial(self._tell, trial))
                work = [group.create_task(one) for one in (typing, telling)]
                beside = [group.create_task(self._look(trial)), group.create_task(self._approve(trial))]
                for one in work:
                    await one
                await _until(lambda: self.moved >= MANY)
                trial.calm.set()
                await trial.settle(WITHIN)
                for one in beside:
                    one.cancel()

    async def _look(self, trial: Tossed) -> None:
        """One for all, every now and then: a look has a connection of its own."""
        while True:
            with databases.reading(trial.database) as tx:
                found = tx.all("SELECT service, state FROM requests")
                self.waiting = tx.all(WAITING)
            self.there = {str(row["service"]) for row in found}
            self.moved = len([row for row in found if row["state"] not in ("planning", "waiting")])
            await asyncio.sleep(0.3)

    async def _type(self, trial: Tossed, number: int) -> None:
        """Types once; again only after an error and when nothing has come of it once all is over."""
        service = f"bay-{number}"
        taken = f"SELECT 1 FROM inbox WHERE done_at IS NULL AND body LIKE '%bay-{number} production%'"
        while not await taken_in(trial.acme.dana, f"/platform box create {service} production because of the storm"):
            self.lines["refused or unanswered"] += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await _until(lambda: service in self.there)
                    return
            await _until(lambda: not trial.rows(taken), 1.0)
            if trial.rows(f"SELECT 1 FROM requests WHERE service = '{service}'"):
                return
        self.lines["acknowledged"] += 1
        await _until(lambda: service in self.there)

    async def _tell(self, trial: Tossed, number: int) -> None:
        """A monitor tells the same twice."""
        alert = {
            "name": "Leak", "status": "firing", "service": f"bay-{number}", "environment": "production",
            "severity": "warning", "summary": "it leaks", "key": f"storm-{number}",
        }  # fmt: skip
        for _ in range(2):
            await trial.tell("alert", alert, within=WITHIN)

    async def _approve(self, trial: Tossed) -> None:
        """Lee clicks on what waits, and again when nothing has come of it."""
        clicked: dict[int, float] = {}
        clock, lee = asyncio.get_running_loop(), trial.acme.lee
        async with asyncio.TaskGroup() as group:
            while True:
                for row in self.waiting:
                    card = lee.messages.get(row["channel_id"], {}).get(row["ts"])
                    if card is None or clock.time() - clicked.get(row["id"], -AGAIN) < AGAIN:
                        continue
                    clicked[row["id"]] = clock.time()
                    group.create_task(self._click(trial, card, row["channel_id"], row["ts"]))
                await asyncio.sleep(0.2)

    async def _click(self, trial: Tossed, card: dict[str, Any], channel: str, ts: str) -> None:
        try:
            await trial.acme.lee.click(card, "Approve", channel=channel, message_ts=ts)
            self.lines["clicks acknowledged"] += 1
        except SlackSays:
            self.lines["clicks refused or unanswered"] += 1
        except AssertionError:
            self.lines["clicks on what had no button yet or any more"] += 1

    async def check(self, trial: Trial, said: frozenset[str]) -> None:
        """One request for each line, one run, one card, one notice; one incident for each alert and one card."""
        requests = trial.rows("SELECT id, service, state FROM requests")
        assert Counter(row["service"] for row in requests) == {f"bay-{number}": 1 for number in range(MANY)}
        assert {row["state"] for row in requests} == {"succeeded"}, [
            one for one in requests if one["state"] != "succeeded"
        ]
        for row in requests:
            name = f"R-{row['id']}"
            what = Counter(one["what"] for one in trial.rows(f"SELECT what FROM audit WHERE chain = '{name}'"))
            assert {one: what[one] for one in ONCE} == ONCE, name
            assert {name, f"{name}/notice"} <= said
        assert trial.rows("SELECT count(*) AS n FROM ledger") == [{"n": MANY}]
        maps = (await trial.get("/api/v1/namespaces/shop/configmaps"))["items"]
        made = {one["metadata"]["name"]: one["metadata"]["uid"] for one in maps if "bay-" in one["metadata"]["name"]}
        assert {row["name"]: row["uid"] for row in trial.rows("SELECT name, uid FROM objects")} == made
        assert len(made) == MANY
        alerts = trial.rows("SELECT fingerprint, incident_id FROM alerts")
        assert len(alerts) == len({row["incident_id"] for row in alerts}) == ALERTS
        incidents = {f"INC-{row['id']}" for row in trial.rows("SELECT id FROM incidents")}
        assert len(incidents) == ALERTS
        assert incidents <= said


async def _until(condition: Callable[[], object], every: float = 0.2) -> None:
    while not condition():
        await asyncio.sleep(every)


async def _each(numbers: Sequence[int], work: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Some at once."""
    hands = asyncio.Semaphore(HANDS)

    async def one(number: int) -> None:
        async with hands:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for number in numbers:
            group.create_task(one(number))


@pytest.mark.fire
@pytest.mark.group("postgresql")
@pytest.mark.skipif(not (EVERYTHING or POSTGRES), reason="make test-postgresql plays a small one")
async def test_replicas_killed_and_paused_in_a_storm_lose_nothing_and_do_nothing_twice(
    record_property: Callable[[str, object], None],
) -> None:
    storm = Storm()
    async with nursery() as forking, prepared(storm, forking, make=Tossed, edit=bays) as one:
        try:
            async with playing(one):
                await one.check()
        finally:
            said = ", ".join(f"{what} {times}" for what, times in sorted((one.troubles + storm.lines).items()))
            record_property(
                "said", f"storm on three replicas: {MANY} requests, {ALERTS} alerts; {said} (FIRE_SEED={SEED})"
            )
