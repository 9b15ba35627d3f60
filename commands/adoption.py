"""How the platform itself is used: for the team that runs it.

/platform adoption
/platform adoption 30d
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from chatops.kernel.action import Action, Answer, Context, InputKind, Inputs
from chatops.kernel.durations import lasted, spoken
from chatops.kernel.families import spoken as typed
from chatops.kernel.usage import Forms, Usage, usage
from commands.declared.inputs import seconds
from commands.dora import any_period

MOST_ROWS = 15
MOST_LEFT = 5  # actions whose forms are named
HEADINGS = ("Action", "Asked", "People", "Failed", "Turned down", "Given up", "Approval, median", "p90")


class Adoption(Inputs):
    """Of which time."""

    period: Annotated[str, InputKind.DURATION, AfterValidator(any_period)] = Field(
        default="90d", title="Period", description="How long back from now."
    )


async def answer(inputs: Adoption, ctx: Context) -> Answer:
    """A row for all requests, and one for each action."""
    length = seconds(inputs.period)
    since = ctx.now.timestamp() - length
    asked, forms = await ctx.questions.asked_since(since), await ctx.questions.forms_since(since)
    found, title = usage(asked), f"Adoption · last {spoken(length)}"
    left = _left(forms)
    if not found:
        return Answer(title, ("Nobody has asked for anything.", *left))
    more = f"and {len(found) - MOST_ROWS} more actions" if len(found) > MOST_ROWS else ""
    return Answer(
        title, left, table=(HEADINGS, *map(_row, found[:MOST_ROWS])), context=more or "docs/figures.md says what counts"
    )


def _left(forms: Mapping[str, Forms]) -> tuple[str, ...]:
    """How many forms were opened and left, and those that are left the most often."""
    opened, left = sum(one.opened for one in forms.values()), sum(one.left for one in forms.values())
    if not opened:
        return ()
    worst = sorted(((name, one) for name, one in forms.items() if one.left), key=lambda pair: (-pair[1].left, pair[0]))
    named = ", ".join(f"{typed(name)} {one.left} of {one.opened}" for name, one in worst[:MOST_LEFT])
    return (f"*Forms left without being sent:* {left} of {opened}{f' ({named})' if named else ''}",)


def _row(one: Usage) -> tuple[str, ...]:
    waits = ("–" if wait is None else lasted(wait) for wait in (one.median_wait, one.p90_wait))
    counts = (one.requests, one.people, one.failed, one.turned_down, one.given_up)
    return (typed(one.action), *map(str, counts), *waits)


RECORD = Action(
    name="adoption",
    title="Adoption",
    risk="read",
    inputs=Adoption,
    usage="adoption [90d]",
    summary="How the platform is used",
    positionals=("period",),
    answer=answer,
    operators_only=True,
)
