"""What people do that is not a click: write, give a command, use a shortcut, open App Home."""

from __future__ import annotations

from typing import Any

from chatops.sandbox.slack import payloads
from chatops.sandbox.slack.answers import Answers
from chatops.sandbox.slack.delivery import Delivery
from chatops.sandbox.slack.doors import ResponseUrls, Triggers
from chatops.sandbox.slack.errors import PageError
from chatops.sandbox.slack.model import SLACKBOT, Conversation, State
from chatops.sandbox.slack.posting import Posting, public
from chatops.sandbox.slack.seed import Person
from chatops.sandbox.slack.transport import NoReply
from chatops.sandbox.slack.views import Views
from chatops.sandbox.slack.words import command_text, message_text, rich_text, tokens

Json = dict[str, Any]


class People:
    """Turns what a person types into messages, events and commands."""

    def __init__(
        self,
        state: State,
        posting: Posting,
        delivery: Delivery,
        views: Views,
        triggers: Triggers,
        urls: ResponseUrls,
        answers: Answers,
    ) -> None:
        self._state = state
        self._posting = posting
        self._delivery = delivery
        self._views = views
        self._triggers = triggers
        self._urls = urls
        self._answers = answers

    def say(self, person: Person, channel: Conversation, text: str, thread_ts: str | None) -> Json:
        """A message of a person, or of another bot. Raises PageError when there is nothing to say."""
        if not text.strip():
            raise PageError("no_text", "There is nothing to say.")
        elements = list(tokens(text, self._state.names()))
        content: Json = {"text": message_text(elements), "thread_ts": thread_ts}
        if not person.is_bot:
            content |= {"client_msg_id": self._state.mint("m"), "blocks": rich_text(elements)}
        message = self._posting.post(channel, person.id, content)
        app = self._state.app
        if f"<@{app.bot_user_id}>" in message["text"] and app.bot_user_id not in channel.members:
            self._posting.ephemeral(
                channel,
                person.id,
                SLACKBOT,
                {
                    "text": f"<@{app.bot_user_id}> is not in this channel, so it does not read this.",
                    "thread_ts": thread_ts,
                },
            )
        self._posting.read(channel, person.id, message["ts"])
        return message

    async def command(self, person: Person, channel: Conversation, line: str) -> Json:
        """A slash command; the app's immediate answer, or operation_timeout and Slack's words to that person."""
        name, _, rest = line.strip().partition(" ")
        command = next((one for one in self._state.app.commands if one.command == name), None)
        if command is None:
            self._from_slackbot(channel, person, f"{name} is not a valid command.")
            raise PageError("unknown_command", f"{name} is not a valid command.")
        elements = list(tokens(rest.strip(), self._state.names()))
        text = command_text(elements, command.should_escape)
        url = self._urls.issue(person.id, channel.id)
        payload = payloads.command(
            self._state, person, channel, name, text, response_url=url, trigger_id=self._triggers.issue(person.id)
        )
        try:
            reply = await self._delivery.ask("slash_commands", payload, name, f"{person.name}: {line}"[:120])
        except NoReply as nothing:
            error = "operation_timeout" if nothing.reason == "http_timeout" else "dispatch_failed"
            raise self._failed(channel, person, name, error) from nothing
        if reply.status != 200:
            raise self._failed(channel, person, name, "dispatch_failed")
        if reply.body in (None, "", {}):
            return {}
        return {"response": self._answers.to_command(person, channel, reply.body)}

    async def shortcut(self, person: Person, callback_id: str, channel: Conversation | None, ts: str | None) -> None:
        """A global shortcut, or one on a message. Raises PageError when the app does not have it or does not answer."""
        kind = "global" if ts is None else "message"
        known = [one for one in self._state.app.shortcuts if one.callback_id == callback_id and one.type == kind]
        if not known:
            raise PageError("unknown_shortcut", f"The app has no {kind} shortcut {callback_id}.")
        body: Json = {"callback_id": callback_id, "action_ts": self._state.ts()}
        body["trigger_id"] = self._triggers.issue(person.id)
        if channel is not None and ts is not None:
            message = self._posting.message(channel, ts)
            body |= {
                "message_ts": ts,
                "channel": payloads.channel_short(channel),
                "message": public(message),
                "response_url": self._urls.issue(person.id, channel.id, ts, ephemeral=False),
            }
        wire = "message_action" if kind == "message" else "shortcut"
        payload = payloads.interaction(self._state, wire, person, **body)
        try:
            reply = await self._delivery.ask("interactive", payload, wire, f"{person.name}: {known[0].name}")
        except NoReply as nothing:
            raise PageError("operation_timeout", "The app did not answer.") from nothing
        if reply.status != 200:
            raise PageError("dispatch_failed", f"The app answered {reply.status}.")

    def home(self, person: Person) -> Json | None:
        """What the person's App Home shows now; the app hears that it was opened."""
        view = self._views.homes.get(person.id)
        shown = self._views.shown(view) if view else None
        event: Json = {
            "type": "app_home_opened",
            "user": person.id,
            "channel": self._state.app_im(person.id).id,
            "tab": "home",
            "event_ts": self._state.ts(),
        }
        self._posting.tell(event | ({"view": shown} if shown else {}))
        return shown

    def _failed(self, channel: Conversation, person: Person, name: str, error: str) -> PageError:
        self._from_slackbot(channel, person, f'{name} failed with the error "{error}"')
        return PageError(error, f'{name} failed with the error "{error}"')

    def _from_slackbot(self, channel: Conversation, person: Person, text: str) -> None:
        self._posting.ephemeral(channel, person.id, SLACKBOT, {"text": text})
