"""The workspace as it is now: people, conversations with their messages, user groups, files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from chatops.sandbox.slack.clock import Clock
from chatops.sandbox.slack.seed import Channel, Person, Usergroup, Workspace
from chatops.sandbox.slack.words import Names

Json = dict[str, Any]
SLACKBOT = "USLACKBOT"


@dataclass
class Conversation:
    """A channel or a direct message. `messages` is ordered by ts; `ephemerals` holds them by person."""

    id: str
    name: str
    created: int
    creator: str
    is_im: bool = False
    is_private: bool = False
    is_archived: bool = False
    topic: str = ""
    purpose: str = ""
    user: str = ""
    members: list[str] = field(default_factory=list)
    messages: dict[str, Json] = field(default_factory=dict)
    threads: dict[str, list[str]] = field(default_factory=dict)
    ephemerals: dict[str, dict[str, Json]] = field(default_factory=dict)
    last_read: dict[str, str] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    rung: dict[str, int] = field(default_factory=dict)
    # Former blocks of edited messages: whoever has not seen the edit yet can still click what they see.
    former: dict[str, list[list[Json]]] = field(default_factory=dict)
    pins: list[str] = field(default_factory=list)
    bookmarks: list[Json] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The `channel_type` of events."""
        return "im" if self.is_im else "group" if self.is_private else "channel"


class State:
    """Everything that is not an open modal. Ids are running numbers, so a run can be repeated."""

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self.workspace = workspace
        self.app = workspace.app
        self.team_id = workspace.team_id
        self.clock = clock
        self._numbers: dict[str, int] = {}
        self._last_ts = 0
        self.people: dict[str, Person] = {}
        self.conversations: dict[str, Conversation] = {}
        self.usergroups: dict[str, Usergroup] = {group.id: group for group in workspace.usergroups}
        self.files: dict[str, Json] = {}
        self.contents: dict[str, bytes] = {}
        self.files_take = 0.0  # seconds after its upload in which a picture cannot yet be shown in a block
        self.url = ""
        for person in workspace.people:
            self.set_person(person)
        for bot in (
            Person(SLACKBOT, "slackbot", "Slackbot", color="#757575", is_bot=True),
            Person(self.app.bot_user_id, self.app.name.lower(), self.app.name, color="#1d3557", is_bot=True),
        ):
            self.set_person(bot)
        for channel in workspace.channels:
            self._seed(channel)

    # ---- ids and time

    def mint(self, prefix: str) -> str:
        """A new id such as V0000000001."""
        number = self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}{number:010X}"

    def ts(self) -> str:
        """A new message timestamp, later than every one before."""
        self._last_ts = max(int(self.clock.now() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def shows(self, slack_file: Json) -> bool:
        """Whether a block may show this file: a picture that was uploaded, and long enough ago."""
        by_url = (one for one in self.files.values() if one["id"] in str(slack_file.get("url")))
        file = self.files.get(slack_file["id"]) if "id" in slack_file else next(by_url, None)
        if file is None or file["filetype"] not in ("png", "jpg", "jpeg", "gif") or not file["shared"]:
            return False
        return bool(self.clock.now() >= file["ready_at"])

    # ---- people

    def set_person(self, person: Person) -> None:
        self.people[person.id] = replace(person, team_id=person.team_id or self.team_id)

    def by_name(self, name: str) -> Person | None:
        return next((person for person in self.people.values() if person.name.lower() == name.lower()), None)

    def is_app(self, user: str) -> bool:
        return user == self.app.bot_user_id

    def everyone(self) -> list[str]:
        """Active people of the home workspace, no bots."""
        return [
            person.id
            for person in self.people.values()
            if person.team_id == self.team_id and not (person.is_bot or person.deleted or person.is_ultra_restricted)
        ]

    def names(self) -> Names:
        """Who a typed @name or #name is."""
        return Names(self._at, self._channel)

    def _at(self, name: str) -> Json | None:
        if name in ("here", "channel", "everyone"):
            return {"type": "broadcast", "range": name}
        person = self.people.get(name) or self.by_name(name)
        if person is not None:
            return {"type": "user", "user_id": person.id, "name": person.name}
        for group in self.usergroups.values():
            if group.handle.lower() == name.lower():
                return {"type": "usergroup", "usergroup_id": group.id, "handle": group.handle}
        return None

    def _channel(self, name: str) -> Json | None:
        found = self.channel_named(name)
        return {"type": "channel", "channel_id": found.id, "name": found.name} if found else None

    # ---- conversations

    @property
    def messages(self) -> dict[str, list[Json]]:
        """All messages by conversation id, oldest first, with their metadata: what a test may count."""
        return {one.id: list(one.messages.values()) for one in self.conversations.values()}

    def _seed(self, channel: Channel) -> None:
        members = list(self.everyone() if channel.members is None else channel.members)
        if channel.bot:
            members.append(self.app.bot_user_id)
        self.conversations[channel.id] = Conversation(
            id=channel.id,
            name=channel.name,
            created=int(self.clock.now()),
            creator=SLACKBOT,
            is_private=channel.is_private,
            topic=channel.topic,
            purpose=channel.purpose,
            members=members,
        )

    def channel_named(self, name: str) -> Conversation | None:
        return next((one for one in self.conversations.values() if one.name == name and not one.is_im), None)

    def add_channel(self, name: str, creator: str, is_private: bool) -> Conversation:
        conversation = Conversation(
            self.mint("C"), name, int(self.clock.now()), creator, is_private=is_private, members=[creator]
        )
        self.conversations[conversation.id] = conversation
        return conversation

    def im(self, user: str, other: str) -> Conversation:
        """The direct message between two people, made when it is first needed."""
        pair = {user, other}
        for one in self.conversations.values():
            if one.is_im and set(one.members) == pair:
                return one
        conversation = Conversation(
            self.mint("D"), "", int(self.clock.now()), user, is_im=True, user=user, members=[user, other]
        )
        self.conversations[conversation.id] = conversation
        return conversation

    def app_im(self, user: str) -> Conversation:
        """The app's direct message with a person."""
        return self.im(user, self.app.bot_user_id)

    def conversations_of(self, user: str) -> Iterator[Conversation]:
        return (one for one in self.conversations.values() if user in one.members and not one.is_archived)

    def is_rung(self, user: str, mentioned: set[str]) -> bool:
        """Whether a message that mentions these ids and words rings this person."""
        groups = {group.id for group in self.usergroups.values() if user in group.members}
        return bool(mentioned & ({user, "here", "channel", "everyone"} | groups))
