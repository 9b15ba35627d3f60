"""A catalog's services by what they are looked up by: every alert asks, and there may be a hundred thousand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar


class Owned(Protocol):
    """What is known of a service here."""

    @property
    def name(self) -> str: ...

    @property
    def team(self) -> str: ...

    @property
    def workload_name(self) -> str: ...


S = TypeVar("S", bound=Owned)


class Indexed(Generic[S]):
    """Made once for a catalog; ``catalog`` is the very mapping that it is of."""

    def __init__(self, catalog: Mapping[str, S]) -> None:
        self.catalog = catalog
        self._by_workload: dict[str, list[S]] = defaultdict(list)
        self._of_team: dict[str, list[str]] = defaultdict(list)
        for name in sorted(catalog):
            one = catalog[name]
            self._by_workload[one.workload_name].append(one)
            self._of_team[one.team].append(name)

    def with_workload(self, name: str) -> tuple[S, ...]:
        """The services whose workload is called so, by name."""
        return tuple(self._by_workload.get(name, ()))

    def of_team(self, team: str) -> list[str]:
        """The names of a team's services in order; not to be changed."""
        return self._of_team.get(team, [])
