"""Ask for a change at a time, once or again and again.

/platform schedule deploy checkout 1.4.2 production at tomorrow 9:00 because fixes the cart
/platform schedule every weekday 20:00 scale checkout staging replicas=0 because nobody works at night
/platform schedules
/platform schedule pause S-12
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chatops.kernel.action import Action, Answer, Button, Context, InputKind, Inputs
from chatops.kernel.schedules import LIKE, Schedule, Verb, Whose, values_of
from chatops.kernel.spans import zone_of


def _number(text: str) -> str:
    if not (found := re.fullmatch(r"(?i)(?:s-)?(\d{1,9})", text)):
        raise ValueError("A schedule is called like S-12.")
    return f"S-{found[1]}"


class Wish(Inputs):
    """What is to be done, and when."""

    line: str = Field(
        title="What", min_length=1, max_length=500, description="As you would type it: deploy checkout 1.4.2 staging"
    )
    when: str = Field(
        title="When", min_length=1, max_length=80,
        description="tomorrow 9:00, friday 17:00, 2h, every weekday 20:00; by your own clock.",
    )  # fmt: skip
    reason: Annotated[str, InputKind.LONG_TEXT] = Field(
        default="", title="Reason", max_length=2000, description="Whoever approves it reads it."
    )


class Which(Inputs):
    """Which one."""

    schedule: Annotated[str, AfterValidator(_number)] = Field(title="Schedule", max_length=12, description="S-12")


class Listing(Inputs):
    """Whose."""

    whose: Literal["mine", "all"] = Field(default="mine", title="Whose")


async def schedule(inputs: Wish, ctx: Context) -> Answer:
    """Keeps it until then."""
    made, warnings = await ctx.desks.schedules.make(
        ctx.requester, inputs.line, inputs.when, inputs.reason, ctx.asked_at, ctx.key
    )
    lines = (
        f"⏰ {made.name}: {_sentence(made, ctx)}",
        *(f"⚠ {said}" for said in warnings),
        "It is planned again then. Approvals are asked for a day ahead, and are void if the plan differs by then.",
    )
    return Answer("Scheduled", lines, buttons=_buttons(made), private=True)


async def listed(inputs: Listing, ctx: Context) -> Answer:
    """What comes, the next one first."""
    whose: Whose = inputs.whose
    found = await ctx.desks.schedules.listed(ctx.requester, whose)
    other: Whose = "mine" if whose == "all" else "all"
    more = Button("All schedules" if other == "all" else "My schedules", f"schedules {other}")
    title = "Schedules" if whose == "all" else "Your schedules"
    if not found:
        nothing = "Nothing is scheduled." if whose == "all" else "You and your teams have scheduled nothing."
        return Answer(title, (nothing, LIKE), buttons=(more,), private=True)
    lines = tuple(f"⏰ {one.name}: {_sentence(one, ctx)} · {one.person_name}" for one in found)
    own = tuple(button for one in found if one.person_id == ctx.requester.id for button in _buttons(one))
    return Answer(title, lines, buttons=(*own[:4], more), private=True)


async def act(verb: Verb, inputs: Which, ctx: Context) -> Answer:
    """Pauses, resumes or removes it."""
    after = await ctx.desks.schedules.act(ctx.requester, int(inputs.schedule.removeprefix("S-")), verb, ctx.key)
    if verb == "remove":
        return Answer("Removed", (f"{after.name} is gone: `{after.line}`.",), private=True)
    return Answer(
        f"{verb.capitalize()}d", (f"⏰ {after.name}: {_sentence(after, ctx)}",), buttons=_buttons(after), private=True
    )


def _sentence(one: Schedule, ctx: Context) -> str:
    return one.sentence(ctx.now.timestamp(), zone_of(ctx.requester.tz))


def _buttons(one: Schedule) -> tuple[Button, ...]:
    first = "resume" if one.paused else "pause"
    return tuple(Button(f"{verb.capitalize()} {one.name}", f"schedule {verb} {one.name}") for verb in (first, "remove"))


SCHEDULE = Action(
    name="schedule",
    title="Schedule",
    risk="read",
    inputs=Wish,
    usage="schedule LINE at TIME because REASON",
    summary="Ask for a change at a time, or again and again: every weekday 20:00",
    positionals=("line", "when"),
    answer=schedule,
    reads=values_of,
)
RECORD = Action(
    name="schedules",
    title="Schedules",
    risk="read",
    inputs=Listing,
    usage="schedules [mine|all]",
    summary="What is scheduled, when it comes next, and whose it is",
    positionals=("whose",),
    answer=listed,
)
PAUSE = Action(
    name="schedule.pause",
    title="Pause a schedule",
    risk="read",
    inputs=Which,
    usage="schedule pause SCHEDULE",
    summary="Let a schedule rest until it is resumed",
    positionals=("schedule",),
    answer=partial(act, "pause"),
)
RESUME = replace(
    PAUSE, name="schedule.resume", title="Resume a schedule", usage="schedule resume SCHEDULE",
    summary="Let a schedule go on after a pause", answer=partial(act, "resume"),
)  # fmt: skip
REMOVE = replace(
    PAUSE, name="schedule.remove", title="Remove a schedule", usage="schedule remove SCHEDULE",
    summary="End a schedule for good", answer=partial(act, "remove"),
)  # fmt: skip
RECORDS = (RECORD, SCHEDULE, PAUSE, RESUME, REMOVE)
