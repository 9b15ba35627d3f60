"""Running: carry out an approved plan, watch it until it is healthy, or undo it.

A run's place is stored before and after each outside effect (``step``): writing → watching, and after a failure
restoring → watching_back. Whoever takes up a run that was cut off looks at the cluster first: a write that had arrived
is not made again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.lifecycle import START_WITHIN, Event
from approvals.request import Request
from chatops.kernel.action import Action
from chatops.kernel.diff import changes
from chatops.kernel.errors import ClusterError, Conflict, PlatformError, Unavailable
from chatops.kernel.plan import ObjectRef, Write
from chatops.kernel.ports import Clock, ClusterWriter, Database, Tx
from chatops.kernel.rollout import Rollout
from chatops.requests import pages
from chatops.requests.pages import Pages
from chatops.requests.planning import Overtaken, Planner
from chatops.requests.register import Register
from commands.watching import diagnose, watch_rollout

log = logging.getLogger(__name__)

WATCH_FOR = 15 * 60.0  # seconds without one more pod ready after which a rollout counts as failed; many pods take long


@dataclass(slots=True)
class Runner:
    """Carries out one step of one request at a time."""

    actions: Mapping[str, Action]
    database: Database
    register: Register
    planner: Planner
    clock: Clock
    pages: Pages

    async def run(self, request: Request) -> None:
        """The next step of a running request."""
        if request.step == "writing":
            await self._write(request)
            return
        if request.step == pages.STEP:
            await self.pages.wait(request)
            return
        failed = await self._watch(request, request.planned.watch)
        if failed is None:
            await self.database.write(self._healthy, request)
            return
        lines, code = await self._diagnosis(request, failed)
        await self.database.write(self._failed, request, failed.sentence, lines, code)

    async def roll_back(self, request: Request) -> None:
        """The next step of a request that is being rolled back."""
        if request.step == "restoring":
            await self._restore(request)
            return
        undone = tuple(write.ref for write in request.planned.undo)
        failed = await self._watch(request, undone)
        if failed is None:
            await self.database.write(self._undone, request)
            return
        lines, code = await self._diagnosis(request, failed)
        said = f"The rollback is not healthy either: {failed.sentence} A person has to look."
        await self.database.write(self._end_failed, request, said, lines, code)

    # writing -------------------------------------------------------------------------------------------------------

    async def _write(self, request: Request) -> None:
        action, plan = self.actions[request.action], request.planned
        if action.give is not None:
            await self.pages.ask(request)
            return
        if action.apply is None:
            raise TypeError(f"{request.action} has nothing to apply")
        if self.clock.now() - request.started_at > START_WITHIN:
            await self._write_late(request)
            return
        try:
            outcome = await action.apply(plan, await self.planner.writer(request))
        except Conflict:
            await self._after_conflict(request)
            return
        await self.database.write(self._written, request, dict(outcome.generations))

    async def _write_late(self, request: Request) -> None:
        """The cluster was away for long: unless the write had arrived after all, the requester is asked anew."""
        made = await self.planner.make(request)
        if made.plan.changes:
            await self.database.write(self.register.stall, request)
        else:
            await self.database.write(self._written, request, await self._generations(request, request.planned.watch))

    async def _after_conflict(self, request: Request) -> None:
        """Somebody wrote in between, or our write had arrived before the process died: the live object tells.

        Raises ``Overtaken`` when the change would be another than was approved.
        """
        made = await self.planner.make(request)
        if not made.plan.changes:
            await self.database.write(self._written, request, await self._generations(request, request.planned.watch))
        elif made.stands_for(request):
            await self.database.write(self.register.progress, request, plan=made.plan)
        else:
            raise Overtaken(made)

    async def _generations(self, request: Request, refs: tuple[ObjectRef, ...]) -> dict[str, int]:
        writer = await self.planner.writer(request)
        live = [(ref, await writer.get(ref)) for ref in refs]
        return {str(ref): int(found["metadata"].get("generation", 0)) for ref, found in live if found}

    def _written(self, tx: Tx, request: Request, generations: dict[str, int]) -> None:
        self.register.record(tx, request, "written", {"objects": generations})
        run = request.run.to(generations=generations, watch_from=self.clock.now(), most_ready={})
        self.register.progress(tx, request, step="watching", run=run, progress="starting")

    # watching ------------------------------------------------------------------------------------------------------

    async def _watch(self, request: Request, refs: tuple[ObjectRef, ...]) -> Rollout | None:
        """Watches until everything is healthy (None) or something fails (how)."""
        for ref in refs:
            failed, moved = None, True
            while moved:
                request, failed, moved = await self._follow(request, ref)
            if failed is not None:
                return failed
        return None

    async def _follow(self, request: Request, ref: ObjectRef) -> tuple[Request, Rollout | None, bool]:
        """Follows one object to its end or deadline: how it failed, and whether it moved on so that there is a new one.

        When the last pod became ready is stored, so that the time goes on where it was after a restart.
        """
        run, failed = request.run.to(watch_from=request.run.watch_from or self.clock.now()), None
        generation, since = run.generations.get(str(ref), 0), run.watch_from
        writer = await self.planner.writer(request)
        rollouts = watch_rollout(writer, ref, generation, clock=self.clock, deadline=since + WATCH_FOR)
        async for rollout in rollouts:
            failed = rollout if rollout.state == "failing" else None
            if failed is None and rollout.ready > run.most_ready.get(str(ref), 0):
                most = {**run.most_ready, str(ref): rollout.ready}
                run = run.to(most_ready=most, watch_from=self.clock.now())
            if failed is None and (rollout.progress != request.progress or run != request.run):
                request = await self.database.write(self.register.progress, request, progress=rollout.progress, run=run)
        overdue = failed is not None and failed.reason == "Deadline"
        return request, failed, overdue and run.watch_from + WATCH_FOR > self.clock.now()

    async def _diagnosis(self, request: Request, failed: Rollout) -> tuple[list[str], str]:
        """Which pods, why, their last log lines and events; the failure alone when the cluster can't be asked."""
        try:
            found = await diagnose(await self.planner.writer(request), failed.ref)
        except (Unavailable, ClusterError) as away:
            log.warning("%s: no diagnosis, %s", request.name, away.message)
            return [failed.sentence, f"More could not be found out: {away.message}"], ""
        return list(found.lines), found.code

    # ends ----------------------------------------------------------------------------------------------------------

    def _healthy(self, tx: Tx, request: Request) -> None:
        current = self._current(tx, request)
        self.register.move(tx, current, Event.BECAME_HEALTHY, outcome=current.progress)

    def _failed(self, tx: Tx, request: Request, why: str, lines: list[str], code: str) -> None:
        current = self._current(tx, request)
        plan = request.planned
        if not plan.undo:
            self._end_failed(tx, current, why, lines, code)
            return
        after = self.register.move(
            tx, current, Event.UNDO_BEGUN, data={"why": why}, outcome=why, step="restoring", progress=""
        )
        self.register.say(tx, after, "diagnosis", lines, code=code)

    def _end_failed(self, tx: Tx, request: Request, why: str, lines: list[str], code: str) -> None:
        after = self.register.move(tx, self._current(tx, request), Event.FAILED, data={"why": why}, outcome=why)
        self.register.say(tx, after, f"diagnosis-{request.step}", lines, code=code)

    def _undone(self, tx: Tx, request: Request) -> None:
        self.register.move(tx, self._current(tx, request), Event.UNDONE)

    # rolling back --------------------------------------------------------------------------------------------------

    async def _restore(self, request: Request) -> None:
        writer, generations = await self.planner.writer(request), dict[str, int]()
        for undo in request.planned.undo:
            live = await writer.get(undo.ref)
            if live is None:
                raise PlatformError(f"{undo.ref} is gone; there is nothing to roll back.")
            if changes(live, await writer.dry_run(undo)):
                await self._check_still_ours(request, writer, live, undo)
                version = str(live["metadata"]["resourceVersion"])
                live = await self._put_back(writer, undo.model_copy(update={"resource_version": version}))
            generations[str(undo.ref)] = int(live["metadata"].get("generation", 0))
        await self.database.write(self._restored, request, generations)

    async def _put_back(self, writer: ClusterWriter, undo: Write) -> dict[str, Any]:
        try:
            return await writer.write(undo)
        except Conflict as raced:  # status updates race with us: look again soon
            raise Unavailable("The workload is changing just now.", retry_after=0.2) from raced

    async def _check_still_ours(
        self, request: Request, writer: ClusterWriter, live: dict[str, Any], undo: Write
    ) -> None:
        """A person who stepped in during the rollout must not be overwritten by our rollback."""
        for write in request.planned.writes:
            bare = write.model_copy(update={"resource_version": ""})
            if write.ref == undo.ref and changes(live, await writer.dry_run(bare)):
                said = (
                    "Somebody changed the workload during the rollout, so it was not rolled back. A person has to look."
                )
                raise PlatformError(f"{request.outcome} {said}")

    def _restored(self, tx: Tx, request: Request, generations: dict[str, int]) -> None:
        current = self._current(tx, request)
        self.register.record(tx, current, "restored", {"objects": generations})
        run = current.run.to(generations=generations, watch_from=self.clock.now(), most_ready={})
        self.register.progress(tx, current, step="watching_back", run=run)

    # helpers -------------------------------------------------------------------------------------------------------

    def _current(self, tx: Tx, request: Request) -> Request:
        return self.register.current(tx, request)
