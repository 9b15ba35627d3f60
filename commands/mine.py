"""What you own: everything that your requests, or those of your teams, had made.

/platform mine
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from chatops.kernel.action import Action, Answer, Button, Context, Inputs, Made, RequestList

SHOWN = 10  # requests; each may have two buttons, of which Slack takes 25
NAMED = 4  # objects of one request


class Mine(Inputs):
    """Nothing to ask for."""


async def answer(inputs: Mine, ctx: Context) -> Answer:
    """A row for each request, linked to its card, with buttons to extend and to remove."""
    found = await ctx.questions.made(ctx.requester)
    if not found:
        return Answer("Yours", ("Nothing that you or your teams asked for has made anything that is still there.",))
    rows = tuple({"id": f"R-{one.request}", "title": what(one), "state": until(one), "by": one.by, "at": one.made_at,
                  "link": one.link} for one in found[:SHOWN])  # fmt: skip
    more = f"… and {len(found) - SHOWN} more requests" if len(found) > SHOWN else ""
    buttons = tuple(button for one in found[:SHOWN] for button in _buttons(one))
    return Answer("Yours", lists=(RequestList("", rows),), buttons=buttons, context=more)


def what(made: Made) -> str:
    """``ConfigMap/shelf, Service/shelf and 2 more in staging``."""
    named = ", ".join(str(ref) for ref, _ in made.objects[:NAMED])
    more = f" and {len(made.objects) - NAMED} more" if len(made.objects) > NAMED else ""
    return f"{named}{more} in {made.environment}"


def until(made: Made) -> str:
    """How long it stays."""
    if not made.expires_at:
        return "stays"
    return f"until {datetime.fromtimestamp(made.expires_at, UTC):%d %B %Y, %H:%M} UTC"


def _buttons(made: Made) -> Iterator[Button]:
    name = f"R-{made.request}"
    if made.period and made.expires_at and not all(ref.gives_access for ref, _ in made.objects):
        yield Button(f"Extend {name}", f"extend {name}")
    place = " ".join(filter(None, (made.environment, made.service)))
    yield Button(f"Remove {name}", f"remove {name} {place}", form=True, style="danger")


RECORD = Action(
    name="mine",
    title="Mine",
    risk="read",
    inputs=Mine,
    usage="mine",
    summary="What you or your teams had made, and how long it stays",
    answer=answer,
)
