"""One play on a fresh Slack and cluster, with an assistant that may be killed at a point and is started again."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from chatops.adapters import databases
from chatops.kernel import audit
from chatops.sandbox.cluster import PracticeCluster
from tests.fire.nursery import Child, Nursery
from tests.fire.plays import Play
from tests.support.acme_cluster import acme_cluster
from tests.support.clock import ShiftedClock
from tests.support.databases import name_of
from tests.support.house import HOOK_TOKEN, acme_platform
from tests.support.mailserver import MailServer, mail_server
from tests.support.people import Acme, acme_slack
from tests.support.ringer import Ringer, ringer

MISSED = "it was not reached"
TOLD_WITHIN = 10.0  # seconds until a monitor gives up on an answer


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
    turn: Iterator[int] = field(default_factory=count)
    child: Child | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    supervisor: asyncio.Task[None] = field(init=False)

    @property
    def database(self) -> str:
        """What CHATOPS_DATABASE is for the assistant."""
        return name_of(self.folder)

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

    async def ready(self) -> None:
        """Returns once Slack can reach the assistant."""
        await self.acme.slack.connected()

    def advance(self, seconds: float) -> None:
        """Moves time on, also for the assistant, which looks at what is due then."""
        self.clock.advance(seconds)
        fresh = self.folder / "clock.new"
        fresh.write_text(repr(self.clock.offset))
        fresh.replace(self.folder / "clock")

    async def tell(self, source: str, body: dict[str, Any], within: float = 60) -> None:
        """What a monitor does: posts again and again until it is answered with success."""
        headers = {"Authorization": f"Bearer {HOOK_TOKEN}"}
        async with asyncio.timeout(within):
            while not await self._told(f"/hooks/{source}", body, headers):
                await asyncio.sleep(0.05)

    async def _told(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> bool:
        """One try; a replica that does not answer is left for the next one at the next try, as a balancer does."""
        there = self.addresses()
        address = there[next(self.turn) % len(there)] if there else "http://127.0.0.1:1"
        with suppress(aiohttp.ClientError, TimeoutError):
            session, patience = self.acme.sandbox.session, aiohttp.ClientTimeout(total=TOLD_WITHIN)
            async with session.post(address + path, json=body, headers=headers, timeout=patience) as answer:
                assert answer.status in (200, 503), await answer.text()
                return answer.status == 200
        return False

    def addresses(self) -> list[str]:
        """Where who started last, of each replica, has been heard of."""
        return [said for one in sorted(self.folder.glob("address*")) if (said := one.read_text())]

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
        again = self.starts > 0
        return await self._begin(
            points=str(self.folder / ("points-after" if again else "points")), target=target,
            recovered=str(self.recovered) if again else "",
        )  # fmt: skip

    async def _begin(self, **more: object) -> Child:
        app = self.acme.slack.state.workspace.app
        settings = self.folder / f"settings-{self.starts}.json"
        self.starts += 1
        given: dict[str, Any] = {
            "config": str(self.folder / "config"), "database": self.database, "bot_token": app.bot_token,
            "app_token": app.app_token, "slack_api_url": self.acme.slack.api_url, "clock": str(self.folder / "clock"),
            "kubeconfig": self.cluster.kubeconfig(), "points": "", "target": "", "pause": False, "recovered": "",
            "address": str(self.folder / "address"), "lease": 0.0, "burst": 50,
            "mail": self.mails.url if self.mails else "", "page_hook": self.ringer.url if self.ringer else "", **more,
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
        with databases.reading(self.database) as tx:
            assert audit.verify(tx).bad is None
        ids = self.said()
        assert len(ids) == len(set(ids)), f"said twice: {sorted(ids)}"
        await self.play.check(self, frozenset(ids))

    def said(self) -> list[str]:
        """The ids of the posts that stand in Slack."""
        return [
            message["metadata"]["event_payload"]["id"]
            for messages in self.acme.slack.state.messages.values()
            for message in messages
            if message.get("metadata")
        ]

    def only(self, table: str, first: int) -> int:
        """The number of the one row there is: the first, but for a PostgreSQL, which gives no number twice.

        One that died in the middle of it, or was refused and did it again, has taken one.
        """
        [row] = self.rows(f"SELECT id FROM {table}")
        number = int(row["id"])
        assert number == first or (number > first and databases.is_postgres(self.database)), number
        return number

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What the database says."""
        with databases.reading(self.database) as tx:
            return [dict(row) for row in tx.all(sql)]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.cluster.kubeconfig()['users'][0]['user']['token']}"}

    async def get(self, path: str) -> dict[str, Any]:
        async with self.acme.sandbox.session.get(self.cluster.url + path, headers=self.headers) as answer:
            found: dict[str, Any] = await answer.json()
            return found


T = TypeVar("T", bound=Trial)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@asynccontextmanager
async def trial(play: Play, nursery: Nursery, target: str = "") -> AsyncIterator[Trial]:
    """One whole play, killed at ``target``; the checks come after it."""
    async with prepared(play, nursery, target) as one, playing(one):
        yield one


@asynccontextmanager
async def prepared(
    play: Play, nursery: Nursery, target: str = "", make: Callable[..., T] = Trial,  # type: ignore[assignment]
    edit: Callable[[dict[str, Any]], None] = lambda platform: None,
) -> AsyncIterator[T]:  # fmt: skip
    """A stage on which no assistant has started yet; ``edit`` changes what platform.yml says."""
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
        edit(platform)
        (folder / "config" / "platform.yml").write_text(json.dumps(platform))  # JSON is YAML, and quickly written
        for name, text in play.actions.items():
            (folder / "config" / "actions" / name).write_text(text)
        acme = await stack.enter_async_context(acme_slack(rate_limits=False, retry_scale=0.001, clock=clock.now))
        cluster = await stack.enter_async_context(acme_cluster())
        one = make(play, nursery, acme, cluster, folder, target, clock)
        if play.beside:
            one.mails = await stack.enter_async_context(mail_server())
            one.ringer = await stack.enter_async_context(ringer())
        one.advance(0)
        yield one


@asynccontextmanager
async def playing(one: Trial) -> AsyncIterator[None]:
    """The play from its beginning until all is done; its assistants have ended when it is left."""
    one.supervisor, waking = asyncio.create_task(one.supervise()), asyncio.create_task(one.wakes())
    try:
        await one.ready()
        await one.play.acted(one)
        await (one.recovers() if one.target else one.settle())
        await waking
    finally:
        waking.cancel()
        one.ended.set()
        await one.supervisor
    yield
