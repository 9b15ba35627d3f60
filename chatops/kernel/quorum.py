"""Who can fill which approvals: one person counts once within a rule, so this is a matching, not a count."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

from chatops.kernel.catalog import Platform, PolicyRule, Requirement
from chatops.kernel.cel import possible

P = TypeVar("P", bound=Hashable)


def unfilled(seats: Sequence[tuple[int, Collection[str]]], people: Mapping[P, Collection[str]]) -> tuple[int, ...]:
    """How many seats of each kind stay empty when everybody takes at most one.

    ``seats``: (how many, the sources that may take one); ``people``: what each belongs to. As many as possible are
    filled, and among the ways to do so, the earlier kinds first (augmenting paths, Kuhn 1955).
    """
    taken: dict[P, int] = {}
    missing = []
    suits = [[who for who, of in people.items() if not set(sources).isdisjoint(of)] for _, sources in seats]
    for kind, (count, _) in enumerate(seats):
        filled = 0
        while filled < count and _seat(kind, suits, taken, set()):
            filled += 1
        missing.append(count - filled)
    return tuple(missing)


def _seat(kind: int, suits: Sequence[Sequence[P]], taken: dict[P, int], tried: set[P]) -> bool:
    for who in suits[kind]:
        if who in tried:
            continue
        tried.add(who)
        if who not in taken or _seat(taken[who], suits, taken, tried):
            taken[who] = kind
            return True
    return False


def unsatisfiable(platform: Platform) -> list[tuple[PolicyRule, str]]:
    """Rules that ask for more approvals than there are people who could give them, each with a sentence.

    Slack usergroups may have anybody in them, so a requirement that names one counts as satisfiable; not so where the
    rule is about nothing but danger, which a usergroup alone never authorises.
    """
    found = []
    for rule in platform.policies:
        for team in _teams(platform, rule):
            if sentence := _lack(platform, rule, team):
                found.append((rule, sentence))
                break
    return found


def without_a_second(platform: Platform) -> list[tuple[PolicyRule, tuple[str, ...]]]:
    """Rules that can't be met where certain people ask, with their names: nobody approves their own request.

    What ``unsatisfiable`` finds is not among them.
    """
    found = []
    for rule in platform.policies:
        needed = dict.fromkeys(one for team in _teams(platform, rule) for one in _needed(platform, rule, team))
        if needed:
            found.append((rule, tuple(needed)))
    return found


def _needed(platform: Platform, rule: PolicyRule, team: str) -> Iterator[str]:
    """Those without whom too few are left for a rule, though it holds for what they ask for."""
    wanted, people = _seats(platform, rule, team)
    if any(_unfilled(wanted, people)):
        return  # that is a mistake of its own
    for one in people:
        others = {who: of for who, of in people.items() if who != one}
        known = {"requester.email": one} | ({"service.team": team} if team else {})
        if any(_unfilled(wanted, others)) and possible(rule.when, known) is not False:
            yield one


def _teams(platform: Platform, rule: PolicyRule) -> list[str]:
    """The teams whose leads a rule may ask; one that is none when it asks no team's."""
    if not _depends_on_team(rule):
        return [""]
    owners = sorted(platform.teams.keys() & {service.team for service in platform.services.values()})
    return [team for team in owners if possible(rule.when, {"service.team": team}) is not False]


def _depends_on_team(rule: PolicyRule) -> bool:
    return any("team-leads" in requirement.sources for requirement in rule.require)


def _seats(platform: Platform, rule: PolicyRule, team: str) -> tuple[list[Requirement], dict[str, set[str]]]:
    """What a rule asks of people whom the configuration names, and who they are with their sources."""
    dangerous = is_about_danger(rule)
    wanted = [one for one in rule.require if dangerous or not _open_ended(platform, one)]
    people: dict[str, set[str]] = {}
    for source in dict.fromkeys(source for one in wanted for source in one.sources):
        for name in eligible(platform, source, team):
            people.setdefault(name.casefold(), set()).add(source)
    return wanted, people


def _unfilled(wanted: Sequence[Requirement], people: Mapping[str, Collection[str]]) -> tuple[int, ...]:
    return unfilled([(one.approvals, one.sources) for one in wanted], people)


def _lack(platform: Platform, rule: PolicyRule, team: str) -> str:
    wanted, people = _seats(platform, rule, team)
    for requirement, lacking in zip(wanted, _unfilled(wanted, people), strict=True):
        if lacking:
            return _sentence(platform, requirement, team, shared=len(wanted) > 1)
    return ""


def _sentence(platform: Platform, requirement: Requirement, team: str, *, shared: bool) -> str:
    names = {name for source in requirement.sources for name in eligible(platform, source, team)}
    sources = " or ".join(requirement.sources)
    owner = f" of team {team}" if team and "team-leads" in requirement.sources else ""
    who = f"only {', '.join(sorted(names))} can give them" if names else "nobody can give them"
    if _open_ended(platform, requirement):
        who += ": a Slack usergroup alone authorises nothing dangerous, name its members"
    if shared and len(names) >= requirement.approvals:
        who += ", and is needed for this rule's other approvals: one person counts once"
    plural = "approval" if requirement.approvals == 1 else "approvals"
    return f"asks for {requirement.approvals} {plural} from {sources}{owner}, but {who}"


def is_about_danger(rule: PolicyRule) -> bool:
    """Whether a rule speaks of dangerous requests alone."""
    return all(possible(rule.when, {"action.risk": risk}) is False for risk in ("read", "change"))


def _open_ended(platform: Platform, requirement: Requirement) -> bool:
    groups = (platform.groups.get(source.removeprefix("group:")) for source in requirement.sources)
    return any(group is not None and group.usergroup for group in groups)


def eligible(platform: Platform, source: str, team: str = "") -> Iterator[str]:
    """The names (e-mails, Slack ids) that the configuration itself gives for a source."""
    kind, _, name = source.partition(":")
    if kind == "group" and name in platform.groups:
        yield from platform.groups[name].members
    elif kind == "team-leads" and team in platform.teams:
        yield from platform.teams[team].leads
    elif kind == "user":
        yield name
