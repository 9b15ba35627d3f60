"""What is allowed in a configuration and probably not meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from chatops.adapters.configuration.document import read_yaml
from chatops.adapters.configuration.folder import MAIN, read
from chatops.adapters.configuration.problems import Problem
from chatops.kernel.action import Action
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import possible
from chatops.kernel.families import spoken
from chatops.kernel.quorum import without_a_second
from chatops.kernel.rota import gaps
from chatops.kernel.spans import shown

AHEAD = 28 * 86400.0  # seconds in which nobody's hours are looked for
SHOWN = 2  # gaps and actions that are named


def warnings(folder: Path, platform: Platform, now: float, actions: Iterable[Action] = ()) -> list[Problem]:
    """Hours of the next four weeks in which nobody is on call, who can only be reached in Slack, whose own requests
    nobody can approve, and which of the ``actions`` belong to no team though its leads are asked.

    ``now`` in epoch seconds.
    """
    found, main = [*_alone(platform), *_teamless(platform, actions)], str(folder / MAIN)
    for name, rota in platform.rotas.items():
        empty = gaps(rota, now, now + AHEAD)
        if empty:
            zone = ZoneInfo(rota.timezone)
            named = "; ".join(shown(start, end, zone) for start, end in empty[:SHOWN])
            more = f"; and {len(empty) - SHOWN} times more in four weeks" if len(empty) > SHOWN else ""
            said = f"warning: rota {name} has nobody on call {named}{more}"
            found.append(Problem(main, _line(folder, "rotas", name), said))
        if nameless := [one for one in rota.people if "@" not in one]:
            found.append(Problem(main, _line(folder, "rotas", name), f"warning: rota {name} {_only(nameless)}"))
    for name, escalation in platform.escalations.items():
        for target in dict.fromkeys(target for step in escalation.steps for target in step.page):
            if said := _unreached(target, platform):
                found.append(Problem(main, _line(folder, "escalations", name), f"warning: escalation {name} {said}"))
    return found


def _alone(platform: Platform) -> list[Problem]:
    """Rules for which certain people are needed, who can't approve what they ask for themselves."""
    found = []
    for rule, needed in without_a_second(platform):
        file, _, line = rule.where.rpartition(":")
        said = f"warning: policy {rule.name!r} needs {' and '.join(needed)}, and nobody approves their own request"
        found.append(Problem(file, int(line), f"{said}: name others as well, or what they ask for stays undecided"))
    return found


def _teamless(platform: Platform, actions: Iterable[Action]) -> list[Problem]:
    """Rules that ask the leads of a service's team alone, also about what is done to no service."""
    free = [one for one in actions if one.plan is not None and "service" not in one.inputs.model_fields]
    found = []
    for rule in platform.policies:
        if not any(each.sources == ("team-leads",) for each in rule.require):
            continue
        none = {"service.name": "", "service.team": ""}
        about = [
            spoken(one.name)
            for one in free
            if possible(rule.when, {**none, "action.name": one.name, "action.risk": one.risk}) is not False
        ]
        if about:
            named = ", ".join(about[:SHOWN]) + (f" and {len(about) - SHOWN} more" if len(about) > SHOWN else "")
            said = f"warning: policy {rule.name!r} asks team-leads alone, and what {named} does"
            said += " may concern no team's service: then nobody can approve it, name a group as well"
            file, _, line = rule.where.rpartition(":")
            found.append(Problem(file, int(line), said))
    return found


def _unreached(target: str, platform: Platform) -> str:
    """Whom a step pages that has no other address than Slack's."""
    kind, _, name = target.partition(":")
    if kind == "user" and "@" not in name:
        return _only([name])
    group = platform.groups.get(name) if kind == "group" else None
    if group is None or any("@" in one for one in group.members):
        return ""
    return f"pages the group {name}, which only Slack knows: name its members by e-mail, for a page while Slack is away"


def _only(people: Sequence[str]) -> str:
    said = f"pages {', '.join(people)}, who can only be reached in Slack"
    return f"{said}: name people by e-mail, for a page while Slack is away"


def _line(folder: Path, section: str, name: str) -> int:
    """Where an entry of a section begins."""
    document = read_yaml(read(folder)[MAIN], MAIN)
    found = document.value.get(section) if isinstance(document.value, dict) else None
    return found.key_lines.get(name, 1) if found is not None else 1
