"""What people do to blocks and modals: click, pick, type ahead, submit, close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatops.sandbox.slack import payloads
from chatops.sandbox.slack.blockkit import OPTION_GROUPS, OPTIONS
from chatops.sandbox.slack.delivery import Delivery
from chatops.sandbox.slack.doors import ResponseUrls, Triggers
from chatops.sandbox.slack.errors import PageError, SlackError
from chatops.sandbox.slack.inputs import VALUE_KEYS, chosen, complaints, element_at, values_of
from chatops.sandbox.slack.model import Conversation, State
from chatops.sandbox.slack.posting import Posting, blocks_of, public
from chatops.sandbox.slack.schema import List, Obj, Problems
from chatops.sandbox.slack.seed import Person
from chatops.sandbox.slack.transport import NoReply, Reply
from chatops.sandbox.slack.views import View, Views

Json = dict[str, Any]
TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(frozen=True)
class OnMessage:
    """An element of a message, perhaps an ephemeral one, in a conversation."""

    channel: Conversation
    message: Json

    @property
    def blocks(self) -> list[Json]:
        former = reversed(self.channel.former.get(self.message["ts"], []))
        return [*blocks_of(self.message), *(block for blocks in former for block in blocks)]


@dataclass(frozen=True)
class OnView:
    """An element of a modal or of App Home."""

    view: View

    @property
    def blocks(self) -> list[Json]:
        blocks: list[Json] = self.view.content["blocks"]
        return blocks


Place = OnMessage | OnView


class Clicks:
    """Turns clicks into interactive payloads, and the app's answers to forms into what the person sees."""

    def __init__(
        self,
        state: State,
        posting: Posting,
        delivery: Delivery,
        views: Views,
        triggers: Triggers,
        urls: ResponseUrls,
    ) -> None:
        self._state = state
        self._posting = posting
        self._delivery = delivery
        self._views = views
        self._triggers = triggers
        self._urls = urls

    async def action(self, person: Person, given: Json) -> None:
        """A click or a choice (block_actions). Raises PageError when the element is not there or nobody answers."""
        place = self._place(person, given)
        block, element = element_at(place.blocks, str(given.get("block_id")), str(given.get("action_id")))
        if block["type"] == "input" and not block.get("dispatch_action"):
            raise PageError("no_dispatch", "This input tells the app nothing before the form is submitted.")
        action = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            **chosen(element, given),
            "action_ts": self._state.ts(),
        }
        typed = given.get("state_values") or {}
        if element["type"] in VALUE_KEYS:
            key = VALUE_KEYS[element["type"]][0]
            mine = {element["action_id"]: {"type": element["type"], key: action[key]}}
            typed = typed | {block["block_id"]: (typed.get(block["block_id"]) or {}) | mine}
        body = self._body(person, place, typed) | {"actions": [action]}
        label = element.get("text", {}).get("text", element["action_id"])
        reply = await self._ask(
            payloads.interaction(self._state, "block_actions", person, **body), f"{person.name}: {label}"
        )
        if reply.status != 200:
            raise PageError("dispatch_failed", TROUBLE)

    async def suggest(self, person: Person, given: Json) -> Json:
        """The options an external select offers for what was typed so far (block_suggestion)."""
        place = self._place(person, given)
        block, element = element_at(place.blocks, str(given.get("block_id")), str(given.get("action_id")))
        if not element["type"].endswith("external_select"):
            raise PageError("no_such_element", f"{element['action_id']} has its own options.")
        typed = str(given.get("value") or "")
        if len(typed) < element.get("min_query_length", 3):
            return {"options": []}
        body = self._body(person, place, given.get("state_values") or {})
        body |= {"action_id": element["action_id"], "block_id": block["block_id"], "value": typed}
        body.pop("response_url", None)
        body.pop("trigger_id", None)
        payload = payloads.interaction(self._state, "block_suggestion", person, **body)
        reply = await self._ask(payload, f"{person.name}: {typed}")
        return self._options(reply)

    async def submit(self, person: Person, view_id: str, values: Json) -> Json:
        """Submit a modal (view_submission); `errors` by block_id, else what became of the modal."""
        view = self._open(person, view_id)
        if view is not self._views.stacks[person.id][-1]:
            raise PageError("not_on_top", "Another view lies on top of this one.")
        if view.content.get("submit") is None:
            raise PageError("no_submit", "This view has no submit button.")
        view.typed = values
        shown = self._views.shown(view)
        local = complaints(view.content["blocks"], shown["state"]["values"])
        if local:
            return {"response_action": "errors", "errors": local, "local": True}
        payload = payloads.interaction(
            self._state,
            "view_submission",
            person,
            trigger_id=self._triggers.issue(person.id, view.id),
            view=shown,
            response_urls=[],
        )
        reply = await self._ask(payload, f"{person.name}: {shown['title']['text']}")
        if reply.status != 200:
            raise PageError("dispatch_failed", TROUBLE)
        return self._submitted(view, reply.body)

    async def close(self, person: Person, view_id: str) -> None:
        """Close a modal the way a person does; the app hears of it where a view asks for that."""
        view = self._open(person, view_id)
        cleared = bool(view.content.get("clear_on_close"))
        if cleared:
            closed = self._views.clear(person.id)
        else:
            closed = [view]
            self._views.close(view)
        for one in closed:
            if one.content.get("notify_on_close"):
                body = {"view": self._views.shown(one), "is_cleared": cleared}
                payload = payloads.interaction(self._state, "view_closed", person, **body)
                self._delivery.spawn(self._tell_closed(payload, person))

    # ---- inside

    async def _tell_closed(self, payload: Json, person: Person) -> None:
        try:
            await self._delivery.ask("interactive", payload, "view_closed", person.name)
        except NoReply:
            return  # Slack does not repeat interactions, and the person has nothing open to be told in

    async def _ask(self, payload: Json, summary: str) -> Reply:
        try:
            return await self._delivery.ask("interactive", payload, payload["type"], summary[:120])
        except NoReply as nothing:
            error = "operation_timeout" if nothing.reason == "http_timeout" else "dispatch_failed"
            raise PageError(error, TROUBLE) from nothing

    def _open(self, person: Person, view_id: str) -> View:
        view = self._views.of(person.id, view_id)
        if view is None or view.content["type"] != "modal":
            raise PageError("no_such_view", "That form is not open any more.")
        return view

    def _place(self, person: Person, given: Json) -> Place:
        if given.get("view_id"):
            view = self._views.of(person.id, str(given["view_id"]))
            if view is None:
                raise PageError("no_such_view", "That form is not open any more.")
            return OnView(view)
        channel = self._state.conversations.get(str(given.get("channel")))
        ts = str(given.get("message_ts"))
        if channel is None or person.id not in channel.members:
            raise PageError("channel_not_found", "You are not in that channel.")
        message = channel.ephemerals.get(person.id, {}).get(ts) or channel.messages.get(ts)
        if message is None or message.get("subtype") == "tombstone":
            raise PageError("message_not_found", "That message is gone.")
        return OnMessage(channel, message)

    def _body(self, person: Person, place: Place, typed: Json) -> Json:
        if isinstance(place, OnView):
            view = place.view
            view.typed = view.typed | typed
            return {
                "container": {"type": "view", "view_id": view.id},
                "view": self._views.shown(view),
                "trigger_id": self._triggers.issue(person.id, view.id),
            }
        message, channel = place.message, place.channel
        ephemeral = bool(message.get("is_ephemeral"))
        container = {
            "type": "message",
            "message_ts": message["ts"],
            "channel_id": channel.id,
            "is_ephemeral": ephemeral,
        } | ({"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {})
        body: Json = {
            "container": container,
            "trigger_id": self._triggers.issue(person.id),
            "channel": payloads.channel_short(channel),
            "state": {"values": values_of(blocks_of(message), typed)},
            "response_url": self._urls.issue(person.id, channel.id, message["ts"], ephemeral),
        }
        # Slack does not send an ephemeral message along: an app that reads body["message"] there breaks.
        return body if ephemeral else body | {"message": public(message)}

    def _options(self, reply: Reply) -> Json:
        body = reply.body if isinstance(reply.body, dict) else {}
        problems = Problems()
        rule = Obj(
            {}, {"options": List(OPTIONS.item, 100, 0), "option_groups": OPTION_GROUPS}, ("options", "option_groups")
        )
        rule.check(body, "", problems)
        if reply.status != 200 or problems.found:
            raise PageError("invalid_options", "; ".join(problems.found) or f"The app answered {reply.status}.")
        return body

    def _submitted(self, view: View, body: Any) -> Json:
        """Do what the ack of a submission asks for. Raises PageError invalid_response with what is wrong in it."""
        if view not in self._views.stacks.get(view.user, []):
            return {}  # replaced by views.open while the app was thinking
        if body in (None, "", {}):
            self._views.close(view)
            return {}
        if not isinstance(body, dict) or body.get("response_action") not in ("errors", "update", "push", "clear"):
            raise PageError("invalid_response", f"{TROUBLE} (the app's answer has no response_action Slack knows)")
        action: str = body["response_action"]
        if action == "errors":
            return {"response_action": action, "errors": self._field_errors(view, body.get("errors"))}
        try:
            if action == "clear":
                self._views.clear(view.user)
            else:
                self._views.check(body.get("view"), "modal")
                if action == "push":
                    self._views.pushed(view.user, body["view"])
                else:
                    self._views.replaced(view, body["view"])
        except SlackError as error:
            raise PageError("invalid_response", f"{TROUBLE} ({error})") from error
        return {"response_action": action}

    @staticmethod
    def _field_errors(view: View, errors: Any) -> dict[str, str]:
        inputs = {block["block_id"] for block in view.content["blocks"] if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or set(errors) - inputs:
            strangers = ", ".join(sorted(set(errors) - inputs)) if isinstance(errors, dict) else errors
            raise PageError("invalid_response", f"{TROUBLE} (errors name no input block: {strangers})")
        if not all(isinstance(text, str) and text for text in errors.values()):
            raise PageError("invalid_response", f"{TROUBLE} (an error without text)")
        return errors
