"""Stops new writes: for the platform team, when something is wrong with the platform itself.

/platform pause because REASON
"""

from __future__ import annotations

from chatops.kernel.action import Action, Answer, Button, ChangeInputs, Context
from chatops.kernel.errors import InputError


class Pause(ChangeInputs):
    """Nothing but why."""


async def answer(inputs: Pause, ctx: Context) -> Answer:
    """Planning, approvals and what runs go on; raises ``Refused`` for everybody else."""
    if not inputs.reason:
        raise InputError("Say why: everybody who asks meanwhile reads it.", field="reason", hint="`pause because …`")
    stands = await ctx.questions.pause(ctx.requester, True, inputs.reason, ctx.key)
    return Answer("Paused", (stands,), buttons=(Button("Resume", "resume"),))


RECORD = Action(
    name="pause",
    title="Pause",
    risk="change",
    inputs=Pause,
    usage="pause because REASON",
    summary="Stops new writes; everything else goes on",
    answer=answer,
    operators_only=True,
)
