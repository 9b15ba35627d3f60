"""Who is on call, until when, and who is next.

/platform oncall [ROTA, TEAM or SERVICE]
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pydantic import Field

from chatops.kernel.action import Action, Answer, Context, Inputs
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.errors import InputError
from chatops.kernel.rota import Rota, Turn, turns

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
    zone = _zone(ctx.requester.tz)
    return Answer("On call", tuple(on_call_line(rota, ctx.now, zone) for rota in rotas), private=True)


def on_call_line(rota: Rota, now: datetime, zone: ZoneInfo) -> str:
    """Who has the rota now, until when, and who is next; times in ``zone``."""
    at = now.timestamp()
    found = turns(rota, at, at + AHEAD)
    current = found[0] if found and found[0].start <= at else None
    following = next((one for one in found if one is not current), None)
    if current is None:
        later = f"; {_next(following, zone)}" if following else ""
        return f"*{rota.name}*: nobody now{later}"
    until = f" until {_when(current.end, zone)}" if current.end < at + AHEAD else ""
    then = f"; {_next(following, zone)}" if following and following.start >= current.end else ""
    return f"*{rota.name}*: {current.person}{until}{then}"


def _next(turn: Turn, zone: ZoneInfo) -> str:
    return f"then {turn.person} from {_when(turn.start, zone)}"


def _when(at: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).strftime("%a %-d %b %H:%M %Z")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ZoneInfo("UTC")


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
