"""Ask for a team's help: whoever is on call for it is paged until somebody has the incident that this opens.

/platform page TEAM because TEXT
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chatops.kernel.action import Action, Answer, Context, InputKind, Inputs, Reason

TeamName = Annotated[str, InputKind.TEAM]


class Page(Inputs):
    """Whom, and why."""

    team: TeamName = Field(title="Team", description="Whoever is on call for it is paged.")
    reason: Reason = Field(title="Text", description="What is wrong; it stands on the page.")


async def answer(inputs: Page, ctx: Context) -> Answer:
    """Which incident was opened, and that somebody is paged."""
    return await ctx.desks.incidents.report(ctx.requester, {"team": inputs.team, "text": inputs.reason}, ctx.key)


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
