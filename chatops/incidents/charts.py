"""The chart among the evidence: what the alert measures, around the moment it fired, as Prometheus has it.

One reply under the card: the numbers in words at once, the picture when Slack has it. A Prometheus or a Slack that is
away costs the reply a line, and is asked again a few times.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from chatops.incidents import lifecycle, store
from chatops.incidents.incident import Incident
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import Event
from chatops.kernel.alert import Alert
from chatops.kernel.background import Background
from chatops.kernel.chart import Chart, Drawn, Kept, Monitor, Painter, Pictures
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.ports import Clock, Configuration, Database, Tx
from chatops.kernel.promql import Measured, measured

log = logging.getLogger(__name__)

CHART = "evidence/chart"  # which reply under the card it is
AROUND = 3600.0  # seconds before it fired, and at most after
FINEST, MOST_POINTS = 15.0, 240  # seconds between two points of a line; points of it
PAUSES = (5.0, 15.0, 45.0, 120.0)  # seconds before what was away is asked again
AT_ONCE = 2  # incidents whose chart is made at the same time
MOST_LABELLED = 50  # alerts of an incident whose series are looked for
MOST_LOOKED_BACK = 3  # expressions of which the postmortem has a chart, the worst first
AFTERWARDS = 600.0  # seconds after the end that are shown there


@dataclass(slots=True)
class Charts:
    """Makes the chart of incidents that were opened or came back, once for each time."""

    database: Database
    keeper: Keeper
    configuration: Configuration
    monitor: Monitor
    painter: Painter
    pictures: Pictures
    clock: Clock
    tasks: Background = field(default_factory=Background)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def start(self) -> None:
        """Takes up what was not done when the last process ended."""
        if self.monitor.configured:
            for incident in await self.database.read(store.open_ones, limit=200):
                self.wake(incident.id)

    def wake(self, number: int) -> None:
        """Makes sure that somebody makes its chart, unless there is one since it opened or came back."""
        if self.monitor.configured:
            self.tasks.spawn(self._make(number), number, f"chart of INC-{number}")

    async def close(self) -> None:
        """Stops; what is not done is done at the next start."""
        await self.tasks.close()

    async def looked_back(self, number: int) -> list[Kept]:
        """A chart of the whole incident for each of its alerts' expressions; asked for once, whatever comes of it."""
        if not self.monitor.configured:
            return []
        incident, alerts = await self.database.read(_load, number, fires=False)
        by_expression: dict[str, list[Alert]] = {}
        for one in alerts:
            by_expression.setdefault(one.expression, []).append(one)
        some = list(by_expression.values())[:MOST_LOOKED_BACK]
        return [await self._kept(incident, own, number) for number, own in enumerate(some, start=1)]

    # inside --------------------------------------------------------------------------------------------------------

    async def _kept(self, incident: Incident, alerts: Sequence[Alert], number: int) -> Kept:
        name, title = f"{incident.name.lower()}-chart-{number}.png", alerts[0].name
        try:
            async with self._room:
                chart, drawn = await self._drawn(
                    incident, alerts, (incident.resolved_at or self.clock.now()) + AFTERWARDS
                )
        except (Refused, Unavailable) as no:
            return Kept(name, title, no.message)
        if not drawn.picture:
            return Kept(
                name, title, drawn.words or drawn.problem or "Prometheus has no numbers for it around that time"
            )
        return Kept(name, chart.title, drawn.words, drawn.picture)

    async def _make(self, number: int) -> None:
        try:
            while await self._once(number):
                log.debug("INC-%s came back while its chart was made", number)
        except Exception:  # a chart helps; without it the incident goes on all the same
            log.exception("the chart of INC-%s failed", number)

    async def _once(self, number: int) -> bool:
        """Makes the chart for this time that it is open; whether another time has begun meanwhile."""
        for pause in (*PAUSES, 0.0):
            incident, alerts = await self.database.read(_load, number)
            if not wanted(incident) or not alerts:
                return False
            try:
                async with self._room:
                    line = await self._chart(incident, alerts)
                break
            except Unavailable as away:
                line = f"*Chart:* {away.message}; {'it is tried again' if pause else 'it is not tried again'}."
                if pause:
                    await self.database.write(self._say, number, line)
                    await self.clock.sleep(pause)
        return await self.database.write(self._done, incident, line)

    async def _chart(self, incident: Incident, alerts: Sequence[Alert]) -> str:
        """Shows the chart; what is left to be said when there is none. Raises ``Unavailable``."""
        try:
            chart, drawn = await self._drawn(incident, alerts, 0.0)
        except Refused as no:
            return f"*Chart:* {no.message}"
        if not drawn.words:
            return f"*Chart:* {drawn.problem or 'Prometheus has no numbers for it around that time'}."
        line = f"*Chart:* {drawn.words}"
        if not drawn.picture:
            log.error("the chart of %s could not be drawn: %s", incident.name, drawn.problem)
            return f"{line}. There is no picture: {drawn.problem}."
        await self.database.write(self._say, incident.id, line)
        try:
            file = await self.pictures.keep(f"{incident.name}.png", f"{incident.name}: {chart.title}", drawn.picture)
        except Unavailable as away:
            raise Unavailable(f"{drawn.words}. {away.message}") from away
        await self.database.write(self._say, incident.id, line, {"file": file, "alt": f"{chart.title}: {drawn.words}"})
        return ""

    async def _drawn(self, incident: Incident, alerts: Sequence[Alert], until: float) -> tuple[Chart, Drawn]:
        """``until``: the last moment shown; 0: ``AROUND`` seconds after it fired, as far as they are over."""
        expression = alerts[0].expression
        seen = measured(expression)
        chart = self._around(incident, alerts, seen, until)
        answer = await self.monitor.query_range(chart.expression, chart.start, chart.end, chart.step)
        if answer is None and seen.expression != expression:
            # Too many series: those alone that alert, while they do
            chart = self._around(incident, alerts, Measured(expression, seen.relation, seen.limit), until)
            answer = await self.monitor.query_range(expression, chart.start, chart.end, chart.step)
        if answer is None:
            raise Refused("It has too many series for a chart.")
        return chart, await self.painter.draw(chart, answer)

    def _around(self, incident: Incident, alerts: Sequence[Alert], seen: Measured, until: float) -> Chart:
        worst, platform = alerts[0], self.configuration.platform
        fired = worst.starts_at or incident.opened_at
        end = float(int(max(fired, min(self.clock.now(), until or fired + AROUND))))
        step = max(FINEST, float(-(-(end - fired + AROUND) // MOST_POINTS)))
        steps = int((end - fired + AROUND) // step)
        place = [one for one in (incident.service, incident.environment) if one]
        return Chart(
            title=" · ".join([worst.name, *place]), expression=seen.expression, start=end - steps * step, end=end,
            step=step, fired_at=fired, relation=seen.relation, limit=seen.limit,
            zone=platform.zone_of(incident.team).key,
            labels=tuple(dict(one.labels) for one in alerts if one.expression == worst.expression),
        )  # fmt: skip

    def _say(self, tx: Tx, number: int, line: str, image: dict[str, str] | None = None) -> None:
        incident = store.load(tx, number)
        if not incident.ended:
            self.keeper.say(tx, incident, CHART, [line], image=image)

    def _done(self, tx: Tx, looked_at: Incident, line: str) -> bool:
        """No more for this time that it is open (``line``: what is said instead of a picture); whether it came back."""
        incident = store.load(tx, looked_at.id)
        if incident.ended or incident.round != looked_at.round:
            return not incident.ended
        if line:
            self.keeper.say(tx, incident, CHART, [line])
        after = lifecycle.move(incident, Event.LOOKED_INTO, self.clock.now(), charted_round=incident.round)
        text = line.replace("*Chart:* ", "no chart: ") or "the chart is in the thread"
        self.keeper.put(tx, incident, after, Event.LOOKED_INTO, data={"text": text})
        return False


def wanted(incident: Incident) -> bool:
    """Whether it lacks its chart; of those that a digest names in a storm only those that somebody has get one."""
    due = incident.charted_round < incident.round and not incident.ended and not incident.quiet
    return due and (not incident.digest or incident.holder is not None)


def _load(tx: Tx, number: int, fires: bool = True) -> tuple[Incident, list[Alert]]:
    """The incident and its alerts that name an expression and, unless it does not matter, fire; the worst first."""
    alerts = store.alerts_of(tx, number, MOST_LABELLED)
    return store.load(tx, number), [one for one in alerts if one.expression and (one.status == "firing" or not fires)]
