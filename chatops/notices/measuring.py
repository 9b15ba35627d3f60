"""The DORA figures of the last thirty days for ``/metrics``, counted anew every few minutes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chatops.kernel.catalog import Platform
from chatops.kernel.dora import DAY, Change, Figures, Judged, counted, judged
from chatops.kernel.ports import Clock, Configuration, Ledger

PERIOD = 30 * DAY
Place = tuple[str, str, str]  # team, service, environment


@dataclass(frozen=True, slots=True)
class Measuring:
    """Counts, away from the event loop, and hands the figures to ``publish``."""

    ledger: Ledger
    configuration: Configuration
    clock: Clock
    publish: Callable[[Mapping[Place, Figures]], None]

    async def look(self) -> None:
        """Counts each service and environment in which something was deployed."""
        until = self.clock.now()
        changes = await self.ledger.changes(until - 2 * PERIOD, until)
        platform = self.configuration.platform
        self.publish(await asyncio.to_thread(_by_place, changes, platform, until - PERIOD, until))


def _by_place(changes: Sequence[Change], platform: Platform, since: float, until: float) -> dict[Place, Figures]:
    known = [one for one in changes if one.service in platform.services and one.environment in platform.environments]
    deploys = defaultdict[Place, list[Judged]](list)
    for one in judged(known):
        change = one.change
        deploys[platform.services[change.service].team, change.service, change.environment].append(one)
    each = {place: counted(those, since, until) for place, those in deploys.items()}
    return {place: one for place, one in each.items() if one.ended}
