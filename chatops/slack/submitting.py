"""A form, or one step of it, comes back: mistakes at their fields, the next step, or one request.

What several steps have filled in is kept in the database before a step is acknowledged; the view itself remembers only
its draft's name and its step.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import Action
from chatops.kernel.errors import InputError, PlatformError
from chatops.kernel.ports import Clock, Database
from chatops.requests.sheets import Sheet, blank, is_dynamic
from chatops.slack import drafts, errors, forms, payloads
from chatops.slack.directory import SlackDirectory
from chatops.slack.drafts import Draft
from chatops.slack.filling import Filling
from chatops.slack.forms import Origin, Shown
from chatops.slack.intake import Intake
from chatops.slack.payloads import Where
from chatops.slack.ports import Road
from chatops.slack.showing import Showing
from chatops.slack.steps import step_of, steps_of

ENOUGH = 2.3  # seconds for what is asked for and for the rules, of the three that Slack waits for the acknowledgement
_SHEET = 1.3  # of them, for what is asked for
OLDER = "This form is from an older version of me."
GONE = "What you filled in on the other steps is not here any more: a form is kept for a day."
TAKEN_OUT = "This looks like a password or a token. It belongs in no form and was not kept."
LATE = "Whether this may be asked for could not be checked in time, so nothing was asked for."

Json = dict[str, Any]  # an acknowledgement's fields


@dataclass(frozen=True, slots=True)
class _Form:
    """A form as it came back, with the values of all its steps."""

    view: Mapping[str, Any]
    where: Where
    origin: Origin
    action: Action
    values: Mapping[str, str]
    masked: bool
    sheet: Sheet

    @property
    def steps(self) -> int:
        return len(steps_of(self.action))

    @property
    def last(self) -> bool:
        return self.origin.step >= self.steps - 1

    @property
    def asked(self) -> dict[str, str]:
        """The values without those that an earlier step asked for and a later choice has hidden."""
        there = forms.asked_in(self.view)
        return {name: one for name, one in self.values.items() if name in there or name not in self.sheet.hidden}

    def clean(self) -> _Form:
        """Without what looks like a secret: what is left is what is checked and kept."""
        values, hidden = payloads.masked(self.values)
        return replace(self, values=values, masked=self.masked or hidden)


@dataclass(frozen=True, slots=True)
class Submitting:
    """Takes in forms; every method answers with the fields of an acknowledgement."""

    road: Road
    directory: SlackDirectory
    showing: Showing
    filling: Filling
    database: Database
    intake: Intake
    client: AsyncWebClient
    clock: Clock

    async def submitted(self, view: Mapping[str, Any], where: Where) -> Json:
        """A form or a step of it was sent; one request however often the last step is."""
        until = asyncio.get_running_loop().time() + ENOUGH
        try:
            form = await self._read(view, where)
        except InputError as late:
            return _at_fields([late], view)
        except PlatformError as no:
            return _said(no)
        if changed := self._changed(form):
            return changed
        if not form.last:
            wrong = self._wrong_here(form)
            return await self._complained(form, wrong) if wrong else await self._go(form, form.origin.step + 1)
        form, typed = form.clean(), form.values
        if wrong := await self._wrong(form, until):
            return await self._complained(form, [_taken_out(one, form.values, typed) for one in wrong])
        known = self.directory.known(where.user, where.team)
        try:
            if known is not None:  # who is not is asked for later
                self.road.permit(known, form.action.name)
        except PlatformError as no:
            return _said(no)
        told = {"action": form.action.name, "values": form.asked, "break_glass": form.origin.break_glass}
        told |= {"where": where.pack(), "masked": form.masked}
        await self.intake.accept(f"view:{view['id']}", "form", told)
        return {}

    async def picked(self, view: Mapping[str, Any], where: Where, *, typing: bool) -> None:
        """Something that others depend on was chosen: the form follows."""
        origin = Origin.read(str(view.get("private_metadata") or ""))
        action = self.road.actions.get(origin.action)
        if action is None:
            return
        values = await self._values(view, where, origin, action, touched=True)
        if values is not None and self.filling.follows(action, values[0]):
            await self.filling.fill(view, action, values[0], where, typing=typing)

    async def values_of(self, view: Mapping[str, Any], where: Where, action: Action) -> dict[str, str]:
        """What was filled in so far, on all steps."""
        origin = Origin.read(str(view.get("private_metadata") or ""))
        values = await self._values(view, where, origin, action)
        return values[0] if values is not None else forms.filled(view)

    async def back(self, view: Mapping[str, Any], where: Where) -> None:
        """One step back, with what was filled in so far."""
        origin = Origin.read(str(view.get("private_metadata") or ""))
        action = self.road.actions.get(origin.action)
        values = await self._values(view, where, origin, action) if action is not None else None
        if action is None or values is None:
            shown: Json = _said(PlatformError(OLDER if action is None else GONE, hint="Open it anew: `/platform`."))
        else:
            sheet = await self.showing.sheet(action, values[0], where) or blank(action)
            form = _Form(view, where, origin, action, values[0], values[1], sheet)
            shown = await self._go(form, origin.step - 1)
        try:
            told = await self.client.views_update(view_id=str(view["id"]), hash=str(view["hash"]), view=shown["view"])
        except SlackApiError as error:
            if error.response.get("error") not in ("hash_conflict", "not_found"):
                raise
            return
        if action is not None and values is not None:
            await self.filling.fill(told["view"], action, values[0], where)

    # ---- inside

    async def _read(self, view: Mapping[str, Any], where: Where) -> _Form:
        """Raises ``PlatformError`` for a form that nobody can take in any more."""
        origin = Origin.read(str(view.get("private_metadata") or ""))
        action = self.road.actions.get(origin.action)
        if action is None:
            raise PlatformError(OLDER, hint="Open it anew: `/platform`.")
        values = await self._values(view, where, origin, action)
        if values is None:
            raise PlatformError(GONE, hint="Open it anew: `/platform`.")
        sheet = await self.showing.sheet(action, values[0], where, within=_SHEET)
        if sheet is None:
            raise InputError(LATE, hint="Send it again.")
        return _Form(view, where, origin, action, values[0], values[1], sheet)

    async def _values(
        self, view: Mapping[str, Any], where: Where, origin: Origin, action: Action, *, touched: bool = False
    ) -> tuple[dict[str, str], bool] | None:
        """The values of all steps, and whether a secret was taken out of them; None when those of the others are gone.

        ``touched``: without what was worked out and stands there as it was preset.
        """
        here = forms.touched(view, action) if touched else forms.filled(view)
        if not origin.draft:
            return here, False
        draft = await self.database.read(drafts.read, origin.draft, where.user)
        if draft is None or draft.action != action.name:
            return None
        asked = forms.asked_in(view)
        others = {name: value for name, value in draft.values.items() if name not in asked}
        return {**others, **here}, draft.masked

    def _changed(self, form: _Form) -> Json:
        """People send what they see: a form that another choice has overtaken is shown again first."""
        if not is_dynamic(form.action):
            return {}
        step = {one.name for one in steps_of(form.action)[min(form.origin.step, form.steps - 1)]}
        there, sure = forms.asked_in(form.view), step - form.sheet.unsure.keys()
        if (there & sure) == (sure - form.sheet.hidden):
            return {}
        shown = Shown(form.sheet, forms.info_of(form.view) or (), (forms.CHANGED,), before=form.view)
        return self._show(form, form.origin, shown)

    def _wrong_here(self, form: _Form) -> list[InputError]:
        """Mistakes in what this step asks for; on the last one every mistake is looked for."""
        try:
            self.road.parse(form.action.name, {**form.sheet.defaults, **form.asked})
        except InputError as wrong:
            asked = forms.asked_in(form.view)
            return [error for error in errors.inputs(wrong) if error.field in asked]
        return []

    async def _wrong(self, form: _Form, until: float) -> list[InputError]:
        """Everything that is wrong with the whole form, rules too."""
        try:
            if not is_dynamic(form.action) and not form.action.rules:
                self.road.parse(form.action.name, form.asked)
                return []
            async with asyncio.timeout_at(until):
                person = await self.directory.person(form.where.user, form.where.team)
                await self.road.check(form.action.name, form.asked, person=person)
        except InputError as wrong:
            return list(errors.inputs(wrong))
        except TimeoutError:
            return [InputError(LATE, hint="Send it again.")]
        return []

    async def _complained(self, form: _Form, wrong: Sequence[InputError]) -> Json:
        """Mistakes at their fields; where those are on another step, that step with the mistakes above it."""
        asked = forms.asked_in(form.view)
        elsewhere = [one for one in wrong if one.field and one.field not in asked]
        if form.steps == 1 or not elsewhere or len(elsewhere) < len(wrong):
            return _at_fields(wrong, form.view)
        step = min(step_of(form.action, one.field) for one in elsewhere)
        return await self._go(form, step, [f"{one.message} {one.hint}".strip() for one in elsewhere])

    async def _go(self, form: _Form, step: int, notes: Sequence[str] = ()) -> Json:
        """Another step, once what was filled in so far is kept."""
        clean, hidden = payloads.masked(form.values)
        draft_id = form.origin.draft or secrets.token_hex(16)
        draft = Draft(form.action.name, clean, form.masked or hidden)
        await self.database.write(drafts.keep, draft_id, form.where.user, draft, self.clock.now())
        steps = steps_of(form.action)
        while 0 < step < len(steps) - 1 and all(one.name in form.sheet.hidden for one in steps[step]):
            step += 1 if step > form.origin.step else -1
        return self._show(form, replace(form.origin, step=max(0, step), draft=draft_id), Shown(form.sheet, notes=notes))

    def _show(self, form: _Form, origin: Origin, shown: Shown) -> Json:
        view = self.showing.view(form.action, form.values, origin, form.where, shown)
        return {"response_action": "update", "view": view}


def _taken_out(wrong: InputError, kept: Mapping[str, str], typed: Mapping[str, str]) -> InputError:
    """A mistake that only taking out a secret has made is told as such."""
    masked = bool(wrong.field) and kept.get(wrong.field) != typed.get(wrong.field)
    return InputError(TAKEN_OUT, field=wrong.field) if masked else wrong


def _at_fields(wrong: Sequence[InputError], view: Mapping[str, Any]) -> Json:
    return {"response_action": "errors", "errors": forms.field_errors(wrong, view)}


def _said(no: PlatformError) -> Json:
    return {"response_action": "update", "view": forms.said_view(errors.title(no), errors.lines(no))}
