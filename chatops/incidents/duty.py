"""Who is on call now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chatops.kernel.ports import Clock, Configuration


@dataclass(frozen=True, slots=True)
class Duty:
    """Looks it up in the rotas of the configuration."""

    configuration: Configuration
    clock: Clock

    async def person(self, rota: str) -> str:
        """The person on call (an e-mail or a Slack id as the configuration names them); empty: nobody."""
        found = self.configuration.platform.rotas.get(rota)
        return next(iter(people_of(found)), "") if found else ""


def people_of(rota: Any) -> Iterable[str]:
    """Everybody who takes turns in a rota."""
    return tuple(rota["people"])
