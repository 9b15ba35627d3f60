"""Remove what a request made, and nothing else: each object by its uid.

/platform remove REQUEST ENVIRONMENT [SERVICE] because REASON
"""

from __future__ import annotations

from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, Made, ServiceName
from chatops.kernel.errors import InputError, Refused
from chatops.kernel.plan import Change, ObjectRef, Plan, Step
from commands.extend import RequestName, number_of
from commands.mine import what


class Remove(ChangeInputs):
    """Which request's objects. Environment and service are named, because policy decides by them."""

    request: RequestName = Field(title="Request", description="Its name on the card: R-1042.")
    environment: EnvironmentName = Field(title="Environment", description="Where they are.")
    service: ServiceName = Field(default="", title="Service", description="What they belong to, if anything.")


async def plan(inputs: Remove, ctx: Context) -> Plan:
    """A step for each object that is still the one that was made, the newest first.

    Raises ``Refused`` for everybody but the requester and the owning team.
    """
    number = number_of(inputs.request)
    made = await ctx.questions.made_by(number)
    if made is None:
        return Plan(summary=f"R-{number}", now=f"Nothing of what R-{number} made is there any more.")
    _check(inputs, made, ctx)
    cluster = ctx.cluster
    if cluster is None:
        raise TypeError("this action's inputs name no environment")
    steps = []
    for ref, uid in made.objects:
        live = await cluster.metadata(ref)
        if live is not None and live["metadata"]["uid"] == uid:
            steps.append(_step(ref, uid))
    return Plan(
        summary=f"{what(made)} (R-{number})",
        changes=tuple(Change(object=str(step.refs[0]), field="object", before="there") for step in steps),
        now="" if steps else f"Nothing of what R-{number} made is there any more.",
        impact=", ".join(step.title for step in steps[:5]),
        on_failure="what was removed until then stays removed",
        steps=tuple(steps),
        risk="danger",
    )


def _check(inputs: Remove, made: Made, ctx: Context) -> None:
    if not made.is_of(ctx.requester):
        raise Refused(f"Only {made.by}, who asked for R-{made.request}, and the owning team can have it removed.")
    for field, given, known in (
        ("environment", inputs.environment, made.environment),
        ("service", inputs.service, made.service),
    ):
        if given != known:
            line = " ".join(filter(None, (f"R-{made.request}", made.environment, made.service)))
            raise InputError(
                f"What R-{made.request} made belongs to the {field} {known or 'none'}.", field=field,
                hint=f"`/platform remove {line}`",
            )  # fmt: skip


def _step(ref: ObjectRef, uid: str) -> Step:
    return Step(kind="remove", title=f"remove {ref}", refs=(ref,), uids={str(ref): uid})


RECORD = Action(
    name="remove",
    title="Remove",
    risk="danger",
    inputs=Remove,
    usage="remove REQUEST ENVIRONMENT [SERVICE] because REASON",
    summary="Remove what a request made, and nothing else",
    positionals=("request", "environment", "service"),
    plan=plan,
)
