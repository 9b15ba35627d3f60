"""Channels made for incidents, as the inner parts need them of Slack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class RoomHost(Protocol):
    """Makes and furnishes channels; every method may be repeated.

    Raises ``Unavailable`` for what passes (tried again) and ``Refused`` for what does not (told to people).
    """

    async def create(self, name: str) -> tuple[str, str]:
        """The id and the name of the public channel: a new one, or the one that we made before under this name.

        Where somebody else has the name, it is followed by a number.
        """
        ...

    async def describe(self, channel: str, topic: str) -> None:
        """Sets the topic."""
        ...

    async def invite(self, channel: str, people: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Invites people; gives those whom Slack does not let in, with Slack's word for why."""
        ...

    async def pin(self, post: str) -> bool:
        """Pins a message of ours; False while it does not stand yet."""
        ...

    async def address(self, post: str) -> str:
        """Where a message of ours is on the web; empty while it does not stand."""
        ...

    async def has_file(self, channel: str, post: str, name: str) -> bool:
        """Whether we put a file of this name into the channel or, without one, into the thread of a post."""
        ...

    async def upload(self, channel: str, post: str, title: str, files: Mapping[str, bytes]) -> None:
        """Puts files (by their names) there, all of them in one message."""
        ...
