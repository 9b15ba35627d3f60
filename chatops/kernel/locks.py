"""Locks: somebody keeps everyone else's changes away from a service in an environment, for a while.

A lock without a service freezes an environment, a tier, what a team owns, or what a team owns there: nobody changes
anything there, not even who froze it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from chatops.kernel.catalog import BreakGlass, Environment, PolicyRule, Service
from chatops.kernel.people import Person

USUAL, LONGEST = 4 * 3600.0, 30 * 86400.0  # seconds a lock lasts when nobody says how long, and at most


@dataclass(frozen=True, slots=True)
class Where:
    """What is locked (``service`` in ``environment``) or frozen: what is named of the others, all of it together."""

    service: str = ""
    environment: str = ""
    tier: str = ""
    team: str = ""

    def covers(self, environment: Environment, service: Service | None) -> bool:
        """Whether a change there meets it."""
        fits = (
            (self.service, service.name if service else ""),
            (self.environment, environment.name),
            (self.tier, environment.tier),
            (self.team, service.team if service else ""),
        )
        return all(not wanted or wanted == found for wanted, found in fits)

    @property
    def place(self) -> str:
        """``checkout in production``; of a freeze ``production``, ``tier production``, ``team shop in staging``."""
        if self.service:
            return f"{self.service} in {self.environment}"
        there = self.environment or (f"tier {self.tier}" if self.tier else "")
        return " in ".join(filter(None, (f"team {self.team}" if self.team else "", there)))

    @property
    def words(self) -> str:
        """As a line says it."""
        named = (("tier", self.tier), ("team", self.team))
        said = [f"{name}={value}" for name, value in named if value]
        return " ".join(filter(None, (self.service, self.environment, *said)))


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock that holds. Times: epoch seconds."""

    id: int
    where: Where
    holder_id: str
    holder: str
    reason: str
    made_at: float
    until: float

    @property
    def service(self) -> str:
        """What is locked; empty: it is a freeze."""
        return self.where.service

    @property
    def environment(self) -> str:
        """Where; empty: a freeze of more than one."""
        return self.where.environment

    @property
    def place(self) -> str:
        """``Where.place``."""
        return self.where.place

    @property
    def done(self) -> str:
        """What was done to the place."""
        return "locked" if self.service else "frozen"

    def sentence(self, now: float, zone: tzinfo = UTC) -> str:
        """Who keeps it, until when, and why."""
        until = datetime.fromtimestamp(self.until, zone)
        far = self.until - now > 18 * 3600
        said = f"{self.place} is {self.done} by {self.holder} until {until:{'%-d %b ' if far else ''}%H:%M %Z}"
        return f"{said}: {self.reason}" if self.reason else f"{said}."


def rule(lock: Lock, glass: BreakGlass | None, now: float, zone: tzinfo) -> PolicyRule:
    """What a lock says to a change of somebody in ``zone``, in the words of policy."""
    sentence = lock.sentence(now, zone)
    sentence = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
    return PolicyRule(name="lock" if lock.service else "freeze", when="true", deny=sentence, break_glass=glass)


class Locks(Protocol):
    """Takes locks, gives them back, and says which hold."""

    async def standing(self, requester: Person, action: str, risk: str, service: str, environment: str) -> list[Lock]:
        """The locks that keep this person from changing this: never their own, and never a way back."""
        ...

    async def listed(self) -> Sequence[Lock]:
        """What is locked, the one that ends first first."""
        ...

    async def take(self, person: Person, where: Where, until: float, reason: str, key: str = "") -> Lock:
        """Locks it, or says of one's own lock that it lasts until then; the same ``key`` once.

        Raises ``Refused``, ``TooLate``.
        """
        ...

    async def give_back(
        self, person: Person, where: Where, reason: str, key: str = "", before: float = math.inf
    ) -> Lock:
        """Unlocks it, the same ``key`` once.

        Raises ``Refused`` for who may not, ``TooLate`` where nothing was locked ``before`` (epoch seconds).
        """
        ...

    async def watch(self, person: Person, service: str, environment: str) -> Lock | None:
        """Tells this person once it is free; None when it is."""
        ...
