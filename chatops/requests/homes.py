"""What App Home shows of a person: what waits for them, their incidents, who is on call, what is locked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chatops.kernel import freezes
from chatops.kernel.action import Button
from chatops.kernel.people import Person
from chatops.kernel.spans import zone_of
from chatops.requests.planning import Planner
from commands.oncall import AHEAD, on_call_line

MOST = 5  # incidents, and rotas


@dataclass(frozen=True, slots=True)
class HomePage:
    """What App Home shows of a person: rows as ``Answers.requests`` gives them, and lines."""

    waiting: tuple[Mapping[str, Any], ...]
    mine: tuple[Mapping[str, Any], ...]
    buttons: tuple[Button, ...]
    paused: str = ""
    incidents: tuple[str, ...] = ()  # those they have and those of their teams that are open
    oncall: tuple[str, ...] = ()  # a line for each rota of their teams
    held: tuple[str, ...] = ()  # what is locked or frozen, and what will be within a day


async def incidents_of(planner: Planner, person: Person) -> tuple[str, ...]:
    """The open incidents that this person has, then those of their teams."""
    if planner.incidents is None:
        return ()
    lines: list[str] = []
    for whose in ("mine", *person.teams[:MOST]):
        found = await planner.incidents.listed(person, whose)
        lines += [line for line in found.lines if line.startswith("*") and line not in lines]
    return tuple(lines[:MOST])


async def on_call_for(planner: Planner, person: Person) -> tuple[str, ...]:
    """Who has the rotas of this person's teams, until when, and who is next; of all rotas where they have no team."""
    platform, now = planner.configuration.platform, planner.clock.now()
    teams = [platform.teams[name] for name in person.teams if name in platform.teams] or list(platform.teams.values())
    rotas = [platform.rotas[name] for name in dict.fromkeys(one.oncall for one in teams) if name in platform.rotas]
    at, zone, lines = datetime.fromtimestamp(now, UTC), zone_of(person.tz), list[str]()
    for rota in rotas[:MOST]:
        instead = await planner.overrides.of(rota.name, now, now + AHEAD) if planner.overrides is not None else ()
        lines.append(on_call_line(rota, at, zone, instead))
    return tuple(lines)


async def held_for(planner: Planner, person: Person) -> tuple[str, ...]:
    """Locks and freezes that hold, then what begins within a day; times in the person's zone."""
    platform, now, zone = planner.configuration.platform, planner.clock.now(), zone_of(person.tz)
    locks = await planner.locks.listed() if planner.locks is not None else ()
    lines = [f"{'🔒' if one.service else '🧊'} {one.sentence(now, zone)}" for one in locks]
    environments = platform.environments.values()
    for one in environments:
        lines += [f"🧊 {rule.deny}" for rule in freezes.rules(platform, one, None, now, zone)]
    for one in environments:
        lines += [f"⏳ {said}" for said in freezes.ahead(platform, one, None, now)]
    return tuple(lines)
