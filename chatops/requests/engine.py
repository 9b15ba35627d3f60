"""What the assistant does by itself: one task for each request that is not waiting for people.

The database is the truth: a task only ever looks at the stored state and does the next thing, so a process that died
anywhere is followed by one that goes on from there. Of several replicas one is at a request: whoever claims it first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from approvals import store
from approvals.lifecycle import START_WITHIN, Event
from approvals.request import Request, State
from chatops.kernel.accidents import recorded
from chatops.kernel.course import Run, nothing_to_do
from chatops.kernel.errors import ClusterError, PlatformError, Refused, TooLate, Unavailable
from chatops.kernel.ports import Clock, Database, Tx
from chatops.kernel.replicas import ALONE, Replicas
from chatops.kernel.texts import ended
from chatops.requests.differing import differs
from chatops.requests.pause import Later, paused_by
from chatops.requests.planning import Made, Overtaken, Planner
from chatops.requests.register import Register
from chatops.requests.run import Runner
from chatops.requests.steps import Steps

log = logging.getLogger(__name__)

WHILE = 60.0  # seconds between looks at what waits for its time: it may have been cancelled
RETRY_FIRST, RETRY_MOST = 1.0, 30.0  # seconds between tries while the cluster cannot be asked


@dataclass(slots=True)
class Engine:
    """Moves requests; ``wake`` may be called at any time from the event loop."""

    database: Database
    register: Register
    planner: Planner
    runner: Runner
    steps: Steps
    clock: Clock
    replicas: Replicas = ALONE
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    closed: bool = False

    async def look(self) -> None:
        """Takes up what nobody is at: left by the last process, or moved when nobody could say that it was."""
        for number in await self.database.read(store.active):
            if number not in self.tasks:
                self.wake(number)

    async def close(self) -> None:
        """Stops; whatever is under way goes on at the next start."""
        self.closed = True  # or a task that was asked to look again would start anew on a closed database
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def heard(self, what: str) -> None:
        """Another replica moved a request that it is not at itself."""
        self.wake(int(what), heard=True)

    def wake(self, number: int, *, heard: bool = False) -> None:
        """Makes sure that somebody looks at this request now; of what was ``heard``, all others know already."""
        if self.closed:
            return
        if number in self.tasks:
            self.again.add(number)
            return
        task = asyncio.get_running_loop().create_task(self._drive(number, heard), name=f"R-{number}")
        self.tasks[number] = task
        task.add_done_callback(lambda _: self._finished(number))

    def _finished(self, number: int) -> None:
        self.tasks.pop(number, None)
        if number in self.again:
            self.again.discard(number)
            self.wake(number)

    async def idle(self) -> None:
        """Waits until no request has work left (for tests and a calm end)."""
        while self.tasks:
            await asyncio.gather(*self.tasks.values(), return_exceptions=True)
            await asyncio.sleep(0)

    async def _drive(self, number: int, heard: bool) -> None:
        pause, work = RETRY_FIRST, f"request {number}"
        while not self.closed:
            try:
                if await self.replicas.take(work):
                    try:
                        await self._moved(number)
                    finally:
                        self.replicas.drop(work)
                elif not heard:
                    self.replicas.ring("request", str(number))
                return
            except Unavailable as away:  # the database: that the work waits could not even be said on the card
                log.warning("the work on R-%d waits: %s", number, away.message)
                await self.clock.sleep(pause)
                pause = min(2 * pause, RETRY_MOST)

    async def _moved(self, number: int) -> None:
        """Takes the request as far as it goes."""
        delay = RETRY_FIRST
        steps: dict[State, Callable[[Request], Awaitable[None]]] = {
            State.PLANNING: self._plan,
            State.APPROVED: self._start,
            State.RUNNING: self._run,
            State.ROLLING_BACK: self._run,
        }
        while not self.closed:
            request = await self.database.read(store.find, number)
            step = steps.get(request.state) if request else None
            if request is None or step is None:
                return
            try:
                await step(request)
                delay = RETRY_FIRST
            except TooLate:
                continue  # somebody changed the request in between: look again
            except Later as later:
                await self.clock.sleep(later.seconds)
            except Unavailable as away:
                await self._say_waiting(number, away)
                await self.clock.sleep(away.retry_after or delay)
                delay = min(delay * 2, RETRY_MOST)
            except PlatformError as no:
                await self._give_up(number, no)
            except Exception as error:
                reference = recorded(log, error, f"moving {request.name}")
                broken = PlatformError(f"Something unexpected went wrong; the platform team finds it as {reference}.")
                await self._give_up(number, broken)

    # planning ------------------------------------------------------------------------------------------------------

    async def _plan(self, request: Request) -> None:
        made = await self.planner.make(request)
        await self.database.write(self._planned, request, made)

    def _planned(self, tx: Tx, request: Request, made: Made) -> None:
        event, changes = self._outcome(request, made)
        if nothing_to_do(made.plan):
            event, changes = Event.FOUND_UNCHANGED, {"plan": made.plan, "outcome": made.plan.now}
        after = self.register.move(tx, request, event, data=_bound(made), **changes)
        self._tell_broken_glass(tx, after)

    def _outcome(self, request: Request, made: Made) -> tuple[Event, dict[str, Any]]:
        """What policy's decision means for a request with this plan."""
        now = self.clock.now()
        decision = made.decision
        changes: dict[str, Any] = {
            "plan": made.plan, "decision": decision, "digest": made.digest, "approvers": made.approvers,
            "reviewers": made.reviewers, "votes": (),
            "progress": "", "outcome": "", "step": "", "risk": made.plan.risk or request.risk,
        }  # fmt: skip
        if decision.outcome == "deny":
            return Event.DENIED, {**changes, "outcome": decision.denial, "approvers": ()}
        if decision.outcome == "allow":
            return Event.ALLOWED, {**changes, "approved_at": now, "deadline_at": 0.0}
        deadline = now + decision.expires
        if request.not_before:  # what a schedule asked for is approved by its time, or not at all
            deadline = max(now, request.not_before) + START_WITHIN
        return Event.ASKED, {**changes, "deadline_at": deadline, "remind_at": now + (deadline - now) / 2}

    def _tell_broken_glass(self, tx: Tx, request: Request) -> None:
        if request.decision is not None and request.decision.lifted:
            self.register.announce(
                tx, request, "broke-glass",
                f"*{request.requester_name} broke the glass* for {request.name} ({request.title.lower()} "
                f"{request.service} in {request.environment}): “{request.broke_glass}”",
            )  # fmt: skip

    # starting ------------------------------------------------------------------------------------------------------

    async def _start(self, request: Request) -> None:
        """Plans once more, and begins the run when the plan is the one that was approved."""
        now = self.clock.now()
        if now < request.not_before:
            raise Later(min(WHILE, request.not_before - now))
        if now - max(request.approved_at, request.not_before) > START_WITHIN:
            await self.database.write(self.register.stall, request)
            return
        if said := await self.database.read(_held_up, request):
            if request.progress != said:
                await self.database.write(self.register.progress, request, progress=said)
            raise Later()
        made = await self.planner.make(request)
        await self.database.write(self._begin, request, made)

    def _begin(self, tx: Tx, request: Request, made: Made) -> None:
        if made.stands_for(request):
            if _held_up(tx, request):
                raise Later()
            # The approvals stand; the resource versions are those just read.
            after = self.register.move(
                tx, request, Event.BEGUN, data=_bound(made), plan=made.plan, decision=made.decision, step="writing",
                progress="", started_at=self.clock.now(), run=Run(), early=False,
            )  # fmt: skip
            self._tell_broken_glass(tx, after)
            return
        if nothing_to_do(made.plan):
            self.register.move(tx, request, Event.FOUND_UNCHANGED, plan=made.plan, outcome=made.plan.now)
            return
        self._overtaken(tx, request, made)

    def _overtaken(self, tx: Tx, request: Request, made: Made) -> None:
        """The plan is no longer the approved one: its approvals are void, and people are told what differs."""
        event, changes = self._outcome(request, made)
        void = differs(request, made)
        if event is Event.ASKED:
            event = Event.VOIDED
            changes["void"] = void if request.votes else ""
        store.void_votes(tx, request.id, self.clock.now())
        data = {**_bound(made), "differs": void}
        after = self.register.move(tx, request, event, data=data, started_at=0.0, run=Run(), **changes)
        if request.votes:
            said = f"The approvals of {request.name} are void: {void}"
            self.register.say(tx, after, f"void-{after.version}", [said], mention=[request.requester_id])

    async def _run(self, request: Request) -> None:
        """The next step of a run, or of undoing it."""
        if request.plan is not None and request.plan.steps:
            await self.steps.go_on(request)
        elif request.state is State.RUNNING:
            try:
                await self.runner.run(request)
            except Overtaken as now:
                await self.database.write(self._overtaken, request, now.made)
        else:
            await self.runner.roll_back(request)

    # when it does not work -----------------------------------------------------------------------------------------

    async def _say_waiting(self, number: int, away: Unavailable) -> None:
        def say(tx: Tx) -> None:
            request = store.load(tx, number)
            if not request.ended and request.progress != away.message:
                self.register.progress(tx, request, progress=away.message)

        await self._unless_moved(say)

    async def _give_up(self, number: int, why: PlatformError) -> None:
        def give_up(tx: Tx) -> None:
            request = store.load(tx, number)
            under_way = request.state in (State.RUNNING, State.ROLLING_BACK)
            said = [why.message, why.hint]
            if request.state is State.RUNNING and request.step == "writing" and isinstance(why, ClusterError | Refused):
                said.insert(1, "Nothing was changed.")  # the cluster's no is an answer: the write was not stored
            elif under_way and request.step != "writing" and request.plan is not None and request.plan.undo:
                said.append("It was not rolled back: a person has to look.")  # the card had announced that it would be
            event, outcome = Event.FAILED if under_way else Event.REFUSED, " ".join(map(ended, filter(None, said)))
            self.register.move(tx, request, event, outcome=outcome)

        await self._unless_moved(give_up)

    async def _unless_moved(self, say: Callable[[Tx], None]) -> None:
        """Stores why the work stops or waits; where somebody was faster, as by cancelling it, that stands."""
        try:
            await self.database.write(say)
        except TooLate as late:
            log.info("what came of the work on it is not needed: %s", late.message)


def _held_up(tx: Tx, request: Request) -> str:
    """Why it can't begin now: new writes are paused, or what a schedule asked for has no place yet."""
    holder = store.holder(tx, request.service, request.environment) if request.early and request.service else None
    busy = f"{holder.name} ({holder.whose}) is under way there" if holder else ""
    return paused_by(tx) or busy


def _bound(made: Made) -> dict[str, Any]:
    bound = {"digest": made.digest, "decision": made.decision.outcome, "rules": list(made.decision.rules)}
    return {**bound, "lifted": True} if made.decision.lifted else bound
