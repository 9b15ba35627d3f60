"""Lets new writes go on after a pause.

/platform resume
"""

from __future__ import annotations

from chatops.kernel.action import Action, Answer, ChangeInputs, Context


class Resume(ChangeInputs):
    """Nothing, or why."""


async def answer(inputs: Resume, ctx: Context) -> Answer:
    """Raises ``Refused`` for everybody but the platform team."""
    stands = await ctx.questions.pause(ctx.requester, False, inputs.reason, ctx.key, ctx.before)
    return Answer("Resumed", (stands,))


RECORD = Action(
    name="resume",
    title="Resume",
    risk="change",
    inputs=Resume,
    usage="resume",
    summary="Lets new writes go on after a pause",
    answer=answer,
    operators_only=True,
)
