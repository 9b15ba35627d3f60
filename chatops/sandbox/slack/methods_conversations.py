"""conversations.* and users.conversations"""

from __future__ import annotations

import re
from typing import Any

from chatops.sandbox.slack import payloads
from chatops.sandbox.slack.calls import Call, Method, paged
from chatops.sandbox.slack.errors import SlackError
from chatops.sandbox.slack.model import Conversation
from chatops.sandbox.slack.posting import public

Json = dict[str, Any]
READ = ("channels:read", "groups:read", "im:read", "mpim:read")
HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
MANAGE = ("channels:manage", "groups:write")


def _shown(call: Call, one: Conversation) -> Json:
    return payloads.conversation(call.on.state, one, call.me)


def _kinds(call: Call) -> set[str]:
    kinds = set(call.listed("types") or ["public_channel"])
    if kinds - {"public_channel", "private_channel", "im", "mpim"}:
        raise SlackError("invalid_types")
    return {{"public_channel": "channel", "private_channel": "group"}.get(kind, kind) for kind in kinds}


def _listed(call: Call, only: str | None) -> Json:
    kinds = _kinds(call)
    without_archived = call.flag("exclude_archived")
    found = [
        one
        for one in call.on.state.conversations.values()
        if one.kind in kinds
        and (one.kind == "channel" or call.me in one.members)
        and not (without_archived and one.is_archived)
        and (only is None or only in one.members)
    ]
    page, cursor = call.page(found)
    return paged(channels=[_shown(call, one) for one in page], cursor=cursor)


def list_all(call: Call) -> Json:
    return _listed(call, None)


def of_user(call: Call) -> Json:
    if call.text("user"):
        call.person()
    return _listed(call, call.text("user") or call.me)


def info(call: Call) -> Json:
    return {"channel": _shown(call, call.channel(member=False))}


def history(call: Call) -> Json:
    where = call.channel()
    found = [
        one
        for one in reversed(where.messages.values())
        if one.get("thread_ts", one["ts"]) == one["ts"] or one.get("subtype") == "thread_broadcast"
    ]
    page, cursor = call.page(_between(call, found), most=999)
    answer: Json = {"messages": _messages(call, page), "has_more": bool(cursor), "pin_count": len(where.pins)}
    return answer | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})


def replies(call: Call) -> Json:
    where = call.channel()
    root = where.messages.get(call.text("ts"))
    if root is None:
        raise SlackError("thread_not_found")
    root = where.messages.get(str(root.get("thread_ts", root["ts"])), root)
    found = _between(call, [where.messages[ts] for ts in where.threads.get(root["ts"], ())])
    page, cursor = call.page([root, *found], default=1000)
    answer: Json = {"messages": _messages(call, page), "has_more": bool(cursor)}
    return answer | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})


def _between(call: Call, messages: list[Json]) -> list[Json]:
    oldest, latest = call.text("oldest") or "0", call.text("latest") or "99999999999"
    if not all(re.fullmatch(r"\d+(\.\d+)?", ts) for ts in (oldest, latest)):
        raise SlackError("invalid_ts_latest" if call.text("latest") else "invalid_ts_oldest")
    low, high = _micros(oldest), _micros(latest)
    if call.flag("inclusive"):
        return [one for one in messages if low <= _micros(one["ts"]) <= high]
    return [one for one in messages if low < _micros(one["ts"]) < high]


def _micros(ts: str) -> int:
    seconds, _, rest = ts.partition(".")
    return int(seconds) * 1_000_000 + int(rest.ljust(6, "0")[:6])


def _messages(call: Call, messages: list[Json]) -> list[Json]:
    return [public(one, call.flag("include_all_metadata")) for one in messages]


def join(call: Call) -> Json:
    where = call.channel(member=False)
    if where.kind != "channel":
        raise SlackError("method_not_supported_for_channel_type")
    if where.is_archived:
        raise SlackError("is_archived")
    if call.me in where.members:
        meta = {"response_metadata": {"warnings": ["already_in_channel"]}}
        return {"channel": _shown(call, where), "warning": "already_in_channel", **meta}
    call.on.posting.joined(where, call.me, None)
    return {"channel": _shown(call, where)}


