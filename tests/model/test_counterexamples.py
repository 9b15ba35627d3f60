"""What the models found, each as a story of its own, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from approvals.lifecycle import stands
from approvals.request import Request, State
from chatops.adapters.databases import Opening
from chatops.incidents import store
from chatops.kernel.errors import PlatformError, Refused, TooLate
from chatops.kernel.people import Person
from chatops.kernel.plan import Ask
from chatops.requests.planning import Made
from tests.model.office import DANA, LEE, OLU, ONE_LEAD, SAM, TWO, Office, find, made, trail, wanted
from tests.model.watch import Silences, Watch, alert


class Slow:
    """A cluster that answers only when somebody else has done something, and then says no."""

    def __init__(self, no: PlatformError) -> None:
        self.asked, self.answers, self.no = asyncio.Event(), asyncio.Event(), no

    async def make(self, request: Request) -> Made:
        self.asked.set()
        await self.answers.wait()
        raise self.no


async def test_a_no_of_the_cluster_about_what_was_cancelled_meanwhile_is_nobodys_trouble(database: Opening) -> None:
    office, cluster = Office(database), Slow(Refused("the workload is somebody else's"))
    office.engine.planner = cluster  # type: ignore[assignment]
    number = await database.write(office.ask, "key", office.wish())
    office.engine.wake(number)
    await cluster.asked.wait()
    await office.road.choose(number, "cancel", person=DANA, key="click")
    cluster.answers.set()
    [working] = office.engine.tasks.values()
    await office.engine.idle()
    assert working.exception() is None
    request = await database.read(find, number)
    assert (request.state, request.by) == (State.CANCELLED, "Dana")
    assert [what for _, what in await database.read(trail, request.name)] == ["requested", "cancelled"]


async def approved(office: Office, asks: Sequence[Ask], *people: Person) -> int:
    """A request of Dana's that these people have approved."""
    number: int = await office.database.write(office.ask, "key", office.wish())
    office.plans.next = made("ask", asks)
    await office.engine._plan(await office.database.read(find, number))
    for one in people:
        digest = (await office.database.read(find, number)).digest
        await office.road.vote(number, digest, "approve", person=one, key=one.id)
    return number


async def test_an_approval_that_was_not_needed_is_withdrawn_and_nobody_is_waited_for(database: Opening) -> None:
    """Lee's counts for one rule, and then Sam's for both: without Lee's there is nothing left to approve."""
    office = Office(database)
    number = await approved(office, TWO, LEE, SAM)
    said = await office.road.vote(number, "", "withdraw", person=LEE, key="click")
    assert said == f"Your approval of R-{number} is withdrawn. It stays approved by Sam."
    request = await database.read(find, number)
    assert (request.state, [vote.name for vote in request.votes]) == (State.APPROVED, ["Sam"])
    assert (
        await office.road.vote(number, "", "withdraw", person=SAM, key="other")
        == f"Your approval of R-{number} is withdrawn."
    )
    assert (await database.read(find, number)).state is State.WAITING


async def test_who_starts_what_an_approver_has_just_stepped_back_from_is_told_who(database: Opening) -> None:
    office = Office(database)
    number = await approved(office, ONE_LEAD, LEE)
    office.clock.time += 1900.0
    await office.engine._start(await database.read(find, number))
    await office.road.vote(number, "", "withdraw", person=LEE, key="click")
    with pytest.raises(TooLate, match="waits for approval: Lee has withdrawn theirs"):
        await office.road.choose(number, "start", person=DANA, key="other")
    digest = (await database.read(find, number)).digest
    await office.road.vote(number, digest, "approve", person=SAM, key="third")
    assert stands(await database.read(find, number)) == f"R-{number} is already approved by Sam."


