"""What App Home shows of a person: what waits for them, their incidents, who is on call, what is locked and frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from chatops.kernel import freezes
from chatops.kernel.action import Button
from chatops.kernel.called import called
from chatops.kernel.people import Person
from chatops.kernel.ports import Deployed
from chatops.kernel.rota import Overridden, Rota, on_call
from chatops.kernel.spans import zone_of
from chatops.requests.health import Running
from chatops.requests.planning import Planner
from commands.oncall import AHEAD, now_and_next, on_call_line

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
    desks, having = planner.desks, dict[str, bool]()
    for rota in platform.rotas.values():
        instead = await desks.overrides.of(rota.name, now, now + 1) if desks is not None else ()
        # Turns are counted only for those who take them: a large company has hundreds of rotas
        if any(map(person.is_named, (*rota.people, *(one.person for one in instead)))):
            turn = on_call(rota, now, instead)
            having[rota.name] = turn is not None and person.is_named(turn.person)
    served = [one.name for one in platform.teams.values() if having.get(one.oncall)]
    return tuple(dict.fromkeys((*served, *person.teams)))


async def incidents_of(planner: Planner, person: Person) -> tuple[str, ...]:
    """The open incidents that this person has, those that they are on call for, then those of their teams."""
    if (desks := planner.desks) is None:
        return ()
    lines: list[str] = []
    for whose in ("mine", *(await teams_on_call(planner, person))[:MOST]):
        found = await desks.incidents.listed(person, whose)
        lines += [line for line in found.lines if line.startswith("*") and line not in lines]
    return tuple(lines[:MOST])


async def on_call_for(planner: Planner, person: Person) -> tuple[str, ...]:
    """Who has the rotas of this person's teams, until when, and who is next; of all rotas where they have no team."""
    platform, now = planner.configuration.platform, planner.clock.now()
    teams = [platform.teams[name] for name in person.teams if name in platform.teams] or list(platform.teams.values())
    rotas = [platform.rotas[name] for name in dict.fromkeys(one.oncall for one in teams) if name in platform.rotas]
    at, zone, found = datetime.fromtimestamp(now, UTC), zone_of(person.tz), list[tuple[Rota, Sequence[Overridden]]]()
    desks = planner.desks
    for rota in rotas[:MOST]:
        instead = await desks.overrides.of(rota.name, now, now + AHEAD) if desks is not None else ()
        found.append((rota, instead))
    turns = [turn for rota, instead in found for turn in now_and_next(rota, at, instead) if turn is not None]
    names = await called(planner.directory, {turn.person for turn in turns})
    return tuple(on_call_line(rota, at, zone, instead, names) for rota, instead in found)


async def held_for(planner: Planner, person: Person) -> tuple[str, ...]:
    """Locks and freezes that hold, then what begins within a day; times in the person's zone."""
    platform, now, zone = planner.configuration.platform, planner.clock.now(), zone_of(person.tz)
    locks = await planner.desks.locks.listed() if planner.desks is not None else ()
    lines = [f"{'🔒' if one.service else '🧊'} {one.sentence(now, zone)}" for one in locks]
    environments = platform.environments.values()
    for one in environments:
        lines += [f"🧊 {rule.deny}" for rule in freezes.rules(platform, one, None, now, zone)]
    for one in environments:
        lines += [f"⏳ {said}" for said in freezes.ahead(platform, one, None, now)]
    return tuple(lines)


async def services_of(planner: Planner, person: Person) -> tuple[str, ...]:
    """The services of this person's teams, the unwell first: what was deployed last where, and how it runs.

    Asks the ledger, and no cluster: somebody has looked a moment ago, or does so beside.
    """
    platform, now, zone = planner.configuration.platform, planner.clock.now(), zone_of(person.tz)
    health = planner.health

    def running(name: str, where: str) -> Running | None:
        return health.of(name, where) if health is not None else None

    ill = health.unwell() if health is not None else set()
    own = [name for name in ill if name in platform.services and platform.services[name].team in person.teams]
    well = merge(*(platform.indexed.of_team(team) for team in set(person.teams)))
    names = [*sorted(own), *islice((name for name in well if name not in ill), SERVICES)][:SERVICES]
    latest = await planner.ledger.latest([(name, where) for name in names for where in platform.environments])
    lines = []
    for name in names:
        there = []
        for where in platform.environments:
            said = _running_there(running(name, where), latest.get((name, where)), now, zone)
            there += [f"{where} {said}"] if said else []
        lines += [f"*{name}*: {' · '.join(there)}"] if there else []
    return tuple(lines)


def _running_there(seen: Running | None, last: Deployed | None, now: float, zone: ZoneInfo) -> str:
    """What runs, and how; then the last deploy, where that is not what came of it. Empty: nobody knows."""
    how = f" {seen.said()}" if seen is not None else ""
    if last is None:
        return f"{seen.version}{how}" if seen is not None else ""
    by = f" by {last.by}" if last.by else ""
    told = f"{MARKS.get(last.outcome, '')}{last.version}{by}, {freezes.shown(last.at, now, zone)}"
    # Whoever looked before the deploy was over may have seen what was rolled back since
    runs = last.before if last.outcome == "rolled_back" and last.before else last.version
    runs = seen.version if seen is not None and seen.at >= last.at else runs
    return f"{told}{how}" if runs == last.version else f"{runs}{how}; last deploy {told}"


async def scheduled_for(planner: Planner, person: Person) -> tuple[str, ...]:
    """What this person and their teams have scheduled, the next one first."""
    if (desks := planner.desks) is None:
        return ()
    found = (await desks.schedules.listed(person, "mine"))[:MOST]
    return tuple(f"⏰ {one.name}: {one.sentence(planner.clock.now(), zone_of(person.tz))}" for one in found)
