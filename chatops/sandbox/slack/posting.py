"""The one place where messages come into being, change and go: stores, counts, tells pages and the app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatops.sandbox.copies import copied
from chatops.sandbox.slack import payloads
from chatops.sandbox.slack.blockkit import elements_of
from chatops.sandbox.slack.delivery import Delivery
from chatops.sandbox.slack.errors import SlackError
from chatops.sandbox.slack.live import Live
from chatops.sandbox.slack.model import SLACKBOT, Conversation, State
from chatops.sandbox.slack.seed import Person
from chatops.sandbox.slack.words import mentions

Json = dict[str, Any]
FORMER = 20


class Posting:
    """Posts, edits and deletes messages on behalf of the app and of people."""

    def __init__(self, state: State, live: Live, delivery: Delivery) -> None:
        self._state = state
        self._live = live
        self._delivery = delivery

    # ---- writing

    def post(self, where: Conversation, author: str, content: Json, *, broadcast: bool = False) -> Json:
        """Store a message of `author` (a user id); `content` holds text, blocks, thread_ts, metadata, files …

        Raises SlackError is_archived or thread_not_found.
        """
        if where.is_archived:
            raise SlackError("is_archived")
        message = self._authored(author) | self.prepared(content) | {"ts": self._state.ts()}
        root = self._thread_root(where, message.pop("thread_ts", None))
        if root is not None:
            message["thread_ts"] = root["ts"]
            if broadcast:
                message |= {"subtype": "thread_broadcast"}
        where.messages[message["ts"]] = message
        if root is not None:
            self._joined(where, root, message)
        self._count(where, message, author)
        self._live.publish("message", where.members, channel=where.id, message=message)
        if root is not None:
            self._live.publish("message_changed", where.members, channel=where.id, message=root)
        self._tell_message(where, message)
        return message

    def ephemeral(self, where: Conversation, user: str, author: str, content: Json) -> Json:
        """Show a message to one person only."""
        message = self._authored(author) | self.prepared(content)
        message |= {"ts": self._state.ts(), "is_ephemeral": True}
        if message.get("thread_ts") is None:
            message.pop("thread_ts", None)
        where.ephemerals.setdefault(user, {})[message["ts"]] = message
        self._live.publish("ephemeral", {user}, channel=where.id, message=message)
        return message

    def replace_ephemeral(self, where: Conversation, user: str, ts: str, content: Json | None) -> None:
        """Put other content in a person's ephemeral message, or with None take it away."""
        mine = where.ephemerals.get(user, {})
        old = mine.get(ts)
        if old is None:
            raise SlackError("message_not_found")
        if content is None:
            del mine[ts]
            self._live.publish("message_deleted", {user}, channel=where.id, ts=ts)
            return
        kept = {name: value for name, value in old.items() if name not in ("text", "blocks", "attachments")}
        mine[ts] = kept | self.prepared({k: v for k, v in content.items() if k != "thread_ts"})
        self._live.publish("message_changed", {user}, channel=where.id, message=mine[ts])

    def update(self, where: Conversation, ts: str, content: Json) -> Json:
        """Put the given parts of the content in place of the old ones and mark the message as edited."""
        message = where.messages[ts]
        previous = copied(message)
        former = where.former.setdefault(ts, [])
        former.append(blocks_of(previous))
        del former[:-FORMER]
        message.update(self.prepared(content))
        message["edited"] = {"user": self._state.app.bot_user_id, "ts": self._state.ts()}
        self._live.publish("message_changed", where.members, channel=where.id, message=message)
        self._event(
            where,
            {"subtype": "message_changed", "hidden": True, "message": public(message)}
            | {"previous_message": public(previous), "ts": message["edited"]["ts"]},
        )
        return message

    def delete(self, where: Conversation, ts: str) -> None:
        """Take a message away; a thread's root that has replies leaves a tombstone."""
        message = where.messages[ts]
        if where.threads.get(ts):
            kept = {name: message[name] for name in ("ts", "thread_ts", "reply_count", "latest_reply", "reply_users")}
            where.messages[ts] = {"type": "message", "subtype": "tombstone", "user": SLACKBOT, "hidden": True} | kept
            where.messages[ts]["text"] = "This message was deleted."
            self._live.publish("message_changed", where.members, channel=where.id, message=where.messages[ts])
        else:
            del where.messages[ts]
            self._left(where, message)
            self._live.publish("message_deleted", where.members, channel=where.id, ts=ts)
        if ts in where.pins:
            where.pins.remove(ts)
        self._event(
            where,
            {"subtype": "message_deleted", "hidden": True, "deleted_ts": ts, "ts": self._state.ts()}
            | {"previous_message": public(message)},
        )

    def changed(self, where: Conversation, message: Json) -> None:
        """Tell the pages that something about a message is different (a reaction, a pin)."""
        self._live.publish("message_changed", where.members, channel=where.id, message=message)

    def joined(self, where: Conversation, user: str, inviter: str | None) -> None:
        """Add somebody to a channel: the pages show it, the app hears member_joined_channel."""
        where.members.append(user)
        event: Json = {
            "type": "member_joined_channel",
            "user": user,
            "channel": where.id,
            "channel_type": "G" if where.is_private else "C",
            "team": self._state.team_id,
            "event_ts": self._state.ts(),
        }
        self.tell(event | ({"inviter": inviter} if inviter else {}), where)
        self.channel_changed(where)

    def channel_changed(self, where: Conversation) -> None:
        """Show the channel as it is now to everyone in it."""
        for user in where.members:
            self._live.publish("channel", {user}, channel=self.channel_for(where, user))

    def channel_for(self, where: Conversation, user: str) -> Json:
        """A conversation as the page lists it for one person."""
        other = next((one for one in where.members if one != user), user)
        return {
            "id": where.id,
            "name": self._state.people[other].real_name if where.is_im else where.name,
            "topic": where.topic,
            "purpose": where.purpose,
            "is_im": where.is_im,
            "is_private": where.is_private,
            "is_archived": where.is_archived,
            "members": where.members,
            "unread": where.unread.get(user, 0),
            "mentions": where.rung.get(user, 0),
            "last_read": where.last_read.get(user, "0"),
            "has_messages": bool(where.messages or where.ephemerals.get(user)),
            "pins": where.pins,
            "bookmarks": where.bookmarks,
        } | ({"user": other} if where.is_im else {})

    def prepared(self, content: Json) -> Json:
        """Content as it is stored: ids given to blocks and elements that have none, plain text marked as Slack does."""
        kept = {name: copied(value) for name, value in content.items() if value is not None}
        for blocks in (kept.get("blocks") or [], *[one.get("blocks") or [] for one in kept.get("attachments") or []]):
            self.give_ids(blocks)
        kept.setdefault("text", "")
        if "text" not in content:
            del kept["text"]
        return kept

    def give_ids(self, blocks: list[Json]) -> None:
        for block in blocks:
            block.setdefault("block_id", self._state.mint("b"))
            for element in elements_of(block):
                element.setdefault("action_id", self._state.mint("a"))
            _mark(block)

    # ---- reading

    def message(self, where: Conversation, ts: str) -> Json:
        """Raises SlackError message_not_found, also for a tombstone."""
        message = where.messages.get(ts)
        if message is None or message.get("subtype") == "tombstone":
            raise SlackError("message_not_found")
        return message

    def read(self, where: Conversation, user: str, ts: str) -> None:
        """Mark everything up to `ts` as read by a person."""
        where.last_read[user] = ts
        later = [one for one in where.messages.values() if one["ts"] > ts and one.get("user") != user]
        where.unread[user] = sum(1 for one in later if _in_channel(one))
        where.rung[user] = sum(1 for one in later if where.is_im or self._state.is_rung(user, mentions(one)))
        self._tell_unread(where, user)

    # ---- inside

    def _authored(self, author: str) -> Json:
        state = self._state
        message: Json = {"type": "message", "user": author, "team": state.people[author].team_id}
        if state.is_app(author):
            message |= {
                "bot_id": state.app.bot_id,
                "app_id": state.app.id,
                "bot_profile": payloads.bot_profile(state),
            }
        elif state.people[author].is_bot and author != SLACKBOT:
            message |= {"bot_id": payloads.bot_id(state, state.people[author])}
        return message

    def _thread_root(self, where: Conversation, thread_ts: str | None) -> Json | None:
        if thread_ts is None:
            return None
        root = where.messages.get(thread_ts)
        if root is not None and root.get("thread_ts", thread_ts) != thread_ts:
            root = where.messages.get(root["thread_ts"])
        if root is None:
            raise SlackError("thread_not_found")
        return root

    def _joined(self, where: Conversation, root: Json, reply: Json) -> None:
        replies = where.threads.setdefault(root["ts"], [])
        replies.append(reply["ts"])
        root["thread_ts"] = root["ts"]
        reply["parent_user_id"] = root["user"]
        self._refresh_thread(where, root)

    def _left(self, where: Conversation, reply: Json) -> None:
        root = where.messages.get(reply.get("thread_ts", ""))
        if root is None or root is reply:
            return
        where.threads[root["ts"]].remove(reply["ts"])
        self._refresh_thread(where, root)
        self._live.publish("message_changed", where.members, channel=where.id, message=root)

    def _refresh_thread(self, where: Conversation, root: Json) -> None:
        replies = [where.messages[ts] for ts in where.threads[root["ts"]]]
        if not replies:
            for name in ("thread_ts", "reply_count", "reply_users", "reply_users_count", "latest_reply"):
                root.pop(name, None)
            return
        users = list(dict.fromkeys(reply["user"] for reply in replies))
        root["reply_count"] = len(replies)
        root["reply_users"] = users
        root["reply_users_count"] = len(users)
        root["latest_reply"] = replies[-1]["ts"]

    def _count(self, where: Conversation, message: Json, author: str) -> None:
        mentioned = mentions(message)
        for user in where.members:
            if user == author or self._state.people[user].is_bot:
                continue
            if _in_channel(message):
                where.unread[user] = where.unread.get(user, 0) + 1
            if where.is_im or self._state.is_rung(user, mentioned):
                where.rung[user] = where.rung.get(user, 0) + 1
            self._tell_unread(where, user)

    def _tell_unread(self, where: Conversation, user: str) -> None:
        counts = {"unread": where.unread.get(user, 0), "mentions": where.rung.get(user, 0)}
        self._live.publish("unread", {user}, channel=where.id, **counts)

    # ---- events

    def _tell_message(self, where: Conversation, message: Json) -> None:
        self._event(where, public(message))
        app = self._state.app
        if message["user"] != app.bot_user_id and not where.is_im and app.bot_user_id in mentions(message):
            self.tell({**public(message), "type": "app_mention", "channel": where.id, "event_ts": message["ts"]}, where)

    def _event(self, where: Conversation, event: Json) -> None:
        full = {"type": "message", **event, "channel": where.id, "channel_type": where.kind}
        self.tell({**full, "event_ts": event["ts"]}, where)

    def tell(self, event: Json, where: Conversation | None = None) -> None:
        """Deliver an event if the app subscribed to it and, for one of a conversation, is in there."""
        app = self._state.app
        wanted = (
            {
                "channel": "message.channels",
                "group": "message.groups",
                "im": "message.im",
            }[where.kind]
            if where and event["type"] == "message"
            else event["type"]
        )
        if wanted not in app.events or (where is not None and app.bot_user_id not in where.members):
            return
        who: Person | None = self._state.people.get(str(event.get("user")))
        summary = f"{who.name if who else event.get('subtype', '')}: {event.get('text', '')}"[:120]
        self._delivery.event(payloads.event_callback(self._state, copied(event)), summary)


def public(message: Json, with_metadata: bool = False) -> Json:
    """A message as the API returns it: metadata only when it was asked for."""
    hidden = () if with_metadata else ("metadata",)
    return {name: value for name, value in message.items() if name not in hidden}


def blocks_of(message: Json) -> list[Json]:
    """All blocks of a message, those of its attachments too."""
    attached = [block for one in message.get("attachments") or () for block in one.get("blocks") or ()]
    return [*(message.get("blocks") or ()), *attached]


def _in_channel(message: Json) -> bool:
    return message.get("thread_ts", message["ts"]) == message["ts"] or message.get("subtype") == "thread_broadcast"


def _mark(value: Any) -> None:
    """Slack fills in `emoji` and `verbatim` on text objects, so what comes back is not quite what was sent."""
    for one in _objects(value):
        if one.get("type") == "plain_text":
            one.setdefault("emoji", True)
        elif one.get("type") == "mrkdwn":
            one.setdefault("verbatim", False)


def _objects(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)
