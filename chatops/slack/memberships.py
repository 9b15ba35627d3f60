"""Which groups and teams of the catalog somebody belongs to: an index that is made once for each configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from chatops.kernel.catalog import Platform

MOST_REMEMBERED = 5000  # people whose groups and teams are remembered


class Memberships:
    """Groups and teams by id and e-mail; a click must not walk through every team of the company."""

    def __init__(self) -> None:
        self._of: Platform | None = None
        self._groups: dict[str, list[str]] = {}
        self._teams: dict[str, list[str]] = {}
        self._usergroups: dict[str, str] = {}
        self._handles: frozenset[str] = frozenset()
        self._named: dict[tuple[str, str], tuple[frozenset[str], tuple[str, ...]]] = {}

    def of(
        self, platform: Platform, user_id: str, email: str, usergroup: Callable[[str], frozenset[str]]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of groups and of teams; an empty ``email`` names nobody. E-mails ignore case."""
        self._index(platform)
        named, teams = self._named.get((user_id, email)) or self._names(user_id, email)
        members = [group for group, handle in self._usergroups.items() if user_id in usergroup(handle)]
        return tuple(sorted(named.union(members))), teams

    def _names(self, user_id: str, email: str) -> tuple[frozenset[str], tuple[str, ...]]:
        """The groups and the teams that the configuration itself names somebody in; remembered."""
        names = [user_id, *([email.casefold()] if email else [])]
        groups = frozenset(group for name in names for group in self._groups.get(name, ()))
        teams = tuple(sorted({team for name in names for team in self._teams.get(name, ())}))
        if len(self._named) >= MOST_REMEMBERED:
            self._named.clear()
        self._named[user_id, email] = groups, teams
        return groups, teams

    def handles(self, platform: Platform) -> frozenset[str]:
        """The usergroup handles that the configuration names."""
        self._index(platform)
        return self._handles

    def _index(self, platform: Platform) -> None:
        if platform is self._of:
            return
        groups, teams = defaultdict(list), defaultdict(list)
        for group in platform.groups.values():
            for name in group.members:
                groups[_key(name)].append(group.name)
        for team in platform.teams.values():
            for name in {*team.members, *team.leads}:
                teams[_key(name)].append(team.name)
        self._groups, self._teams = dict(groups), dict(teams)
        self._usergroups = {group.name: group.usergroup for group in platform.groups.values() if group.usergroup}
        self._handles = frozenset(self._usergroups.values())
        self._named = {}
        self._of = platform


def _key(name: str) -> str:
    return name.casefold() if "@" in name else name
