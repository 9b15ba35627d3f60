"""Keep what a request made: its time begins anew. For whoever asked and the team that owns it.

/platform extend REQUEST
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from chatops.kernel.action import Action, Answer, Button, Context, Inputs

# R-1042, as it stands on the card, or the number alone
RequestName = Annotated[str, StringConstraints(pattern=r"^(?i:R-)?[0-9]{1,12}$")]


class Extend(Inputs):
    """Which request's objects."""

    request: RequestName = Field(title="Request", description="Its name on the card: R-1042.")


def number_of(name: str) -> int:
    """1042 of R-1042."""
    return int(name.upper().removeprefix("R-"))


async def answer(inputs: Extend, ctx: Context) -> Answer:
    """Changes nothing but until when it stays, which is counted from now: twice is the same as once."""
    said = await ctx.questions.extend(ctx.requester, number_of(inputs.request), ctx.key)
    return Answer("Extended", (said,), buttons=(Button("Mine", "mine"),))


RECORD = Action(
    name="extend",
    title="Extend",
    risk="read",
    inputs=Extend,
    usage="extend REQUEST",
    summary="Keep what a request made for its whole time once more",
    positionals=("request",),
    answer=answer,
)
