"""A deploy and an alert while Slack, the cluster or PostgreSQL is in trouble for two minutes of the assistant's clock.

The trouble begins before anybody asks, before the approval, or during the rollout. People try once while it lasts and,
where Slack said that it did not work and nothing has come of it, once more when it is over. While it lasts nothing that
is answered, shown or measured is untrue; afterwards there is one run, one card, one notice, one page, and nothing is
lost. Only ``make fire`` plays them.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chatops.adapters import postgres
from chatops.adapters.kubernetes import Patience
from chatops.http import health
from chatops.slack import client
from tests.fire.troubles import CLUSTER, DATABASE, FAILING, KINDS, LIMITED, SILENT, SLACK, SLOW, Peers
from tests.support.databases import name_of
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house, straight_to_production
from tests.support.people import Person, Seen, SlackSays
from tests.support.thoroughness import EVERYTHING, MINUTES, USUAL, stride
from tests.support.wire import wire
from tests.support.wires import Wires

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
ALERT = {
    "name": "ErrorRate", "status": "firing", "service": "checkout", "environment": "production",
    "severity": "critical", "summary": "5xx", "key": "faults-1",
}  # fmt: skip
ASKING, APPROVING, ROLLING = "before anybody asks", "before the approval", "during the rollout"
MOMENTS = (ASKING, APPROVING, ROLLING)
STATES = ("PLANNING", "WAITING", "APPROVED", "RUNNING", "SUCCEEDED")
BRIEF = Patience(connect=0.5, total=0.5, tries=2, pause=0.01, longest_pause=0.05, watch=1.0)
LASTS, STEP = 120, 10  # seconds of the assistant's clock
SAYS = {LIMITED: "asks us to slow down", FAILING: "has trouble (500)", SLOW: ""}  # the card, of the cluster
ONCE = dict.fromkeys(("requested", "asked", "satisfied", "begun", "written", "became_healthy"), 1)


def chosen() -> list[Any]:
    """Each trouble of each peer at one of the moments, in turn; with ``FIRE_MINUTES`` above the usual at all of them.

    In ``make test``, none: each takes more than a second of computing.
    """
    every = [(peer, kind, moment) for peer, kinds in KINDS.items() for kind in kinds for moment in MOMENTS]
    if MINUTES <= USUAL:
        start, step = stride(1)
        every = [one for number, one in enumerate(every) if number % 3 == number // 3 % 3][start::step]
    group = pytest.mark.group("postgresql")
    return [
        pytest.param(*one, marks=[group] if one[0] == DATABASE else [], id=" ".join(one))
        for one in (every if EVERYTHING else ())
    ]


def configured(content: dict[str, Any]) -> None:
    straight_to_production(content)
    content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]
    content["watcher"] = {"enabled": False}  # a rollout is no incident


@asynccontextmanager
async def wired(peer: str, folder: Path) -> AsyncIterator[Peers]:
    """A house with a proxy before each of its peers."""
    async with AsyncExitStack() as stack:
        wires, before, server = Wires(), None, ""
        if peer == DATABASE:
            server = name_of(folder, "postgresql")
            socket = stack.enter_context(tempfile.TemporaryDirectory(prefix="wire-"))
            before = await stack.enter_async_context(wire(server, Path(socket)))
        house = await stack.enter_async_context(
            acme_house(
                platform=configured, slack={"ack_timeout": 1.5}, patience=BRIEF, pace=0.2, wires=wires,
                database=before.url if before else "",
            )
        )  # fmt: skip
        between = {SLACK: wires.slack, CLUSTER: wires.cluster} | ({DATABASE: before} if before else {})
        yield Peers(house, between, server)


class Story:
    """Dana deploys, Lee approves; a monitor tells of an alert, Olu acknowledges."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.refused: list[str] = []  # what people and the monitor were told did not work
        self.card: Seen
        self.incident: Seen
        self.page: Seen

    async def tries(self, *doings: Awaitable[bool]) -> list[bool]:
        """All at once; which of them were acknowledged."""
        return list(await asyncio.gather(*doings))

    async def asks(self) -> bool:
        return await self._does("the line", self.house.dana.types(LINE))

    async def approves(self) -> bool:
        return await self._does("Approve", self.card.click("Approve"))

    async def acknowledges(self) -> bool:
        return await self._does("Acknowledge", self.page.click("Acknowledge"))

    async def _does(self, what: str, doing: Awaitable[Seen | None]) -> bool:
        """Whether Slack had an acknowledgement that says nothing else."""
        try:
            answer = await doing
        except SlackSays as error:
            self.refused.append(f"{what}: {error}")
            return False
        if answer is not None and answer.text:
            self.refused.append(f"{what}: {answer.text}")
            return False
        return True

    @staticmethod
    def told(person: Person) -> bool:
        """Whether somebody was told that what they clicked on was not saved, or may not be."""
        every = [str(one) for messages in person.messages.values() for one in messages.values()]
        return any(words in one for one in every for words in ("Nothing was saved", "not known whether"))

    async def tells(self) -> bool:
        """The monitor, which gives up after three seconds and tells again later."""
        status = 0
        with suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(3):
                status = await self.house.hook("alert", ALERT)
        if status != 200:
            self.refused.append(f"the alert: {status}")
        return status == 200

    async def insists(self, doing: Callable[[], Awaitable[bool]], done: bool, person: Person, *where: str) -> Seen:
        """What was acknowledged comes about; what was not is looked for, and then done once more."""
        for _ in range(4):
            with suppress(AssertionError):
                return await person.sees(*where, within=30 if done and not self.told(person) else 5)
            assert not done or self.told(person), f"it was acknowledged, and is lost: {where}"
            done = await doing()
        raise AssertionError(f"it never worked: {where}; {self.refused}")

    def shown(self) -> list[str]:
        """The states that the card has ever shown, in order."""
        known = (*STATES, "FAILED", "NOT STARTED", "CANCELLED", "REFUSED")
        return [next(state for state in known if state in text) for text in self.card.ever]


