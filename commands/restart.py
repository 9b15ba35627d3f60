"""Start every pod of a service anew, a few at a time.

/platform restart SERVICE ENVIRONMENT because REASON
"""

from __future__ import annotations

from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, ServiceName
from chatops.kernel.errors import Refused
from chatops.kernel.plan import Plan
from commands.workload import Draft, Seen, apply, pace, planned

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # what `kubectl rollout restart` sets, so that both agree


class Restart(ChangeInputs):
    """What to restart where."""

    service: ServiceName = Field(title="Service", description="What to restart.")
    environment: EnvironmentName = Field(title="Environment", description="Where.")


async def plan(inputs: Restart, ctx: Context) -> Plan:
    """A new time on the pod template; the first plan's time is kept, so that planning again finds the same."""
    at = ctx.frozen.get("restarted_at") or ctx.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    async def wish(seen: Seen) -> Draft:
        name = seen.service.name
        if seen.live["spec"].get("paused"):  # kubectl refuses it, too: nothing would roll
            raise Refused(f"{name} is paused.", hint="Resume it first: kubectl rollout resume.")
        return Draft(
            summary=f"{name} {seen.version}",
            manager="chatops-restart",
            before=seen.version,
            after=seen.version,
            unchanged=f"{name} in {inputs.environment} was restarted at {at} already.",
            body={"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}},
            impact=f"same version and settings · {pace(seen.live, seen.replicas)}",
            frozen={"restarted_at": at},
            warnings=() if seen.replicas else (f"{name} is scaled to 0: there is nothing to restart",),
        )

    return await planned(ctx, wish)


RECORD = Action(
    name="restart",
    title="Restart",
    risk="change",
    inputs=Restart,
    usage="restart SERVICE ENVIRONMENT because REASON",
    summary="Start every pod anew, a few at a time",
    positionals=("service", "environment"),
    plan=plan,
    apply=apply,
)
