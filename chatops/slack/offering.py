"""What a select offers while somebody types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chatops.kernel.action import Action, Input, InputKind, inputs_of
from chatops.kernel.people import Person
from chatops.slack import ids
from chatops.slack.forms import Origin
from chatops.slack.payloads import Where
from chatops.slack.picking import Picking
from chatops.slack.showing import Showing
from chatops.slack.submitting import Submitting
from chatops.slack.typeahead import Typeahead

PATIENCE = 2.0  # seconds that a cluster has, of the three that Slack waits

Options = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Offering:
    """Names of the catalog from their index; what else there is by the input that the select stands for."""

    picking: Picking
    showing: Showing
    submitting: Submitting

    async def offered(self, body: Mapping[str, Any], where: Where) -> Options | Iterable[str]:
        """Labels and values, or names, best first."""
        action_id, typed = str(body.get("action_id")), str(body.get("value") or "")
        person = self.showing.directory.known(where.user, where.team)
        if action_id in (ids.SERVICE_SELECT, ids.ENVIRONMENT_SELECT):
            return self.picking.names(action_id, typed, person)
        view = body.get("view") or {}
        action = self.showing.road.actions.get(Origin.read(str(view.get("private_metadata") or "")).action)
        name = ids.input_of(str(body.get("block_id") or ""))
        one = next((one for one in inputs_of(action.inputs) if one.name == name), None) if action else None
        if action is None or one is None:
            return ()
        known = await self._known(action, one, view, where, person)
        return {label: known[label] for label in Typeahead(known).search(typed)}

    async def _known(
        self, action: Action, one: Input, view: Mapping[str, Any], where: Where, person: Person | None
    ) -> Options:
        if one.asked.options_from is not None:
            values = await self.submitting.values_of(view, where, action)
            sheet = await self.showing.sheet(action, values, where, cluster=True, within=PATIENCE)
            return sheet.options.get(one.name, {}) if sheet is not None else {}
        names: Mapping[InputKind, Iterable[str]] = {
            InputKind.SERVICE: self.showing.configuration.platform.services,
            InputKind.ENVIRONMENT: self.showing.configuration.platform.environments,
            InputKind.TEAM: self.showing.configuration.platform.teams,
            InputKind.ACTION: self.showing.road.offered(person),
        }
        return {name: name for name in names.get(one.kind, one.options)}
