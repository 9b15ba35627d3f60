"""Keep the monitor of an incident quiet for a while: a real silence in Alertmanager.

/platform silence INC-318 2h because the vendor works on it
/platform unsilence INC-318
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from chatops.kernel.action import Action, Answer, Context, InputKind, Inputs, Reason
from commands.declared.inputs import seconds
from commands.incident import Incident, IncidentName, number_of

LONGEST = 30 * 86400.0  # seconds; what is silent for longer is forgotten


def _length(text: str) -> str:
    if not 60 <= seconds(text) <= LONGEST:
        raise ValueError("For is from 1m to 30d.")
    return text


class Silence(Inputs):
    """Which incident, and how long."""

    incident: IncidentName = Field(title="Incident", description="Its name on the card: INC-318.")
    length: Annotated[str, InputKind.DURATION, AfterValidator(_length)] = Field(
        default="2h", title="For", description="How long it is quiet: 30m, 2h, 1d."
    )
    reason: Reason = Field(default="", title="Reason", description="It stands on the silence.")


async def answer(inputs: Silence, ctx: Context) -> Answer:
    """What is silenced until when."""
    number, until = number_of(inputs.incident), ctx.asked_at + seconds(inputs.length)
    return await ctx.desks.silences.silence(ctx.requester, number, until, inputs.reason, ctx.key, ctx.again)


async def end(inputs: Incident, ctx: Context) -> Answer:
    """That it makes noise again."""
    return await ctx.desks.silences.unsilence(ctx.requester, number_of(inputs.incident), ctx.key, ctx.before)


RECORD = Action(
    name="silence",
    title="Silence",
    risk="read",
    inputs=Silence,
    usage="silence INCIDENT [LENGTH] because TEXT",
    summary="Keep the monitor of an incident's alerts quiet for a while",
    positionals=("incident", "length"),
    answer=answer,
)
END = Action(
    name="unsilence",
    title="End the silence",
    risk="read",
    inputs=Incident,
    usage="unsilence INCIDENT",
    summary="End a silence before its time",
    positionals=("incident",),
    answer=end,
)
