"""Incident rooms in Slack: public channels, by way of calls that may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.errors import PlatformError, Refused, Unavailable
from chatops.kernel.ports import Database
from chatops.slack import errors
from chatops.slack.calls import Away, Caller, Hook, Limited, Refusal
from chatops.slack.directory import Home
from chatops.slack.permalinks import permalink, place

TIMEOUT, UPLOADS = 10.0, 20.0  # seconds of one call, and of the three that bring a file to Slack
MOST_NAMES = 9  # tried, where others have them
MOST_PAGES = 20  # of a list that are read through
SCOPES: Mapping[str, str] = {
    "conversations.create": "channels:manage",
    "conversations.list": "channels:read",
    "conversations.join": "channels:join",
    "conversations.setTopic": "channels:manage",
    "conversations.invite": "channels:manage",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "pins.add": "pins:write",
    "files.upload": "files:write",
}
_PASSES = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
_IN_ALREADY = "already_in_channel"


@dataclass(slots=True)
class SlackRooms:
    """``kernel.rooms.RoomHost`` over one Slack workspace; ``on_call`` hears of every call."""

    client: AsyncWebClient
    database: Database
    home: Home
    on_call: Hook | None = None
    _caller: Caller = field(init=False)

    def __post_init__(self) -> None:
        self._caller = Caller(self.client, timeout=TIMEOUT, on_call=self.on_call)

    async def create(self, name: str) -> tuple[str, str]:
        """The channel of this name, made now or by us before."""
        for number in range(1, MOST_NAMES + 1):
            wanted = name if number == 1 else f"{name}-{number}"
            try:
                answer = await self._call("conversations.create", wanted, name=wanted)
                return str(answer["channel"]["id"]), wanted
            except Refusal as no:
                if no.code != "name_taken":
                    raise _refused(no.method, no.code, f"make the channel #{wanted}") from no
            if channel := await self._ours(wanted):
                return channel, wanted
        raise Refused(f"Slack has channels of others named #{name} to #{name}-{MOST_NAMES}; there is no room.")

    async def describe(self, channel: str, topic: str) -> None:
        """Sets the topic, of at most 250 characters."""
        await self._asked("set the room's topic", "conversations.setTopic", channel=channel, topic=topic[:250])

    async def invite(self, channel: str, people: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """One call for each person: Slack refuses a whole list for one who is in already."""
        refused = []
        for person in people:
            try:
                await self._call("conversations.invite", person, channel=channel, users=person)
            except Refusal as no:
                if no.code == "missing_scope":
                    raise _refused(no.method, no.code, "invite people into the room") from no
                if no.code != _IN_ALREADY:
                    refused.append((person, no.code))
        return tuple(refused)

    async def pin(self, post: str) -> bool:
        """Pins a message of the messenger's."""
        row = await self.database.read(place, post)
        if row is None:
            return False
        try:
            await self._call("pins.add", post, channel=row["channel_id"], timestamp=row["ts"])
        except Refusal as no:
            if no.code != "already_pinned":
                raise _refused(no.method, no.code, "pin the card in the room") from no
        return True

    async def address(self, post: str) -> str:
        """The permalink, from what is known already."""
        row = await self.database.read(place, post)
        return permalink(self.home.url, str(row["channel_id"]), str(row["ts"])) if row else ""

    async def has_file(self, channel: str, post: str, name: str) -> bool:
        """Looks through the channel, or the thread, for a file that we shared."""
        where, thread = await self._where(channel, post)
        method = "conversations.replies" if thread else "conversations.history"
        given = {"channel": where, "limit": 200} | ({"ts": thread} if thread else {})
        async for message in self._pages("look for the file", method, "messages", given):
            ours = message.get("user") == self.home.bot_user_id
            if ours and any(one.get("name") == name for one in message.get("files") or ()):
                return True
        return False

    async def upload(self, channel: str, post: str, title: str, files: Mapping[str, bytes]) -> None:
        """Shares files there; they become one message, so all of them are there or none."""
        name = next(iter(files))
        where, thread = await self._where(channel, post)
        if thread:  # a file goes only where we are a member
            await self._asked("join the channel of the card", "conversations.join", channel=where)
        heard = self.on_call or (lambda when, method, subject: None)
        heard("before", "files.upload", name)
        try:
            async with asyncio.timeout(UPLOADS):
                await self.client.files_upload_v2(
                    channel=where, initial_comment=f"{title}.", thread_ts=thread or None,
                    file_uploads=[
                        {"filename": one, "title": title if one == name else one, "content": content}
                        for one, content in files.items()
                    ],
                )  # fmt: skip
        except SlackApiError as error:
            code, status = errors.slack_said(error), int(getattr(error.response, "status_code", 0) or 0)
            if code in _PASSES or code == "unknown" or status >= 500:
                raise Unavailable(f"Slack did not take the file {name} ({code}).") from error
            raise _refused("files.upload", code, f"put the file {name} there") from error
        except (SlackClientError, TimeoutError, OSError, aiohttp.ClientError) as error:
            raise Unavailable(f"Slack did not take the file {name} ({type(error).__name__}).") from error
        finally:
            heard("after", "files.upload", name)

    # inside --------------------------------------------------------------------------------------------------------

    async def _where(self, channel: str, post: str) -> tuple[str, str]:
        """The channel and the thread: that of the post, where there is no channel."""
        if channel:
            return channel, ""
        row = await self.database.read(place, post)
        if row is None:
            raise Unavailable(f"The card of {post} does not stand in Slack yet.")
        return str(row["channel_id"]), str(row["ts"])

    async def _ours(self, name: str) -> str:
        """The id of the channel of this name, where we made it and it is in use; empty otherwise."""
        given = {"types": "public_channel", "exclude_archived": True, "limit": 1000}
        async for one in self._pages(f"find #{name} again", "conversations.list", "channels", given):
            if one.get("name") == name:
                return str(one["id"]) if one.get("creator") == self.home.bot_user_id else ""
        return ""

    async def _pages(self, doing: str, method: str, key: str, given: Mapping[str, Any]) -> AsyncIterator[Any]:
        asked = dict(given)
        for _ in range(MOST_PAGES):
            answer = await self._asked(doing, method, **asked)
            for one in answer.get(key) or ():
                yield one
            asked["cursor"] = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not asked["cursor"]:
                return

    async def _asked(self, doing: str, method: str, **given: Any) -> Mapping[str, Any]:
        try:
            return await self._call(method, method, **given)
        except Refusal as no:
            raise _refused(no.method, no.code, doing) from no

    async def _call(self, method: str, subject: str, **given: Any) -> Mapping[str, Any]:
        """One call; raises ``Unavailable``, or ``Refusal`` also for a scope that the app lacks."""
        try:
            return await self._caller.api(method, subject, **given)
        except Limited as limited:
            raise Unavailable(f"Slack asks to wait ({method}).", retry_after=limited.retry_after) from limited
        except Away as away:
            if away.why == "missing_scope":
                raise Refusal(method, "missing_scope") from away
            raise Unavailable(f"Slack does not answer ({method}: {away.why}).") from away


def _refused(method: str, code: str, doing: str) -> PlatformError:
    """Slack's word in words, with what helps."""
    if code == "missing_scope":
        scope = SCOPES.get(method, "of its manifest")
        return Refused(
            f"The app may not {doing}: it lacks the scope `{scope}`.",
            hint="Whoever runs it adds the scope (manifest.yml names all), installs the app anew, and you ask again.",
        )
    return Refused(f"Slack does not let the app {doing} ({code}).", hint="It is not tried again by itself.")
