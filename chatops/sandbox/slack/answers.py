"""What the app answers outside the Web API: in the ack of a command, and through response_urls."""

from __future__ import annotations

from typing import Any

from chatops.sandbox.slack.blockkit import check_blocks
from chatops.sandbox.slack.content import checked_content
from chatops.sandbox.slack.doors import ResponseUrls
from chatops.sandbox.slack.errors import PageError, SlackError
from chatops.sandbox.slack.model import SLACKBOT, Conversation, State
from chatops.sandbox.slack.posting import Posting
from chatops.sandbox.slack.seed import Person

Json = dict[str, Any]

_HERE = ("text", "blocks", "attachments", "thread_ts", "metadata")


class Answers:
    """Posts what the app hands back, as an ephemeral message unless it asks for in_channel."""

    def __init__(self, state: State, posting: Posting, urls: ResponseUrls) -> None:
        self._state = state
        self._posting = posting
        self._urls = urls

    def to_command(self, person: Person, channel: Conversation, body: Any) -> Json:
        """Show the answer a command's ack carried. Raises PageError invalid_response, which the person reads too."""
        given = {"text": body} if isinstance(body, str) else body
        try:
            if not isinstance(given, dict):
                raise SlackError("invalid_response")
            return self._shown(channel, person.id, given)
        except SlackError as error:
            text = f'The app answered with something Slack cannot show ("{error}").'
            self._posting.ephemeral(channel, person.id, SLACKBOT, {"text": text})
            raise PageError("invalid_response", text) from error

    def to_url(self, name: str, given: Any) -> None:
        """What was POSTed to a response_url. Raises SlackError, also when the URL is spent."""
        url = self._urls.use(name)
        channel = self._state.conversations[url.channel]
        if not isinstance(given, dict):
            raise SlackError("invalid_payload")
        if given.get("delete_original"):
            self._replace(channel, url.user, url.ts, url.ephemeral, None)
        elif given.get("replace_original") and url.ts is not None:
            self._replace(channel, url.user, url.ts, url.ephemeral, self._content(given))
        else:
            self._shown(channel, url.user, given)

    def _shown(self, channel: Conversation, user: str, given: Json) -> Json:
        content = self._content(given)
        if given.get("response_type", "ephemeral") == "in_channel":
            return self._posting.post(channel, self._state.app.bot_user_id, content)
        return self._posting.ephemeral(channel, user, self._state.app.bot_user_id, content)

    def _replace(self, channel: Conversation, user: str, ts: str | None, ephemeral: bool, content: Json | None) -> None:
        if ts is None:
            raise SlackError("message_not_found")
        if ephemeral:
            self._posting.replace_ephemeral(channel, user, ts, content)
            return
        self._posting.message(channel, ts)
        if content is None:
            self._posting.delete(channel, ts)
        else:
            self._posting.update(channel, ts, {"blocks": [], **content})

    @staticmethod
    def _content(given: Json) -> Json:
        return checked_content({name: given[name] for name in _HERE if given.get(name) is not None}, check_blocks)
