"""Requests: yours, those that wait for you, or everybody's latest.

/platform requests [mine|waiting|recent]
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, Inputs, RequestList

TITLES = {"mine": "Your requests", "waiting": "Waiting for you", "recent": "The latest requests"}
NOTHING = {
    "mine": "You have asked for nothing yet.",
    "waiting": "Nothing waits for you.",
    "recent": "Nobody has asked for anything yet.",
}


class Requests(Inputs):
    """Whose requests."""

    whose: Literal["mine", "waiting", "recent"] = Field(default="mine", title="Whose")


async def answer(inputs: Requests, ctx: Context) -> Answer:
    """At most 20, newest first, each linked to its card."""
    rows = await ctx.questions.requests(ctx.requester, inputs.whose)
    others = tuple(
        Button(TITLES[whose], f"requests {whose}") for whose in ("mine", "waiting", "recent") if whose != inputs.whose
    )
    if not rows:
        return Answer(TITLES[inputs.whose], (NOTHING[inputs.whose],), buttons=others)
    return Answer(TITLES[inputs.whose], lists=(RequestList("", rows),), buttons=others)


RECORD = Action(
    name="requests",
    title="Requests",
    risk="read",
    inputs=Requests,
    usage="requests [mine|waiting|recent]",
    summary="Your requests, those that wait for you, or everybody's latest",
    positionals=("whose",),
    answer=answer,
    button="My requests",
)
