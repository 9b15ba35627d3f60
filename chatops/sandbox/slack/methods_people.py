"""auth.*, apps.*, users.*, usergroups.*, team.info, bots.info, views.* and files.*"""

from __future__ import annotations

import mimetypes
import secrets
from typing import Any

from chatops.sandbox.slack import payloads
from chatops.sandbox.slack.calls import Call, Method, paged
from chatops.sandbox.slack.content import checked_content
from chatops.sandbox.slack.errors import SlackError

Json = dict[str, Any]
PREVIEW = 2_000


def auth_test(call: Call) -> Json:
    state = call.on.state
    return {
        "url": f"{state.url}/",
        "team": state.workspace.name,
        "user": state.app.name.lower(),
        "team_id": state.team_id,
        "user_id": state.app.bot_user_id,
        "bot_id": state.app.bot_id,
        "is_enterprise_install": False,
    }


def connections_open(call: Call) -> Json:
    return {"url": f"{call.on.state.url.replace('http', 'ws', 1)}/sandbox/socket/{call.on.socket.ticket()}"}


def users_info(call: Call) -> Json:
    return {"user": _user(call, call.person().id)}


def _user(call: Call, user: str) -> Json:
    shown = payloads.user(call.on.state, call.on.state.people[user])
    if "users:read.email" not in call.scopes:
        shown["profile"].pop("email", None)
    return shown


def users_list(call: Call) -> Json:
    people, cursor = call.page(list(call.on.state.people), default=1000)
    return paged(members=[_user(call, user) for user in people], cache_ts=int(call.on.state.clock.now()), cursor=cursor)


def lookup_by_email(call: Call) -> Json:
    for person in call.on.state.people.values():
        if person.email and person.email.lower() == call.text("email").lower() and not person.deleted:
            return {"user": _user(call, person.id)}
    raise SlackError("users_not_found")


def usergroups_list(call: Call) -> Json:
    with_users = call.flag("include_users")
    groups = [
        {
            "id": group.id,
            "team_id": call.on.state.team_id,
            "is_usergroup": True,
            "name": group.name or group.handle,
            "handle": group.handle,
            "user_count": len(group.members),
            "date_delete": 0,
            **({"users": list(group.members)} if with_users else {}),
        }
        for group in call.on.state.usergroups.values()
    ]
    return {"usergroups": groups}


