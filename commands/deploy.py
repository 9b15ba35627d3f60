"""Deploy a version of a service.

/platform deploy SERVICE VERSION ENVIRONMENT because REASON
"""

from __future__ import annotations

from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, ServiceName, Version
from chatops.kernel.diff import CHANGE_CAUSE
from chatops.kernel.plan import Plan
from commands.workload import Draft, Seen, apply, planned


class Deploy(ChangeInputs):
    """What to deploy where."""

    service: ServiceName = Field(title="Service", description="What to deploy.")
    environment: EnvironmentName = Field(title="Environment", description="Where to deploy it.")
    version: Version = Field(title="Version", description="An image tag such as 1.4.2, or a digest sha256:…")


async def plan(inputs: Deploy, ctx: Context) -> Plan:
    """Another image for the service's container; everything else on the workload stays."""

    async def wish(seen: Seen) -> Draft:
        service, version = seen.service, inputs.version
        cause = f"deploy {service.name} {version}, asked by {ctx.requester.name or ctx.requester.id}"
        container = {"name": service.container, "image": service.image_for(version)}
        return Draft(
            summary=f"{service.name} {seen.version} → {version}",
            manager="chatops-deploy",
            before=seen.version,
            after=version,
            unchanged=f"Nothing would change: {service.name} in {inputs.environment} is at {seen.standing()}.",
            body={
                "metadata": {"annotations": {CHANGE_CAUSE: cause}},
                "spec": {"template": {"spec": {"containers": [container]}}},
            },
        )

    return await planned(ctx, wish)


RECORD = Action(
    name="deploy",
    title="Deploy",
    risk="change",
    inputs=Deploy,
    usage="deploy SERVICE VERSION ENVIRONMENT because REASON",
    summary="Deploy a version of a service",
    positionals=("service", "version", "environment"),
    plan=plan,
    apply=apply,
    button="Deploy",
    promoted=True,
)
