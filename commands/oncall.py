"""Who is on call, until when, and who is next.

/platform oncall [ROTA, TEAM or SERVICE]
/platform oncall override DAY [HOURS] for PERSON [rota=ROTA] because REASON
/platform oncall restore NUMBER
/platform oncall test
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, InputKind, Inputs, Reason
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.errors import InputError
from chatops.kernel.rota import Overridden, Rota, Turn, turns
from chatops.kernel.spans import check_ahead, shown, span, zone_of

NO_NAMES: Mapping[str, str] = MappingProxyType({})
AHEAD = 15 * 86400.0  # seconds that are looked ahead for who is next


class Oncall(Inputs):
    """Whose rota."""

    of: str = Field(default="", title="Of", description="A rota, a team or a service; all rotas when left out.")


async def answer(inputs: Oncall, ctx: Context) -> Answer:
    """A line for each rota, in its own time zone's times beside yours."""
    platform = ctx.platform
    rotas = [platform.rotas[_rota(inputs.of, platform)]] if inputs.of else list(platform.rotas.values())
    if not rotas:
        return Answer("On call", ("There are no rotas in the configuration.",), private=True)
    zone = zone_of(ctx.requester.tz)
    lines, buttons = list[str](), list[Button]()
    for rota in rotas:
        line, instead = await said_of(rota, ctx)
        lines += [line, *(_told(one, zone) for one in instead)]
        buttons += [Button(f"Restore {one.id}", f"oncall restore {one.id}") for one in instead]
    return Answer("On call", tuple(lines), private=True, buttons=tuple(buttons[:5]))


async def said_of(rota: Rota, ctx: Context) -> tuple[str, Sequence[Overridden]]:
    """Who has the rota, in the times of who asks, and who takes whose place from now on."""
    at = ctx.now.timestamp()
    instead = await ctx.desks.overrides.of(rota.name, at, at + AHEAD)
    names = await ctx.desks.overrides.called({turn.person for turn in now_and_next(rota, ctx.now, instead) if turn})
    return on_call_line(rota, ctx.now, zone_of(ctx.requester.tz), instead, names), instead


def _told(one: Overridden, zone: ZoneInfo) -> str:
    why = f": {one.reason}" if one.reason else ""
    return f"  {one.id}: {one.name} takes over {shown(one.start, one.end, zone)}, by {one.by}{why}"


def now_and_next(rota: Rota, now: datetime, instead: Sequence[Overridden] = ()) -> tuple[Turn | None, Turn | None]:
    """Who has the rota now, and who has it after that; None: nobody, as far as is looked ahead."""
    at = now.timestamp()
    found = turns(rota, at, at + AHEAD, instead)
    current = found[0] if found and found[0].start <= at else None
    return current, next((one for one in found if one is not current), None)


def on_call_line(
    rota: Rota, now: datetime, zone: ZoneInfo, instead: Sequence[Overridden] = (), names: Mapping[str, str] = NO_NAMES
) -> str:
    """Who has the rota now, until when, and who is next; times in ``zone``.

    ``names``: what people are called; whoever is not in it is shown as the configuration names them.
    """
    current, following = now_and_next(rota, now, instead)
    then = f"; then {_called(following, names)} from {_when(following.start, zone)}" if following else ""
    if current is None:
        return f"*{rota.name}*: nobody now{then}"
    until = f" until {_when(current.end, zone)}" if current.end < now.timestamp() + AHEAD else ""
    return f"*{rota.name}*: {_called(current, names)}{until}{then}"


def _called(turn: Turn, names: Mapping[str, str]) -> str:
    return names.get(turn.person, turn.person)


def _when(at: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).strftime("%a %-d %b %H:%M %Z")


def _rota(word: str, platform: Platform) -> str:
    """The rota that a word means: its own name, its team's, or that of its service's team."""
    service = platform.services.get(word)
    team = platform.teams.get(service.team if service else word)
    name = word if word in platform.rotas else team.oncall if team else ""
    if name in platform.rotas:
        return name
    if team is not None:
        raise InputError(f"The team {team.name} has no rota.", field="of")
    known = (*platform.rotas, *platform.teams, *platform.services)
    raise InputError(f"There is no rota, team or service called {word!r}.", field="of", suggestion=closest(word, known))


