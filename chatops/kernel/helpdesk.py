"""Asking the people who run the platform."""

from __future__ import annotations

from typing import Protocol

from chatops.kernel.people import Person


class Helpdesk(Protocol):
    """Brings questions to the platform team."""

    async def ask(self, person: Person, text: str, message: str, asked_at: float) -> tuple[str, ...]:
        """Asks in the team's channel, and says so; ``message``: the address of what it is about.

        ``asked_at`` (epoch seconds) tells a question that is worked off again from one that is asked again. The same
        question within ten minutes is asked once. Raises ``Refused`` where there is no platform team.
        """
        ...
