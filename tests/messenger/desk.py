"""A messenger at Acme's local Slack, on a real database, in a time that moves only when everybody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.errors import Unavailable
from chatops.kernel.ports import Database, Lane, Post, Tx
from chatops.sandbox.slack import LocalSlack, SlackApp
from chatops.sandbox.slack.faults import Fault
from chatops.slack.messenger import Messenger
from chatops.slack.views.blocks import Message, image, section
from tests.support.clock import MovableClock
from tests.support.databases import database as database_in
from tests.support.people import acme_workspace

REQUESTS, DEPLOYS, SHOP = "C0REQUESTS", "C0DEPLOYS", "C0SHOP"
BOT = SlackApp().bot_user_id
KINDS = ("card", "request", "approvers", "incident", "notice", "note", "end", "answer", "asked")
Json = dict[str, Any]


class StepClock(MovableClock):
    """Also tells when the next sleeper wakes."""

    def due(self) -> float | None:
        """The moment of the earliest sleeper who still waits."""
        return min((at for at, _, future in self._sleepers if not future.done()), default=None)


@dataclass
class OwnClock:
    """The assistant's machine, whose clock may be ``wrong`` by some seconds; Slack's never is."""

    right: MovableClock
    wrong: float = 0.0

    def now(self) -> float:
        return self.right.now() + self.wrong

    async def sleep(self, seconds: float) -> None:
        await self.right.sleep(seconds)


class WatchedDatabase:
    """The real database, which counts what is under way and stops for ever where a process is to die."""

    def __init__(self, real: Database) -> None:
        self.real = real
        self.busy = 0
        self.reads = 0
        self.on_write: Callable[[str, str], bool] = lambda when, name: False
        self.fail_next = ""
        self.away = 0

    async def write(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        name = getattr(fn, "__name__", "write")
        if self.on_write("before", name):
            await asyncio.Event().wait()
        self._maybe_away()
        if name == self.fail_next:
            self.fail_next = ""
            raise RuntimeError(f"the disk said no to {name}")
        result = await self.counted(self.real.write(fn, *args, **kwargs))
        if self.on_write("after", name):
            await asyncio.Event().wait()
        return result

    async def read(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._maybe_away()
        self.reads += 1
        return await self.counted(self.real.read(fn, *args, **kwargs))

    def _maybe_away(self) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("The database does not answer.")

    async def counted(self, work: Any) -> Any:
        self.busy += 1
        try:
            return await work
        finally:
            self.busy -= 1


@dataclass
class Desk:
    """What a test holds; ``says`` is the state that the renderer shows: text by post id (and a moment)."""

    slack: LocalSlack
    database: WatchedDatabase
    clock: StepClock
    client: AsyncWebClient
    options: Json
    says: dict[str, tuple[str, str]] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)  # the file that a post shows, by post id
    calls: list[tuple[str, str, str, float]] = field(default_factory=list)
    flying: int = 0
    on_call: Callable[[str, str, str], None] = lambda when, method, subject: None
    messenger: Messenger = field(init=False)
    ours: OwnClock = field(init=False)
    alive: asyncio.Event = field(default_factory=asyncio.Event)
    _running: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.ours = OwnClock(self.clock)

    # The assistant -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts a messenger on what is in the database."""
        renderers = {**dict.fromkeys(KINDS, self._render), "broken": self._broken}
        self.flying = 0
        self.messenger = Messenger(
            self.database,
            self.client,
            self.ours,
            renderers,
            on_call=self._hear,
            chance=lambda: 0.5,
            **{"timeout": 0.3, **self.options},
        )
        self._running = asyncio.create_task(self.messenger.run())
        self.alive.set()

    def fall(self) -> None:
        """Falls dead on the spot; whoever wants to tell it something waits for the next start."""
        self.alive.clear()
        if self._running is not None:
            self._running.cancel()

    async def die(self) -> None:
        """Ends the messenger as SIGKILL would: nothing is finished."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def restart(self) -> None:
        """Dies and starts anew."""
        await self.die()
        while self.database.busy:
            await asyncio.sleep(0)
        self.start()

    async def show(self, post_id: str, text: str = "", moment: str = "", lane: Lane = Lane.ANSWER, **post: Any) -> None:
        """Changes what is true and commits that it is wanted."""
        self.says[post_id] = (text or post_id, moment)
        if not post.keys() & {"channel", "person", "response_url"}:
            post["channel"] = REQUESTS
        made = Post(post_id, lane, post.pop("kind", "card"), **post)
        await self.alive.wait()
        await self.database.counted(self.database.real.write(lambda tx: self.messenger.show(tx, made)))

    def _render(self, tx: Tx, post: Post) -> Message | None:
        if post.id not in self.says:
            return None
        text, moment = self.says[post.id]
        shown = [image(self.pictures[post.id], text)] if post.id in self.pictures else []
        return Message(text, [section(text), *shown], moment)

    @staticmethod
    def _broken(tx: Tx, post: Post) -> Message | None:
        raise ZeroDivisionError("a view with a defect")

    def _hear(self, when: str, method: str, subject: str) -> None:
        self.flying += 1 if when == "before" else -1
        self.calls.append((when, method, subject, self.clock.now()))
        self.on_call(when, method, subject)

    # Time ----------------------------------------------------------------------------------------------------------

    async def quiet(self) -> None:
        """Lets time pass until Slack has all that is wanted."""
        await self.until(lambda: self.messenger.settled)

    async def until(self, condition: Callable[[], object], within: float = 20.0) -> None:
        """Lets time pass, never while a call or the database is under way, until something is true."""
        async with asyncio.timeout(within):
            while not condition():
                await self.step()

    async def step(self) -> None:
        """Lets everybody run, and when all of them sleep, moves on to the next who wakes."""
        for _ in range(12):
            await asyncio.sleep(0)
            if self.flying or self.database.busy:
                await asyncio.sleep(0.001)
                return
        due = self.clock.due()
        if due is not None:
            await self.clock.advance(max(due - self.clock.now(), 0.0))
        else:
            await asyncio.sleep(0.001)

    async def all_asleep(self) -> None:
        """Lets everybody run as far as they come without time passing."""
        still = 0
        async with asyncio.timeout(10):
            while still < 20:
                await asyncio.sleep(0.0005)
                still = 0 if self.flying or self.database.busy else still + 1

    # What stands in Slack ------------------------------------------------------------------------------------------

    def messages(self, channel: str = REQUESTS) -> list[Json]:
        """Our messages in a channel, oldest first, replies among them."""
        found = self.slack.state.conversations[channel].messages.values()
        return [one for one in found if one.get("user") == BOT and one.get("subtype") != "tombstone"]

    def texts(self, channel: str = REQUESTS) -> list[str]:
        """What they say, from their blocks."""
        return [one["blocks"][0]["text"]["text"] for one in self.messages(channel)]

    def ephemerals(self, person: str, channel: str = REQUESTS) -> list[str]:
        """What one person alone sees."""
        return [one["text"] for one in self.slack.state.conversations[channel].ephemerals.get(person, {}).values()]

    def direct(self, person: str) -> list[str]:
        """What the assistant wrote to a person."""
        return self.texts(self.slack.state.app_im(person).id)

    def called(self, method: str, subject: str = "") -> list[float]:
        """When a method was called (for a post)."""
        return [at for when, m, s, at in self.calls if when == "before" and m == method and subject in ("", s)]

    async def row(self, post_id: str) -> Json:
        """The stored row."""
        found = await self.database.real.read(lambda tx: tx.one("SELECT * FROM posts WHERE id = :id", id=post_id))
        assert found is not None
        return dict(found)

    def fault(self, kind: str, **given: Any) -> Fault:
        """Misfortune for the calls to come."""
        return self.slack.faults.add({"kind": kind, **given})


@asynccontextmanager
async def desk(folder: Path, **given: Any) -> AsyncIterator[Desk]:
    """A desk whose messenger runs; ``app`` changes the SlackApp, ``slack`` the local Slack, the rest the messenger."""
    clock = StepClock()
    workspace = acme_workspace()
    workspace = replace(workspace, app=replace(workspace.app, **given.pop("app", {})))
    workspace = replace(workspace, channels=(*workspace.channels, *given.pop("channels", ())))
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(LocalSlack(workspace, clock=clock.now, **given.pop("slack", {})))
        database = await stack.enter_async_context(database_in(folder))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = AsyncWebClient(workspace.app.bot_token, base_url=slack.api_url, session=session, retry_handlers=[])
        made = Desk(slack, WatchedDatabase(database), clock, client, given)
        made.start()
        stack.push_async_callback(made.die)
        yield made
