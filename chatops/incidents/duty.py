"""Who is on call now."""

from __future__ import annotations

from dataclasses import dataclass

from chatops.kernel.action import Overrides
from chatops.kernel.ports import Clock, Configuration
from chatops.kernel.rota import on_call


@dataclass(frozen=True, slots=True)
class Duty:
    """Looks it up in the rotas of the configuration."""

    configuration: Configuration
    clock: Clock
    overrides: Overrides

    async def person(self, rota: str) -> str:
        """The person on call (an e-mail or a Slack id as the configuration names them); empty: nobody."""
        found, now = self.configuration.platform.rotas.get(rota), self.clock.now()
        if found is None:
            return ""
        instead = await self.overrides.of(rota, now, now + 1)
        turn = on_call(found, now, instead)
        return turn.person if turn else ""
