"""Steps: carries out the steps of a declared action's plan one after the other, and undoes them when one fails.

The life of a step: it begins (stored) → its effect on the cluster (``effects``) → it is done (stored, together with the
objects it made). Whoever takes up a run that was cut off finds the step begun, and looks at the cluster first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from approvals.lifecycle import START_WITHIN, Event
from approvals.request import Request
from chatops.kernel.cel import has_cel
from chatops.kernel.cel.render import rendered
from chatops.kernel.course import Place, course, progress
from chatops.kernel.errors import ClusterError, Forbidden, Invalid, PlatformError, TooLate, Unavailable
from chatops.kernel.labels import REQUEST, REQUESTER, TEAM
from chatops.kernel.masking import mask
from chatops.kernel.plan import ObjectRef, Plan, Step, Write
from chatops.kernel.ports import Clock, Configuration, Database, Tx
from chatops.kernel.variables import variables
from chatops.requests import effects, objects
from chatops.requests.effects import ComesLate, Object, Scene, StepFailed
from chatops.requests.expiry import with_end
from chatops.requests.pause import Later, paused_by
from chatops.requests.planning import Planner, team_of
from chatops.requests.register import Register
from commands.declared import guard

CLEANS_ITSELF = "ttlSecondsAfterFinished"  # of a Job's spec: Kubernetes removes it
FORWARD, BACK = "stepping", "undoing"  # a request's ``step`` while its steps are taken


@dataclass(slots=True)
class Steps:
    """Takes one step of one request at a time."""

    database: Database
    register: Register
    planner: Planner
    configuration: Configuration
    clock: Clock

    async def go_on(self, request: Request) -> None:
        """The next thing to do for a request that is running or being undone."""
        plan, place = plan_of(request), request.run.place
        steps = course(plan, place)
        if place.at == len(steps):
            await (self._finish(request, place) if place.back is None else self._undone(request))
        elif not place.began:
            await self._begin(request, place, steps[place.at])
        else:
            try:
                await self._take(request, place, steps[place.at])
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
        await self.database.write(self._keep, request, place, begun)

    def _keep(self, tx: Tx, request: Request, before: Place, after: Place) -> Request:
        """Stores a place that came out of ``before``; raises ``TooLate`` when that is not where the run stands."""
        current = self.register.current(tx, request)
        if current.run.place != before:
            raise TooLate(f"{request.name} has moved on.")
        plan = plan_of(current)
        said = progress(plan, after) if after.at < len(course(plan, after)) else ""
        step = FORWARD if after.back is None else BACK
        return self.register.progress(tx, current, run=current.run.to(place=after), progress=said, step=step)

    def _done(
        self, tx: Tx, request: Request, place: Place, step: Step, outputs: Mapping[str, Any], code: str = ""
    ) -> Request:
        """Stores that the step is done, with what it gave; a Job's log goes into the thread."""
        after = self._keep(tx, request, place, place.next(outputs, step))
        what = "step_done" if place.back is None else "step_undone"
        self.register.record(tx, after, what, {"step": place.at + 1, "title": step.title})
        if step.kind == "job":
            shown = "The end of its log:" if code else "It wrote no log."
            said = f"{step.writes[0].ref} is done. {shown}"
            self.register.say(tx, after, f"log-{place.back}-{place.at}", [said], code=code)
        return after

    # taking a step -------------------------------------------------------------------------------------------------

    async def _take(self, request: Request, place: Place, step: Step) -> None:
        scene, team = await self._scene(request, place, step)
        if step.deferred:
            step = await self._filled_in(request, step, scene)
        if step.kind == "apply":
            await self._apply(request, scene, place, step, team)
        elif step.kind == "wait":
            _, outputs = await effects.wait(scene, step, step.refs[0])
            await self.database.write(self._done, request, place, step, _harmless(outputs))
        elif step.kind == "job":
            await self._job(request, scene, place, step, team)
        else:
            await self._remove(request, scene, place, step)

    async def _scene(self, request: Request, place: Place, step: Step) -> tuple[Scene, str]:
        """What the step works with, and the team that owns what it makes."""
        requester = await self.planner.requester(request)
        late = place.back is None and not place.wrote and self.clock.now() - place.began > START_WITHIN
        scene = Scene(
            writer=await self.planner.writer(request), clock=self.clock, evaluate=self.planner.evaluate,
            variables=await self._variables(request, place), deadline=place.began + step.timeout,
            request=request.name, late=late, answered=self._answered(request, place),
        )  # fmt: skip
        return scene, team_of(request, self.configuration) or next(iter(requester.teams), "")

    async def _variables(self, request: Request, place: Place) -> dict[str, Any]:
        action = self.planner.action_of(request)
        inputs = action.inputs.model_validate(request.inputs)
        requester = await self.planner.requester(request)
        context = self.planner.context(inputs, requester, plan_of(request).frozen, request.id)
        given = {name: {"outputs": values} for name, values in place.outputs.items()}
        return {**variables(action, inputs, context), "steps": given}

    def _answered(self, request: Request, place: Place) -> Callable[[], Awaitable[None]]:
        """Makes the card say again what is under way, once, after it had said that the cluster does not answer."""
        said = progress(plan_of(request), place)
        silent = request.progress != said

        def say(tx: Tx) -> None:
            current = self.register.current(tx, request)
            if current.progress != said and current.run.place == place:
                self.register.progress(tx, current, progress=said)

        async def answered() -> None:
            nonlocal silent
            if silent:
                silent = False
                await self.database.write(say)

        return answered

    async def _filled_in(self, request: Request, step: Step, scene: Scene) -> Step:
        """The step with what earlier steps gave; kind and namespace stay as they were, a new name is judged again."""
        platform = self.configuration.platform
        environment = platform.environments[request.environment]

        async def ref_of(ref: ObjectRef) -> ObjectRef:
            if not has_cel(ref.name):
                return ref
            found = ref.model_copy(update={"name": str(await rendered(ref.name, scene.variables, scene.evaluate))})
            guard.check(found, platform, environment, looks=step.kind == "wait")
            return found

        writes = [
            write.model_copy(
                update={
                    "ref": await ref_of(write.ref),
                    "body": await rendered(write.body, scene.variables, scene.evaluate),
                }
            )
            for write in step.writes
        ]
        unknown = [str(new.ref) for old, new in zip(step.writes, writes, strict=True) if new.ref != old.ref]
        refs = [await ref_of(ref) for ref in step.refs]
        update = {"writes": tuple(writes), "refs": tuple(refs), "created": (*step.created, *unknown)}
        return step.model_copy(update=update)

    async def _apply(self, request: Request, scene: Scene, place: Place, step: Step, team: str) -> None:
        for number in range(place.wrote, len(step.writes)):
            live, made = await self._put(request, scene, place, step, step.writes[number], team)
            after = place.model_copy(update={"wrote": number + 1})
            last = number + 1 == len(step.writes) and not step.outputs
            await self.database.write(self._wrote, request, place, after, step, live, made, team, last)
            place = after
        if step.outputs:
            _, outputs = await effects.wait(scene, step, step.writes[0].ref)
            await self.database.write(self._done, request, place, step, _harmless(outputs))

    async def _put(
        self, request: Request, scene: Scene, place: Place, step: Step, write: Write, team: str
    ) -> tuple[Object, bool]:
        """Writes one object; the object as it is now, and whether this request made it."""
        plan, name = plan_of(request), str(write.ref)
        absent = place.back is not None and await scene.writer.get(write.ref) is None
        if name in step.created or absent:
            write = self._labelled(request, write, team)
            live = await effects.standing(scene, write)
            return (live, True) if live is not None else await effects.create(scene, write)
        earlier = plan.steps[: place.at] if place.back is None else plan.steps
        known = None if any(one.ref == write.ref for done in earlier for one in done.writes) else plan.changes
        approved = None if known is None else [one for one in known if one.object == name]
        if step.deferred or place.back is not None:  # what it fills in could not be seen before
            approved = None
        return await effects.change(scene, write, approved), False

    def _labelled(self, request: Request, write: Write, team: str) -> Write:
        """A new object says whose it is and until when it stays."""
        metadata = dict(write.body.get("metadata") or {})
        ours = {REQUEST: request.name, REQUESTER: request.requester_id, **({TEAM: team} if team else {})}
        metadata["labels"] = {**(metadata.get("labels") or {}), **ours}
        body = {**write.body, "metadata": metadata}
        expires = plan_of(request).expires
        return write.model_copy(update={"body": with_end(body, request.started_at + expires) if expires else body})

    def _wrote(
        self, tx: Tx, request: Request, before: Place, after: Place, step: Step, live: Object, made: bool, team: str,
        last: bool,
    ) -> None:  # fmt: skip
        """Stores that one object is written, and that it is ours if we made it, in one transaction."""
        metadata, plan, now = live["metadata"], plan_of(request), self.clock.now()
        write = step.writes[after.wrote - 1]
        if made and CLEANS_ITSELF not in (write.body.get("spec") or {}):
            objects.record(tx, request, live, team=team, now=now, period=plan.expires)
        elif not made:
            expires = request.started_at + plan.expires if plan.expires else 0.0
            objects.renew(tx, live, expires_at=expires, period=plan.expires, now=now)
        written = {"object": str(write.ref), "uid": metadata["uid"], "made": made}
        self.register.record(tx, request, "written", written)
        if last:
            self._done(tx, request, before, step, {})
        else:
            self._keep(tx, request, before, after)

    async def _job(self, request: Request, scene: Scene, place: Place, step: Step, team: str) -> None:
        write = self._labelled(request, step.writes[0], team)
        name = str(write.ref)
        if name not in place.uids:
            live = await effects.standing(scene, write)
            if live is None:
                ttl = (write.body.get("spec") or {}).get(CLEANS_ITSELF)
                if ttl is not None and self.clock.now() - place.began > ttl:
                    raise StepFailed(f"{name} is not there. {effects.UNKNOWN}")  # it may have run and been cleaned up
                live, made = await effects.create(scene, write)
                if not made:
                    raise StepFailed(f"{name} is there already, and is somebody else's.")
            after = place.model_copy(update={"uids": {name: str(live["metadata"]["uid"])}, "wrote": 1})
            await self.database.write(self._wrote, request, place, after, step, live, True, team, False)
            place = after
        log = await effects.finished(scene, step, write.ref, place.uids[name])
        outputs: dict[str, Any] = {}
        if step.outputs:
            _, outputs = await effects.wait(scene, step.model_copy(update={"until": ""}), write.ref)
        await self.database.write(self._done, request, place, step, _harmless(outputs), log)

    async def _remove(self, request: Request, scene: Scene, place: Place, step: Step) -> None:
        for number in range(place.wrote, len(step.refs)):
            ref = step.refs[number]
            uid = step.uids.get(str(ref)) or place.uids.get(str(ref), "")
            if place.back is not None:  # undoing removes what this request made, and nothing else
                made = await self.database.read(objects.of_request, request.id)
                uid = next((one.uid for one in made if one.ref == ref), "")
            elif not uid and (uid := await effects.uid_of(scene.writer, ref)):
                after = place.model_copy(update={"uids": {**place.uids, str(ref): uid}})
                await self.database.write(self._keep, request, place, after)
                place = after
            if uid:
                await effects.remove(scene, step, ref, uid)
            after = place.model_copy(update={"wrote": number + 1})
            last = number + 1 == len(step.refs)
            await self.database.write(self._removed, request, place, after, step, ref, uid, last)
            place = after

    def _removed(
        self, tx: Tx, request: Request, before: Place, after: Place, step: Step, ref: ObjectRef, uid: str, last: bool
    ) -> None:
        if uid:
            objects.removed(tx, uid, "removed", self.clock.now())
            self.register.record(tx, request, "removed", {"object": str(ref), "uid": uid})
        elif before.back is not None:
            said = f"{ref} stays: {request.name} did not make it."
            self.register.say(tx, request, f"stays-{before.back}-{before.at}-{after.wrote}", [said])
        if last:
            self._done(tx, request, before, step, {})
        else:
            self._keep(tx, request, before, after)

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
            await self.database.write(self._keep, current, place, again)
            raise Unavailable(f"{why.message} (tried again)", retry_after=float(2**place.tries))
        if place.back is None:
            await self.database.write(self._fail, current, step, why)
        else:
            await self.database.write(self._not_undone, current, step, why)

    def _stall(self, tx: Tx, request: Request) -> None:
        """Nothing was written yet, and the cluster was away for long: the requester is asked anew."""
        self.register.stall(tx, self.register.progress(tx, request, run=request.run.to(place=Place())))

    def _fail(self, tx: Tx, request: Request, step: Step, why: PlatformError) -> None:
        plan, place = plan_of(request), request.run.place
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
        self._keep(tx, request, place, after)
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
        plan, found = plan_of(request), dict[str, str]()
        seen = await self._variables(request, place) if plan.outputs else {}
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
        count = len(plan_of(current).steps)
        said = f"{count} step{'s' if count > 1 else ''} done"
        self.register.move(
            tx,
            current,
            Event.BECAME_HEALTHY,
            outcome=said,
            run=current.run.to(outputs=outputs),
            data={"outputs": outputs},
        )


def plan_of(request: Request) -> Plan:
    """The plan of a request that runs."""
    if request.plan is None:
        raise TypeError(f"{request.name} runs without a plan")
    return request.plan


def _harmless(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The outputs, refusing what looks like a secret: it would end up in the database and on the card."""
    for name, value in outputs.items():
        if mask(f"{value}")[1]:
            raise StepFailed(f"Its output {name} looks like a secret, and secrets don't pass through the assistant.")
    return outputs


def _evidence(said: str, why: PlatformError) -> tuple[list[str], str]:
    return ([said, *why.lines], why.code) if isinstance(why, StepFailed) else ([said, *filter(None, [why.hint])], "")