def open_im(call: Call) -> Json:
    users = call.listed("users")
    state = call.on.state
    if call.text("channel"):
        return {"channel": _shown(call, call.channel())}
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        raise SlackError("not_enough_users", ["[ERROR] group direct messages are not part of this server"])
    person = state.people.get(users[0])
    if person is None:
        raise SlackError("user_not_found")
    if person.deleted:
        raise SlackError("user_disabled")
    if person.is_bot:
        raise SlackError("cannot_dm_bot")
    where = state.app_im(person.id)
    shown = _shown(call, where) if call.flag("return_im") else {"id": where.id}
    return {"channel": shown}


def create(call: Call) -> Json:
    name = call.text("name")
    if not name:
        raise SlackError("invalid_name_required")
    if len(name) > 80:
        raise SlackError("invalid_name_maxlength")
    if not re.search(r"[a-z0-9]", name):
        raise SlackError("invalid_name_punctuation")
    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise SlackError("invalid_name_specials")
    if call.on.state.channel_named(name) is not None:
        raise SlackError("name_taken")
    where = call.on.state.add_channel(name, call.me, call.flag("is_private"))
    call.on.posting.channel_changed(where)
    return {"channel": _shown(call, where)}


def invite(call: Call) -> Json:
    where = call.channel()
    errors: list[Json] = []
    people = []
    for user in call.listed("users"):
        person = call.on.state.people.get(user)
        if person is None:
            errors.append({"user": user, "ok": False, "error": "user_not_found"})
        elif person.id == call.me:
            errors.append({"user": user, "ok": False, "error": "cant_invite_self"})
        elif person.id in where.members:
            errors.append({"user": user, "ok": False, "error": "already_in_channel"})
        elif person.is_ultra_restricted:
            errors.append({"user": user, "ok": False, "error": "ura_max_channels"})
        else:
            people.append(person)
    if not call.listed("users"):
        raise SlackError("no_user")
    if errors and not call.flag("force"):
        raise SlackError(errors[0]["error"], errors=errors)
    for person in people:
        call.on.posting.joined(where, person.id, call.me)
    return {"channel": _shown(call, where)} | ({"errors": errors} if errors else {})


def members(call: Call) -> Json:
    page, cursor = call.page(call.channel(member=False).members)
    return paged(members=page, cursor=cursor)


def _set_words(call: Call, name: str) -> Json:
    where = call.channel()
    if where.is_archived:
        raise SlackError("is_archived")
    value = call.text(name)
    if len(value) > 250:
        raise SlackError("too_long")
    setattr(where, name, value)
    call.on.posting.channel_changed(where)
    return {"channel": _shown(call, where)}


def set_topic(call: Call) -> Json:
    return _set_words(call, "topic")


def set_purpose(call: Call) -> Json:
    return _set_words(call, "purpose")


def archive(call: Call) -> Json:
    where = call.channel()
    if where.is_archived:
        raise SlackError("already_archived")
    if where.name == "general":
        raise SlackError("cant_archive_general")
    where.is_archived = True
    call.on.posting.channel_changed(where)
    return {}


METHODS = {
    "conversations.list": Method(list_all, READ, tier=2),
    "conversations.info": Method(info, READ, ("channel",), tier=3),
    "conversations.history": Method(history, HISTORY, ("channel",), tier=3),
    "conversations.replies": Method(replies, HISTORY, ("channel", "ts"), tier=3),
    "conversations.join": Method(join, ("channels:join",), ("channel",), tier=3),
    "conversations.open": Method(open_im, ("im:write", "mpim:write"), tier=3),
    "conversations.create": Method(create, MANAGE, tier=2),
    "conversations.invite": Method(invite, (*MANAGE, "channels:write.invites"), ("channel", "users"), tier=3),
    "conversations.members": Method(members, READ, ("channel",), tier=4),
    "conversations.setTopic": Method(set_topic, (*MANAGE, "channels:write.topic"), ("channel", "topic"), tier=2),
    "conversations.setPurpose": Method(set_purpose, (*MANAGE, "channels:write.topic"), ("channel", "purpose"), tier=2),
    "conversations.archive": Method(archive, MANAGE, ("channel",), tier=2),
    "users.conversations": Method(of_user, READ, tier=3),
}
