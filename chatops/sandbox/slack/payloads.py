"""The shapes in which Slack tells an app what happened; pure functions of the state."""

from __future__ import annotations

from typing import Any

from chatops.sandbox.slack.model import Conversation, State
from chatops.sandbox.slack.seed import Person

Json = dict[str, Any]
# Deprecated by Slack in favour of signatures, and still in every payload.
VERIFICATION_TOKEN = "local-verification-token"  # noqa: S105


def permalink(state: State, channel: str, ts: str, thread_ts: str | None = None) -> str:
    link = f"{state.url}/archives/{channel}/p{ts.replace('.', '')}"
    return f"{link}?thread_ts={thread_ts}&cid={channel}" if thread_ts and thread_ts != ts else link


def user(state: State, person: Person) -> Json:
    """A user object as `users.info` shows it."""
    home = person.team_id == state.team_id
    profile: Json = {
        "real_name": person.real_name,
        "display_name": person.name,
        "title": person.title,
        "team": person.team_id,
        "email": person.email,
        "avatar_hash": "local",
    }
    if person.is_bot:
        profile |= {"bot_id": bot_id(state, person), "api_app_id": state.app.id if state.is_app(person.id) else ""}
    shown: Json = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "deleted": person.deleted,
        "color": person.color.lstrip("#"),
        "real_name": person.real_name,
        "tz": "Europe/Berlin",
        "tz_label": "Central European Time",
        "tz_offset": 3600,
        "profile": profile,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": 1700000000,
    }
    if not person.deleted:
        shown |= {
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": person.is_restricted,
            "is_ultra_restricted": person.is_ultra_restricted,
        }
    return shown if home else shown | {"is_stranger": True}


def bot_id(state: State, person: Person) -> str:
    return state.app.bot_id if state.is_app(person.id) else f"B{person.id[1:]}"


def bot_profile(state: State) -> Json:
    app = state.app
    return {
        "id": app.bot_id,
        "app_id": app.id,
        "user_id": app.bot_user_id,
        "name": app.name,
        "deleted": False,
        "updated": 1700000000,
        "team_id": state.team_id,
    }


def conversation(state: State, one: Conversation, viewer: str) -> Json:
    """A conversation object as `conversations.info` shows it to the app."""
    if one.is_im:
        other = next((member for member in one.members if member != viewer), viewer)
        return {
            "id": one.id,
            "created": one.created,
            "is_im": True,
            "is_archived": one.is_archived,
            "is_org_shared": False,
            "user": other,
            "is_user_deleted": state.people[other].deleted,
            "is_open": True,
        }
    shared = any(state.people[member].team_id != state.team_id for member in one.members)
    return {
        "id": one.id,
        "name": one.name,
        "name_normalized": one.name,
        "is_channel": not one.is_private,
        "is_group": one.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": one.is_private,
        "created": one.created,
        "is_archived": one.is_archived,
        "is_general": one.name == "general",
        "is_shared": shared,
        "is_ext_shared": shared,
        "is_org_shared": False,
        "is_member": viewer in one.members,
        "creator": one.creator,
        "context_team_id": state.team_id,
        "topic": {"value": one.topic, "creator": "", "last_set": 0},
        "purpose": {"value": one.purpose, "creator": "", "last_set": 0},
        "num_members": len(one.members),
        "previous_names": [],
    }


def event_callback(state: State, event: Json) -> Json:
    """The envelope around an event, with an id of its own."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": state.team_id,
        "context_team_id": state.team_id,
        "context_enterprise_id": None,
        "api_app_id": state.app.id,
        "event": event,
        "type": "event_callback",
        "event_id": state.mint("Ev"),
        "event_time": int(state.clock.now()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": state.team_id,
                "user_id": state.app.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{state.mint('X')}",
    }


def command(state: State, person: Person, channel: Conversation, name: str, text: str, /, **doors: str) -> Json:
    """The form of a slash command; `doors` are trigger_id and response_url."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": state.team_id,
        "team_domain": state.workspace.domain,
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.is_im else "privategroup" if channel.is_private else channel.name,
        "user_id": person.id,
        "user_name": person.name,
        "command": name,
        "text": text,
        "api_app_id": state.app.id,
        "is_enterprise_install": "false",
        **doors,
    }


def interaction(state: State, kind: str, person: Person, /, **body: Any) -> Json:
    """What all interactive payloads share. A stranger's `user.team_id` is not the workspace's."""
    return {
        "type": kind,
        "team": {"id": state.team_id, "domain": state.workspace.domain},
        "user": {"id": person.id, "username": person.name, "name": person.name, "team_id": person.team_id},
        "api_app_id": state.app.id,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
        **body,
    }


def channel_short(one: Conversation) -> Json:
    return {"id": one.id, "name": "directmessage" if one.is_im else "privategroup" if one.is_private else one.name}
