"""Clicks on a request as Slack brings them, the states in which they come, and what is told and kept of them."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from approvals.request import Request, State
from chatops.adapters.metrics import Metrics
from chatops.kernel.background import Background
from chatops.kernel.errors import PlatformError
from chatops.kernel.people import Person
from chatops.slack import errors
from chatops.slack.answers import Answers
from chatops.slack.deciding import Deciding, Decision
from chatops.slack.directory import Home
from chatops.slack.intake import Intake, Item
from chatops.slack.payloads import Where
from tests.model.office import (
    DANA,
    DANA_TOO,
    GUS,
    LEE,
    OLU,
    ONE_LEAD,
    SAM,
    TWO,
    TWO_LEADS,
    Office,
    find,
    made,
)  # fmt: skip

METRICS = Metrics()


@dataclass(frozen=True, slots=True)
class Click:
    """Who presses which button; ``on`` the request, or the one that holds its place."""

    person: Person
    button: str
    on: str = "it"

    def __str__(self) -> str:
        return f"{self.person.id} {self.button} {self.on}"


CLICKS = (
    *(Click(person, button) for button in ("approve", "reject", "withdraw") for person in (LEE, SAM)),
    *(Click(DANA, button) for button in ("cancel", "start", "wait", "replace", "break_glass", "approve")),
    Click(DANA_TOO, "cancel"), Click(DANA_TOO, "approve"), Click(GUS, "approve"),
)  # fmt: skip
ON_THE_HOLDER = (Click(LEE, "approve", "holder"), Click(SAM, "reject", "holder"), Click(OLU, "cancel", "holder"))


class Buttons:
    """What a click sets off, from the moment that Slack brings it until it is answered."""

    def __init__(self, office: Office) -> None:
        self.office = office
        answers = Answers(office.database, office.board, Home(), office.clock)
        self.deciding = Deciding(office.road, office.people, answers, None)  # type: ignore[arg-type]
        self.intake = Intake(
            office.database, office.clock, {"decision": self.deciding.work_off}, self._gave_up, METRICS, Background(),
        )  # fmt: skip

    async def _gave_up(self, item: Item, error: BaseException) -> None:
        raise AssertionError(f"{item.key} was given up") from error

    async def known(self, key: str, where: Where, decision: Decision, person: Person) -> None:
        """Of somebody whom the assistant knows: decided in one transaction; keeping it concerns nobody else."""
        try:
            await self.deciding.decide(decision, person, f"decision:{key}", where)
        except PlatformError as no:
            await self.deciding.answers.tell(f"decision:{key}", where, errors.answer(no))

    async def unknown(self, key: str, where: Where, decision: Decision) -> None:
        """Of somebody who has to be looked up first, or where the cluster is asked: kept, then worked off."""
        body = {"where": where.pack(), "decision": decision.pack()}
        key = f"decision:{key}"
        self.intake._at_work.add(key)  # by whoever plays this, and not in the background as well
        await self.intake.accept(key, "decision", body)
        await self.intake._done(Item(key, "decision", body, self.office.clock.now()))

    def press(self, key: str, click: Click, seen: Mapping[str, Request], *, known: bool) -> Coroutine[Any, Any, None]:
        """One click on what its person sees."""
        request = seen[click.on]
        saw = {"replace": f"R-{seen['holder'].id}"} if "holder" in seen else {}
        digest = saw.get(click.button, request.digest)
        reason = "it burns" if click.button in ("break_glass", "reject") else ""
        decision = Decision(request.id, click.button, digest, reason)
        where = Where(user=click.person.id, channel="C0REQUESTS")
        if known and click.button != "replace":
            return self.known(key, where, decision, click.person)
        return self.unknown(key, where, decision)


async def _waiting(office: Office, asks: Any = ONE_LEAD, **given: Any) -> int:
    number: int = await office.database.write(office.ask, "it", office.wish(**given))
    office.plans.next = made("ask", asks)
    await office.engine._plan(await office.database.read(find, number))
    return number


async def _vote(office: Office, number: int, *people: Person, verdict: Any = "approve") -> None:
    for person in people:
        digest = (await office.database.read(find, number)).digest
        await office.road.vote(number, digest, verdict, person=person, key=f"before:{verdict}:{person.id}", reason="no")


async def _running(office: Office) -> int:
    number = await _waiting(office)
    await _vote(office, number, LEE)
    await office.engine._start(await office.database.read(find, number))
    return number


async def come_to(office: Office, state: str) -> dict[str, int]:
    """Brings a request of Dana's into a state, by what people and the assistant do; the numbers of all there are."""
    office.plans.next = made("ask", ONE_LEAD)
    base, _, detail = state.partition(", ")
    asks = {"two rules": TWO, "two leads": TWO_LEADS, "one of two": TWO_LEADS}.get(detail, ONE_LEAD)
    write, read, engine, runner = office.database.write, office.database.read, office.engine, office.runner
    if base in ("contested", "queued"):
        holder = await _waiting(office, person=OLU)
        number = await write(office.ask, "mine", office.wish())
        if base == "queued":
            await office.road.choose(number, "wait", person=DANA, key="before:wait")
        return {"it": number, "holder": holder}
    if base in ("planning", "unchanged", "refused", "denied"):
        number = await write(office.ask, "it", office.wish())
        if base != "planning":
            outcome = {"denied": "deny"}.get(base, "allow")
            office.plans.next = made(outcome, (), "1.4.1" if base == "unchanged" else "1.4.2", break_glass="oncall")
            request = await read(find, number)
            await (engine._give_up(number, PlatformError("no")) if base == "refused" else engine._plan(request))
        return {"it": number}
    if base in ("waiting", "expired", "rejected", "cancelled"):
        number = await _waiting(office, asks)
        if detail == "one of two":
            await _vote(office, number, LEE)
        if base == "rejected":
            await _vote(office, number, SAM, verdict="reject")
        if base == "cancelled":
            await office.road.choose(number, "cancel", person=DANA, key="before:cancel")
        if base == "expired":
            office.clock.time += 7200.0
            await office.deadlines.look()
        return {"it": number}
    if base in ("approved", "stalled"):
        number = await _waiting(office, asks)
        await _vote(office, number, LEE, *((SAM,) if asks is not ONE_LEAD else ()))
        if base == "stalled":
            office.clock.time += 1900.0
            await engine._start(await read(find, number))
        return {"it": number}
    office.plans.next = made("ask", ONE_LEAD, "1.5.0" if base.startswith("roll") else "1.4.2")
    number = await write(office.ask, "it", office.wish())
    await engine._plan(await read(find, number))
    await _vote(office, number, LEE)
    await engine._start(await read(find, number))
    request = await read(find, number)
    if base == "succeeded":
        await write(runner._healthy, request)
    elif base != "running":
        await write(runner._failed, request, "it crashes", ["CrashLoopBackOff"], "")
    if base == "rolled_back":
        await write(runner._undone, request)
    return {"it": number}


STATES = (
    *(state.value for state in State), "waiting, two rules", "waiting, two leads", "waiting, one of two",
    "approved, two leads",
)  # fmt: skip
