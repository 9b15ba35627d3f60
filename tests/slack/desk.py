"""Acme's local Slack with our listeners on it, and a road that does only what a test planned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from chatops.adapters.clock import SystemClock
from chatops.adapters.metrics import Metrics
from chatops.adapters.painter import ChartPainter
from chatops.http.health import Readiness
from chatops.http.server import HttpServer
from chatops.kernel.action import Action, Answer, ChangeInputs, EnvironmentName, Inputs, ServiceName, Version
from chatops.kernel.catalog import Environment, Group, Platform, Service, Team
from chatops.kernel.errors import Refused
from chatops.kernel.people import STRANGERS, Person
from chatops.kernel.ports import Clock, Database, Post, Tx
from chatops.notices.illustrating import Illustrator
from chatops.requests.parse import parse
from chatops.requests.planning import Planner
from chatops.requests.questions import HomePage
from chatops.requests.road import Asked
from chatops.requests.sheets import Sheet, Sheets
from chatops.slack import ids
from chatops.slack.answers import render_asked
from chatops.slack.client import SlackClient, session
from chatops.slack.directory import Home
from chatops.slack.files import SlackPictures
from chatops.slack.front import Front, directory
from chatops.slack.messenger import Messenger
from chatops.slack.socket import Socket
from chatops.slack.views.answer import answer_from
from chatops.slack.views.blocks import Message, actions, button, section
from tests.support.databases import database as database_in
from tests.support.evaluator import LentEvaluator
from tests.support.people import Acme, acme_slack


class DeployInputs(ChangeInputs):
    service: ServiceName = Field(title="Service")
    version: Version = Field(title="Version", description="An image tag or a digest")
    environment: EnvironmentName = Field(title="Environment")


class ScaleInputs(ChangeInputs):
    service: ServiceName = Field(title="Service")
    environment: EnvironmentName = Field(title="Environment")
    replicas: int = Field(title="Replicas", ge=0, le=1000)


class StatusInputs(Inputs):
    service: ServiceName = Field(title="Service")
    environment: EnvironmentName = Field(default="", title="Environment")


class RequestsInputs(Inputs):
    whose: Literal["mine", "waiting", "recent"] = Field(default="mine", title="Whose")


async def _unplanned(*_: Any) -> Any:
    raise AssertionError("the fake road answers, not the action")


def action(name: str, inputs: type[Any], positionals: tuple[str, ...], *, read: bool = False) -> Action:
    title = name.replace(".", " ").capitalize()
    return Action(
        name=name, title=title, risk="read" if read else "change", inputs=inputs, usage=f"{name} …", summary=title,
        positionals=positionals, plan=None if read else _unplanned, answer=_unplanned if read else None,
    )  # fmt: skip


ACTIONS = {
    one.name: one
    for one in (
        action("deploy", DeployInputs, ("service", "version", "environment")),
        action("scale", ScaleInputs, ("service", "environment")),
        action("status", StatusInputs, ("service", "environment"), read=True),
        action("requests", RequestsInputs, ("whose",), read=True),
        action("database.create", DeployInputs, ("service", "version", "environment")),
    )
}


def platform(**more: Any) -> Platform:
    services = {
        name: Service(name=name, team="shop", image=f"registry.acme.test/shop/{name}")
        for name in ("checkout", "cart", "payments")
    }
    return Platform(
        environments={
            "staging": Environment(name="staging", tier="staging", namespace="shop-staging"),
            "production": Environment(name="production", tier="production", namespace="shop"),
        },
        groups={
            "leads": Group(name="leads", members=("lee@acme.test",), usergroup="platform-leads"),
            "sre": Group(name="sre", members=("U0OLU",)),
        },
        teams={"shop": Team(name="shop", members=("dana@acme.test",), leads=("lee@acme.test",))},
        services={**services, **more.pop("services", {})},
        digest="d1",
        **more,
    )


@dataclass
class Configured:
    platform: Platform = field(default_factory=platform)


@dataclass
class FakeRoad:
    """Does what a test planned, in that order, and raises on everything else; remembers the calls."""

    configuration: Configured
    actions: Mapping[str, Action] = field(default_factory=lambda: ACTIONS)
    questions: Any = None
    planned: dict[str, list[Any]] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    sheets: Any = None
    database: Database | None = None

    def plan(self, call: str, *answers: Any) -> None:
        """The next answers of a call: values, exceptions to raise, or functions of the call's arguments."""
        self.planned.setdefault(call, []).extend(answers)

    def permit(self, person: Person, action: str = "") -> None:
        if not person.is_member:
            raise Refused(STRANGERS[person.standing])

    def offered(self, person: Person | None) -> Mapping[str, Action]:
        return self.actions

    def parse(self, action: str, values: Mapping[str, Any]) -> Any:
        return parse(self.actions[action], values, self.configuration.platform)

    async def check(self, action: str, values: Mapping[str, Any], *, person: Person) -> Any:
        return await self.sheets.check(self.actions[action], values, person, deep=False)

    async def sheet(self, action: str, values: Mapping[str, Any], *, person: Person, cluster: bool) -> Sheet:
        found: Sheet = await self.sheets.look(self.actions[action], values, person, cluster=cluster)
        return found

    async def ask(self, action: str, values: Mapping[str, Any], *, person: Person, key: str, **more: Any) -> Asked:
        self.permit(person)
        await self.sheets.check(self.actions[action], values, person, deep=True)
        found: Asked = await self._next("ask", action, dict(values), person.name, key, more)
        return found

    async def answer(
        self, action: str, values: Mapping[str, Any], *, person: Person, asked_at: float, key: str, again: bool
    ) -> Answer:
        self.permit(person)
        found: Answer = await self._next("answer", action, dict(values), person.name, key, again)
        return found

    async def preview(self, action: str, values: Mapping[str, Any], *, person: Person) -> tuple[str, ...]:
        found: tuple[str, ...] = await self._next("preview", action, dict(values), person.name)
        return found

    async def first_page(self, *, person: Person) -> Answer:
        self.permit(person)
        found: Answer = await self._next("first_page", person.name)
        return found

    async def home(self, *, person: Person) -> HomePage:
        self.permit(person)
        found: HomePage = await self._next("home", person.name)
        return found

    async def diff(self, request: int, *, person: Person) -> str:
        self.permit(person)
        return str(await self._next("diff", request, person.name))

    async def vote(
        self, request: int, digest: str, verdict: str, *, person: Person, key: str, reason: str = "",
        told: Callable[[Tx, str], None],
    ) -> str:  # fmt: skip
        return await self._told(told, str(await self._next("vote", request, digest, verdict, person, key, reason)))

    async def choose(
        self, request: int, choice: str, *, person: Person, key: str, reason: str = "", saw: str = "",
        told: Callable[[Tx, str], None],
    ) -> str:  # fmt: skip
        return await self._told(told, str(await self._next("choose", request, choice, person, key, reason)))

    async def _told(self, told: Callable[[Tx, str], None], said: str) -> str:
        assert self.database is not None
        await self.database.write(told, said)
        return said

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]

    async def _next(self, name: str, *arguments: Any) -> Any:
        if not self.planned.get(name):
            raise AssertionError(f"unplanned call: {name}{arguments}")
        self.calls.append((name, *arguments))
        answer = self.planned[name].pop(0)
        if isinstance(answer, BaseException):
            raise answer
        answer = answer(*arguments) if callable(answer) else answer
        return await answer if asyncio.iscoroutine(answer) else answer