class Instead(Inputs):
    """Who takes over, when."""

    day: str = Field(default="today", title="Day", max_length=40, description="today, tomorrow, monday, 2026-11-25")
    hours: str = Field(default="", title="Hours", max_length=20, description="9-17, 22:00-6:00; empty: the whole day.")
    person: Annotated[str, InputKind.PERSON] = Field(title="Person")
    rota: str = Field(default="", title="Rota", max_length=80, description="Where there is only one, it is that.")
    reason: Reason = Field(default="", title="Reason", description="Why; who looks it up reads it.")


async def override(inputs: Instead, ctx: Context) -> Answer:
    """Puts somebody on call for a while; times are those of who asks."""
    zone = zone_of(ctx.requester.tz)
    rota = _only_rota(inputs, ctx)
    start, end = span(inputs.day, inputs.hours, ctx.asked_at, zone)
    check_ahead(end, ctx.now.timestamp())
    start = max(start, ctx.now.timestamp())
    made = await ctx.desks.overrides.put(ctx.requester, rota, inputs.person, start, end, inputs.reason, ctx.key)
    said = f"{made.name} is on call for {rota}: {shown(start, end, zone)}."
    return Answer("On call", (said,), private=True, buttons=(Button("Restore", f"oncall restore {made.id}"),))


def _only_rota(inputs: Instead, ctx: Context) -> str:
    """The rota that is named; else the only one, or the only one that who asks takes turns in."""
    rotas = ctx.platform.rotas
    if inputs.rota:
        return _rota(inputs.rota, ctx.platform)
    mine = [name for name, one in rotas.items() if any(map(ctx.requester.is_named, one.people))]
    for found in (list(rotas), mine):
        if len(found) == 1:
            return found[0]
    raise InputError("Which rota?", field="rota", hint=f"Add rota=NAME; there are {', '.join(rotas) or 'none'}.")


class Restore(Inputs):
    """Which override."""

    number: int = Field(title="Number", ge=1, description="As `oncall` shows it.")


async def restore(inputs: Restore, ctx: Context) -> Answer:
    """The rota holds again."""
    gone = await ctx.desks.overrides.remove(ctx.requester, inputs.number, ctx.key)
    return Answer("On call", (f"{gone.name} does not take over any more; {gone.rota} holds.",), private=True)


async def test(inputs: Inputs, ctx: Context) -> Answer:
    """Sends a page to who asks."""
    ways = await ctx.desks.incidents.test_page(ctx.requester, ctx.key)
    beside = f", and by {' and '.join(ways)}; I tell you there what becomes of that" if ways else ""
    lines = (
        f"A page is on its way to you: a direct message of mine{beside}.",
        "If your phone stays silent, look at its notifications for Slack, and at its schedule for the night.",
    )
    return Answer("On call", lines, private=True)


OVERRIDE = Action(
    name="oncall.override",
    title="Override on call",
    risk="read",
    inputs=Instead,
    usage="oncall override DAY [HOURS] for PERSON [rota=ROTA] because REASON",
    summary="Put somebody on call for a while instead of whoever it would be",
    positionals=("day", "hours", "person"),
    fillers=("for",),
    answer=override,
)
RESTORE = Action(
    name="oncall.restore",
    title="Restore on call",
    risk="read",
    inputs=Restore,
    usage="oncall restore NUMBER",
    summary="Take an override back",
    positionals=("number",),
    answer=restore,
)
TEST = Action(
    name="oncall.test",
    title="Test your page",
    risk="read",
    inputs=Inputs,
    usage="oncall test",
    summary="Page yourself, to know what a page looks and sounds like",
    answer=test,
)
RECORD = Action(
    name="oncall",
    title="On call",
    risk="read",
    inputs=Oncall,
    usage="oncall [ROTA|TEAM|SERVICE]",
    summary="Who is on call, until when, and who is next",
    positionals=("of",),
    answer=answer,
)
