"""Set how many pods of a service run.

/platform scale SERVICE ENVIRONMENT replicas=N because REASON
"""

from __future__ import annotations

from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, ServiceName
from chatops.kernel.catalog import Platform
from chatops.kernel.errors import InputError, Refused
from chatops.kernel.plan import Plan, Write
from commands.workload import Draft, Seen, apply, planned, pods

MANAGER = "chatops-scale"


class Scale(ChangeInputs):
    """How many pods of what, where."""

    service: ServiceName = Field(title="Service", description="What to scale.")
    environment: EnvironmentName = Field(title="Environment", description="Where.")
    replicas: int = Field(ge=0, title="Replicas", description="How many pods; 0 stops it.")


def check(inputs: Scale, platform: Platform) -> None:
    """Refuses more pods than the environment allows; raises ``InputError`` at ``replicas``."""
    environment = platform.environments[inputs.environment]
    if not 0 <= inputs.replicas <= environment.max_replicas:
        said = f"Replicas must be between 0 and {environment.max_replicas} in {environment.name}."
        raise InputError(said, field="replicas")


async def plan(inputs: Scale, ctx: Context) -> Plan:
    """Another number of replicas, unless an autoscaler decides on it."""
    try:
        check(inputs, ctx.platform)
    except InputError as mistake:  # asked before the limit was lowered: the form is long gone
        raise Refused(mistake.message, rule="replicas limit") from mistake

    async def wish(seen: Seen) -> Draft:
        name, before, after = seen.service.name, seen.replicas, inputs.replicas
        if autoscaler := await _autoscaler(ctx, seen):
            hint = f"Change its minReplicas and maxReplicas (HorizontalPodAutoscaler/{autoscaler})."
            raise Refused(
                f"The autoscaler {autoscaler} decides how many pods {name} has.", rule="autoscaler", hint=hint
            )
        more = after - before
        return Draft(
            summary=f"{name} {before} → {pods(after)}",
            manager=MANAGER,
            before=str(before),
            after=str(after),
            unchanged=f"Nothing would change: {name} in {inputs.environment} has {pods(before)}.",
            body={"spec": {"replicas": after}},
            impact=f"{pods(abs(more))} {'more' if more > 0 else 'less'}, same version",
            undo=Write(ref=seen.ref, manager=MANAGER, body={"spec": {"replicas": before}}),
            undone=pods(before),
            warnings=(f"{name} stops: no pod will run",) if not after else (),
        )

    return await planned(ctx, wish)


async def _autoscaler(ctx: Context, seen: Seen) -> str:
    """The name of the HorizontalPodAutoscaler that targets the workload (KEDA makes one, too); empty when none does."""
    cluster = ctx.needs()[0]
    for one in await cluster.find("autoscaling/v2", "HorizontalPodAutoscaler", seen.ref.namespace):
        target = one["spec"]["scaleTargetRef"]
        if (target.get("kind"), target.get("name")) == (seen.ref.kind, seen.ref.name):
            return str(one["metadata"]["name"])
    return ""


RECORD = Action(
    name="scale",
    title="Scale",
    risk="change",
    inputs=Scale,
    usage="scale SERVICE ENVIRONMENT replicas=N because REASON",
    summary="Set how many pods of a service run",
    positionals=("service", "environment"),
    plan=plan,
    apply=apply,
    check=check,
)
