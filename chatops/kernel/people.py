"""Who somebody is, as far as Slack and the catalog can tell."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Standing(StrEnum):
    """How a person stands to the home workspace; only a ``member`` may ask for changes or decide on them."""

    MEMBER = "member"
    GUEST = "guest"  # is_restricted or is_ultra_restricted
    OUTSIDER = "outsider"  # another workspace, or a stranger in a shared channel
    BOT = "bot"
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"  # we could not find out: treated as no


class Identity(BaseModel):
    """As whom a cluster is asked: a user's e-mail (empty: there is none) and groups of the catalog."""

    model_config = ConfigDict(frozen=True)

    user: str = ""
    groups: tuple[str, ...] = ()
    name: str = ""  # for sentences
    known: bool = True  # False: Slack can't tell just now, so groups may be missing


class Person(BaseModel):
    """One Slack account; ``groups`` and ``teams`` are names from the catalog that this person belongs to."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str = ""
    email: str = ""
    standing: Standing = Standing.UNKNOWN
    tz: str = "UTC"
    groups: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @property
    def is_member(self) -> bool:
        """True for a full, active, human account of the home workspace."""
        return self.standing is Standing.MEMBER

    def is_named(self, name: str) -> bool:
        """Whether a configuration entry (e-mail or Slack user id) means this person; e-mails ignore case."""
        return name == self.id or (bool(self.email) and name.casefold() == self.email.casefold())
