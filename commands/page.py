"""Ask for a team's help: whoever is on call for it is paged until somebody has the incident that this opens.

/platform page TEAM because TEXT
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chatops.kernel.action import Action, Answer, Context, InputKind, Inputs, Reason
from chatops.kernel.errors import InputError

TeamName = Annotated[str, InputKind.TEAM]


class Page(Inputs):
    """Whom, and why."""

    team: TeamName = Field(title="Team", description="Whoever is on call for it is paged.")
    reason: Reason = Field(default="", title="Text", description="What is wrong; it stands on the page.")


def said(text: str) -> str:
    """The words, which must be some: whoever is woken by them has nothing else. Raises ``InputError``."""
    if not text:
        raise InputError("Say what is wrong, for whoever is woken by it: … because TEXT.", field="reason")
    return text


async def answer(inputs: Page, ctx: Context) -> Answer:
    """Which incident was opened, and that somebody is paged."""
    return await ctx.desk.report(ctx.requester, {"team": inputs.team, "text": said(inputs.reason)})


RECORD = Action(
    name="page",
    title="Page a team",
    risk="read",
    inputs=Page,
    usage="page TEAM because TEXT",
    summary="Ask for a team's help: whoever is on call for it is paged",
    positionals=("team",),
    answer=answer,
)
