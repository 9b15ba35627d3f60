"""chat.*, reactions.*, pins.* and bookmarks.*"""

from __future__ import annotations

import re
from typing import Any

from chatops.sandbox.slack import payloads
from chatops.sandbox.slack.calls import Call, Method
from chatops.sandbox.slack.content import checked_content
from chatops.sandbox.slack.errors import SlackError
from chatops.sandbox.slack.model import Conversation
from chatops.sandbox.slack.posting import public

Json = dict[str, Any]
_CONTENT = ("text", "blocks", "attachments", "metadata")


def _content(call: Call) -> Json:
    """What a message is made of, checked; its image blocks show files that are there, and that are ready."""
    content = checked_content({name: call.args[name] for name in _CONTENT if call.args.get(name) is not None})
    for place, block in enumerate(content.get("blocks") or ()):
        if block["type"] == "image" and "slack_file" in block and not call.on.state.shows(block["slack_file"]):
            said = f"invalid slack file [json-pointer:/blocks/{place}/slack_file]"
            raise SlackError("invalid_blocks", [f"[ERROR] {said}"], errors=[said])
    return content


def _target(call: Call) -> Conversation:
    """Where chat.postMessage goes: a channel by id or #name, or a person's direct messages."""
    state = call.on.state
    wanted = call.text("channel")
    if wanted in state.people:
        if wanted == call.me or state.people[wanted].is_bot:
            raise SlackError("cannot_dm_bot")
        if state.people[wanted].deleted:
            raise SlackError("channel_not_found")
        return state.app_im(wanted)
    named = state.channel_named(wanted.removeprefix("#"))
    found = state.conversations.get(wanted) or named
    if found is None or ((found.is_private or found.is_im) and call.me not in found.members):
        raise SlackError("channel_not_found")
    if call.me not in found.members and "chat:write.public" not in call.scopes:
        raise SlackError("not_in_channel")
    return found


def post_message(call: Call) -> Json:
    where = _target(call)
    content = _content(call)
    if where.is_archived:
        raise SlackError("is_archived")
    call.on.limits.post(where.id)
    if call.args.get("thread_ts"):
        content["thread_ts"] = call.text("thread_ts")
    message = call.on.posting.post(where, call.me, content, broadcast=call.flag("reply_broadcast"))
    return {"channel": where.id, "ts": message["ts"], "message": public(message, with_metadata=True)}


def post_ephemeral(call: Call) -> Json:
    where = _target(call)
    user = call.text("user")
    if user not in where.members:
        raise SlackError("user_not_in_channel")
    content = _content(call)
    if call.args.get("thread_ts"):
        content["thread_ts"] = call.text("thread_ts")
    message = call.on.posting.ephemeral(where, user, call.me, content)
    return {"message_ts": message["ts"]}


def update(call: Call) -> Json:
    where = _known(call)
    message = call.on.posting.message(where, call.text("ts"))
    if message.get("user") != call.me:
        raise SlackError("cant_update_message")
    content = _content(call)
    # What is not given stays, blocks too: only an empty list takes them away (chat.update, "blocks").
    changed = call.on.posting.update(where, message["ts"], content)
    shown = public(changed, with_metadata=True)
    return {"channel": where.id, "ts": message["ts"], "text": changed.get("text", ""), "message": shown}


def delete(call: Call) -> Json:
    where = _known(call)
    message = call.on.posting.message(where, call.text("ts"))
    if message.get("user") != call.me:
        raise SlackError("cant_delete_message")
    call.on.posting.delete(where, message["ts"])
    return {"channel": where.id, "ts": message["ts"]}


def get_permalink(call: Call) -> Json:
    where = call.channel(member=False)
    message = call.on.posting.message(where, call.text("message_ts"))
    link = payloads.permalink(call.on.state, where.id, message["ts"], message.get("thread_ts"))
    return {"channel": where.id, "permalink": link}


def _known(call: Call) -> Conversation:
    """A conversation by id, whether or not the app is in it: its own messages there can be changed."""
    return call.channel(member=False)


def _message(call: Call) -> tuple[Conversation, Json]:
    where = call.channel()
    return where, call.on.posting.message(where, call.text("timestamp"))


def reactions_add(call: Call) -> Json:
    where, message = _message(call)
    name = call.text("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+'-]+", name):
        raise SlackError("invalid_name")
    reactions = message.setdefault("reactions", [])
    found = next((one for one in reactions if one["name"] == name), None)
    if found is None:
        found = {"name": name, "users": [], "count": 0}
        reactions.append(found)
    if call.me in found["users"]:
        raise SlackError("already_reacted")
    found["users"].append(call.me)
    found["count"] += 1
    call.on.posting.changed(where, message)
    return {}