async def time_passes(house: House) -> None:
    """Two minutes in little more than a second; whatever looks now and then looks now."""
    assistant = house.assistant
    looks = (assistant.deadlines.look, assistant.paging.look, assistant.engine.look, assistant.messenger.look)
    for _ in range(0, LASTS, STEP):
        house.clock.advance(STEP)
        await asyncio.sleep(0.1)
    await asyncio.gather(*(asyncio.create_task(look()) for look in looks), return_exceptions=True)


async def ready(house: House) -> int:
    async with house.sandbox.session.get(f"{house.assistant.http.address}/readyz") as answer:
        return answer.status


async def is_true(story: Story, peer: str, kind: str, moment: str, done: list[bool]) -> None:
    """What can be seen while the trouble lasts."""
    house = story.house
    away = peer == DATABASE and kind != SLOW
    if peer != DATABASE or away:  # a slow database may answer in time, or not
        assert await ready(house) == (503 if away else 200)
    if away and moment == APPROVING and kind != SILENT:
        await house.lee.sees(REQUESTS, "Nothing was saved", within=30)
    if peer == SLACK and moment == ASKING:
        assert done[1], "a monitor's alert does not wait for Slack"
    if peer == SLACK and moment == ROLLING:
        await until(house, "SELECT id FROM requests WHERE state = 'succeeded'")
    if peer == CLUSTER and kind != SLOW:
        said = () if moment == ROLLING else (SAYS.get(kind, "does not answer"),)
        card = await house.lee.sees(REQUESTS, "Deploy checkout", *said)
        assert "SUCCEEDED" not in card.text


async def until(house: House, found: str) -> None:
    """Time goes on until the database has a row like this."""
    async with asyncio.timeout(60):
        while not await house.rows(found):
            house.clock.advance(1)
            await asyncio.sleep(0.05)


