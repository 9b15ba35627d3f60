"""A page that goes another way than Slack: what is sent, and what can send it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Page:
    """What wakes one person. ``id`` is the same at every try, so that the other side can tell a second one."""

    id: str
    name: str  # of the person
    email: str
    subject: str  # one line
    text: str  # plain text
    incidents: tuple[str, ...] = ()  # INC-101; empty: a test


class PagePath(Protocol):
    """A way to a person beside Slack."""

    async def send(self, page: Page) -> None:
        """Hands the page over. Raises ``Unavailable`` (tried again) or ``Refused`` (not)."""
        ...
