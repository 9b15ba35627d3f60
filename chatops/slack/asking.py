"""From a line, a form or a button to a request, an answer or an open form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import Action, Answer, Button
from chatops.kernel.background import Background
from chatops.kernel.errors import DatabaseAway, InputError
from chatops.kernel.people import Person
from chatops.kernel.ports import Clock, Configuration
from chatops.requests import opened
from chatops.requests.line import Line, Misread, write
from chatops.requests.reading import parse
from chatops.requests.sheets import blank
from chatops.slack import errors, forms
from chatops.slack.answers import Answers
from chatops.slack.directory import SlackDirectory
from chatops.slack.files import Attachments
from chatops.slack.filling import Filling
from chatops.slack.forms import Origin, Shown
from chatops.slack.intake import Item
from chatops.slack.payloads import Where
from chatops.slack.ports import Road

log = logging.getLogger(__name__)

Completed = Callable[[Where, str, Mapping[str, Action]], Awaitable[str]]  # a line with what is meant where it was typed
TRIGGER_LIVES = 2.8  # seconds; Slack gives three from the click, of which some are on the way
TELL_AGAIN = 2.0  # seconds
TRIED_FOR = 300.0  # seconds after it came in for which a line is worked off again whose database is away
LOOK = "It was tried before, and may have been done then: look before you do it again."
LATE = "Slack gave me too little time to open the form."


@dataclass(frozen=True, slots=True)
class Asking:
    """What people ask for, whatever door they come in by."""

    road: Road
    directory: SlackDirectory
    configuration: Configuration
    answers: Answers
    attachments: Attachments
    filling: Filling
    client: AsyncWebClient
    clock: Clock
    background: Background
    completed: Completed

    async def line(self, item: Item) -> object:
        """Works off a line: answers it, asks for what it says, or opens the form for what is missing.

        ``item.body``: where, text, trigger, ask_key (empty: the item's), masked.
        """
        where = Where.read(item.body["where"])
        text = await self.completed(where, str(item.body["text"]), self.road.actions)
        try:
            line = self.read(text, item.body.get("people"))
        except Misread as wrong:
            self.road.permit(await self._person(where), wrong.line.action)
            return await self.answers.end(item, where, errors.answer(wrong, form=self._form_line(wrong.line)))
        if not line.action:
            return await self.answers.end(item, where, await self.road.first_page(person=await self._person(where)))
        if line.missing(self.road.actions[line.action]):
            return await self._open_or_say(item, where, line)
        return await self._do(item, where, line)

    async def form(self, item: Item) -> object:
        """Works off a submitted form; ``item.body``: where, action, values, break_glass, masked."""
        where, action = Where.read(item.body["where"]), str(item.body["action"])
        if action not in self.road.actions:  # the configuration has changed since
            gone = InputError(f"There is no {action} any more.", hint="Type `/platform` to see what there is.")
            return await self.answers.end(item, where, errors.answer(gone))
        values = dict(item.body["values"])
        reason = str(values.pop("reason", ""))
        line = Line(action, values, reason, bool(item.body.get("break_glass")))
        return await self._do(item, where, line)

    async def open(self, key: str, trigger: str, where: Where, text: str) -> None:
        """Opens the form that a line stands for; a click of no consequence, so nothing is kept of it."""
        try:
            line = self.read(text)
        except Misread as wrong:
            line = wrong.line
        action = self.road.actions.get(line.action)
        if action is None:
            said = InputError("There is no form for this any more.", hint="Type /platform to see what there is.")
            await self.answers.tell(key, where, errors.answer(said))
            return
        self._permit_known(where, action)
        if not await self._opened(trigger, where, action, line):
            await self.answers.tell(key, where, self._late(line))

    def read(self, text: str, people: Mapping[str, str] | None = None) -> Line:
        """The line as the catalog of now understands it, with the ids of whom it mentions. Raises ``Misread``."""
        return parse(text, self.road.actions, self.configuration.platform, people)

    async def view(self, action: Action, line: Line, where: Where) -> dict[str, Any]:
        """The form of an action, with what is understood so far."""
        origin = Origin(where.channel, where.thread_ts, where.response_url, action.name, line.break_glass)
        values: Mapping[str, Any] = {**line.values, "reason": line.reason}
        info = (forms.LOOKING,) if self.filling.wanted(action, values) else ()
        sheet = await self.filling.showing.sheet(action, values, where) or blank(action)
        return self.filling.showing.view(action, values, origin, where, Shown(sheet, info))

    # ---- inside

    async def _do(self, item: Item, where: Where, line: Line) -> object:
        """Answers or asks; mistakes come back with a button that opens the form as far as it was right."""
        action, person = self.road.actions[line.action], await self._person(where)
        try:
            if action.answer is not None:
                return await self._answer(item, where, action, line, person)
            asked = await self.road.ask(
                action.name, line.inputs(action), person=person, key=item.body.get("ask_key") or item.key,
                channel=where.channel, thread_ts=where.thread_ts, break_glass=line.break_glass,
            )  # fmt: skip
        except InputError as wrong:
            return await self.answers.end(item, where, errors.answer(wrong, form=self._form_line(line)))
        return await self.answers.asked(item, where, asked, action.title)

    async def _answer(self, item: Item, where: Where, action: Action, line: Line, person: Person) -> object:
        """Answers once, however long the database is away: what some answers do (a note, a page) is not done again.

        That has the row's key, so it may be tried again until the database says whether it is there, as a press is. Who
        waits for long is told instead: something may be wrong with the database that waiting does not cure.
        """
        try:
            answer = await self.road.answer(
                action.name, line.inputs(action), person=person, asked_at=item.received_at, key=item.key,
                again=item.again,
            )  # fmt: skip
            answer = await self.attachments.of(answer, where.user)
        except DatabaseAway as away:
            if self.clock.now() - item.received_at < TRIED_FOR:
                raise
            answer = errors.answer(DatabaseAway(away.message, hint=LOOK) if item.again else away)
        while True:
            try:
                return await self.answers.end(item, where, answer)
            except DatabaseAway as away:
                log.warning("the answer to %s waits: %s", item.key, away.message)
                await self.clock.sleep(TELL_AGAIN)

    async def _open_or_say(self, item: Item, where: Where, line: Line) -> object:
        """Opens the form at once, with what is in memory; says what is missing where no form can be opened."""
        action = self.road.actions[line.action]
        self._permit_known(where, action)
        trigger = str(item.body.get("trigger") or "")
        in_time = not item.again and self.clock.now() - item.received_at < TRIGGER_LIVES
        if trigger and in_time and await self._opened(trigger, where, action, line):
            return None
        if trigger:
            return await self.answers.end(item, where, self._late(line))
        missing = " and ".join(line.missing(action))
        button = Button("Open the form", self._form_line(line), form=True)
        lines = (f"{action.title} needs {missing} too.", f"Usage: `{action.usage}`")
        return await self.answers.end(item, where, Answer(title="Not quite", lines=lines, buttons=(button,)))

    def _permit_known(self, where: Where, action: Action) -> None:
        """Refuses at once who is known; who is not yet is refused when the form comes back."""
        known = self.directory.known(where.user, where.team)
        if known is not None:
            self.road.permit(known, action.name)

    async def _opened(self, trigger: str, where: Where, action: Action, line: Line) -> bool:
        """Whether the form stands; what runs there now is filled in afterwards."""
        try:
            view = await self.view(action, line, where)
            async with asyncio.timeout(TRIGGER_LIVES):
                told = await self.client.views_open(trigger_id=trigger, view=view)
        except SlackApiError as error:
            log.warning("views.open: %s", error.response.get("error"))
            return False
        except errors.AWAY as error:
            log.warning("views.open: %s", type(error).__name__)
            return False
        self.background.spawn(self._noted(str(told["view"]["id"]), action.name))
        values: Mapping[str, Any] = {**line.values, "reason": line.reason}
        if self.filling.follows(action, values):
            self.background.spawn(self.filling.fill(told["view"], action, values, where))
        return True

    async def _noted(self, view_id: str, action: str) -> None:
        """For the figures alone: without it the form works all the same."""
        await self.answers.database.write(opened.opened, view_id, action, self.clock.now())

    def _late(self, line: Line) -> Answer:
        button = Button("Open the form", self._form_line(line), form=True, style="primary")
        hint = "Or say it all on the line: `/platform " + self.road.actions[line.action].usage + "`"
        return Answer(title="Once more, please", lines=(LATE, hint), buttons=(button,))

    def _form_line(self, line: Line) -> str:
        action = self.road.actions.get(line.action)
        return write(action, line) if action is not None else ""

    async def _person(self, where: Where) -> Person:
        return await self.directory.person(where.user, where.team)
