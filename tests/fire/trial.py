"""One play on a fresh Slack and cluster, with an assistant that may be killed at a point and is started again."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from chatops.kernel import audit
from chatops.sandbox.cluster import PracticeCluster
from tests.fire.nursery import Child, Nursery
from tests.fire.plays import Play
from tests.support.acme_cluster import acme_cluster
from tests.support.clock import ShiftedClock
from tests.support.databases import name_of, reading
from tests.support.house import HOOK_TOKEN, acme_platform
from tests.support.mailserver import MailServer, mail_server
from tests.support.people import Acme, acme_slack
from tests.support.ringer import Ringer, ringer

MISSED = "it was not reached"


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
    mails: MailServer | None = None
    ringer: Ringer | None = None
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

    def advance(self, seconds: float) -> None:
        """Moves time on, also for the assistant, which looks at what is due then."""
        self.clock.advance(seconds)
        fresh = self.folder / "clock.new"
        fresh.write_text(repr(self.clock.offset))
        fresh.replace(self.folder / "clock")

    async def tell(self, source: str, body: dict[str, Any]) -> None:
        """What a monitor does: posts again and again until it is answered with success."""
        headers, done = {"Authorization": f"Bearer {HOOK_TOKEN}"}, False
        async with asyncio.timeout(30):
            while not done:
                address = (self.folder / "address").read_text() if (self.folder / "address").exists() else ""
                with suppress(aiohttp.ClientError):
                    url = f"{address or 'http://127.0.0.1:1'}/hooks/{source}"
                    async with self.acme.sandbox.session.post(url, json=body, headers=headers) as answer:
                        assert answer.status in (200, 503), await answer.text()
                        done = answer.status == 200
                if not done:
                    await asyncio.sleep(0.05)

    async def wakes(self) -> None:
        """Changes something in the cluster once the assistant, this one or the next, reaches the play's point."""
        if self.play.wakes is None:
            return
        point, path, change = self.play.wakes
        while point not in self.points and point not in self.points_after:
            await asyncio.sleep(0.01)
        headers = {**self.headers, "Content-Type": "application/merge-patch+json"}
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
            "config": str(self.folder / "config"), "database": name_of(self.folder), "bot_token": app.bot_token,
            "app_token": app.app_token, "slack_api_url": self.acme.slack.api_url, "clock": str(self.folder / "clock"),
            "kubeconfig": self.cluster.kubeconfig(), "points": str(points), "target": target,
            "recovered": str(self.recovered) if self.starts > 1 else "", "address": str(self.folder / "address"),
            "mail": self.mails.url if self.mails else "", "page_hook": self.ringer.url if self.ringer else "",
        }  # fmt: skip
        settings.write_text(json.dumps(given))
        return await self.nursery.start(settings)

    async def settle(self) -> None:
        """Waits until every message that is wanted was sent."""
        async with asyncio.timeout(20):
            while self._unsent():
                await asyncio.sleep(0.05)

    def _unsent(self) -> int:
        return int(self.rows("SELECT count(*) AS n FROM posts WHERE wanted > sent AND error = ''")[0]["n"])

    async def check(self) -> None:
        """Nothing is said twice, the audit trail verifies, and what the play says of its end is so."""
        with reading(self.folder) as tx:
            assert audit.verify(tx).bad is None
        ids = [
            message["metadata"]["event_payload"]["id"]
            for messages in self.acme.slack.state.messages.values()
            for message in messages
            if message.get("metadata")
        ]
        assert len(ids) == len(set(ids)), f"said twice: {sorted(ids)}"
        await self.play.check(self, frozenset(ids))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What the database says."""
        with reading(self.folder) as tx:
            return [dict(row) for row in tx.all(sql)]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.cluster.kubeconfig()['users'][0]['user']['token']}"}

    async def get(self, path: str) -> dict[str, Any]:
        async with self.acme.sandbox.session.get(self.cluster.url + path, headers=self.headers) as answer:
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
        platform = acme_platform()
        platform["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]
        platform.pop("actions", None)  # what Acme's own actions may touch says nothing about the plays'
        platform |= {"routes": list(play.routes)} if play.routes else {}
        del platform["catalog"]  # looking for entries at any time would be points that come by chance
        (folder / "config" / "platform.yml").write_text(json.dumps(platform))  # JSON is YAML, and quickly written
        for name, text in play.actions.items():
            (folder / "config" / "actions" / name).write_text(text)
        acme = await stack.enter_async_context(acme_slack(rate_limits=False, retry_scale=0.001, clock=clock.now))
        cluster = await stack.enter_async_context(acme_cluster())
        one = Trial(play, nursery, acme, cluster, folder, target, clock)
        if play.beside:
            one.mails = await stack.enter_async_context(mail_server())
            one.ringer = await stack.enter_async_context(ringer())
        one.advance(0)
        one.supervisor, waking = asyncio.create_task(one.supervise()), asyncio.create_task(one.wakes())
        try:
            await acme.slack.connected()
            await play.acted(one)
            await (one.recovers() if target else one.settle())
            await waking
        finally:
            waking.cancel()
            one.ended.set()
            await one.supervisor
        yield one
