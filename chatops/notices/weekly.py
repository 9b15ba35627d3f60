"""Once a week each team reads in its channel how it delivered: the week's figures against those of the week before.

When it is due is a row, so a restart forgets nothing and sends nothing twice. The week is seven local days of the
team's time zone, also when the clocks change. What is more than a day late, after a downtime, is left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from chatops.kernel.accidents import recorded
from chatops.kernel.action import Answer
from chatops.kernel.catalog import Platform, Team
from chatops.kernel.dora import DAY, Change
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Ledger, Outbox, Post, Tx
from chatops.kernel.weeks import days_before, moment_after, shown
from chatops.notices.illustrating import Illustrator
from commands.dora import places, report

log = logging.getLogger(__name__)

LATEST = DAY  # seconds after its time in which it is still sent

STANDING = "SELECT team, due_at FROM weekly"
# A new time in the configuration moves what is not due yet; what is due is sent first.
SET = """
INSERT INTO weekly (team, due_at) VALUES (:team, :due)
ON CONFLICT (team) DO UPDATE SET due_at = :due WHERE weekly.due_at > :now
"""
DONE = "UPDATE weekly SET due_at = :next WHERE team = :team AND due_at = :due"
FORGET = "DELETE FROM weekly WHERE team = :team"


@dataclass(slots=True)
class Weekly:
    """Sends what is due; ``look`` may be called late, early or twice."""

    database: Database
    outbox: Outbox
    configuration: Configuration
    ledger: Ledger
    illustrator: Illustrator
    clock: Clock

    async def look(self) -> int:
        """Sends the digests that are due, and returns of how many teams."""
        now, sent = self.clock.now(), 0
        standing = await self.database.read(lambda tx: {row["team"]: row["due_at"] for row in tx.all(STANDING)})
        wanted = {team.name: team for team in _told(self.configuration.platform)}
        nexts = {name: self._next(team, now) for name, team in wanted.items()}
        due = {name: at for name, at in standing.items() if name in wanted and at <= now}
        changes = dict[float, Sequence[Change]]()
        for name, at in due.items():
            try:
                answer = await self._answer(wanted[name], at, changes) if now - at <= LATEST else None
                sent += await self.database.write(self._send, wanted[name], at, nexts[name], answer)
            except Exception as error:  # it stays due, and the other teams get theirs
                recorded(log, error, f"making the week of team {name}")
        changed = {name: at for name, at in nexts.items() if name not in due and standing.get(name) != at}
        gone = sorted(standing.keys() - wanted.keys())
        if changed or gone:
            await self.database.write(self._set, changed, gone, now)
        return sent

    def _next(self, team: Team, now: float) -> float:
        weekly = self.configuration.platform.weekly
        return moment_after(now, weekly.weekday, weekly.at, self.configuration.platform.zone_of(team.name))

    def _set(self, tx: Tx, changed: dict[str, float], gone: list[str], now: float) -> None:
        for name, due in changed.items():
            tx.run(SET, team=name, due=due, now=now)
        for name in gone:
            tx.run(FORGET, team=name)

    async def _answer(self, team: Team, at: float, read: dict[float, Sequence[Change]]) -> Answer | None:
        """The digest of the seven days before the day of ``at``; None when there is nothing to tell of both weeks.

        ``read``: what the ledger said in this look by the moment since when, for it is that of the whole company.
        """
        platform = self.configuration.platform
        zone = platform.zone_of(team.name)
        before, since, until = (days_before(at, days, zone) for days in (14, 7, 0))
        services, environments = places(platform, team.name)
        if before not in read:
            read[before] = await self.ledger.changes(before - DAY, self.clock.now())
        found = [one for one in read[before] if one.environment in environments and one.service in services]
        title = f"{team.name} · {', '.join(environments)} · {shown(since, until, zone)}"
        line = f"dora {team.name} 7d"
        answer = await asyncio.to_thread(report, title, found, since, until, zone, line, before)
        return await self.illustrator.of(answer) if answer.panels is not None else None

    def _send(self, tx: Tx, team: Team, due: float, following: float, answer: Answer | None) -> int:
        """Together with the next time, so that it is sent once whoever else looks."""
        if not tx.run(DONE, team=team.name, due=due, next=following):
            return 0
        if answer is None:
            return 0
        post = Post(
            f"weekly/{team.name}/{round(due)}", Lane.NOTICE, "answer", channel=team.channel, content=asdict(answer)
        )
        self.outbox.show(tx, post)
        return 1


def _told(platform: Platform) -> list[Team]:
    """The teams that have a channel of their own."""
    return [one for one in platform.teams.values() if one.channel] if platform.weekly.enabled else []
