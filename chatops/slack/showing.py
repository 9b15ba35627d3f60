"""Forms as they are to be shown: what an action asks for, by what was filled in so far, put into a view."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatops.kernel.action import Action, InputKind, inputs_of
from chatops.kernel.ports import Configuration
from chatops.requests.sheets import Sheet, is_dynamic
from chatops.slack import forms
from chatops.slack.directory import SlackDirectory
from chatops.slack.forms import Origin, Shown
from chatops.slack.payloads import Where
from chatops.slack.ports import Road

log = logging.getLogger(__name__)

AT_ONCE = 0.6  # seconds that opening a form may wait for what it shows; Slack gives three for all of it

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Showing:
    """Makes views; a form stands whatever cannot be looked up."""

    road: Road
    directory: SlackDirectory
    configuration: Configuration

    async def sheet(
        self, action: Action, values: Values, where: Where, *, cluster: bool = False, within: float = AT_ONCE
    ) -> Sheet | None:
        """What the form shows for these values; None when that could not be found out in time."""
        if not is_dynamic(action):
            return Sheet()
        try:
            async with asyncio.timeout(within):
                person = await self.directory.person(where.user, where.team)
                return await self.road.sheet(action.name, values, person=person, cluster=cluster)
        except TimeoutError:
            log.warning("what the form of %s shows was not found out in %g s", action.name, within)
        except Exception:  # a form must stay usable whatever the rest says
            log.exception("what the form of %s shows could not be found out", action.name)
        return None

    def view(self, action: Action, values: Values, origin: Origin, where: Where, shown: Shown) -> dict[str, Any]:
        """The form, or its step, filled in as far as the values go."""
        emails = {
            one.name: str(values.get(one.name) or one.default or "")
            for one in inputs_of(action.inputs)
            if one.kind is InputKind.PERSON
        }
        ids = {name: found for name, email in emails.items() if (found := self.directory.id_known(email))}
        offered = self.road.offered(self.directory.known(where.user, where.team))
        return forms.form(action, self.configuration.platform, offered, {**values, **ids}, origin, shown)
