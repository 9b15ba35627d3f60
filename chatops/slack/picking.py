"""The names a select offers while somebody types."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from chatops.kernel.catalog import Platform
from chatops.kernel.people import Person
from chatops.kernel.ports import Configuration
from chatops.slack import ids
from chatops.slack.typeahead import MOST, Typeahead


@dataclass(slots=True)
class Picking:
    """Searches the catalog; the index is made anew when the configuration was replaced."""

    configuration: Configuration
    _of: Platform | None = None
    _services: Typeahead = field(default_factory=lambda: Typeahead(()))
    _environments: Typeahead = field(default_factory=lambda: Typeahead(()))

    def names(self, action_id: str, typed: str, person: Person | None) -> list[str]:
        """At most 100 names, best first; for nothing typed, the services of the person's teams and then all."""
        self.index()
        if action_id == ids.ENVIRONMENT_SELECT:
            return self._environments.search(typed)
        return self._services.search(typed, first=self._own(person) if not typed.strip() else ())

    def index(self) -> None:
        """Makes the index, when need be; called at the start, so that the first person typing does not wait for it."""
        platform = self.configuration.platform
        if platform is not self._of:
            self._services, self._environments = Typeahead(platform.services), Typeahead(platform.environments)
            self._of = platform
            _ = platform.indexed  # made here, too: who asks first does not wait for it

    def _own(self, person: Person | None) -> list[str]:
        of_team, teams = self.configuration.platform.indexed.of_team, person.teams if person is not None else ()
        return [name for team in teams for name in islice(of_team(team), MOST)]
