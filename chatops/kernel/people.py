"""Who somebody is, as far as Slack and the catalog can tell."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

AUTOMATION = "automation."  # what the id of a rule that asks by itself begins with; no Slack id has a dot


class Standing(StrEnum):
    """How a person stands to the home workspace; only a ``member`` may ask for changes or decide on them."""

    MEMBER = "member"
    GUEST = "guest"  # is_restricted or is_ultra_restricted
    OUTSIDER = "outsider"  # another workspace, or a stranger in a shared channel
    BOT = "bot"
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"  # we could not find out: treated as no
    AUTOMATION = "automation"  # a rule of the configuration; it asks, and can neither click nor decide


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
    def automation(self) -> str:
        """The name of the rule that asks; empty for a person."""
        return self.id.removeprefix(AUTOMATION) if self.standing is Standing.AUTOMATION else ""

    @property
    def is_member(self) -> bool:
        """True for a full, active, human account of the home workspace."""
        return self.standing is Standing.MEMBER

    def is_named(self, name: str) -> bool:
        """Whether a configuration entry (e-mail or Slack user id) means this person; e-mails ignore case."""
        return name == self.id or (bool(self.email) and name.casefold() == self.email.casefold())


def automation(rule: str) -> Person:
    """The requester of what a rule of the configuration asks for."""
    return Person(id=f"{AUTOMATION}{rule}", name=f"Automation {rule}", standing=Standing.AUTOMATION)


def is_automation(requester_id: str) -> bool:
    """Whether a request was asked for by a rule, not by a person."""
    return requester_id.startswith(AUTOMATION)


# What is said to whoever may not use the platform.
STRANGERS = {
    Standing.GUEST: "Guests can't use the platform from here. Ask somebody of the home team.",
    Standing.OUTSIDER: "The platform answers only people of its home workspace.",
    Standing.BOT: "The platform takes no requests from apps.",
    Standing.DEACTIVATED: "This account is deactivated.",
    Standing.UNKNOWN: "I could not find out who you are just now. Try again in a minute.",
    Standing.AUTOMATION: "An automation asks by its rule, and does nothing else.",
}
