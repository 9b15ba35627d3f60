"""What people decide on a card: votes, the requester's choices, why, and a look at the whole diff."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import Answer, File
from chatops.kernel.errors import DatabaseAway, InputError, PlatformError
from chatops.kernel.people import Person
from chatops.kernel.ports import Tx
from chatops.slack import errors, files, forms, ids
from chatops.slack.answers import Answers
from chatops.slack.directory import SlackDirectory
from chatops.slack.forms import Origin
from chatops.slack.intake import CLOSED, Item
from chatops.slack.payloads import Click, Where
from chatops.slack.ports import Choice, Road, Verdict

log = logging.getLogger(__name__)

OLD = InputError("This button is from an older version of the card.", hint="Type `/platform requests` to see yours.")
_VERDICTS: Mapping[str, Verdict] = {ids.APPROVE: "approve", ids.WITHDRAW: "withdraw", "reject": "reject"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a click or a form decided."""

    request: int
    verdict: str  # approve, reject, withdraw, cancel, wait, replace, start, break_glass
    digest: str = ""  # what the card showed: of which plan, or whom it would replace
    reason: str = ""

    def pack(self) -> dict[str, Any]:
        """For the inbox."""
        return {"request": self.request, "verdict": self.verdict, "digest": self.digest, "reason": self.reason}

    @classmethod
    def of_click(cls, click: Click) -> Decision:
        """Raises InputError for a button whose value is not ours."""
        number = click.value.get("r")
        if type(number) is not int or not 0 < number < 2**63:
            raise OLD
        return cls(number, click.action_id, str(click.value.get("d") or ""))


@dataclass(frozen=True, slots=True)
class Deciding:
    """Votes and choices."""

    road: Road
    directory: SlackDirectory
    answers: Answers
    client: AsyncWebClient

    async def decide(self, decision: Decision, person: Person, key: str, where: Where) -> str:
        """Commits a decision, the same ``key`` once, and the sentence for the person, which it returns."""
        told = partial(self._tell, key, where)
        verdict = _VERDICTS.get(decision.verdict)
        if verdict is not None:
            return await self.road.vote(
                decision.request, decision.digest, verdict, person=person, key=key, reason=decision.reason, told=told
            )
        choice = cast("Choice", decision.verdict)
        return await self.road.choose(
            decision.request, choice, person=person, key=key, reason=decision.reason, saw=decision.digest, told=told
        )

    async def work_off(self, item: Item) -> object:
        """Works off a decision; ``item.body``: where, decision. Its row is done by the commit of what it decides.

        That commit has the row's key, so it may be tried again until the database says whether it is there: a press
        that was acknowledged is not taken back for a connection that was lost for a moment.
        """
        where = Where.read(item.body["where"])
        person = await self.directory.person(where.user, where.team)
        try:
            await self.decide(Decision(**item.body["decision"]), person, item.key, where)
        except DatabaseAway:
            raise
        except PlatformError as no:
            return await self.answers.end(item, where, errors.answer(no))
        return CLOSED

    async def ask_why(self, click: Click, key: str) -> None:
        """Opens the small form that asks for the reason of a rejection or of breaking the glass."""
        decision = Decision.of_click(click)
        origin = Origin(
            click.where.channel, click.where.thread_ts, click.where.response_url, request=decision.request,
            digest=decision.digest, verdict=decision.verdict,
        )  # fmt: skip
        if not await self._open(click.trigger, forms.reason_view(origin)):
            said = InputError("Slack gave me too little time to ask you why.", hint="Press the button once more.")
            await self.answers.tell(key, click.where, errors.answer(said))

    async def show_diff(self, click: Click, key: str) -> None:
        """Opens the whole diff; as a file, sent to this person alone, when it is too long to read in a window."""
        request = Decision.of_click(click).request
        title = f"R-{request}"
        view_id = await self._open(click.trigger, forms.said_view(title, [forms.LOOKING]))
        person = await self.directory.person(click.where.user, click.where.team)
        try:
            diff = await self.road.diff(request, person=person)
        except PlatformError as no:
            await self._show(view_id, forms.said_view(title, errors.lines(no)), click.where, key)
            return
        view = forms.diff_view(title, diff)
        if view is None or not view_id:
            said = "It is long: I sent it to you as a file, in our direct messages."
            try:
                title_of_file = f"R-{request}: the whole diff"
                await files.send(self.client, click.where.user, File(f"R-{request}.diff", diff), title_of_file)
            except files.NOT_TAKEN as error:
                log.warning("the diff of R-%d could not be sent: %s", request, type(error).__name__)
                said = "It is too long for a window, and Slack does not take files just now. Try again in a minute."
            view = forms.said_view(title, [said])
        await self._show(view_id, view, click.where, key)

    # ---- inside

    def _tell(self, key: str, where: Where, tx: Tx, said: str) -> None:
        """Tells the person what came of it, but for a plain approval, which the card itself shows at once."""
        if said and not said.startswith("You approved "):
            self.answers.put(tx, key, where, Answer(title=said))

    async def _open(self, trigger: str, view: Mapping[str, Any]) -> str:
        """The id of the opened view, or empty when Slack would not."""
        try:
            async with asyncio.timeout(2.8):
                told = await self.client.views_open(trigger_id=trigger, view=dict(view))
        except SlackApiError as error:
            log.warning("views.open: %s", error.response.get("error"))
            return ""
        except errors.AWAY as error:
            log.warning("views.open: %s", type(error).__name__)
            return ""
        return str(told["view"]["id"])

    async def _show(self, view_id: str, view: Mapping[str, Any], where: Where, key: str) -> None:
        if view_id:
            try:
                await self.client.views_update(view_id=view_id, view=dict(view))
            except SlackApiError as error:
                if error.response.get("error") != "not_found":  # the person has closed it meanwhile
                    raise
            return
        texts = [block["text"]["text"] for block in view["blocks"] if block["type"] == "section"]
        await self.answers.tell(key, where, Answer(title=str(view["title"]["text"]), lines=tuple(texts)))
