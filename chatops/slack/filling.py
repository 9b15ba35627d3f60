"""Forms that already stand are made to follow what is chosen in them.

What runs there now and what policy will ask for is filled in, inputs appear and go, options are looked up: each as soon
as it is known, and the form can be used meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import Action, inputs_of
from chatops.requests.sheets import Sheet, asks_cluster, blank, is_dynamic
from chatops.slack import errors, forms
from chatops.slack.forms import Origin, Shown
from chatops.slack.payloads import Where
from chatops.slack.showing import Showing

log = logging.getLogger(__name__)

PATIENCE = 8.0  # seconds a cluster has to answer before the form says that it can't be asked now
_MOST_TOLD = 500
Values = Mapping[str, Any]


@dataclass(slots=True)
class Filling:
    """Updates open forms; of several choices in a row the last one wins."""

    client: AsyncWebClient
    showing: Showing
    patience: float = PATIENCE
    _latest: dict[str, int] = field(default_factory=dict)
    _turns: Any = field(default_factory=itertools.count)
    _told: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # views as our last updates left them

    @staticmethod
    def wanted(action: Action, values: Values) -> bool:
        """Whether there is something to tell: a change whose place is chosen."""
        asked = {one.name for one in inputs_of(action.inputs)} & {"service", "environment"}
        return forms.previews(action) and all(values.get(name) for name in asked)

    def follows(self, action: Action, values: Values) -> bool:
        """Whether a form that stands is still to be filled in."""
        return is_dynamic(action) or self.wanted(action, values)

    async def fill(
        self, view: Mapping[str, Any], action: Action, values: Values, where: Where, *, typing: bool = False
    ) -> None:
        """Shows what is known at once, asks, and shows what it heard.

        ``values`` are those of the whole form, as typed. While somebody is ``typing`` only what is asked for follows:
        nothing is looked up with every letter. The view's hash keeps it from overwriting a newer view.
        """
        view_id, turn = str(view["id"]), next(self._turns)
        self._latest[view_id] = turn
        try:
            there = forms.info_of(view)
            asking = not typing or there == (forms.LOOKING,)  # which an earlier turn is not going to replace any more
            previewing = asking and there is not None and self.wanted(action, values)
            sheet = await self.showing.sheet(action, values, where) or blank(action)
            if self._latest.get(view_id) != turn:  # a newer choice was quicker
                return
            info = (forms.LOOKING,) if previewing else () if asking else there or ()
            shown = await self._update(view, action, values, where, sheet, info)
            if shown is None or not (previewing or (asking and asks_cluster(action))):
                return
            lines, found = await asyncio.gather(
                self._lines(action, _settled(values, sheet), where) if previewing else _nothing(),
                self._looked_up(action, values, where, sheet),
            )
            if self._latest.get(view_id) == turn:
                await self._update(shown, action, values, where, found, lines)
        finally:
            if self._latest.get(view_id) == turn:
                del self._latest[view_id]

    async def _looked_up(self, action: Action, values: Values, where: Where, sheet: Sheet) -> Sheet:
        """The sheet with options out of the cluster; where it does not answer, the form says so and takes text."""
        if not asks_cluster(action):
            return sheet
        found = await self.showing.sheet(action, values, where, cluster=True, within=self.patience)
        if found is not None:
            return found
        asked = {one.name: one.asked.options_from for one in inputs_of(action.inputs)}
        silent = {name: forms.UNASKED for name, one in asked.items() if one and one.kind and values.get("environment")}
        return Sheet(sheet.hidden, sheet.defaults, sheet.options, {**silent, **sheet.silent}, sheet.unsure)

    async def _lines(self, action: Action, values: Values, where: Where) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(self.patience):
                person = await self.showing.directory.person(where.user, where.team)
                return await self.showing.road.preview(action.name, values, person=person) or (forms.SILENT,)
        except TimeoutError:
            return (forms.SILENT,)
        except Exception:  # a form must stay usable whatever the cluster says
            log.exception("preview of %s failed", action.name)
            return (forms.SILENT,)

    async def _update(
        self, view: Mapping[str, Any], action: Action, values: Values, where: Where, sheet: Sheet, info: tuple[str, ...]
    ) -> Mapping[str, Any] | None:
        """The view as it stands now; None when a newer one stands there, or none at all."""
        origin = Origin.read(str(view.get("private_metadata") or ""))
        wanted = self.showing.view(action, values, origin, where, Shown(sheet, info, before=view))
        if forms.same_shape(view, wanted):
            return view
        ours = self._told.get(str(view["id"]), view)
        for stands in (view, ours):  # the form may have been sent to us just before our own last update reached it
            try:
                told = await self.client.views_update(view_id=str(view["id"]), hash=str(stands["hash"]), view=wanted)
            except SlackApiError as error:
                if error.response.get("error") == "hash_conflict" and stands["hash"] != ours["hash"]:
                    continue
                if error.response.get("error") not in ("hash_conflict", "not_found"):
                    log.warning("views.update: %s", error.response.get("error"))
                return None
            except errors.AWAY as error:
                log.warning("views.update: %s", type(error).__name__)
                return None
            found: Mapping[str, Any] = told["view"]
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told[str(view["id"])] = found
            return found
        return None


def _settled(values: Values, sheet: Sheet) -> dict[str, Any]:
    """What would be asked for as things stand: with what was worked out, without what is hidden."""
    whole = {**sheet.defaults, **values}
    return {name: value for name, value in whole.items() if name not in sheet.hidden}


async def _nothing() -> tuple[str, ...]:
    return ()
