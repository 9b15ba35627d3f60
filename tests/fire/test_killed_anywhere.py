"""Killed anywhere (SIGKILL), the assistant's next start finishes the job: one run, one card, one notice.

The points are listed by two whole runs; a run is then killed at each of them. ``make test`` tries a seeded sample,
``make fire`` all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatops.adapters.sqlite import reading
from chatops.kernel import audit
from chatops.sandbox.cluster import PracticeCluster
from tests.fire.nursery import Child, Nursery, nursery
from tests.fire.plays import DEPLOY, STEPS, Play
from tests.support.acme_cluster import acme_cluster
from tests.support.clock import ShiftedClock
from tests.support.house import ACME, DEPLOYS, REQUESTS
from tests.support.people import Acme, Seen, SlackSays, acme_slack

MISSED = "it was not reached"
SEED, SHARDS = 20261123, 2
EVERYTHING = os.environ.get("CHATOPS_FIRE") == "all"


@dataclass
class Trial:
    """One play on a fresh Slack and cluster, with an assistant that is started again whenever it was killed."""

    play: Play
    nursery: Nursery
    acme: Acme
    cluster: PracticeCluster
    folder: Path
    target: str
    clock: ShiftedClock
    starts: int = 0
    child: Child | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    supervisor: asyncio.Task[None] = field(init=False)

    @property
    def database(self) -> Path:
        return self.folder / "chatops.db"

    @property
    def points(self) -> list[str]:
        return _lines(self.folder / "points")

    @property
    def points_after(self) -> list[str]:
        return _lines(self.folder / "points-after")

    @property
    def recovered(self) -> Path:
        return self.folder / "recovered"

    async def supervise(self) -> None:
        """Starts the assistant; again, without a target, when it was killed at its target. Ends it when asked to."""
        target = self.target
        while True:
            self.child = child = await self._start(target)
            ending = asyncio.create_task(self.ended.wait())
            dying = asyncio.create_task(child.wait())
            await asyncio.wait({ending, dying}, return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            child.end()
            code = await dying
            if code == 0:
                return
            assert code == -signal.SIGKILL, f"the assistant ended with {code} at {target or 'the second start'}"
            assert target, "killed at the second start, which nobody aimed at"
            target = ""

    async def wakes(self) -> None:
        """Changes something in the cluster once the assistant, this one or the next, reaches the play's point."""
        if self.play.wakes is None:
            return
        point, path, change = self.play.wakes
        while point not in self.points and point not in self.points_after:
            await asyncio.sleep(0.01)
        headers = {**self._headers, "Content-Type": "application/merge-patch+json"}
        async with self.acme.sandbox.session.patch(self.cluster.url + path, headers=headers, json=change) as answer:
            assert answer.status == 200, await answer.text()

    async def recovers(self) -> None:
        """Waits until a second start has done and said whatever it finds left; ends the first if it still runs."""
        await self.settle()
        if self.starts == 1 and self.child is not None:
            self.child.end()  # the target is a point of the way out, or was never reached
        async with asyncio.timeout(30):
            while not self.recovered.exists():
                assert not self.supervisor.done(), MISSED
                await asyncio.sleep(0.02)
            await self.acme.slack.connected()
        await self.settle()

    async def _start(self, target: str) -> Child:
        app = self.acme.slack.state.workspace.app
        settings = self.folder / f"settings-{self.starts}.json"
        points = self.folder / ("points-after" if self.starts else "points")
        self.starts += 1
        given: dict[str, Any] = {
            "config": str(self.folder / "config"), "database": str(self.database), "bot_token": app.bot_token,
            "app_token": app.app_token, "slack_api_url": self.acme.slack.api_url, "offset": self.clock.offset,
            "kubeconfig": self.cluster.kubeconfig(), "points": str(points), "target": target,
            "recovered": str(self.recovered) if self.starts > 1 else "",
        }  # fmt: skip
        settings.write_text(json.dumps(given))
        return await self.nursery.start(settings)

    async def plays(self) -> None:
        """Dana asks, Lee approves, and both try again when Slack tells them that it did not work."""
        await self.acme.slack.connected()
        card = await self._ask()
        await self._approve(card)
        await self.acme.olu.sees(DEPLOYS, self.play.notice, within=30)
        await card.becomes("SUCCEEDED", within=30)

    async def _ask(self) -> Seen:
        """What was acknowledged is never asked for again; after an error Dana waits a while, as people do."""
        for patience in (15, 15, 30):
            acknowledged = True
            try:
                await self.acme.dana.types(self.play.line)
            except SlackSays:
                acknowledged = False
            try:
                wait = 40 if acknowledged else patience
                return await self.acme.lee.sees(REQUESTS, self.play.card, "WAITING", within=wait)
            except AssertionError:
                assert not acknowledged, "Slack was told that the line had been taken in, and it is lost"
        raise AssertionError("Dana asked three times and no card came")

    async def _approve(self, card: Seen) -> None:
        for _ in range(5):
            if "WAITING" not in card.text:
                return
            with suppress(SlackSays):
                await card.click("Approve")
            with suppress(AssertionError):
                await self.acme.lee.wait(
                    lambda: None if "WAITING" in card.text else True, 4, lambda: "the approval to count"
                )
        raise AssertionError("Lee clicked five times and nothing happened")

    async def settle(self) -> None:
        """Waits until every message that is wanted was sent."""
        async with asyncio.timeout(20):
            while self._unsent():
                await asyncio.sleep(0.05)

    def _unsent(self) -> int:
        with reading(self.database) as tx:
            row = tx.one("SELECT count(*) AS n FROM posts WHERE wanted > sent AND error = ''")
            return int(row["n"]) if row else 0

    async def check(self) -> None:
        """One request, one run, one card, one notice, an audit trail that verifies."""
        with reading(self.database) as tx:
            requests = [dict(row) for row in tx.all("SELECT id, state FROM requests")]
            what = [row["what"] for row in tx.all("SELECT what FROM audit WHERE chain = 'R-1001' ORDER BY seq")]
            ledger = tx.all("SELECT outcome FROM ledger")
            made = [dict(row) for row in tx.all("SELECT name, uid FROM objects")]
            assert audit.verify(tx).bad is None
        assert requests == [{"id": 1001, "state": "succeeded"}]
        assert {name: what.count(name) for name in self.play.once} == self.play.once
        assert [row["outcome"] for row in ledger] == ["succeeded"]
        ids = [
            message["metadata"]["event_payload"]["id"]
            for messages in self.acme.slack.state.messages.values()
            for message in messages
            if message.get("metadata")
        ]
        assert len(ids) == len(set(ids)), f"said twice: {sorted(ids)}"
        assert {"R-1001", "R-1001/notice"} <= set(ids)
        await self.play.check(self._get, made)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.cluster.kubeconfig()['users'][0]['user']['token']}"}

    async def _get(self, path: str) -> dict[str, Any]:
        async with self.acme.sandbox.session.get(self.cluster.url + path, headers=self._headers) as answer:
            found: dict[str, Any] = await answer.json()
            return found


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@asynccontextmanager
async def trial(play: Play, nursery: Nursery, target: str = "") -> AsyncIterator[Trial]:
    """One whole play, killed at ``target``; the checks come after it."""
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="chatops-fire-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "config" / "actions").mkdir(parents=True)
        platform = yaml.safe_load((ACME / "platform.yml").read_text())
        platform.pop("actions", None)  # what Acme's own actions may touch says nothing about the plays'
        (folder / "config" / "platform.yml").write_text(yaml.safe_dump(platform, sort_keys=False))
        for name, text in play.actions.items():
            (folder / "config" / "actions" / name).write_text(text)
        acme = await stack.enter_async_context(acme_slack(rate_limits=False, retry_scale=0.001, clock=clock.now))
        cluster = await stack.enter_async_context(acme_cluster())
        one = Trial(play, nursery, acme, cluster, folder, target, clock)
        one.supervisor, waking = asyncio.create_task(one.supervise()), asyncio.create_task(one.wakes())
        try:
            await one.plays()
            await (one.recovers() if target else one.settle())
            await waking
        finally:
            waking.cancel()
            one.ended.set()
            await one.supervisor
        yield one


