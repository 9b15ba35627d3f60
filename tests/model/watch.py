"""The incidents' half of the office: alerts come in, people are paged, and do something about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatops.incidents import leading
from chatops.incidents.couriers import Couriers
from chatops.incidents.desk import Desk
from chatops.incidents.duty import Duty
from chatops.incidents.intake import Intake
from chatops.incidents.judging import Judge
from chatops.incidents.keeper import Keeper
from chatops.incidents.paging import Paging
from chatops.incidents.rules import Rules
from chatops.incidents.silencing import Silencing
from chatops.kernel.alert import Alert, Delivery
from chatops.kernel.escalation import Escalation, Step
from tests.model.office import PLATFORM, Board, Fixed, People, StillClock
from tests.support.clock import START

OLU_THEN_THE_LEADS = Escalation(
    name="default", steps=(Step(page=("user:olu@acme.test",)), Step(page=("group:leads",), after=600.0)), repeat=1
)


class Silences:
    """In Alertmanager's place: takes every silence."""

    async def silence(self, matchers: Any, start: float, end: float, who: str, why: str) -> str:
        return f"https://alertmanager.acme.test/#/silences/{end:.0f}"

    async def standing(self, why: str, end: float) -> tuple[str, list[dict[str, Any]]] | None:
        return None

    async def end(self, address: str) -> None:
        pass


@dataclass
class Watch:
    """What a test holds."""

    database: Any
    clock: StillClock = field(default_factory=StillClock)
    board: Board = field(default_factory=Board)

    def __post_init__(self) -> None:
        database, clock = self.database, self.clock
        configuration = Fixed(PLATFORM.model_copy(update={"escalations": {"default": OLU_THEN_THE_LEADS}}))
        self.people, nobody = People(), Any
        self.keeper = Keeper(self.board, configuration, clock)
        judge = Judge(configuration, Rules(nobody, clock))
        self.intake = Intake(database, self.keeper, judge, clock)
        couriers = Couriers(database, self.keeper, {}, clock)
        duty = Duty(configuration, clock, nobody)
        self.paging = Paging(database, self.keeper, self.people, duty, judge, couriers, clock)
        self.desk = Desk(
            database, self.keeper, configuration, self.people, clock, self.intake.take, couriers,
            leading.VERBS,
        )  # fmt: skip
        self.silencing = Silencing(database, self.keeper, configuration, Silences(), clock)

    async def tell(self, *alerts: Alert) -> None:
        """Alertmanager tells of alerts."""
        await self.intake.take(Delivery("alertmanager", alerts))


def alert(service: str, name: str, status: Any = "firing", severity: str = "critical") -> Alert:
    """One alert about a service of production, as it was told first and is told each time."""
    labels = {"service": service, "environment": "production"}
    return Alert("alertmanager", f"{service}-{name}", status, name, severity, labels=labels, starts_at=START)
