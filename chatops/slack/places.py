"""Where posts go and where they are found again: channels by name, people, and a message by its card id."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from chatops.kernel.ports import Clock, Lane
from chatops.slack.calls import Away, Caller, Limited, Refusal
from chatops.slack.lanes import Budgets

EVENT_TYPE = "chatops_card"
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{2,}")  # names have no capitals
MARGIN = 3900.0  # seconds our clock and Slack's may differ: somebody may set ours by an hour
LIST_AGAIN = 60.0  # seconds before a name that was not there is looked for again
PAGE = 200


class Places:
    """Knows channel ids, asks Slack for those it doesn't know, and remembers them; they never change."""

    def __init__(self, caller: Caller, budgets: Budgets, clock: Clock) -> None:
        self._caller = caller
        self._budgets = budgets
        self._clock = clock
        self._channels: dict[str, str] = {}
        self._direct: dict[str, str] = {}
        self._listed_at = float("-inf")
        self._listing = asyncio.Lock()
        self._me: Mapping[str, Any] = {}

    async def channel(self, name: str, subject: str, lane: Lane) -> str:
        """The id of a channel given by id, ``name`` or ``#name``; raises ``Refusal`` when there is none."""
        name = name.removeprefix("#")
        if CHANNEL_ID.fullmatch(name):
            return name
        if name not in self._channels:
            async with self._listing:
                if name not in self._channels and self._clock.now() - self._listed_at >= LIST_AGAIN:
                    await self._list(subject, lane)
        if name not in self._channels:
            raise Refusal("conversations.list", "channel_not_found", f"there is no channel #{name} that I can see")
        return self._channels[name]

    async def direct(self, person: str, subject: str, lane: Lane) -> str:
        """The id of the direct message with a person."""
        if person not in self._direct:
            answer = await self._ask("conversations.open", "", subject, lane, users=person)
            self._direct[person] = str(answer["channel"]["id"])
        return self._direct[person]

    async def join(self, channel: str, subject: str, lane: Lane) -> None:
        """Joins a public channel; raises ``Refusal`` for a private one, into which somebody must invite the app."""
        await self._ask("conversations.join", channel, subject, lane, channel=channel)

    async def find(
        self, subject: str, channel: str, thread_ts: str, since: float, lane: Lane
    ) -> tuple[str, str] | None:
        """The ts and content hash of our own message with the card id ``subject``, posted after ``since``, or None."""
        async for found in self.find_all(subject, channel, thread_ts, since, lane):
            return found
        return None

    async def find_all(
        self, subject: str, channel: str, thread_ts: str, since: float, lane: Lane
    ) -> AsyncIterator[tuple[str, str]]:
        """Every one of them, should there be several."""
        me = await self._self(subject, lane)
        async for message in self._messages(subject, channel, thread_ts, since - MARGIN, lane):
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") != EVENT_TYPE or payload.get("id") != subject:
                continue
            # Anybody may write such metadata: only what we posted ourselves counts.
            if message.get("user") == me.get("user_id") or message.get("bot_id", "") == me.get("bot_id"):
                yield str(message["ts"]), str(payload.get("hash", ""))

    async def _self(self, subject: str, lane: Lane) -> Mapping[str, Any]:
        if not self._me:
            self._me = await self._ask("auth.test", "", subject, lane)
        return self._me

    async def _messages(
        self, subject: str, channel: str, thread_ts: str, oldest: float, lane: Lane
    ) -> AsyncIterator[Mapping[str, Any]]:
        method = "conversations.replies" if thread_ts else "conversations.history"
        asked: dict[str, Any] = {"channel": channel, "oldest": f"{max(oldest, 0):.6f}", "include_all_metadata": True}
        asked |= {"limit": PAGE, "inclusive": True} | ({"ts": thread_ts} if thread_ts else {})
        joined = False
        while True:
            try:
                answer = await self._ask(method, channel, subject, lane, **asked)
            except Refusal as refusal:
                if refusal.code == "thread_not_found":
                    return  # the thread was deleted, our reply with it
                if refusal.code != "not_in_channel" or joined:
                    raise
                await self.join(channel, subject, lane)
                joined = True
                continue
            for message in answer.get("messages") or ():
                yield message
            if not (cursor := _cursor(answer)):
                return
            asked["cursor"] = cursor

    async def _list(self, subject: str, lane: Lane) -> None:
        """All channels we can see; without the scope for private ones, the public ones."""
        try:
            await self._list_all("public_channel,private_channel", subject, lane)
        except Away as away:
            if away.why != "missing_scope":
                raise
            await self._list_all("public_channel", subject, lane)
        self._listed_at = self._clock.now()

    async def _list_all(self, types: str, subject: str, lane: Lane) -> None:
        asked: dict[str, Any] = {"types": types, "exclude_archived": True, "limit": 1000}
        while True:
            answer = await self._ask("conversations.list", "", subject, lane, **asked)
            self._channels.update({str(one["name"]): str(one["id"]) for one in answer.get("channels") or ()})
            if not (cursor := _cursor(answer)):
                return
            asked["cursor"] = cursor

    async def _ask(self, method: str, key: str, subject: str, lane: Lane, **asked: Any) -> Mapping[str, Any]:
        """A call that may be repeated: waits out every 429."""
        while True:
            await self._budgets.admit(method, key, lane)
            try:
                return await self._caller.api(method, subject, **asked)
            except Limited as limited:
                self._budgets.hold(method, key, limited.retry_after)


def _cursor(answer: Mapping[str, Any]) -> str:
    return str((answer.get("response_metadata") or {}).get("next_cursor") or "")