async def said(house: House) -> None:
    """Everything that is to be said stands in Slack, also what was put off; time goes on meanwhile."""
    await until(house, "SELECT count(*) AS n FROM posts WHERE wanted > sent HAVING count(*) = 0")
    lost = await house.rows("SELECT id, error FROM posts WHERE error <> ''")
    assert [one for one in lost if not one["id"].startswith("answer/")] == [], "only a private answer is not repeated"


async def one_of_each(peers: Peers, story: Story) -> None:
    """One request, one run, one card, one notice, one incident, one page; a trail that verifies; nothing left."""
    house = peers.house
    await house.quiet()
    await said(house)
    history = await house.history()
    assert {what: history.count(what) for what in ONCE} == ONCE
    assert set(history) == set(ONCE)
    [request] = await house.rows("SELECT id, state FROM requests")  # a transaction that was made again takes a number
    [incident] = await house.rows("SELECT id, state FROM incidents")
    assert (request["state"], incident["state"]) == ("succeeded", "acknowledged")
    assert await house.rows("SELECT outcome FROM ledger") == [{"outcome": "succeeded"}]
    assert (await house.deployment("checkout"))["metadata"]["generation"] == 2, "written more than once"
    trail = await house.rows(f"SELECT what FROM audit WHERE chain = 'INC-{incident['id']}' ORDER BY seq")
    what = [row["what"] for row in trail]
    assert [what.count(one) for one in ("opened", "paged", "acknowledged")] == [1] * 3
    ids = [
        message["metadata"]["event_payload"]["id"]
        for messages in house.slack.state.messages.values()
        for message in messages
        if message.get("metadata")
    ]
    assert len(ids) == len(set(ids)), f"said twice: {sorted(ids)}"
    assert {f"R-{request['id']}", f"R-{request['id']}/notice", f"INC-{incident['id']}"} <= set(ids)
    assert [one.split("/")[1] for one in ids if one.startswith("page/")] == ["U0OLU"]
    shown = [STATES.index(state) for state in story.shown()]
    assert shown == sorted(shown), story.shown()
    assert await ready(house) == 200


@pytest.mark.fire
@pytest.mark.parametrize(("peer", "kind", "moment"), chosen())
async def test_a_peer_in_trouble_for_two_minutes_costs_nothing_but_time(
    peer: str, kind: str, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 1.0)
    monkeypatch.setattr(health, "ANSWERS_WITHIN", 1.0)
    monkeypatch.setattr(postgres, "FATE_WITHIN", 0.5)
    monkeypatch.setattr(postgres, "KEEP_EVERY", 1.0)
    monkeypatch.setattr(postgres, "ANSWER_WITHIN", -4.0)  # a server that says nothing is left after a second
    async with wired(peer, tmp_path) as peers:
        story = Story(peers.house)

        @asynccontextmanager
        async def trouble(now: str) -> AsyncIterator[list[bool]]:
            done: list[bool] = []
            if now != moment:
                yield done
                return
            async with peers.in_trouble(peer, kind):
                yield done
                await time_passes(peers.house)
                await is_true(story, peer, kind, moment, done)

        await peers.house.attending()  # and everybody whom the configuration names is known
        async with trouble(ASKING) as done:
            done += await story.tries(story.asks(), story.tells())
        house = peers.house
        story.card = await story.insists(story.asks, done[0], house.lee, REQUESTS, "Deploy checkout", "WAITING")
        story.incident = await story.insists(story.tells, done[1], house.olu, "incidents", "SEV1 · checkout")
        story.page = await house.olu.sees("@platform", "You are paged.", within=30)
        async with trouble(APPROVING) as done:
            done += await story.tries(story.approves(), story.acknowledges())
        await story.insists(story.acknowledges, done[1], house.olu, "incidents", "SEV1 · checkout", "OLU HAS IT")
        if moment == ROLLING:
            await until(house, "SELECT what FROM audit WHERE what = 'written'")
        async with trouble(ROLLING):
            pass
        await story.insists(story.approves, done[0], house.lee, REQUESTS, "Deploy checkout", "SUCCEEDED")
        await house.olu.sees(DEPLOYS, "1.4.1 → 1.4.2", within=30)
        await one_of_each(peers, story)
