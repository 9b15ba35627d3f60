"""Who is on call now."""

from __future__ import annotations

from dataclasses import dataclass

from chatops.kernel.ports import Clock, Configuration
from chatops.kernel.rota import on_call


@dataclass(frozen=True, slots=True)
class Duty:
    """Looks it up in the rotas of the configuration."""

    configuration: Configuration
    clock: Clock

    async def person(self, rota: str) -> str:
        """The person on call (an e-mail or a Slack id as the configuration names them); empty: nobody."""
        found = self.configuration.platform.rotas.get(rota)
        turn = on_call(found, self.clock.now()) if found else None
        return turn.person if turn else ""
