"""One call of the Web API: its arguments, whatever way they came, and what all methods ask of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from chatops.sandbox.slack.doors import Triggers
from chatops.sandbox.slack.errors import SlackError
from chatops.sandbox.slack.faults import Faults
from chatops.sandbox.slack.limits import Limits
from chatops.sandbox.slack.model import Conversation, State
from chatops.sandbox.slack.posting import Posting
from chatops.sandbox.slack.seed import Person
from chatops.sandbox.slack.transport import SocketTransport
from chatops.sandbox.slack.views import Views

Json = dict[str, Any]
# Arguments that travel as JSON text in a form or query.
_JSON_ARGUMENTS = ("blocks", "attachments", "metadata", "view", "files", "profile")


@dataclass(frozen=True)
class Workspace:
    """What methods work on."""

    state: State
    posting: Posting
    views: Views
    triggers: Triggers
    socket: SocketTransport
    limits: Limits
    faults: Faults


@dataclass(frozen=True)
class Call:
    """A checked call: the method's arguments and the workspace they are about."""

    method: str
    args: Json
    on: Workspace
    scopes: frozenset[str]

    @property
    def me(self) -> str:
        return self.on.state.app.bot_user_id

    def text(self, name: str) -> str:
        value = self.args.get(name)
        return "" if value is None else str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.args.get(name)
        return default if value is None else value in (True, "true", "True", "1", 1)

    def number(self, name: str, default: int, most: int) -> int:
        """Raises SlackError invalid_limit for what is not a number from 1 to `most`."""
        value = self.args.get(name)
        try:
            number = default if value in (None, "", 0, "0") else int(str(value))
        except ValueError as error:
            raise SlackError("invalid_limit") from error
        if not 1 <= number <= most:
            raise SlackError("invalid_limit")
        return number

    def listed(self, name: str) -> list[str]:
        """A list given as JSON or with commas."""
        value = self.args.get(name)
        given = value if isinstance(value, list) else str(value or "").split(",")
        return [str(one).strip() for one in given if str(one).strip()]

    def person(self, name: str = "user", error: str = "user_not_found") -> Person:
        person = self.on.state.people.get(self.text(name))
        if person is None:
            raise SlackError(error)
        return person

    def channel(self, *, member: bool = True) -> Conversation:
        """The conversation in `channel`, by id. Raises SlackError channel_not_found, or not_in_channel for `member`."""
        found = self.on.state.conversations.get(self.text("channel"))
        if found is None or ((found.is_private or found.is_im) and self.me not in found.members):
            raise SlackError("channel_not_found")
        if member and self.me not in found.members:
            raise SlackError("not_in_channel")
        return found

    def page(self, items: Sequence[Any], default: int = 100, most: int = 1000) -> tuple[list[Any], str]:
        """One page of the items and the cursor of the next, empty at the end. Raises SlackError invalid_cursor."""
        limit = self.number("limit", default, most)
        start = 0
        if self.text("cursor"):
            try:
                start = int(base64.b64decode(self.text("cursor"), validate=True).decode().removeprefix("next:"))
            except ValueError as error:
                raise SlackError("invalid_cursor") from error
        end = start + limit
        more = base64.b64encode(f"next:{end}".encode()).decode() if end < len(items) else ""
        return list(items[start:end]), more


@dataclass(frozen=True)
class Method:
    """A method of the Web API: which scopes (any of them) and arguments it needs, and its tier."""

    run: Callable[[Call], Json] | Callable[[Call], Awaitable[Json]]
    scopes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    tier: int | None = 3
    token: str = "bot"  # noqa: S105 - the kind of token, not one


def paged(**answer: Any) -> Json:
    cursor = answer.pop("cursor")
    return {**answer, "response_metadata": {"next_cursor": cursor}}


async def arguments(request: web.Request) -> Json:
    """The arguments from query, form and JSON body, the body's winning. Raises SlackError invalid_json and the like."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        raw = await request.read()
        try:
            body = json.loads(raw or b"{}")
        except ValueError as error:
            raise SlackError("invalid_json") from error
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        args |= {name: value for name, value in body.items() if value is not None}
    elif request.can_read_body:
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    for name in _JSON_ARGUMENTS:
        if isinstance(args.get(name), str):
            args[name] = _from_text(name, args[name])
    return args


def _from_text(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        codes = {"blocks": "invalid_blocks_format", "metadata": "invalid_metadata_format"}
        raise SlackError(
            codes.get(name, "invalid_arguments"), [f"[ERROR] failed to parse JSON [json-pointer:/{name}]"]
        ) from error
