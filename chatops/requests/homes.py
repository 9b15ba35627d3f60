"""What App Home shows of a person: what waits for them, their incidents, who is on call, what is locked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chatops.kernel import freezes
from chatops.kernel.action import Button
from chatops.kernel.people import Person
from chatops.kernel.rota import on_call
from chatops.kernel.spans import zone_of
from chatops.requests.health import Running
from chatops.requests.planning import Planner
from commands.oncall import AHEAD, on_call_line

MOST = 5  # incidents, rotas and schedules
SERVICES = 10
MARKS = {"failed": "❌ ", "rolled_back": "↩️ "}


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
    services: tuple[str, ...] = ()  # of their teams: which version was deployed where, by whom and when
    current: tuple[Mapping[str, Any], ...] = ()  # requests of theirs that are under way, then those that failed lately
    wishes: tuple[str, ...] = ()  # how they want to be told
    change: Button | None = None  # that
    scheduled: tuple[str, ...] = ()  # what they and their teams have scheduled, the next one first


async def teams_on_call(planner: Planner, person: Person) -> tuple[str, ...]:
    """The teams whose rota this person has now, and then their own."""
    platform, now = planner.configuration.platform, planner.clock.now()
    having: dict[str, bool] = {}
    for rota in platform.rotas.values():
        instead = await planner.overrides.of(rota.name, now, now + 1) if planner.overrides is not None else ()
        # Turns are counted only for those who take them: a large company has hundreds of rotas
        if any(map(person.is_named, (*rota.people, *(one.person for one in instead)))):
            turn = on_call(rota, now, instead)
            having[rota.name] = turn is not None and person.is_named(turn.person)
    served = [one.name for one in platform.teams.values() if having.get(one.oncall)]
    return tuple(dict.fromkeys((*served, *person.teams)))


async def incidents_of(planner: Planner, person: Person) -> tuple[str, ...]:
    """The open incidents that this person has, those that they are on call for, then those of their teams."""
    if planner.incidents is None:
        return ()
    lines: list[str] = []
    for whose in ("mine", *(await teams_on_call(planner, person))[:MOST]):
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


async def services_of(planner: Planner, person: Person) -> tuple[str, ...]:
    """The services of this person's teams, the unwell first: what was deployed last where, and how it runs.

    Asks the ledger, and no cluster: its watcher has looked a moment ago.
    """
    platform, now, zone = planner.configuration.platform, planner.clock.now(), zone_of(person.tz)
    health = planner.health

    def running(name: str, where: str) -> Running | None:
        return health.of(name, where) if health is not None else None

    def unwell(name: str) -> bool:
        return any((one := running(name, where)) is not None and not one.well for where in platform.environments)

    own = [one.name for one in platform.services.values() if one.team in person.teams]
    names = sorted(own, key=lambda name: (not unwell(name), name))[:SERVICES]
    latest = await planner.ledger.latest([(name, where) for name in names for where in platform.environments])
    lines = []
    for name in names:
        there = []
        for where in platform.environments:
            seen, last = running(name, where), latest.get((name, where))
            said = f"{where} {seen.version}" if seen is not None and last is None else ""
            if last is not None:
                by = f" by {last.by}" if last.by else ""
                said = f"{where} {MARKS.get(last.outcome, '')}{last.version}{by}, {freezes.shown(last.at, now, zone)}"
                if seen is not None and seen.version != last.version:
                    said += f", now {seen.version}"
            there += [f"{said} {seen.said() if seen is not None else ''}".strip()] if said else []
        lines += [f"*{name}*: {' · '.join(there)}"] if there else []
    return tuple(lines)


async def scheduled_for(planner: Planner, person: Person) -> tuple[str, ...]:
    """What this person and their teams have scheduled, the next one first."""
    if planner.schedules is None:
        return ()
    found = (await planner.schedules.listed(person, "mine"))[:MOST]
    return tuple(f"⏰ {one.name}: {one.sentence(planner.clock.now(), zone_of(person.tz))}" for one in found)
