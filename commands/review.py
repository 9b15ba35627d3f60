"""Say that you have looked at a change that nobody had to approve: a broken glass, a rollback at once.

/platform review R-1042 because it was right, the alert was ours
"""

from __future__ import annotations

from pydantic import Field

from chatops.kernel.action import Action, Answer, Context, Inputs, Reason
from commands.extend import RequestName, number_of


class Review(Inputs):
    """Which change, and what you say of it."""

    request: RequestName = Field(title="Request", description="Its name on the card: R-1042.")
    reason: Reason = Field(
        title="What you say", description="It stands on the card and in the audit trail.", min_length=1
    )


async def answer(inputs: Review, ctx: Context) -> Answer:
    """Changes nothing but that somebody else has looked."""
    said = await ctx.questions.review(ctx.requester, number_of(inputs.request), inputs.reason, ctx.key)
    return Answer("Reviewed", (said,), private=True)


RECORD = Action(
    name="review",
    title="Review",
    risk="read",
    inputs=Review,
    usage="review REQUEST because TEXT",
    summary="Say that you have looked at a change that nobody had to approve",
    positionals=("request",),
    answer=answer,
)