async def listed(play: Play, nursery: Nursery) -> list[str]:
    """The points that every undisturbed run reaches, in order, from where the play differs from others."""
    runs = []
    for _ in range(2):
        async with trial(play, nursery) as one:
            await one.check()
            runs.append(one.points)
    first = next((number for number, point in enumerate(runs[0]) if point.startswith(play.since)), 0)
    return [point for point in runs[0][first:] if point in set(runs[1])]


async def tried(play: Play, nursery: Nursery, point: str) -> str:
    """What went wrong when the assistant was killed at this point; empty: nothing.

    How often a rollout is looked at differs a little from run to run, so a point may be missed; not three times.
    """
    said = ""
    for _ in range(3):
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


@pytest.mark.fire
@pytest.mark.parametrize("shard", range(SHARDS if EVERYTHING else 1))
@pytest.mark.parametrize(("play", "sample"), [(DEPLOY, 4), (STEPS, 3)], ids=["deploy", "steps"])
async def test_killed_at_any_point_the_next_start_finishes_the_job(
    play: Play, sample: int, shard: int, record_property: Callable[[str, object], None]
) -> None:
    async with nursery() as forking:
        points = await listed(play, forking)
        assert len(points) > 30, points
        chosen = points[shard::SHARDS] if EVERYTHING else sorted(random.Random(SEED).sample(points, sample))
        failures = [f"{point}: {failure}" for point in chosen if (failure := await tried(play, forking, point))]
    record_property("said", f"killed at {len(chosen)} of {len(points)} points (shard {shard})")
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
