"""Ask the platform team something: its people are mentioned in the requests channel.

/platform ask because TEXT
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from chatops.kernel.action import Action, Answer, Context, Inputs, Reason


def an_address(text: str) -> str:
    """Empty, or where a message is on the web; raises ``ValueError``."""
    if text and not re.fullmatch(r"https?://[^\s<>|]+", text):
        raise ValueError("Message is a link to it, like https://…")
    return text


class Question(Inputs):
    """What, and about which message."""

    message: Annotated[str, AfterValidator(an_address)] = Field(
        default="", title="Message", description="A link to the message that it is about, if there is one."
    )
    reason: Reason = Field(title="Text", description="What you want to know; everybody in the channel reads it.")


async def answer(inputs: Question, ctx: Context) -> Answer:
    """Who was asked, and where."""
    said = await ctx.desks.helpdesk.ask(ctx.requester, inputs.reason, inputs.message, ctx.asked_at)
    return Answer("", said, private=True)


RECORD = Action(
    name="ask",
    title="Ask the platform team",
    risk="read",
    inputs=Question,
    usage="ask because TEXT",
    summary="Ask the platform team",
    answer=answer,
)
