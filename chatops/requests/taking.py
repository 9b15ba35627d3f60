"""Taking one step of a declared action: its effect on the cluster, and what is stored after it.

A step is taken by whoever finds it begun, maybe for the second time: every kind looks at the cluster first, and stores
each object it has written together with whose it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from approvals.lifecycle import START_WITHIN
from approvals.request import Request
from chatops.kernel.cel import has_cel
from chatops.kernel.cel.render import rendered
from chatops.kernel.course import Place, course, progress
from chatops.kernel.errors import TooLate
from chatops.kernel.labels import REQUEST, REQUESTER, TEAM
from chatops.kernel.masking import mask
from chatops.kernel.plan import ObjectRef, Step, Write
from chatops.kernel.ports import Clock, Configuration, Database, Tx
from chatops.kernel.variables import variables
from chatops.requests import effects, objects
from chatops.requests.approvers import team_of
from chatops.requests.effects import Object, Scene, StepFailed
from chatops.requests.expiry import with_end
from chatops.requests.planning import Planner
from chatops.requests.register import Register
from commands.declared import guard

CLEANS_ITSELF = "ttlSecondsAfterFinished"  # of a Job's spec: Kubernetes removes it
FORWARD, BACK = "stepping", "undoing"  # a request's ``step`` while its steps are taken


@dataclass(slots=True)
class Taker:
    """Takes a step that has begun, and stores where the run stands after it."""

    database: Database
    register: Register
    planner: Planner
    configuration: Configuration
    clock: Clock

    async def take(self, request: Request, place: Place, step: Step) -> None:
        """Has the step's effect, unless it is there already, and stores that it is done."""
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
            variables=await self.variables(request, place), deadline=place.began + step.timeout,
            request=request.name, late=late, answered=self._answered(request, place),
        )  # fmt: skip
        return scene, team_of(request, self.configuration) or next(iter(requester.teams), "")

    async def variables(self, request: Request, place: Place) -> dict[str, Any]:
        """What templates and expressions see at this place: the inputs as asked for, and what earlier steps gave."""
        action = self.planner.action_of(request)
        inputs = action.inputs.model_validate(request.inputs)
        requester = await self.planner.requester(request)
        context = self.planner.context(inputs, requester, request.planned.frozen, request.id)
        given = {name: {"outputs": values} for name, values in place.outputs.items()}
        return {**variables(action, inputs, context), "steps": given}

    def _answered(self, request: Request, place: Place) -> Callable[[], Awaitable[None]]:
        """Makes the card say again what is under way, once, after it had said that the cluster does not answer."""
        said = progress(request.planned, place)
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
        plan, name = request.planned, str(write.ref)
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
        expires = request.planned.expires
        return write.model_copy(update={"body": with_end(body, request.started_at + expires) if expires else body})

    def _wrote(
        self, tx: Tx, request: Request, before: Place, after: Place, step: Step, live: Object, made: bool, team: str,
        last: bool,
    ) -> None:  # fmt: skip
        """Stores that one object is written, and that it is ours if we made it, in one transaction."""
        metadata, plan, now = live["metadata"], request.planned, self.clock.now()
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
            self.keep(tx, request, before, after)

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
                await self.database.write(self.keep, request, place, after)
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
            self.keep(tx, request, before, after)

    # what is stored -----------------------------------------------------------------------------------------------

    def keep(self, tx: Tx, request: Request, before: Place, after: Place) -> Request:
        """Stores a place that came out of ``before``; raises ``TooLate`` when that is not where the run stands."""
        current = self.register.current(tx, request)
        if current.run.place != before:
            raise TooLate(f"{request.name} has moved on.")
        plan = current.planned
        said = progress(plan, after) if after.at < len(course(plan, after)) else ""
        step = FORWARD if after.back is None else BACK
        return self.register.progress(tx, current, run=current.run.to(place=after), progress=said, step=step)

    def _done(
        self, tx: Tx, request: Request, place: Place, step: Step, outputs: Mapping[str, Any], code: str = ""
    ) -> Request:
        """Stores that the step is done, with what it gave; a Job's log goes into the thread."""
        after = self.keep(tx, request, place, place.next(outputs, step))
        what = "step_done" if place.back is None else "step_undone"
        self.register.record(tx, after, what, {"step": place.at + 1, "title": step.title})
        if step.kind == "job":
            shown = "The end of its log:" if code else "It wrote no log."
            said = f"{step.writes[0].ref} is done. {shown}"
            self.register.say(tx, after, f"log-{place.back}-{place.at}", [said], code=code)
        return after


def _harmless(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The outputs, refusing what looks like a secret: it would end up in the database and on the card."""
    for name, value in outputs.items():
        if mask(f"{value}")[1]:
            raise StepFailed(f"Its output {name} looks like a secret, and secrets don't pass through the assistant.")
    return outputs
