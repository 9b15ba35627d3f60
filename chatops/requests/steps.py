"""Steps: carries out the steps of a declared action's plan one after the other, and undoes them when one fails.

The life of a step: it begins (stored) → its effect on the cluster (``taking``) → it is done (stored, together with the
objects it made). Whoever takes up a run that was cut off finds the step begun, and looks at the cluster first.
"""

from __future__ import annotations

from dataclasses import dataclass

from approvals.lifecycle import START_WITHIN, Event
from approvals.request import Request
from chatops.kernel.cel.render import rendered
from chatops.kernel.course import Place, course
from chatops.kernel.errors import ClusterError, Forbidden, Invalid, PlatformError, TooLate, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.plan import Step
from chatops.kernel.ports import Clock, Database, Tx
from chatops.requests import objects
from chatops.requests.effects import ComesLate, StepFailed
from chatops.requests.pause import Later, paused_by
from chatops.requests.planning import Planner
from chatops.requests.register import Register
from chatops.requests.taking import BACK, Taker


@dataclass(slots=True)
class Steps:
    """Takes one step of one request at a time."""

    database: Database
    register: Register
    planner: Planner
    clock: Clock
    taker: Taker

    async def go_on(self, request: Request) -> None:
        """The next thing to do for a request that is running or being undone."""
        plan, place = request.planned, request.run.place
        steps = course(plan, place)
        if place.at == len(steps):
            await (self._finish(request, place) if place.back is None else self._undone(request))
        elif not place.began:
            await self._begin(request, place, steps[place.at])
        else:
            try:
                await self.taker.take(request, place, steps[place.at])
            except (Unavailable, TooLate):
                raise
            except PlatformError as no:
                await self._not_taken(request, steps[place.at], no)

    # beginning and ending a step -----------------------------------------------------------------------------------

    async def _begin(self, request: Request, place: Place, step: Step) -> None:
        """Stores that the step begins; new writes wait while the platform team has paused them."""
        if place.back is None and step.kind != "wait" and (said := await self.database.read(paused_by)):
            if request.progress != said:
                await self.database.write(self.register.progress, request, progress=said)
            raise Later()
        now = self.clock.now()
        if place.back is None and place.at == 0 and now - request.started_at > START_WITHIN:
            await self.database.write(self.register.stall, request)
            return
        begun = place.model_copy(update={"began": now})
        await self.database.write(self.taker.keep, request, place, begun)

    # when it does not work -----------------------------------------------------------------------------------------

    async def _not_taken(self, request: Request, step: Step, why: PlatformError) -> None:
        """Tries again what may be cured by that; else goes back, or on when it is going back already."""
        current = await self.database.read(self.register.current, request)
        place = current.run.place
        if isinstance(why, ComesLate) and place.at == 0:
            await self.database.write(self._stall, current)
            return
        if isinstance(why, ClusterError) and not isinstance(why, Invalid | Forbidden) and place.tries < step.retries:
            again = place.model_copy(update={"tries": place.tries + 1})
            await self.database.write(self.taker.keep, current, place, again)
            raise Unavailable(f"{why.message} (tried again)", retry_after=float(2**place.tries))
        if place.back is None:
            await self.database.write(self._fail, current, step, why)
        else:
            await self.database.write(self._not_undone, current, step, why)

    def _stall(self, tx: Tx, request: Request) -> None:
        """Nothing was written yet, and the cluster was away for long: the requester is asked anew."""
        self.register.stall(tx, self.register.progress(tx, request, run=request.run.to(place=Place())))

    def _fail(self, tx: Tx, request: Request, step: Step, why: PlatformError) -> None:
        plan, place = request.planned, request.run.place
        partly = step.kind == "apply" and place.wrote > 0
        back = Place(back=place.at + partly, outputs=place.outputs, failed=place.at)
        said = f"Step {place.at + 1} of {len(plan.steps)} ({step.title}) failed: {why.message}"
        lines, code = _evidence(said, why)
        if course(plan, back):
            after = self.register.move(
                tx, request, Event.UNDO_BEGUN, data={"why": said, "step": place.at + 1}, outcome=said, step=BACK,
                progress="", run=request.run.to(place=back),
            )  # fmt: skip
        else:
            left = self._left(tx, request)
            untouched = not place.at and not place.wrote and not place.uids
            outcome = f"{said} {left or ('Nothing was changed.' if untouched else '')}".strip()
            after = self.register.move(tx, request, Event.FAILED, data={"why": said}, outcome=outcome)
        self.register.say(tx, after, f"failed-{place.at}", lines, code=code)

    def _not_undone(self, tx: Tx, request: Request, step: Step, why: PlatformError) -> None:
        """One undo step that fails does not keep the others from being taken."""
        place = request.run.place
        said = f"{step.title}: {why.message}"
        after = place.next({}, step).model_copy(update={"failures": (*place.failures, said)})
        self.taker.keep(tx, request, place, after)
        self.register.record(tx, request, "step_not_undone", {"step": place.at + 1, "why": said})
        lines, code = _evidence(f"Could not be undone: {said}", why)
        self.register.say(tx, request, f"not-undone-{place.at}", lines, code=code)

    async def _undone(self, request: Request) -> None:
        await self.database.write(self._end_undone, request)

    def _end_undone(self, tx: Tx, request: Request) -> None:
        current = self.register.current(tx, request)
        place, left = current.run.place, self._left(tx, request)
        if place.failures:
            more = f" and {len(place.failures) - 1} more" if len(place.failures) > 1 else ""
            said = f"{current.outcome} Not everything could be undone: {place.failures[0]}{more}"
            self.register.move(tx, current, Event.FAILED, outcome=f"{said} {left} A person has to look.")
        else:
            self.register.move(tx, current, Event.UNDONE, outcome=f"{current.outcome} {left}".strip())

    @staticmethod
    def _left(tx: Tx, request: Request) -> str:
        """What this request made and is still there, in a sentence."""
        names = [str(one.ref) for one in objects.of_request(tx, request.id)]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"Still there: {', '.join(names[:3])}{more}." if names else ""

    # the end -------------------------------------------------------------------------------------------------------

    async def _finish(self, request: Request, place: Place) -> None:
        """All steps are done: what came out of it is told."""
        plan, found = request.planned, dict[str, str]()
        seen = await self.taker.variables(request, place) if plan.outputs else {}
        for name, template in plan.outputs.items():
            try:
                value = await rendered(template, seen, self.planner.evaluate)
            except Unavailable:
                raise
            except PlatformError as no:
                value = f"could not be worked out: {no.message}"
            found[name] = mask(str(value))[0]
        await self.database.write(self._finished, request, found)

    def _finished(self, tx: Tx, request: Request, outputs: dict[str, str]) -> None:
        current = self.register.current(tx, request)
        count = len(current.planned.steps)
        said = f"{count} step{'s' if count > 1 else ''} done"
        self.register.move(
            tx,
            current,
            Event.BECAME_HEALTHY,
            outcome=said,
            run=current.run.to(outputs=outputs),
            data={"outputs": outputs},
        )


def _evidence(said: str, why: PlatformError) -> tuple[list[str], str]:
    return ([said, *why.lines], why.code) if isinstance(why, StepFailed) else ([said, *filter(None, [why.hint])], "")