def _card(tx: Tx, post: Post) -> Message | None:
    """A card with all its buttons, for clicks."""
    names = (ids.APPROVE, ids.REJECT, ids.WITHDRAW, ids.CANCEL, ids.FULL_DIFF, ids.BREAK_GLASS)
    value = ids.value(int(post.subject), "7f3a")
    text = f"card of R-{post.subject}"
    return Message(text, [section(text), *actions([button(name.capitalize(), name, value) for name in names])])


@dataclass
class Desk(Acme):
    """Acme with listeners."""

    road: FakeRoad
    front: Front
    database: Database
    messenger: Messenger
    configuration: Configured
    client: SlackClient
    metrics: Metrics
    path: Path
    homes: list[str]

    async def card(self, request: int = 1042) -> None:
        """Posts a card into the requests channel."""
        post = Post(f"R-{request}", 1, "request", str(request), channel="platform-requests")  # type: ignore[arg-type]
        await self.database.write(lambda tx: self.messenger.show(tx, post))

    async def quiet(self) -> None:
        """Returns once everything that came in is worked off and everything there is to say was said."""
        await self.front.background.idle()
        async with asyncio.timeout(10):
            while await self.rows("SELECT id FROM posts WHERE wanted > sent AND error = ''"):
                await asyncio.sleep(0.01)

    async def joins(self, channel: str = "C0REQUESTS") -> None:
        """The app joins a channel, without which it hears no mention there."""
        await self.client.conversations_join(channel=channel)

    async def asked(self, number: int = 1042) -> Asked:
        await self.card(number)
        return Asked(number, f"R-{number}", "platform-requests", True)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        return await self.database.read(lambda tx: [dict(row) for row in tx.all(sql)])


