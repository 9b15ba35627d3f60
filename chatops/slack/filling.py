"""What runs there now and what policy will ask for, filled into a form that already stands."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import Action
from chatops.slack import errors, forms
from chatops.slack.directory import SlackDirectory
from chatops.slack.payloads import Where
from chatops.slack.ports import Road

log = logging.getLogger(__name__)

PATIENCE = 8.0  # seconds a cluster has to answer before the form says that it can't be asked now


@dataclass(slots=True)
class Filling:
    """Updates open forms; of several choices in a row the last one wins."""

    client: AsyncWebClient
    road: Road
    directory: SlackDirectory
    patience: float = PATIENCE
    _latest: dict[str, int] = field(default_factory=dict)
    _turns: Any = field(default_factory=itertools.count)

    @staticmethod
    def wanted(action: Action, values: Mapping[str, Any]) -> bool:
        """Whether there is something to tell: a change to a service in an environment, both chosen."""
        return forms.previews(action) and bool(values.get("service") and values.get("environment"))

    async def fill(
        self, view: Mapping[str, Any], action: Action, values: Mapping[str, Any], where: Where, *, looking: bool = False
    ) -> None:
        """Says «…looking», asks, and shows what it heard. The view's hash keeps it from overwriting a newer view."""
        view_id, turn = str(view["id"]), next(self._turns)
        self._latest[view_id] = turn
        try:
            shown = view if looking else await self._update(view, (forms.LOOKING,))
            lines = await self._lines(action, values, where)
            if shown is not None and self._latest.get(view_id) == turn:
                await self._update(shown, lines)
        finally:
            if self._latest.get(view_id) == turn:
                del self._latest[view_id]

    async def _lines(self, action: Action, values: Mapping[str, Any], where: Where) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(self.patience):
                person = await self.directory.person(where.user, where.team)
                return await self.road.preview(action.name, values, person=person) or (forms.SILENT,)
        except TimeoutError:
            return (forms.SILENT,)
        except Exception:  # a form must stay usable whatever the cluster says
            log.exception("preview of %s failed", action.name)
            return (forms.SILENT,)

    async def _update(self, view: Mapping[str, Any], lines: tuple[str, ...]) -> Mapping[str, Any] | None:
        """The view as it stands now; None when a newer one stands there, or none at all."""
        try:
            told = await self.client.views_update(
                view_id=str(view["id"]), hash=str(view["hash"]), view=forms.with_info(view, lines)
            )
        except SlackApiError as error:
            if error.response.get("error") not in ("hash_conflict", "not_found"):
                log.warning("views.update: %s", error.response.get("error"))
            return None
        except errors.AWAY as error:
            log.warning("views.update: %s", type(error).__name__)
            return None
        found: Mapping[str, Any] = told["view"]
        return found
