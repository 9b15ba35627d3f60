"""Set an environment variable of a service: an action that Acme wrote itself, plan, approval and rollback included."""

from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, ServiceName
from chatops.kernel.plan import Plan
from commands.workload import Draft, Seen, apply, planned


class SetVariable(ChangeInputs):
    service: ServiceName = Field(title="Service")
    environment: EnvironmentName = Field(title="Environment")
    name: str = Field(title="Name", pattern="^[A-Z][A-Z0-9_]{0,62}$", description="Capitals, as in LOG_LEVEL.")
    value: str = Field(title="Value", max_length=1000)


async def plan(inputs: SetVariable, ctx: Context) -> Plan:
    async def wish(seen: Seen) -> Draft:
        container = {"name": seen.service.container, "env": [{"name": inputs.name, "value": inputs.value}]}
        return Draft(
            summary=f"{inputs.name} of {seen.service.name}",
            manager=f"acme-variable-{inputs.name}",  # one for each variable: setting one never drops another
            before=seen.version,
            after=seen.version,
            unchanged=f"{inputs.name} is {inputs.value} already.",
            body={"spec": {"template": {"spec": {"containers": [container]}}}},
        )

    return await planned(ctx, wish)


RECORD = Action(
    name="variable.set", title="Set a variable", risk="change", inputs=SetVariable, plan=plan, apply=apply,
    usage="variable set SERVICE ENVIRONMENT NAME VALUE because REASON", summary="Set an environment variable",
    positionals=("service", "environment", "name", "value"),
)  # fmt: skip
