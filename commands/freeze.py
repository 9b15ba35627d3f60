"""Freeze an environment, a tier or a team's services for a while, and what is frozen when.

/platform freeze production until tomorrow 9:00 because the auditors are here
/platform freeze tier=production team=payments because the bank is away
/platform thaw production
/platform freezes
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from chatops.kernel import freezes
from chatops.kernel.action import Action, Answer, Button, Context, EnvironmentName, InputKind, Inputs, Reason
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.errors import InputError
from chatops.kernel.locks import Where
from chatops.kernel.spans import zone_of
from commands.lock import Until, end_of


class Place(Inputs):
    """Which environment, which tier, whose services: all that is named has to fit."""

    environment: EnvironmentName = Field(default="", title="Environment", description="Empty: every one.")
    tier: str = Field(default="", title="Tier", max_length=60, description="All environments of it, like production.")
    team: Annotated[str, InputKind.TEAM] = Field(default="", title="Team", description="Empty: every team's services.")


class Freezing(Place):
    """Where, until when, why."""

    until: Until = ""
    reason: Reason = Field(min_length=1, title="Reason", description="Whoever is refused reads it.")


class Thawing(Place):
    """Where, as it was frozen; a reason where somebody else froze it."""

    reason: Reason = Field(default="", title="Reason", description="Needed to break somebody's freeze.")


async def freeze(inputs: Freezing, ctx: Context) -> Answer:
    """Nobody changes anything there until then."""
    until, reason = end_of(inputs.until, inputs.reason, ctx)
    where = _where(inputs, ctx.platform)
    _check_covers(where, ctx.platform)
    held = await ctx.desks.locks.take(ctx.requester, where, until, reason, ctx.key)
    lines = (
        f"🧊 {held.sentence(ctx.now.timestamp(), zone_of(ctx.requester.tz))}",
        "All changes there are refused until then, yours too; rollbacks go on. The deploys channel is told.",
    )
    buttons = (Button(f"Thaw {held.place}"[:75], f"thaw {held.where.words}"),)
    return Answer("Frozen", lines, buttons=buttons, private=True)


async def thaw(inputs: Thawing, ctx: Context) -> Answer:
    """Ends a freeze that somebody made here before its time."""
    where = _where(inputs, ctx.platform)
    held = await ctx.desks.locks.give_back(ctx.requester, where, inputs.reason, ctx.key, ctx.before)
    return Answer("Thawed", (f"🔓 {held.place} is free.",), private=True)


def _where(inputs: Place, platform: Platform) -> Where:
    tiers = list(dict.fromkeys(one.tier for one in platform.environments.values()))
    if inputs.tier and inputs.tier not in tiers:
        guess = closest(inputs.tier, tiers)
        hint = f"Did you mean {guess}?" if guess else f"There are {', '.join(tiers)}."
        raise InputError(f"There is no tier {inputs.tier}.", field="tier", hint=hint)
    found = Where(environment=inputs.environment, tier=inputs.tier, team=inputs.team)
    if found == Where():
        raise InputError("Which environment, tier or team?", field="environment")
    return found


def _check_covers(where: Where, platform: Platform) -> None:
    """A freeze that covers nothing would be told everywhere, and keep nobody away. Thawing one is no harm."""
    there = platform.environments.get(where.environment)
    if there is not None and where.tier not in ("", there.tier):
        hint = f"Name {there.name} alone, or tier={where.tier} alone."
        raise InputError(f"{there.name} is of the tier {there.tier}, not {where.tier}.", field="tier", hint=hint)
    if where.team and all(one.team != where.team for one in platform.services.values()):
        raise InputError(f"The team {where.team} owns no service: there is nothing to freeze.", field="team")


async def listed(inputs: Inputs, ctx: Context) -> Answer:
    """What is frozen now, and what the configuration freezes next."""
    now, zone = ctx.now.timestamp(), zone_of(ctx.requester.tz)
    lines = [f"🧊 {one.sentence(now, zone)}" for one in await ctx.desks.locks.listed() if not one.service]
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
    usage="freeze [ENVIRONMENT] [tier=TIER] [team=TEAM] [until TIME] because REASON",
    summary="Keep all changes away from an environment, a tier or a team's services for a while",
    positionals=("environment", "until"),
    fillers=("until",),
    answer=freeze,
)
THAW = replace(
    FREEZE, name="thaw", title="Thaw", inputs=Thawing,
    usage="thaw [ENVIRONMENT] [tier=TIER] [team=TEAM] [because REASON]",
    summary="End a freeze that was made here before its time",
    positionals=("environment",), fillers=(), answer=thaw,
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
