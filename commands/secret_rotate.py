"""Give a key of a Secret a new random value, which nobody sees.

/platform secret rotate SERVICE ENVIRONMENT KEY because REASON
"""

from __future__ import annotations

import secrets
from base64 import b64encode

from chatops.kernel.action import Action, Context, Outcome
from chatops.kernel.errors import ClusterError, Conflict
from chatops.kernel.plan import Plan
from chatops.kernel.ports import ClusterWriter
from commands.secret_keys import SecretInputs, key_in, planned, with_value

BYTES = 32  # of randomness: 43 characters of the URL-safe base64 alphabet


async def plan(inputs: SecretInputs, ctx: Context) -> Plan:
    """Another value for a key that is there."""
    return await planned(inputs, ctx, after="a new random value", must_exist=True)


async def apply(plan: Plan, cluster: ClusterWriter) -> Outcome:
    """Makes the value and writes it; raises ``Conflict`` when the Secret is no longer what was planned on."""
    encoded = b64encode(secrets.token_urlsafe(BYTES).encode()).decode()
    try:
        written = await cluster.write(with_value(plan, key_in(plan), encoded))
    except Conflict:
        raise
    except ClusterError as no:  # its words could hold the value
        raise ClusterError(f"The cluster refused the new value (status {no.status}).", status=no.status) from None
    return Outcome({str(plan.writes[0].ref): int(written["metadata"].get("generation", 0))})


RECORD = Action(
    name="secret.rotate",
    title="Rotate a secret",
    risk="danger",
    inputs=SecretInputs,
    usage="secret rotate SERVICE ENVIRONMENT KEY because REASON",
    summary="Give a key of a Secret a new random value, which nobody sees",
    positionals=("service", "environment", "key"),
    plan=plan,
    apply=apply,
)
