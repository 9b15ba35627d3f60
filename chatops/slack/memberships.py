"""Which groups and teams of the catalog somebody belongs to: an index that is made once for each configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from chatops.kernel.catalog import Platform


class Memberships:
    """Groups and teams by id and e-mail; a click must not walk through every team of the company."""

    def __init__(self) -> None:
        self._of: Platform | None = None
        self._groups: dict[str, list[str]] = {}
        self._teams: dict[str, list[str]] = {}
        self._usergroups: dict[str, str] = {}
        self._handles: frozenset[str] = frozenset()

    def of(
        self, platform: Platform, user_id: str, email: str, usergroup: Callable[[str], frozenset[str]]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of groups and of teams; an empty ``email`` names nobody. E-mails ignore case."""
        self._index(platform)
        names = [user_id, *([email.casefold()] if email else [])]
        groups = {group for name in names for group in self._groups.get(name, ())}
        groups |= {group for group, handle in self._usergroups.items() if user_id in usergroup(handle)}
        teams = {team for name in names for team in self._teams.get(name, ())}
        return tuple(sorted(groups)), tuple(sorted(teams))

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
        self._of = platform


def _key(name: str) -> str:
    return name.casefold() if "@" in name else name
