"""Give a key of a Secret its value, on a one-time page and never through Slack.

/platform secret set SERVICE ENVIRONMENT KEY because REASON
"""

from __future__ import annotations

from base64 import b64encode

from chatops.kernel.action import Action, Context, Outcome
from chatops.kernel.plan import Plan
from chatops.kernel.ports import ClusterWriter
from commands.secret_keys import SecretInputs, key_in, planned, with_value


async def plan(inputs: SecretInputs, ctx: Context) -> Plan:
    """One key with a value that nobody knows yet."""
    return await planned(inputs, ctx, after="given on a one-time page", must_exist=False)


async def give(plan: Plan, value: str, cluster: ClusterWriter) -> Outcome:
    """Writes the value that was given."""
    write = with_value(plan, key_in(plan), b64encode(value.encode()).decode())
    # The page stays open for minutes, in which somebody may set another key: only our own field matters here.
    await cluster.write(write.model_copy(update={"resource_version": ""}))
    return Outcome()


RECORD = Action(
    name="secret.set",
    title="Set a secret",
    risk="danger",
    inputs=SecretInputs,
    usage="secret set SERVICE ENVIRONMENT KEY because REASON",
    summary="Give a key of a Secret its value, on a one-time page and never through Slack",
    positionals=("service", "environment", "key"),
    plan=plan,
    give=give,
)