def reactions_remove(call: Call) -> Json:
    where, message = _message(call)
    found = next((one for one in message.get("reactions", []) if one["name"] == call.text("name").strip(":")), None)
    if found is None or call.me not in found["users"]:
        raise SlackError("no_reaction")
    found["users"].remove(call.me)
    found["count"] -= 1
    message["reactions"] = [one for one in message["reactions"] if one["count"]]
    call.on.posting.changed(where, message)
    return {}


def reactions_get(call: Call) -> Json:
    where, message = _message(call)
    return {"type": "message", "channel": where.id, "message": public(message)}


def pins_add(call: Call) -> Json:
    where, message = _message(call)
    if message["ts"] in where.pins:
        raise SlackError("already_pinned")
    where.pins.append(message["ts"])
    message["pinned_to"] = [where.id]
    call.on.posting.changed(where, message)
    call.on.posting.channel_changed(where)
    return {}


def pins_remove(call: Call) -> Json:
    where, message = _message(call)
    if message["ts"] not in where.pins:
        raise SlackError("no_pin")
    where.pins.remove(message["ts"])
    message.pop("pinned_to", None)
    call.on.posting.changed(where, message)
    call.on.posting.channel_changed(where)
    return {}


def pins_list(call: Call) -> Json:
    where = call.channel()
    link = payloads.permalink
    return {
        "items": [
            {
                "type": "message",
                "channel": where.id,
                "created": int(float(ts)),
                "created_by": call.me,
                "message": public(where.messages[ts]) | {"permalink": link(call.on.state, where.id, ts)},
            }
            for ts in reversed(where.pins)
        ]
    }


def _bookmark_channel(call: Call) -> Conversation:
    where = call.on.state.conversations.get(call.text("channel_id"))
    if where is None or (where.is_private and call.me not in where.members):
        raise SlackError("channel_not_found")
    if call.me not in where.members:
        raise SlackError("not_in_channel")
    return where


def bookmarks_add(call: Call) -> Json:
    where = _bookmark_channel(call)
    if call.text("type") != "link":
        raise SlackError("invalid_bookmark_type")
    if not re.match(r"https?://\S+$", call.text("link")):
        raise SlackError("invalid_link")
    if len(where.bookmarks) >= 100:
        raise SlackError("too_many_bookmarks")
    now = int(call.on.state.clock.now())
    bookmark = {
        "id": call.on.state.mint("Bk"),
        "channel_id": where.id,
        "title": call.text("title"),
        "link": call.text("link"),
        "emoji": call.text("emoji"),
        "type": "link",
        "date_created": now,
        "date_updated": now,
        "last_updated_by_user_id": call.me,
        "app_id": call.on.state.app.id,
    }
    where.bookmarks.append(bookmark)
    call.on.posting.channel_changed(where)
    return {"bookmark": bookmark}


def bookmarks_list(call: Call) -> Json:
    return {"bookmarks": _bookmark_channel(call).bookmarks}


def bookmarks_edit(call: Call) -> Json:
    where = _bookmark_channel(call)
    for bookmark in where.bookmarks:
        if bookmark["id"] == call.text("bookmark_id"):
            changes: Json = {name: call.text(name) for name in ("title", "link", "emoji") if name in call.args}
            bookmark.update(changes, date_updated=int(call.on.state.clock.now()))
            call.on.posting.channel_changed(where)
            return {"bookmark": bookmark}
    raise SlackError("not_found")


METHODS = {
    "chat.postMessage": Method(post_message, ("chat:write",), ("channel",), tier=None),
    "chat.postEphemeral": Method(post_ephemeral, ("chat:write",), ("channel", "user"), tier=4),
    "chat.update": Method(update, ("chat:write",), ("channel", "ts"), tier=3),
    "chat.delete": Method(delete, ("chat:write",), ("channel", "ts"), tier=3),
    "chat.getPermalink": Method(get_permalink, (), ("channel", "message_ts"), tier=None),
    "reactions.add": Method(reactions_add, ("reactions:write",), ("channel", "name", "timestamp"), tier=3),
    "reactions.remove": Method(reactions_remove, ("reactions:write",), ("channel", "name", "timestamp"), tier=2),
    "reactions.get": Method(reactions_get, ("reactions:read",), ("channel", "timestamp"), tier=3),
    "pins.add": Method(pins_add, ("pins:write",), ("channel", "timestamp"), tier=2),
    "pins.remove": Method(pins_remove, ("pins:write",), ("channel", "timestamp"), tier=2),
    "pins.list": Method(pins_list, ("pins:read",), ("channel",), tier=2),
    "bookmarks.add": Method(bookmarks_add, ("bookmarks:write",), ("channel_id", "title", "type"), tier=2),
    "bookmarks.list": Method(bookmarks_list, ("bookmarks:read",), ("channel_id",), tier=3),
    "bookmarks.edit": Method(bookmarks_edit, ("bookmarks:write",), ("channel_id", "bookmark_id"), tier=2),
}
