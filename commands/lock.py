"""Keep everyone else's changes away from a service for a while.

/platform lock checkout production until 16:00 because migrating
/platform unlock checkout production
/platform locks
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from chatops.kernel.action import Action, Answer, Button, Context, InputKind, Inputs, Reason
from chatops.kernel.errors import InputError, Refused
from chatops.kernel.locks import LONGEST, USUAL, Lock, Where
from chatops.kernel.spans import check_ahead, ending, zone_of

_UNTIL = re.compile(r"(?s)(.*?\S)?\s*\buntil\s+(.+)", re.IGNORECASE)


def _end(text: str) -> str:
    if text:
        try:
            ending(text, 0.0, ZoneInfo("UTC"))  # whether it is over already is said once it is known whose day it is
        except InputError as no:
            raise ValueError(f"{no.message} {no.hint}") from no
    return text


class Place(Inputs):
    """Which service where."""

    service: Annotated[str, InputKind.SERVICE] = Field(title="Service")
    environment: Annotated[str, InputKind.ENVIRONMENT] = Field(title="Environment")


Until = Annotated[
    str,
    AfterValidator(_end),
    Field(
        title="Until", max_length=40,
        description="16:00, tomorrow 9:00, friday 17:00, 2h; left out: four hours from now.",
    ),
]  # fmt: skip


class Taking(Place):
    """Which service where, until when, why."""

    until: Until = ""
    reason: Reason = Field(
        min_length=1,
        title="Reason",
        description="Whoever meets the lock reads it, and the deploys channel.",
    )


class Giving(Place):
    """Which service where; a reason where the lock is somebody else's."""

    reason: Reason = Field(default="", title="Reason", description="Needed to break somebody's lock.")


async def lock(inputs: Taking, ctx: Context) -> Answer:
    """Locks it; the reason may end with ``until …``."""
    until, reason = end_of(inputs.until, inputs.reason, ctx)
    now, zone = ctx.now.timestamp(), zone_of(ctx.requester.tz)
    held = await ctx.desks.locks.take(ctx.requester, Where(inputs.service, inputs.environment), until, reason, ctx.key)
    lines = (
        f"🔒 {held.sentence(now, zone)}",
        "Changes of others are refused until then; yours and rollbacks go on. The deploys channel is told.",
    )
    return Answer("Locked", lines, buttons=(_unlock(held),), private=True)


def end_of(said: str, reason: str, ctx: Context) -> tuple[float, str]:
    """When it ends (epoch seconds), as said or at the end of the reason; and the reason without that."""
    asked_at, zone = ctx.asked_at, zone_of(ctx.requester.tz)
    until = asked_at + USUAL
    if said:
        until = ending(said, asked_at, zone)
    elif found := _UNTIL.fullmatch(reason):
        try:
            until, reason = ending(found[2], asked_at, zone), found[1] or ""
        except InputError:
            until = asked_at + USUAL  # it speaks of something else than the end
    check_ahead(until, ctx.now.timestamp())
    if until - asked_at > LONGEST:
        raise InputError("That is longer than 30 days.", field="until")
    if not reason:
        raise InputError("Why? Whoever meets it reads that.", field="reason")
    return until, reason


async def unlock(inputs: Giving, ctx: Context) -> Answer:
    """Gives it back before its time."""
    where = Where(inputs.service, inputs.environment)
    held = await ctx.desks.locks.give_back(ctx.requester, where, inputs.reason, ctx.key, ctx.before)
    return Answer("Unlocked", (f"🔓 {held.place} is free.",), private=True)


async def locks(inputs: Inputs, ctx: Context) -> Answer:
    """What is locked now."""
    found = [one for one in await ctx.desks.locks.listed() if one.service]
    if not found:
        return Answer("Locks", ("Nothing is locked.",), private=True)
    now, zone = ctx.now.timestamp(), zone_of(ctx.requester.tz)
    lines = tuple(f"🔒 {one.sentence(now, zone)}" for one in found)
    mine = tuple(_unlock(one) for one in found if one.holder_id == ctx.requester.id)
    return Answer("Locks", lines, buttons=mine[:5], private=True)


async def watch(inputs: Place, ctx: Context) -> Answer:
    """Tells who asks once it is free."""
    held = await ctx.desks.locks.watch(ctx.requester, inputs.service, inputs.environment)
    if held is None:
        again = (Button("Deploy", f"deploy {inputs.service} {inputs.environment}", form=True),)
        return Answer("It is free", (f"{inputs.service} in {inputs.environment} is not locked.",), buttons=again)
    if held.service and held.holder_id == ctx.requester.id:
        raise Refused("It is your own lock.", hint=f"`/platform unlock {held.service} {held.environment}` ends it.")
    lines = (f"I tell you in a direct message when {held.place} is free.",)
    return Answer("You will hear of it", lines, private=True)


def _unlock(held: Lock) -> Button:
    return Button(f"Unlock {held.service}", f"unlock {held.service} {held.environment}")


LOCK = Action(
    name="lock",
    title="Lock",
    risk="read",
    inputs=Taking,
    usage="lock SERVICE ENVIRONMENT [until TIME] because REASON",
    summary="Keep everyone else's changes away for a while",
    positionals=("service", "environment", "until"),
    fillers=("until",),
    answer=lock,
)
UNLOCK = replace(
    LOCK, name="unlock", title="Unlock", inputs=Giving, usage="unlock SERVICE ENVIRONMENT [because REASON]",
    summary="End a lock before its time", positionals=("service", "environment"), fillers=(), answer=unlock,
)  # fmt: skip
WATCH = replace(
    UNLOCK, name="lock.watch", title="Hear of the end of a lock", inputs=Place, usage="lock watch SERVICE ENVIRONMENT",
    summary="Hear it when something is no longer locked", answer=watch,
)  # fmt: skip
RECORD = Action(
    name="locks",
    title="Locks",
    risk="read",
    inputs=Inputs,
    usage="locks",
    summary="What is locked, by whom, until when and why",
    answer=locks,
)
RECORDS = (RECORD, LOCK, UNLOCK, WATCH)