@asynccontextmanager
async def desk(
    path: Path,
    *,
    warm: bool = True,
    clock: Clock | None = None,
    start: bool = True,
    http_port: int = 0,
    **options: Any,
) -> AsyncIterator[Desk]:
    """Everything on a free port; `warm`: the directory knows everybody; `start`: the inbox is worked off.

    With `http_port` Slack calls us there instead of over Socket Mode.
    """
    clock, configuration, metrics = clock or SystemClock(), Configured(), Metrics()
    road = FakeRoad(configuration)
    if http_port:
        options["app"] = {"request_url": f"http://127.0.0.1:{http_port}/slack/events"}
    async with AsyncExitStack() as stack:
        acme = await stack.enter_async_context(acme_slack(rate_limits=False, **options))
        shared = await stack.enter_async_context(session())
        client = SlackClient("xoxb-local-bot", acme.slack.api_url, shared, metrics)
        database = road.database = await stack.enter_async_context(database_in(path))
        home = Home()
        await home.learn(client)
        people = directory(client, configuration, database, clock, home)
        renderers = {"answer": lambda tx, post: answer_from(post.content), "asked": render_asked, "request": _card}
        messenger = Messenger(database, client, clock, renderers, burst=50)
        running = asyncio.create_task(messenger.run())
        stack.push_async_callback(_ended, messenger, running)
        homes: list[str] = []

        async def show_home(user: str) -> None:
            homes.append(user)
            await client.views_publish(user_id=user, view={"type": "home", "blocks": [section("home of " + user)]})

        evaluator = LentEvaluator()
        stack.push_async_callback(evaluator.close)
        clusters: Any = None
        ledger: Any = None
        questions: Any = road
        planner = Planner({}, configuration, clusters, people, evaluator.evaluate_all, ledger, clock, questions)
        road.sheets = Sheets(planner, people)
        listening = Front(
            road=road, directory=people, configuration=configuration, database=database, outbox=messenger,
            client=client, clock=clock, metrics=metrics, show_home=show_home, home_changed=lambda users: None,
            illustrator=Illustrator(ChartPainter(), SlackPictures(client)), patience=0.5,
        )  # fmt: skip
        await people.open()
        listening.picking.index()
        if start:
            await listening.intake.open()
        stack.push_async_callback(listening.close)
        if warm:
            for user in ("U0DANA", "U0LEE", "U0OLU", "U0SAM", "U0GUS"):
                await people.person(user)
        if http_port:
            missing = Readiness(database).missing
            server = HttpServer(f"127.0.0.1:{http_port}", listening.app, "local-signing-secret", metrics, missing)
            await stack.enter_async_context(server)
        else:
            socket = Socket(listening.app, client, "xapp-local-app", metrics, connections=1, look=0.05)
            await socket.open()
            stack.push_async_callback(socket.close)
            await acme.slack.connected()
        yield Desk(
            acme.slack, acme.sandbox, acme.dana, acme.lee, acme.olu, acme.sam, acme.gus, road, listening, database,
            messenger, configuration, client, metrics, path, homes,
        )  # fmt: skip


async def _ended(messenger: Messenger, running: asyncio.Task[None]) -> None:
    await messenger.close()
    await running
