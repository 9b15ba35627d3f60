"""The processes that share one database, seen from one of them; alone, everything is one's own.

One of them leads: it sends what Slack is to show, pages, looks at the clusters and at what is due. The others take
requests, clicks and alerts, and carry out what they have claimed. What one of them commits and another has to act on is
told by a bell; a bell that nobody hears is made up for by whoever looks now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Replicas(Protocol):
    """Used on the event loop."""

    @property
    def me(self) -> int:
        """Which start this is; 0 where only one process opens the database."""
        ...

    @property
    def leads(self) -> asyncio.Event:
        """Set once this one leads, which it does until it ends."""
        ...

    @property
    def lost(self) -> asyncio.Event:
        """Set once the others have given this one up: it changes nothing any more and has to begin anew."""
        ...

    def gone(self, replica: int) -> bool:
        """Whether what this replica was at is left to the others."""
        ...

    async def take(self, work: str) -> bool:
        """Claims a piece of work; False while another replica has it. Raises ``Unavailable``."""
        ...

    def drop(self, work: str) -> None:
        """Lets go of a claim."""
        ...

    def ring(self, bell: str, what: str = "") -> None:
        """Tells the others, soon; it may be lost."""
        ...

    def on(self, bell: str, hear: Callable[[str], object]) -> None:
        """Whom to call when another replica rings. The bell ``look`` says that others may have gone unheard."""
        ...

    def check(self) -> None:
        """Raises ``Unavailable`` when the others may have given this one up: before every call that has an effect."""
        ...


class Alone:
    """One process has the database for itself; made on the event loop or before it."""

    me = 0

    def __init__(self) -> None:
        self.leads, self.lost = asyncio.Event(), asyncio.Event()
        self.leads.set()

    def gone(self, replica: int) -> bool:
        return False

    async def take(self, work: str) -> bool:
        return True

    def drop(self, work: str) -> None: ...

    def ring(self, bell: str, what: str = "") -> None: ...

    def on(self, bell: str, hear: Callable[[str], object]) -> None: ...

    def check(self) -> None: ...


ALONE = Alone()
