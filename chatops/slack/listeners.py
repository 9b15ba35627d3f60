"""What Slack tells us: read the payload, call one service, answer. Nothing else happens here.

What has consequences is committed before it is acknowledged; what only opens or fills a form is acknowledged at once.
The guard around each (`app.Guard`) keeps whatever it raises away from Bolt, which would otherwise take back an
acknowledgement that was already given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from chatops.kernel.action import Answer
from chatops.kernel.background import Background
from chatops.kernel.errors import InputError, PlatformError, Unavailable
from chatops.kernel.keys import bounded
from chatops.kernel.ports import Clock
from chatops.requests.line import Misread
from chatops.slack import elements, errors, forms, payloads, straight
from chatops.slack.answers import Answers
from chatops.slack.asking import Asking
from chatops.slack.deciding import Deciding, Decision
from chatops.slack.directory import Home, SlackDirectory
from chatops.slack.forms import Origin
from chatops.slack.intake import Intake, Item, why
from chatops.slack.mentions import people_in, unescape, without_mention
from chatops.slack.offering import Offering
from chatops.slack.payloads import Where
from chatops.slack.permalinks import permalink
from chatops.slack.submitting import Submitting

Body = dict[str, Any]
IncidentAt = Callable[[str, str], Awaitable[str]]  # the incident whose card stands in a channel at a ts, or ""
IsPosting = Callable[[str], Awaitable[bool]]  # whether a message of ours may stand in a channel, unknown to us
NOTE = "note:"  # how a reply begins that is meant for the timeline
LOOK_AGAIN, LONGEST_WAIT = 0.5, 120.0  # seconds: for a card that Slack has stored and not yet confirmed
MOST_NOTED = 1000  # characters of a message that go onto a timeline
ShowHome = Callable[[str], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Listeners:
    """Bound to Bolt by ``app.build``."""

    intake: Intake
    asking: Asking
    deciding: Deciding
    submitting: Submitting
    offering: Offering
    directory: SlackDirectory
    answers: Answers
    background: Background
    home: Home
    show_home: ShowHome
    incident_at: IncidentAt
    is_posting: IsPosting
    clock: Clock

    # ---- lines

    async def command(self, ack: AsyncAck, body: Body) -> None:
        """/platform …"""
        where, typed = payloads.of_command(body), str(body.get("text") or "")
        key, trigger = f"line:{body['trigger_id']}", str(body["trigger_id"])
        await self._accept_line(key, where, unescape(typed), trigger=trigger, people=people_in(typed))
        await ack()

    async def mention(self, ack: AsyncAck, body: Body) -> None:
        """@platform …, which also works in a thread, where commands can't be typed."""
        where = payloads.of_event(body)
        event = body.get("event") or {}
        if not event.get("bot_id") and where.user != self.home.bot_user_id:
            typed = str(event.get("text") or "")
            text = without_mention(typed, self.home.bot_user_id)
            await self._accept_line(f"event:{body['event_id']}", where, text, people=people_in(typed))
        await ack()

    async def direct(self, ack: AsyncAck, body: Body) -> None:
        """A line typed in our direct messages, where nobody needs to be mentioned; a note in an incident's thread."""
        where = payloads.of_direct(body)
        if where is None:
            await self._note(body)
        if where is not None and where.user != self.home.bot_user_id:
            typed = str((body.get("event") or {}).get("text") or "")
            text = without_mention(typed, self.home.bot_user_id)
            await self._accept_line(f"event:{body['event_id']}", where, text, people=people_in(typed))
        await ack()

    async def line_button(self, ack: AsyncAck, body: Body) -> None:
        """A button that runs its line; a double click on a change asks for it once."""
        click = payloads.click_of(body)
        text = str(click.value.get("line") or "")
        once = f"button:{click.where.user}:{click.place}:{text}"
        await self._accept_line(f"line:{click.trigger}", click.where, text, trigger=click.trigger, ask_key=once)
        await ack()

    async def form_button(self, ack: AsyncAck, body: Body) -> None:
        """A button that opens the form of its line."""
        await ack()
        click = payloads.click_of(body)
        line = str(click.value.get("line") or "")
        self.background.spawn(
            self._told(
                self.asking.open(f"form:{click.trigger}", click.trigger, click.where, line), click.where, click.trigger
            )
        )

    async def shortcut(self, ack: AsyncAck, body: Body) -> None:
        """A shortcut, global or on a message: a line in a small form."""
        await ack()
        where = payloads.of_interaction(body)
        thread = str((body.get("message") or {}).get("thread_ts") or body.get("message_ts") or "")
        view = forms.line_view(Origin(where.channel, thread))
        self.background.spawn(self._open(str(body.get("trigger_id") or ""), view, where))

    async def to_timeline(self, ack: AsyncAck, body: Body) -> None:
        """A message that belongs onto an incident's timeline: the form of a note, with what is known filled in."""
        message = body.get("message") or {}
        place = str(message.get("thread_ts") or message.get("ts") or "")
        await self._quote(ack, body, lambda where: self._note_at(where.channel, place))

    async def to_incident(self, ack: AsyncAck, body: Body) -> None:
        """A message that tells of something wrong: the form of an incident, with its words filled in."""
        await self._quote(ack, body, self._new_incident)

    async def to_team(self, ack: AsyncAck, body: Body) -> None:
        """A message that somebody has a question about: the form of a question, with a link to it and its words."""
        at = permalink(self.home.url, *_place(body))
        await self._quote(ack, body, lambda where: self._question(at))

    async def line_submitted(self, ack: AsyncAck, body: Body) -> None:
        """The small form of the shortcuts: mistakes at the field, what is missing as the action's own form."""
        view, where = body["view"], self._where_of_view(body)
        text = forms.filled(view).get("line", "")
        try:
            line = self.asking.read(text)
        except Misread as wrong:
            await ack(response_action="errors", errors=forms.field_errors([wrong], view))
            return
        action = self.asking.road.actions.get(line.action)
        if action is not None and line.missing(action):
            await ack(response_action="update", view=await self.asking.view(action, line, where))
            return
        await self._accept_line(f"view:{view['id']}", where, text)
        await ack()

    # ---- forms

    async def form_submitted(self, ack: AsyncAck, body: Body) -> None:
        """A filled-in form or a step of one: mistakes at their fields, the next step, or one request."""
        await ack(**await self.submitting.submitted(body["view"], self._where_of_view(body)))

    async def picked(self, ack: AsyncAck, body: Body) -> None:
        """Something chosen or typed in a form on which more depends: the form follows."""
        await ack()
        view, kind = body.get("view") or {}, (body.get("actions") or [{}])[0].get("type")
        typing = kind in ("plain_text_input", "number_input")
        if view:
            self.background.spawn(self.submitting.picked(view, payloads.of_interaction(body), typing=typing))

    async def back(self, ack: AsyncAck, body: Body) -> None:
        """One step back in a form of several."""
        await ack()
        where, trigger = payloads.of_interaction(body), str(body.get("trigger_id") or "")
        self.background.spawn(self._told(self.submitting.back(body.get("view") or {}, where), where, trigger))

    async def options(self, ack: AsyncAck, body: Body) -> None:
        """What a select offers for what was typed so far."""
        where = payloads.of_interaction(body)
        await ack(options=elements.options(await self.offering.offered(body, where)))

    # ---- decisions

    async def vote(self, ack: AsyncAck, body: Body) -> None:
        """Approve, Withdraw and the requester's choices: that somebody pressed is what the ack waits for."""
        click = payloads.click_of(body)
        await self._accept(Decision.of_click(click), click.where, click.trigger)
        await ack()

    async def ask_why(self, ack: AsyncAck, body: Body) -> None:
        """Reject and Break glass ask for a reason first."""
        await ack()
        click = payloads.click_of(body)
        self.background.spawn(
            self._told(self.deciding.ask_why(click, f"why:{click.trigger}"), click.where, click.trigger)
        )

    async def reason_submitted(self, ack: AsyncAck, body: Body) -> None:
        """The reason of a rejection or of breaking the glass; decided on at once, so that the form can say why not."""
        view, where = body["view"], self._where_of_view(body)
        origin = Origin.read(view.get("private_metadata") or "")
        values, _ = payloads.masked(forms.filled(view))
        decision = Decision(origin.request, origin.verdict, origin.digest, str(values.get("reason", "")))
        person = self.directory.known(where.user, where.team)
        if person is None:
            await self._accept(decision, where, str(view["id"]))
            await ack()
            return
        key = f"decision:{view['id']}"
        try:
            await self.deciding.decide(decision, person, key, where)
        except PlatformError as no:
            await ack(response_action="update", view=forms.said_view(errors.title(no), errors.lines(no)))
            return
        if not where.channel:  # asked for at home
            self.background.spawn(self.show_home(where.user))
        await ack()

    async def full_diff(self, ack: AsyncAck, body: Body) -> None:
        """The whole diff of a request."""
        await ack()
        click = payloads.click_of(body)
        self.background.spawn(
            self._told(self.deciding.show_diff(click, f"diff:{click.trigger}"), click.where, click.trigger)
        )

    # ---- the rest

    async def home_opened(self, ack: AsyncAck, body: Body) -> None:
        """App Home shows what waits for this person."""
        await ack()
        event = body.get("event") or {}
        if event.get("tab", "home") == "home" and event.get("user"):
            self.background.spawn(self.show_home(str(event["user"])))

    async def nothing(self, ack: AsyncAck, body: Body) -> None:
        """Acknowledged, because Slack would repeat it; there is nothing to do."""
        await ack()

    async def unknown(self, ack: AsyncAck, body: Body) -> None:
        """A button or shortcut of an older version: says so instead of leaving the person with a warning sign."""
        await ack()
        where, said = payloads.of_interaction(body), InputError("That button is from an older version of me.")
        said.hint = "Type `/platform` to see what there is."
        trigger = str(body.get("trigger_id") or "")
        self.background.spawn(self._tell(f"unknown:{trigger}", where, errors.answer(said)))

    async def reply(self, item: Item) -> None:
        """A note under what may be an incident's card: people can see it before Slack has told us where it stands."""
        where, said = Where.read(item.body["where"]), str(item.body["said"])
        while True:
            posting = await self.is_posting(where.channel)  # asked first: what stands by now is found below
            if name := await self.incident_at(where.channel, where.thread_ts):
                break
            if not posting or self.clock.now() - item.received_at > LONGEST_WAIT:
                return
            await self.clock.sleep(LOOK_AGAIN)
        key = item.key.replace("reply:", "event:", 1)
        await self._accept_line(key, where, f"incident note {name} because {said}")

    async def gave_up(self, item: Item, error: BaseException) -> object:
        """Tells the person that something they asked for failed."""
        where = Where.read(item.body["where"])
        form = str(item.body.get("text") or "")
        said = errors.answer(error, doing=f"{item.kind} {item.key}", form=form)
        return await self.answers.end(item, where, said, failed=why(error))

    # ---- inside

    async def _accept_line(
        self, key: str, where: Where, text: str, *, trigger: str = "", ask_key: str = "",
        people: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        values, hidden = payloads.masked({"text": text, "ask_key": ask_key})
        values["ask_key"] = bounded(values["ask_key"])  # masked before: a hash of a secret tells of it, too
        told = {"where": where.pack(), "trigger": trigger, "masked": hidden, "people": dict(people or {}), **values}
        await self.intake.accept(key, "line", told)

    async def _note(self, body: Body) -> None:
        """A reply in an incident's thread that begins with ``note:`` goes onto its timeline."""
        where, text = payloads.of_reply(body), unescape(str((body.get("event") or {}).get("text") or "")).strip()
        if where is None or where.user == self.home.bot_user_id or not text.casefold().startswith(NOTE):
            return
        said = text[len(NOTE) :].strip()
        if not said:
            return
        posting = await self.is_posting(where.channel)
        if name := await self.incident_at(where.channel, where.thread_ts):
            await self._accept_line(f"event:{body['event_id']}", where, f"incident note {name} because {said}")
        elif posting:
            values, _ = payloads.masked({"said": said})
            await self.intake.accept(f"reply:{body['event_id']}", "reply", {"where": where.pack(), **values})

    async def _accept(self, decision: Decision, where: Where, trigger: str) -> None:
        told = {"where": where.pack(), "decision": decision.pack()}
        await self.intake.accept(f"decision:{trigger}", "decision", told)

    async def _quote(self, ack: AsyncAck, body: Body, begun: Callable[[Where], Awaitable[str]]) -> None:
        """Opens the form of a line that ends with what somebody said in a message."""
        await ack()
        where, message = payloads.of_interaction(body), body.get("message") or {}
        said, trigger = unescape(str(message.get("text") or ""))[:MOST_NOTED], str(body.get("trigger_id") or "")

        async def opened() -> None:
            author = ""
            with suppress(TimeoutError):  # the form must open within three seconds
                async with asyncio.timeout(1.0):
                    author = (await self.directory.person(str(message.get("user") or ""))).name
            line = f"{await begun(where)} because {f'{author}: {said}' if author else said}"
            await self.asking.open(f"form:{trigger}", trigger, where, line)

        self.background.spawn(self._told(opened(), where, trigger))

    async def _note_at(self, channel: str, place: str) -> str:
        return f"incident note {await self.incident_at(channel, place)}"

    async def _question(self, at: str) -> str:
        return f"ask message={at}" if at else "ask"

    async def _new_incident(self, where: Where) -> str:
        return "incident open"

    async def _told(self, work: Awaitable[None], where: Where, trigger: str) -> None:
        """Does something of no consequence that the person waits for, and says so when it fails."""
        try:
            await work
        except Exception as error:
            await self._tell(f"failed:{trigger}", where, errors.answer(error, doing="a click"))

    async def _tell(self, key: str, where: Where, answer: Answer) -> None:
        """Keeps the answer like every message; when the database takes none, it is said at once or never."""
        try:
            await self.answers.tell(key, where, answer)
        except Unavailable:
            await straight.say(self.asking.client, where, answer.lines)

    async def _open(self, trigger: str, view: Mapping[str, Any], where: Where) -> None:
        await self._told(self._opened(trigger, view), where, trigger)

    async def _opened(self, trigger: str, view: Mapping[str, Any]) -> None:
        await self.asking.client.views_open(trigger_id=trigger, view=dict(view))

    @staticmethod
    def _where_of_view(body: Body) -> Where:
        """A submitted form has no channel of its own; it remembers where it was opened."""
        where, origin = payloads.of_interaction(body), Origin.read(body["view"].get("private_metadata") or "")
        return Where(where.user, where.team, origin.channel, origin.thread_ts, origin.response_url)


def _place(body: Body) -> tuple[str, str]:
    """The channel and the ts of the message whose menu was used."""
    return str((body.get("channel") or {}).get("id") or ""), str((body.get("message") or {}).get("ts") or "")
