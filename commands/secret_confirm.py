"""The requester says whether the browser that opened a one-time page is theirs; asked for by buttons alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chatops.kernel.action import Action, Answer, Context, Inputs


class Confirm(Inputs):
    """Which page of which request."""

    request: int = Field(title="Request", ge=1, le=2**62)
    code: str = Field(title="Code", pattern=r"^[0-9]{6}$")
    mine: Literal["yes", "no"] = Field(title="Mine")


async def answer(inputs: Confirm, ctx: Context) -> Answer:
    """Opens the field on the page, or closes the page; raises ``Refused`` for everybody but the requester."""
    said = await ctx.questions.confirm_page(ctx.requester, inputs.request, inputs.code, inputs.mine == "yes", ctx.key)
    return Answer(said)


RECORD = Action(
    name="secret.confirm",
    title="Confirm",
    risk="read",
    inputs=Confirm,
    usage="secret confirm REQUEST CODE yes|no",
    summary="Whether a one-time page is yours",
    positionals=("request", "code", "mine"),
    answer=answer,
    hidden=True,
)
