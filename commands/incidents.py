"""Which incidents are open, the worst first.

/platform incidents [mine|TEAM]
"""

from __future__ import annotations

from pydantic import Field

from chatops.kernel.action import Action, Answer, Context, Inputs
from chatops.kernel.catalog import closest
from chatops.kernel.errors import InputError


class Incidents(Inputs):
    """Whose."""

    whose: str = Field(default="open", title="Whose", description="open, mine, or a team.", max_length=80)


async def answer(inputs: Incidents, ctx: Context) -> Answer:
    """Open incidents; a team that does not exist is a mistake, not an empty list."""
    known = ("open", "mine", *ctx.platform.teams)
    if inputs.whose not in known:
        said = f"There is no team called {inputs.whose!r}."
        raise InputError(said, field="whose", suggestion=closest(inputs.whose, known))
    return await ctx.desks.incidents.listed(ctx.requester, inputs.whose)


RECORD = Action(
    name="incidents",
    title="Incidents",
    risk="read",
    inputs=Incidents,
    usage="incidents [mine|TEAM]",
    summary="Which incidents are open, the worst first",
    positionals=("whose",),
    answer=answer,
)
