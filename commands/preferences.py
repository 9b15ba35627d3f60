"""How you want to be told what is for you alone.

/platform preferences
/platform preferences told=dm digest=08:00 quiet=22:00-07:00
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chatops.kernel.action import Action, Answer, Button, Context, Inputs
from chatops.kernel.preferences import hours

Hour = Literal[
    "none", "05:00", "06:00", "07:00", "08:00", "09:00", "10:00", "11:00", "12:00", "13:00", "14:00", "15:00", "16:00",
    "17:00", "18:00", "19:00", "20:00", "21:00", "22:00",
]  # fmt: skip


class Choice(Inputs):
    """What is left out stays as it is."""

    told: Literal["thread", "dm"] | None = Field(
        default=None,
        title="Told",
        description="Where you hear how your requests end: their thread, or a direct message.",
    )
    digest: Hour | None = Field(
        default=None,
        title="Daily digest",
        description="When you hear what waits for you and how yours stands, local time.",
    )
    quiet: Annotated[str, AfterValidator(hours)] | None = Field(
        default=None, title="Quiet hours", description="Like 22:00-07:00: only pages and answers come then. Or none."
    )


async def answer(inputs: Choice, ctx: Context) -> Answer:
    """What holds from now on."""
    chosen = inputs.model_dump(exclude_none=True)
    keeper, person = ctx.desks.preferences, ctx.requester
    now = await (keeper.choose(person, chosen, ctx.key) if chosen else keeper.of(person))
    return Answer("Your preferences", now.said(), buttons=(Button("Change", now.line(), form=True),), private=True)


RECORD = Action(
    name="preferences",
    title="Preferences",
    risk="read",
    inputs=Choice,
    usage="preferences [told=dm] [digest=08:00] [quiet=22:00-07:00]",
    summary="How and when you are told",
    answer=answer,
)
