"""A Slack in a few lines, as strict as the real one where a messenger can go wrong, and as unlucky as a test says.

One message a second and channel, or 429 with Retry-After; an answer that is lost may have been done, or be done a
little later; a reply needs its thread. Nothing here waits: time is the test's.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

ME = "U0BOT"
LATE = 2.0  # seconds after which what was given up is done all the same; less than a messenger waits for it
MISFORTUNES = (
    "limited", "refused", "lost before", "lost after", "done late", "failed before", "failed after", "dies before",
    "dies after",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """As much of a response as is read."""

    status_code: int
    data: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(slots=True)
class Message:
    """What stands in a channel."""

    ts: str
    thread: str
    text: str
    metadata: Mapping[str, Any]

    @property
    def card(self) -> str:
        return str(self.metadata["event_payload"]["id"])


class Strict:
    """As much of ``AsyncWebClient`` as the messenger uses."""

    retry_handlers = ()

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.channels: defaultdict[str, list[Message]] = defaultdict(list)
        self.next: defaultdict[str, list[str]] = defaultdict(list)  # misfortunes of the calls to come, by method
        self.died = asyncio.Event()
        self.calls: list[str] = []
        self._late: list[tuple[float, Callable[[], Any]]] = []
        self._posted: dict[str, float] = {}
        self._number = 0

    @property
    def token(self) -> str:
        return "xoxb-strict"

    async def api_call(self, method: str, *, http_verb: str = "POST", json: Any = None, params: Any = None) -> Answer:
        self.catch_up()
        self.calls.append(method)
        given = json or params or {}
        what = self.next[method].pop(0) if self.next[method] else ""
        if what == "limited":
            raise _error(429, "ratelimited", {"Retry-After": "7"})
        if what == "refused":
            raise aiohttp.ConnectionTimeoutError
        if what in ("lost before", "failed before", "dies before"):
            await self._misfortune(what)
        if what == "done late":
            self._late.append((self.now() + LATE, lambda: self._do(method, given)))
            raise TimeoutError
        data = self._do(method, given)
        if what:
            await self._misfortune(what)
        return Answer(200, {"ok": True, **data}, {})

    def catch_up(self) -> None:
        """Does what is late by now."""
        due = [one for one in self._late if one[0] <= self.now()]
        self._late = [one for one in self._late if one not in due]
        for _, do in due:
            try:
                do()
            except SlackApiError:
                continue  # nobody waits for the answer any more

    def delete(self, channel: str, ts: str) -> None:
        """Somebody deletes a message, and with it what stands under it."""
        self.channels[channel] = [one for one in self.channels[channel] if ts not in (one.ts, one.thread)]

    async def _misfortune(self, what: str) -> None:
        if what.startswith("dies"):
            self.died.set()
            await asyncio.Event().wait()
        if what.startswith("failed"):
            raise _error(500, "internal_error")
        raise TimeoutError

    def _do(self, method: str, given: Any) -> Mapping[str, Any]:
        channel = given.get("channel", "")
        if method == "chat.postMessage":
            return self._post(channel, given)
        if method == "chat.update":
            [found] = [one for one in self.channels[channel] if one.ts == given["ts"]] or [None]
            if found is None:
                raise _error(200, "message_not_found")
            found.text = given["text"]
            return {"ts": found.ts, "channel": channel}
        if method in ("conversations.history", "conversations.replies"):
            under, since = given.get("ts", ""), float(given["oldest"])
            found = [one for one in self.channels[channel] if one.thread == under and float(one.ts) >= since]
            if under and not any(one.ts == under for one in self.channels[channel]):
                raise _error(200, "thread_not_found")
            return {"messages": [{"ts": one.ts, "user": ME, "metadata": one.metadata} for one in reversed(found)]}
        if method == "auth.test":
            return {"user_id": ME, "bot_id": "B0BOT"}
        raise AssertionError(f"nobody planned a call of {method}")

    def _post(self, channel: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        thread, now = given.get("thread_ts", ""), self.now()
        if thread and not any(one.ts == thread for one in self.channels[channel]):
            raise _error(200, "thread_not_found")
        if now - self._posted.get(channel, 0.0) < 0.999:
            raise _error(429, "ratelimited", {"Retry-After": "1"})
        self._posted[channel] = now
        self._number += 1
        made = Message(f"{now:.0f}.{self._number:06}", thread, given["text"], given["metadata"])
        self.channels[channel].append(made)
        return {"ts": made.ts, "channel": channel}


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> SlackApiError:
    return SlackApiError(code, Answer(status, {"ok": False, "error": code}, headers or {}))
