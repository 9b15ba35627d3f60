"""Requests: yours, those that wait for you, or everybody's latest.

/platform requests [mine|waiting|recent]
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, Inputs

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
    """At most 20, newest first; times in UTC, for a table holds no dates that Slack would turn."""
    rows = await ctx.questions.requests(ctx.requester, inputs.whose)
    others = tuple(
        Button(TITLES[whose], f"requests {whose}") for whose in ("mine", "waiting", "recent") if whose != inputs.whose
    )
    if not rows:
        return Answer(TITLES[inputs.whose], (NOTHING[inputs.whose],), buttons=others)
    shown = [
        (str(row["id"]), str(row["title"]), str(row["state"]), str(row["by"]), _when(row["at"], ctx.now))
        for row in rows
    ]
    table = (("Request", "What", "State", "By", "Asked"), *shown)
    return Answer(TITLES[inputs.whose], table=table, buttons=others)


def _when(at: float, now: datetime) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    day = moment.date()
    if day == now.astimezone(UTC).date():
        return f"{moment:%H:%M} UTC"
    yesterday = day == (now.astimezone(UTC) - timedelta(days=1)).date()
    return f"yesterday {moment:%H:%M} UTC" if yesterday else f"{moment:%-d %b %H:%M} UTC"


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