def usergroup_users(call: Call) -> Json:
    group = call.on.state.usergroups.get(call.text("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    people = call.on.state.people
    return {"users": [user for user in group.members if user in people and not people[user].deleted]}


def team_info(call: Call) -> Json:
    workspace = call.on.state.workspace
    team = {"id": workspace.team_id, "name": workspace.name, "domain": workspace.domain}
    return {"team": team | {"url": f"{call.on.state.url}/", "email_domain": "", "icon": {}}}


def bots_info(call: Call) -> Json:
    state = call.on.state
    if call.text("bot") not in ("", state.app.bot_id):
        raise SlackError("bot_not_found")
    return {"bot": payloads.bot_profile(state)}


def views_open(call: Call) -> Json:
    return {"view": call.on.views.open(_trigger(call), call.args["view"])}


def views_push(call: Call) -> Json:
    return {"view": call.on.views.push(_trigger(call), call.args["view"])}


def _trigger(call: Call) -> str:
    return call.text("trigger_id") or call.text("interactivity_pointer")


def views_update(call: Call) -> Json:
    ids = (call.text("view_id") or None, call.text("external_id") or None, call.text("hash") or None)
    return {"view": call.on.views.update(*ids, call.args["view"])}


def views_publish(call: Call) -> Json:
    person = call.person("user_id", "invalid_arguments")
    if person.deleted or person.is_bot:
        raise SlackError("not_enabled")
    return {"view": call.on.views.publish(person.id, call.args["view"], call.text("hash") or None)}


# ---- files: ask for an address, put the bytes there, then share


def get_upload_url(call: Call) -> Json:
    state = call.on.state
    try:
        length = int(call.text("length"))
    except ValueError as error:
        raise SlackError("invalid_arguments", ["[ERROR] must be an integer [json-pointer:/length]"]) from error
    if length <= 0:
        raise SlackError("file_upload_size_restricted")
    name = call.text("filename")
    file_id = state.mint("F")
    state.files[file_id] = {
        "id": file_id,
        "created": int(state.clock.now()),
        "name": name,
        "title": call.text("title") or name,
        "mimetype": mimetypes.guess_type(name)[0] or "text/plain",
        "filetype": name.rpartition(".")[2] or "text",
        "user": call.me,
        "size": length,
        "alt_txt": call.text("alt_txt"),
        "upload": secrets.token_hex(12),
        "shared": False,
    }
    return {"upload_url": f"{state.url}/sandbox/upload/{state.files[file_id]['upload']}", "file_id": file_id}


def complete_upload(call: Call) -> Json:
    state = call.on.state
    given = call.args.get("files")
    if not isinstance(given, list) or not given:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: files"])
    files = []
    for one in given:
        file = state.files.get(one.get("id", "")) if isinstance(one, dict) else None
        if file is None or file["id"] not in state.contents or file["shared"]:
            raise SlackError("file_not_found")
        file["title"] = one.get("title") or file["title"]
        files.append(file)
    wanted = call.text("channel_id") or call.text("channels").partition(",")[0]
    if wanted:
        where = state.conversations.get(wanted)
        if where is None or (where.kind != "channel" and call.me not in where.members):
            raise SlackError("channel_not_found")
        if call.me not in where.members:
            raise SlackError("not_in_channel")
        content: Json = {"text": call.text("initial_comment"), "files": [file_shown(call, file) for file in files]}
        if call.args.get("blocks") is not None:
            content |= checked_content({"blocks": call.args["blocks"]})
        if call.text("thread_ts"):
            content["thread_ts"] = call.text("thread_ts")
        call.on.posting.post(where, call.me, content | {"subtype": "file_share", "upload": True})
    for file in files:
        file |= {"shared": True, "ready_at": state.clock.now() + state.files_take}
    return {"files": [file_shown(call, file) for file in files]}


def file_shown(call: Call, file: Json) -> Json:
    """The file object of messages and answers; `preview` for what is text."""
    state = call.on.state
    url = f"{state.url}/sandbox/files/{file['id']}/{file['name']}"
    shown = {name: value for name, value in file.items() if name not in ("upload", "shared", "ready_at")}
    shown |= {"url": url, "url_private": url, "url_private_download": url, "permalink": url, "is_external": False}
    content = state.contents.get(file["id"], b"")
    if file["mimetype"].startswith("text/") or file["filetype"] in ("json", "yaml", "yml", "diff", "log"):
        shown["preview"] = content[:PREVIEW].decode("utf-8", "replace")
    return shown


def files_info(call: Call) -> Json:
    file = call.on.state.files.get(call.text("file"))
    if file is None:
        raise SlackError("file_not_found")
    return {"file": file_shown(call, file)}


METHODS = {
    "auth.test": Method(auth_test, tier=None),
    "api.test": Method(lambda call: {"args": dict(call.args)}, tier=4),
    "apps.connections.open": Method(connections_open, tier=1, token="app"),  # noqa: S106
    "users.info": Method(users_info, ("users:read",), ("user",), tier=4),
    "users.list": Method(users_list, ("users:read",), tier=2),
    "users.lookupByEmail": Method(lookup_by_email, ("users:read.email",), ("email",), tier=3),
    "usergroups.list": Method(usergroups_list, ("usergroups:read",), tier=2),
    "usergroups.users.list": Method(usergroup_users, ("usergroups:read",), ("usergroup",), tier=2),
    "team.info": Method(team_info, ("team:read",), tier=3),
    "bots.info": Method(bots_info, ("users:read",), tier=3),
    "views.open": Method(views_open, (), ("trigger_id", "view"), tier=4),
    "views.push": Method(views_push, (), ("trigger_id", "view"), tier=4),
    "views.update": Method(views_update, (), ("view",), tier=4),
    "views.publish": Method(views_publish, (), ("user_id", "view"), tier=4),
    "files.getUploadURLExternal": Method(get_upload_url, ("files:write",), ("filename", "length"), tier=4),
    "files.completeUploadExternal": Method(complete_upload, ("files:write",), ("files",), tier=4),
    "files.info": Method(files_info, ("files:read",), ("file",), tier=4),
}
