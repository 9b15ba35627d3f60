"""How far a run of steps has come, what is undone when it fails, and both in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import AliasChoices, Field

from chatops.kernel.catalog import Record
from chatops.kernel.durations import short
from chatops.kernel.plan import Plan, Step


class Place(Record):
    """Where a run stands; stored before and after each outside effect."""

    at: int = 0  # the step that is under way, from 0; of the undo steps while ``back`` is set
    began: float = 0.0  # epoch seconds at which it began; 0: not yet
    wrote: int = 0  # how many of its objects are known to be written or removed
    tries: int = 0  # how often it failed and is tried again
    uids: dict[str, str] = Field(default_factory=dict)  # of the step's objects, as known before the next effect
    outputs: dict[str, dict[str, Any]] = Field(default_factory=dict)  # of the steps done, by their names
    back: int | None = None  # given: undoing the first ``back`` steps of the plan
    failed: int | None = None  # the step that failed, once it is undone
    failures: tuple[str, ...] = ()  # what could not be undone

    def next(self, outputs: Mapping[str, Any], step: Step) -> Place:
        """The place before the next step."""
        known = {**self.outputs, step.name: dict(outputs)} if step.name else self.outputs
        return Place(at=self.at + 1, outputs=known, back=self.back, failed=self.failed, failures=self.failures)


class Run(Record):
    """How far carrying out a request has come, stored with it. Times: epoch seconds, 0: not yet.

    ``form`` counts the ways in which it was ever stored; raises ``ValueError`` for one that a later version stored.
    Rows from before there was a ``form`` have two fields under other names.
    """

    form: Literal[1] = 1
    generations: dict[str, int] = Field(default_factory=dict)  # of each object as it was written, by its name
    watch_from: float = 0.0  # when a pod last became ready, from which the time to watch counts
    most_ready: dict[str, int] = Field(default_factory=dict)  # pods of each object that were ready at best
    place: Place = Field(default=Place(), validation_alias=AliasChoices("place", "steps"))  # where the steps stand
    outputs: dict[str, str] = Field(default_factory=dict)  # what came out of all steps
    value_until: float = Field(  # when the one-time page closes
        default=0.0, validation_alias=AliasChoices("value_until", "expires")
    )
    given: bool = False  # a value was sent, and may have been stored
    held_until: float = 0.0  # until when one sending of a value holds the page

    def to(self, **changes: Any) -> Run:
        """The run with these changes."""
        return self.model_copy(update=changes)


def course(plan: Plan, place: Place) -> tuple[Step, ...]:
    """The steps being taken: the plan's, or the undo steps of those that were taken, the last step's first."""
    if place.back is None:
        return plan.steps
    return tuple(step for done in reversed(plan.steps[: place.back]) for step in done.undo)


def nothing_to_do(plan: Plan) -> bool:
    """Whether carrying out the plan would leave everything as it is; a job and what is filled in later never do.

    An action of nothing but waits changes nothing either, and is asked for to wait.
    """
    return not (plan.changes or plan.only_waits) and not any(step.kind == "job" or step.deferred for step in plan.steps)


def progress(plan: Plan, place: Place) -> str:
    """``step 2 of 5: wait for Cluster.postgresql.cnpg.io/checkout-db``."""
    steps = course(plan, place)
    word = "step" if place.back is None else "undoing,"
    return f"{word} {place.at + 1} of {len(steps)}: {steps[place.at].title}"


def described(step: Step) -> str:
    """A step in words that a lead can judge."""
    parts = []
    if step.kind == "apply" and step.created:
        parts.append("new" if len(step.created) == len(step.writes) else f"{len(step.created)} of them new")
    if step.kind == "wait":
        parts.append(f"until {step.until}, at most {short(step.timeout)}")
        parts += [f"fails when {step.fail_when}"] if step.fail_when else []
    if step.kind == "job":
        parts.append(f"at most {short(step.timeout)}")
    if step.deferred:
        parts.append("partly filled in by what earlier steps give")
    return f"{step.title} ({'; '.join(parts)})" if parts else step.title


def written_out(plan: Plan) -> str:
    """All steps with their undo, what comes out at the end, and how long it stays; empty for a plan without steps."""
    return "\n".join(_written_out(plan)) if plan.steps else ""


def until(plan: Plan) -> str:
    """How long what the steps make stays, where that is not for good."""
    made = [write.ref for step in plan.steps for write in step.writes if str(write.ref) in step.created]
    if made and all(ref.gives_access for ref in made):
        return f"The access that it gives ends after {short(plan.expires)}, and cannot be extended."
    return f"What it makes is removed after {short(plan.expires)}, unless somebody extends it."


def _written_out(plan: Plan) -> Iterator[str]:
    for number, step in enumerate(plan.steps, start=1):
        yield f"{number}. {described(step)}"
        for name, expression in step.outputs.items():
            yield f"   gives {name}: {expression}"
        for undo in step.undo:
            yield f"   undone by: {described(undo)}"
    for name, template in plan.outputs.items():
        yield f"At the end, {name}: {template}"
    if plan.expires:
        yield until(plan)
