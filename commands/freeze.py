"""Freeze a whole environment for a while, and what is frozen when.

/platform freeze production until tomorrow 9:00 because the auditors are here
/platform thaw production
/platform freezes
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from chatops.kernel import freezes
from chatops.kernel.action import Action, Answer, Button, Context, InputKind, Inputs, Reason
from chatops.kernel.spans import zone_of
from commands.lock import Until, end_of


class Where(Inputs):
    """Which environment."""

    environment: Annotated[str, InputKind.ENVIRONMENT] = Field(title="Environment")


class Freezing(Where):
    """Which environment, until when, why."""

    until: Until = ""
    reason: Reason = Field(min_length=1, title="Reason", description="Whoever is refused reads it.")


class Thawing(Where):
    """Which environment; a reason where somebody else froze it."""

    reason: Reason = Field(default="", title="Reason", description="Needed to break somebody's freeze.")


async def freeze(inputs: Freezing, ctx: Context) -> Answer:
    """Nobody changes anything there until then."""
    until, reason = end_of(inputs.until, inputs.reason, ctx)
    held = await ctx.locked.take(ctx.requester, "", inputs.environment, until, reason)
    lines = (
        f"🧊 {held.sentence(ctx.now.timestamp(), zone_of(ctx.requester.tz))}",
        "All changes there are refused until then, yours too; rollbacks go on. The deploys channel is told.",
    )
    buttons = (Button(f"Thaw {held.environment}", f"thaw {held.environment}"),)
    return Answer("Frozen", lines, buttons=buttons, private=True)


async def thaw(inputs: Thawing, ctx: Context) -> Answer:
    """Ends a freeze that somebody made here before its time."""
    held = await ctx.locked.give_back(ctx.requester, "", inputs.environment, inputs.reason)
    return Answer("Thawed", (f"🔓 {held.place} is free.",), private=True)


async def listed(inputs: Inputs, ctx: Context) -> Answer:
    """What is frozen now, and what the configuration freezes next."""
    now, zone = ctx.now.timestamp(), zone_of(ctx.requester.tz)
    lines = [f"🧊 {one.sentence(now, zone)}" for one in await ctx.locked.listed() if not one.service]
    coming = []
    for one in ctx.platform.freezes:
        where = ", ".join((*one.environments, *one.tiers, *one.teams, *one.services)) or "everywhere"
        if held := freezes.window(one, now):
            lines.append(f"🧊 {one.name} ({where}) until {freezes.shown(held[1], now, zone)}")
        elif begin := freezes.begins(one, now):
            coming.append((begin, f"{one.name} ({where}) from {freezes.shown(begin, now, zone)}"))
    lines += [said for _, said in sorted(coming)]
    return Answer("Freezes", tuple(lines) or ("Nothing is frozen, and nothing will be.",), private=True)


FREEZE = Action(
    name="freeze",
    title="Freeze",
    risk="read",
    inputs=Freezing,
    usage="freeze ENVIRONMENT [until TIME] because REASON",
    summary="Keep all changes away from an environment for a while",
    positionals=("environment", "until"),
    fillers=("until",),
    answer=freeze,
)
THAW = replace(
    FREEZE, name="thaw", title="Thaw", inputs=Thawing, usage="thaw ENVIRONMENT [because REASON]",
    summary="End a freeze that was made here before its time", positionals=("environment",), fillers=(), answer=thaw,
)  # fmt: skip
RECORD = Action(
    name="freezes",
    title="Freezes",
    risk="read",
    inputs=Inputs,
    usage="freezes",
    summary="What is frozen, and what will be",
    answer=listed,
)
RECORDS = (RECORD, FREEZE, THAW)
