"""Slack's payloads, read as dicts into the few facts we use. Pure.

https://docs.slack.dev/reference/interaction-payloads
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from chatops.kernel.masking import mask
from chatops.kernel.texts import whole
from chatops.slack import ids

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Where:
    """Who did something and where the answer goes."""

    user: str
    team: str = ""  # the person's own workspace, which in a shared channel is not ours
    channel: str = ""
    thread_ts: str = ""
    response_url: str = ""
    visible: bool = False  # a mention: asked in public, answered in its thread

    def pack(self) -> dict[str, Any]:
        """For the inbox: what is known."""
        return {name: value for name in _WHERE if (value := getattr(self, name))}

    @classmethod
    def read(cls, packed: Mapping[str, Any]) -> Where:
        """What `pack` wrote."""
        return cls(**packed)


_WHERE = tuple(field.name for field in fields(Where))


@dataclass(frozen=True, slots=True)
class Click:
    """A button or a choice."""

    where: Where
    action_id: str
    value: Mapping[str, Any]
    trigger: str
    place: str  # the message or view it stands in


def of_command(body: Json) -> Where:
    """A slash command."""
    return Where(
        user=str(body.get("user_id") or ""),
        team=str(body.get("team_id") or ""),
        channel=str(body.get("channel_id") or ""),
        response_url=str(body.get("response_url") or ""),
    )


def of_event(body: Json) -> Where:
    """A mention: its thread, or the one it starts."""
    event = body.get("event") or {}
    return Where(
        user=str(event.get("user") or ""),
        # Slack Connect names the sender's workspace here; `team` is that of the channel's side
        team=str(event.get("user_team") or event.get("source_team") or ""),
        channel=str(event.get("channel") or ""),
        thread_ts=str(event.get("thread_ts") or event.get("ts") or ""),
        visible=True,
    )


def of_direct(body: Json) -> Where | None:
    """A line typed in our direct messages, answered beside it; None for what no person said there.

    Edits, joined people and files come as messages with a subtype, an app's own with its ``bot_id``:
    https://docs.slack.dev/reference/events/message
    """
    event = body.get("event") or {}
    said = event.get("user") and not (event.get("subtype") or event.get("bot_id") or event.get("hidden"))
    if event.get("channel_type") != "im" or not said:
        return None
    return replace(of_event(body), thread_ts=str(event.get("thread_ts") or ""))


def of_reply(body: Json) -> Where | None:
    """What a person wrote in a thread of a channel; None for everything else. An answer to it is theirs alone."""
    event = body.get("event") or {}
    said = event.get("user") and not (event.get("subtype") or event.get("bot_id") or event.get("hidden"))
    if not said or not event.get("thread_ts") or event.get("channel_type") == "im":
        return None
    return replace(of_event(body), visible=False)


def of_interaction(body: Json) -> Where:
    """A click, a shortcut or a submitted form."""
    user, container = body.get("user") or {}, body.get("container") or {}
    message = body.get("message") or {}
    thread = str(container.get("thread_ts") or message.get("thread_ts") or "")
    if thread == str(message.get("ts") or ""):
        thread = ""  # a message that has replies: who clicked it in the channel would not see an answer in its thread
    return Where(
        user=str(user.get("id") or ""),
        team=str(user.get("team_id") or ""),
        channel=str((body.get("channel") or {}).get("id") or container.get("channel_id") or ""),
        thread_ts=thread,
        response_url=str(body.get("response_url") or ""),
    )


def click_of(body: Json) -> Click:
    """The first action of a block_actions payload; Slack sends one."""
    action = (body.get("actions") or [{}])[0]
    container = body.get("container") or {}
    return Click(
        where=of_interaction(body),
        action_id=str(action.get("action_id") or ""),
        value=ids.read_value(action.get("value")),
        trigger=str(body.get("trigger_id") or ""),
        place=str(container.get("message_ts") or container.get("view_id") or ""),
    )


def masked(values: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Texts that can be stored, without what looks like a secret, and whether there was one."""
    found = False
    clean: dict[str, Any] = {}
    for name, value in values.items():
        shown, hit = mask(whole(value)) if isinstance(value, str) else (value, False)
        clean[name], found = shown, found or hit
    return clean, found