async def test_an_alert_that_is_resolved_opens_nothing_again_though_another_one_still_fires(database: Opening) -> None:
    watch = Watch(database)
    await watch.tell(alert("checkout", "a"), alert("checkout", "b"))
    [number] = await database.read(lambda tx: [one.id for one in store.open_ones(tx)])
    await watch.desk.act(OLU, "resolve", number, {})
    await watch.tell(alert("checkout", "a", "resolved"))
    incident = await database.read(store.load, number)
    assert (incident.ended, incident.resolved_by) == (True, "Olu")
    assert await database.read(wanted, f"INC-{number}/back/1") is None
    await watch.tell(alert("checkout", "a"))
    assert not (await database.read(store.load, number)).ended, "it is back"


async def test_ending_the_silence_of_what_is_over_does_not_move_when_it_was_over(database: Opening) -> None:
    watch = Watch(database)
    await watch.tell(alert("checkout", "a"))
    [number] = await database.read(lambda tx: [one.id for one in store.open_ones(tx)])
    await watch.silencing.silence(OLU, number, watch.clock.now() + 3600.0, "")
    await watch.desk.act(OLU, "resolve", number, {})
    over = watch.clock.now()
    watch.clock.time += 1200.0
    await watch.silencing.unsilence(OLU, number)
    assert (await database.read(store.load, number)).resolved_at == over
    await watch.tell(alert("checkout", "b"))
    assert len(await database.read(store.open_ones)) == 1, "twenty minutes later it is another one"
    assert (await database.read(store.load, number)).ended


class Overtaken(Silences):
    """An Alertmanager that takes a while: meanwhile somebody does something else."""

    def __init__(self) -> None:
        self.meanwhile: list[Awaitable[Any]] = []

    async def silence(self, matchers: Any, start: float, end: float, who: str, why: str) -> str:
        while self.meanwhile:
            await self.meanwhile.pop()
        return await super().silence(matchers, start, end, who, why)

    async def end(self, address: str) -> None:
        while self.meanwhile:
            await self.meanwhile.pop()


async def test_a_silence_of_what_was_resolved_while_it_was_made_can_be_ended_as_it_says(database: Opening) -> None:
    watch = Watch(database)
    slow = watch.silencing.silencer = Overtaken()
    await watch.tell(alert("checkout", "a"))
    [number] = await database.read(lambda tx: [one.id for one in store.open_ones(tx)])
    slow.meanwhile = [watch.desk.act(LEE, "resolve", number, {})]
    await watch.silencing.silence(OLU, number, watch.clock.now() + 3600.0, "")
    incident = await database.read(store.load, number)
    assert (incident.state.value, incident.due_at, len(incident.silences)) == ("resolved", 0.0, 1)
    assert (await watch.silencing.unsilence(OLU, number)).lines == (
        "The silence is over: its alerts make noise again.",
    )


async def test_who_ends_a_silence_while_another_begins_is_not_told_that_there_is_noise(database: Opening) -> None:
    watch = Watch(database)
    slow = watch.silencing.silencer = Overtaken()
    await watch.tell(alert("checkout", "a"))
    [number] = await database.read(lambda tx: [one.id for one in store.open_ones(tx)])
    await watch.silencing.silence(OLU, number, watch.clock.now() + 3600.0, "")
    slow.meanwhile = [watch.silencing.silence(LEE, number, watch.clock.now() + 7200.0, "")]
    [said] = (await watch.silencing.unsilence(OLU, number)).lines
    assert said == "That silence is over; somebody has silenced it anew meanwhile, and that goes on."
    incident = await database.read(store.load, number)
    assert [one.rpartition("/")[2] for one in incident.silences] == [f"{watch.clock.now() + 7200.0:.0f}"]


async def test_who_closes_what_is_closed_is_told_by_whom(database: Opening) -> None:
    watch = Watch(database)
    await watch.tell(alert("checkout", "a"))
    [number] = await database.read(lambda tx: [one.id for one in store.open_ones(tx)])
    await watch.desk.act(OLU, "close", number, {})
    with pytest.raises(TooLate, match=f"INC-{number} is already closed by Olu."):
        await watch.desk.act(LEE, "close", number, {})
