"""What a step does to the cluster: write an object, wait for one, run a Job, remove an object.

Each looks at the cluster first, so that a step which was cut off makes nothing twice. Nothing is stored here: the place
of a run is kept by ``chatops.requests.taking``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatops.kernel.cel import CelError, EvaluateAll
from chatops.kernel.diff import changes
from chatops.kernel.durations import short
from chatops.kernel.errors import Conflict, PlatformError, Unavailable
from chatops.kernel.labels import EXPIRES_AT, REQUEST
from chatops.kernel.masking import MASK, mask
from chatops.kernel.ownership import made_by
from chatops.kernel.plan import Change, ObjectRef, Step, Write
from chatops.kernel.ports import Clock, ClusterReader, ClusterWriter
from chatops.requests.following import Thing, follow
from commands.declared import guard

Object = dict[str, Any]

LOG_LINES, MOST_LOG, MOST_EVENTS = 40, 2500, 3
JOB_NAME = "job-name"  # label of a Job's pods: https://kubernetes.io/docs/concepts/workloads/controllers/job/
UNKNOWN = "Whether it had finished is not known, so it is not run again; a person has to look."
_OURS = (f"metadata.annotations[{EXPIRES_AT}]", f"metadata.labels[{REQUEST}]")  # says when and for whom, not what


class StepFailed(PlatformError):
    """A step did not come to what it was to bring about; ``lines`` and ``code`` (a log's end) say why."""

    def __init__(self, message: str, *, lines: Sequence[str] = (), code: str = "") -> None:
        super().__init__(message)
        self.lines = tuple(lines)
        self.code = code


class ComesLate(StepFailed):
    """An effect that was approved long ago and would surprise by now; it was not made."""


async def no_news() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a step works with: where, what its CEL sees, and until when (epoch seconds)."""

    writer: ClusterWriter
    clock: Clock
    evaluate: EvaluateAll
    variables: Mapping[str, Any]
    deadline: float
    request: str  # R-1042
    late: bool = False  # the cluster was away for so long that nothing may be written any more
    answered: Callable[[], Awaitable[object]] = no_news  # is told whenever the cluster has answered

    def check_late(self, what: str) -> None:
        """Raises ``ComesLate`` when it is too late to begin with ``what``."""
        if self.late:
            raise ComesLate(f"{what} came too late: the cluster did not answer for more than 30 minutes.")


# writing -------------------------------------------------------------------------------------------------------------


async def standing(scene: Scene, write: Write) -> Object | None:
    """The object of ``write`` when this very request made it, before it was cut off; None when it is not there.

    Raises ``StepFailed`` when somebody else made it: it is theirs.
    """
    live = await scene.writer.get(write.ref)
    if live is None or is_made(live, write, scene.request):
        return live
    said = f"{write.ref} is there already: somebody made it after this was planned. It was left as it is."
    raise StepFailed(said)


def is_made(live: Mapping[str, Any], write: Write, request: str, *, alone: bool = False) -> bool:
    """Whether this write of this request brought the object into being."""
    labels = live["metadata"].get("labels") or {}
    return labels.get(REQUEST) == request and made_by(live, write.manager, alone=alone)


async def create(scene: Scene, write: Write) -> tuple[Object, bool]:
    """Makes an object that is not there, and whether it is really ours: somebody may have been faster."""
    scene.check_late(f"making {write.ref}")
    live = await scene.writer.write(write.model_copy(update={"resource_version": ""}))
    return live, is_made(live, write, scene.request, alone=True)


async def change(scene: Scene, write: Write, approved: Sequence[Change] | None) -> Object:
    """Writes to an object that was there before.

    ``approved`` are the changes that people have seen (None: none of that counts, an earlier step of the run wrote to
    it). Raises ``StepFailed`` when it would change otherwise, ``Unavailable`` while it keeps changing.
    """
    live = await scene.writer.get(write.ref)
    if live is None:
        raise StepFailed(f"{write.ref} is gone; it was there when this was planned.")
    version = str(live["metadata"]["resourceVersion"])
    anew = write.model_copy(update={"resource_version": version})
    try:
        if scene.late or (approved is not None and version != write.resource_version):
            found = changes(live, await scene.writer.dry_run(anew))
            if not found:
                return live
            scene.check_late(f"changing {write.ref}")
            _check(write.ref, found, approved or ())
        return await scene.writer.write(anew)
    except Conflict as raced:  # status updates race with us: look again soon
        raise Unavailable(f"{write.ref} is changing just now.", retry_after=0.2) from raced


def _check(ref: ObjectRef, found: Sequence[Change], approved: Sequence[Change]) -> None:
    seen = {one.field: one for one in approved}
    for one in found:
        known = seen.get(one.field)
        if one.field not in _OURS and (known is None or (known.before, known.after) != (one.before, one.after)):
            raise StepFailed(f"{ref} was changed after this was planned ({one.field}); nothing was written to it.")


# waiting -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Said:
    """What CEL said last."""

    value: Any = None
    error: str = ""
    no_verdict: str = ""  # why fail_when could not be answered

    def sentence(self) -> str:
        parts = [f"The last value was {_shown(self.value)}."] if self.value is not None else []
        parts += [f"The last CEL error was: {self.error.rstrip('.')}."] if self.error else []
        if self.no_verdict and self.no_verdict != self.error:
            parts.append(f"The last CEL error of fail_when was: {self.no_verdict.rstrip('.')}.")
        return mask(" ".join(parts))[0]


async def wait(scene: Scene, step: Step, ref: ObjectRef) -> tuple[Object, dict[str, Any]]:
    """Waits until ``step.until`` is true of the object and its outputs have values; both at that moment.

    What is not there yet, the object or a field, means: not yet. Raises ``StepFailed`` with the last value and the last
    CEL error when the time is over, and as soon as ``step.fail_when`` is true: an object that has failed is not waited
    for, also when ``until`` is true of it at that moment.
    """
    said = _Said()
    until, fail_when = step.until or "true", step.fail_when or "false"

    async def look(thing: Thing) -> tuple[Object, dict[str, Any]] | None:
        await scene.answered()
        if thing is None:
            said.error = f"{ref} is not there"
            return None
        expressions = [until, fail_when, *step.outputs.values()]
        variables = {**scene.variables, "object": bare(ref, thing)}
        value, failed, *outputs = await scene.evaluate([(one, variables) for one in expressions])
        error = next((one for one in (value, *outputs) if isinstance(one, CelError)), None)
        if not isinstance(value, CelError):
            said.value = value
        said.error = error.message if error is not None else said.error
        said.no_verdict = failed.message if isinstance(failed, CelError) else ""
        if failed is True:
            told = f"{ref} has failed: `{step.fail_when}` is true. {said.sentence()}".strip()
            raise StepFailed(told, lines=await conditions(scene.writer, ref))
        if value is not True or error is not None:
            return None
        return thing, {name: plain(one) for name, one in zip(step.outputs, outputs, strict=True)}

    found = await follow(scene.writer, ref, look, clock=scene.clock, deadline=scene.deadline)
    if found is None:
        aim = f"come to `{step.until}`" if step.until else f"have {', '.join(step.outputs)}"
        lines = await conditions(scene.writer, ref)
        raise StepFailed(f"{ref} did not {aim} within {short(step.timeout)}. {said.sentence()}", lines=lines)
    return found


def plain(value: Any) -> Any:
    """The value as JSON keeps it: times become text."""
    return json.loads(json.dumps(value, default=str))


def bare(ref: ObjectRef, thing: Mapping[str, Any]) -> Object:
    """The object as CEL sees it: without who owns which field, which is most of its size, and what a Secret holds.

    Of a Secret's values nothing but their names is there: the last value that CEL gave is told.
    """
    metadata = {key: value for key, value in thing["metadata"].items() if key != "managedFields"}
    hidden = {"data": dict.fromkeys(thing.get("data") or {}, MASK)} if guard.is_secret(ref) else {}
    return {**thing, **hidden, "metadata": metadata}


async def conditions(reader: ClusterReader, ref: ObjectRef) -> list[str]:
    """What the object and the cluster's events say is missing; nothing when that cannot be asked."""
    try:
        live = await reader.get(ref)
        events = await reader.events(ref.namespace, ref.kind, ref.name)
    except PlatformError as away:
        return [f"More could not be found out: {away.message}"]
    lines = []
    for one in ((live or {}).get("status") or {}).get("conditions") or []:
        if one.get("status") != "True":
            lines.append(f"{one.get('type')} is {one.get('status')}: {one.get('message') or one.get('reason') or ''}")
    warnings = [one for one in events if one.get("type") == "Warning"][-MOST_EVENTS:]
    lines += [f"{one.get('reason', 'Warning')}: {' '.join(str(one.get('message', '')).split())}" for one in warnings]
    return [mask(line)[0][:300] for line in dict.fromkeys(lines)]


# jobs ----------------------------------------------------------------------------------------------------------------


async def finished(scene: Scene, step: Step, ref: ObjectRef, uid: str) -> str:
    """The end of the Job's log, once it is complete.

    Raises ``StepFailed`` when it failed, took too long, or is gone: a Job is never run twice.
    """

    async def look(thing: Thing) -> tuple[str, str] | None:
        await scene.answered()
        if thing is None or thing["metadata"]["uid"] != uid:
            said = (
                f"{ref} is gone, and whether it had finished is not known. It is not run again; a person has to look."
            )
            raise StepFailed(said)
        for one in (thing.get("status") or {}).get("conditions") or []:
            if one.get("type") in ("Complete", "Failed") and one.get("status") == "True":
                return str(one["type"]), str(one.get("message") or one.get("reason") or "")
        return None

    found = await follow(scene.writer, ref, look, clock=scene.clock, deadline=scene.deadline)
    log = await last_words(scene.writer, ref)
    if found is None:
        await scene.writer.delete(ref, uid)  # or it would go on behind the back of what is undone now
        raise StepFailed(f"{ref} did not finish within {short(step.timeout)} and was stopped.", code=log)
    verdict, message = found
    if verdict == "Failed":
        raise StepFailed(f"{ref} failed: {mask(message)[0].rstrip('.')}.", code=log)
    return log


async def last_words(reader: ClusterReader, job: ObjectRef) -> str:
    """The end of the log of the Job's newest pod, masked; empty when there is none or it may not be read."""
    try:
        pods = await reader.find("v1", "Pod", job.namespace, f"{JOB_NAME}={job.name}")
        pods.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
        for pod in reversed(pods):
            for previous in (False, True):
                text = await reader.logs(job.namespace, pod["metadata"]["name"], lines=LOG_LINES, previous=previous)
                if text.strip():
                    return mask(text.strip())[0][-MOST_LOG:]
    except PlatformError:
        return ""  # the log is for people's convenience; the Job's own word decides
    return ""


# removing ------------------------------------------------------------------------------------------------------------


async def uid_of(reader: ClusterReader, ref: ObjectRef) -> str:
    """The uid of the object that has this name now; empty when there is none."""
    live = await reader.get(ref)
    return str(live["metadata"]["uid"]) if live is not None else ""


async def remove(scene: Scene, step: Step, ref: ObjectRef, uid: str) -> None:
    """Removes the object with this uid, and no other of its name, and waits until it is gone."""
    if await uid_of(scene.writer, ref) != uid:
        return
    scene.check_late(f"removing {ref}")
    await scene.writer.delete(ref, uid)

    async def look(thing: Thing) -> bool | None:
        return True if thing is None or thing["metadata"]["uid"] != uid else None

    if not await follow(scene.writer, ref, look, clock=scene.clock, deadline=scene.deadline):
        lines = await conditions(scene.writer, ref)
        raise StepFailed(f"{ref} was still being removed after {short(step.timeout)}.", lines=lines)


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
