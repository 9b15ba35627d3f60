"""Who and what exists in the workspace when it starts: people, channels, user groups and the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

# The scopes and events that the assistant's manifest asks for; a call that needs another one is refused.
DEFAULT_SCOPES = (
    "commands",
    "chat:write",
    "chat:write.public",
    "im:write",
    "channels:manage",
    "channels:read",
    "channels:history",
    "channels:join",
    "groups:write",
    "groups:read",
    "groups:history",
    "im:history",
    "usergroups:read",
    "users:read",
    "users:read.email",
    "files:write",
    "pins:write",
    "bookmarks:write",
    "app_mentions:read",
)
DEFAULT_EVENTS = (
    "app_home_opened",
    "app_mention",
    "message.channels",
    "message.groups",
    "message.im",
    "member_joined_channel",
)


class SeedError(ValueError):
    """A workspace file that cannot be used; the message names the file and what would be right."""


@dataclass(frozen=True)
class Person:
    """A member, guest, stranger from a shared channel (another `team_id`) or another bot."""

    id: str
    name: str
    real_name: str = ""
    email: str = ""
    title: str = ""
    role: str = ""
    color: str = "#4a6fa5"
    team_id: str = ""
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False

    @property
    def initials(self) -> str:
        words = (self.real_name or self.name).split()
        return "".join(word[0] for word in words[:2]).upper()


@dataclass(frozen=True)
class Channel:
    """A channel; `members` are user ids, `None` means every active person of the home workspace."""

    id: str
    name: str
    topic: str = ""
    purpose: str = ""
    is_private: bool = False
    members: tuple[str, ...] | None = None
    bot: bool = False  # a freshly installed app is in no channel: it has to join or be invited


@dataclass(frozen=True)
class Usergroup:
    """A user group such as @platform-leads."""

    id: str
    handle: str
    name: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """What the page offers while somebody types a command."""

    text: str
    title: str = ""
    description: str = ""


@dataclass(frozen=True)
class Command:
    """A slash command; with `should_escape` mentions arrive as <@U…|name> and <#C…|name>."""

    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = True
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True)
class Shortcut:
    """A global or message shortcut."""

    name: str
    callback_id: str
    type: str = "global"
    description: str = ""


@dataclass(frozen=True)
class SlackApp:
    """The installed app. With `request_url` it is called over signed HTTP, without over Socket Mode."""

    bot_token: str = "xoxb-local-bot"  # noqa: S105 - opens a server on loopback and nothing else
    app_token: str = "xapp-local-app"  # noqa: S105
    signing_secret: str = "local-signing-secret"  # noqa: S105
    request_url: str | None = None
    id: str = "A0PLATFORM"
    name: str = "Platform"
    description: str = ""
    bot_user_id: str = "U0PLATFORM"
    bot_id: str = "B0PLATFORM"
    commands: tuple[Command, ...] = ()
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    events: tuple[str, ...] = DEFAULT_EVENTS
    shortcuts: tuple[Shortcut, ...] = ()


@dataclass(frozen=True)
class Workspace:
    """Everything the server starts with; `tour` is handed to the page as it is."""

    team_id: str
    name: str
    domain: str
    people: tuple[Person, ...]
    channels: tuple[Channel, ...]
    app: SlackApp
    usergroups: tuple[Usergroup, ...] = ()
    tour: tuple[dict[str, Any], ...] = field(default=())


T = TypeVar("T")


def _record(kind: type[T], given: Mapping[str, Any], where: str, **replace: Any) -> T:
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - known)
    if unknown:
        raise SeedError(f"{where}: unknown key {unknown[0]!r}, known are {', '.join(sorted(known))}")
    try:
        return kind(**{**given, **replace})
    except TypeError as error:
        raise SeedError(f"{where}: {error}") from error


def load_workspace(path: Path) -> Workspace:
    """Read a workspace file (YAML 1.2; members and groups by name or id). Raises SeedError on anything unknown."""
    data = YAML(typ="safe").load(path.read_text("utf-8"))
    if not isinstance(data, dict) or not isinstance(data.get("team"), dict):
        raise SeedError(f"{path}: needs a 'team' with id, name and domain")
    unknown = sorted(set(data) - {"team", "people", "channels", "usergroups", "app", "tour"})
    if unknown:
        raise SeedError(f"{path}: unknown key {unknown[0]!r}")
    team = data["team"]
    people = tuple(_record(Person, item, f"{path}: people") for item in data.get("people") or ())
    ids = {person.name: person.id for person in people} | {person.id: person.id for person in people}

    def members(names: Any, where: str) -> tuple[str, ...] | None:
        if names is None:
            return None
        strangers = [name for name in names if name not in ids]
        if strangers:
            raise SeedError(f"{path}: {where}: nobody is called {strangers[0]!r}")
        return tuple(ids[name] for name in names)

    return Workspace(
        team_id=team["id"],
        name=team["name"],
        domain=team.get("domain", team["name"].lower()),
        people=people,
        channels=tuple(
            _record(Channel, item, f"{path}: channels", members=members(item.get("members"), str(item.get("name"))))
            for item in data.get("channels") or ()
        ),
        usergroups=tuple(
            _record(
                Usergroup, item, f"{path}: usergroups", members=members(item.get("members"), str(item["handle"])) or ()
            )
            for item in data.get("usergroups") or ()
        ),
        app=_app(data.get("app") or {}, f"{path}: app"),
        tour=tuple(data.get("tour") or ()),
    )


def _app(given: Mapping[str, Any], where: str) -> SlackApp:
    replace: dict[str, Any] = {
        "commands": tuple(
            _record(
                Command,
                item,
                f"{where}: commands",
                suggestions=tuple(_record(Suggestion, one, where) for one in item.get("suggestions") or ()),
            )
            for item in given.get("commands") or ()
        ),
        "shortcuts": tuple(_record(Shortcut, item, f"{where}: shortcuts") for item in given.get("shortcuts") or ()),
    }
    for name in ("scopes", "events"):
        if name in given:
            replace[name] = tuple(given[name])
    return _record(SlackApp, given, where, **replace)
