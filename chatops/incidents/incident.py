"""An incident: what people handle. Many alerts, one incident."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from chatops.kernel.catalog import Record

AUTOMATION = "assistant"  # who did what nobody clicked


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"  # nobody has it
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Holder(Record):
    """Somebody who has, or had, an incident."""

    id: str
    name: str
    email: str = ""


class Paged(Record):
    """Who was paged, by which step of the escalation, and when."""

    id: str
    name: str
    email: str = ""
    step: int
    at: float


class Summary(Record):
    """What the alerts of an incident say together; computed anew whenever one of them changes."""

    firing: int = 0
    total: int = 0
    names: tuple[str, ...] = ()  # of those that fire, else of all; at most NAMES
    more: int = 0  # further names
    text: str = ""  # of the worst one
    numbers: str = ""
    runbook: str = ""
    link: str = ""
    expression: str = ""
    since: float = 0.0  # when the first of those that fire began
    changes: int = 0  # how often the alerts changed between firing and resolved


NAMES = 6
FLAPPING = 5  # changes, beyond the first firing, that make an incident a flapping one


class Incident(Record):
    """Something is wrong with a service, or with what has no service. Times: epoch seconds, 0: not yet."""

    id: int
    key: str  # what its alerts have in common
    title: str = ""  # where there is no service: the alert's name
    severity: str = "sev2"
    judged: bool = False  # a person set the severity: alerts no longer change it
    environment: str = ""
    service: str = ""
    team: str = ""
    stranger: str = ""  # the service that its alert names and the catalog does not know
    state: State = State.OPEN
    version: int = 0  # compare-and-swap
    source: str = ""  # the first sender; or "person"
    summary: Summary = Summary()
    silences: tuple[str, ...] = ()  # addresses of those that were made from here and not ended from here
    silenced_until: float = 0.0
    quiet: str = ""  # why it makes no noise: silenced, maintenance; empty: it does
    quiet_until: float = 0.0  # when that is looked at anew; 0: when its alerts change
    resolves: bool = False  # by itself, when all of its alerts are resolved
    opened_at: float = 0.0
    opened_by: str = AUTOMATION
    updated_at: float = 0.0
    holder: Holder | None = None
    acknowledged_at: float = 0.0
    resolved_at: float = 0.0
    resolved_by: str = ""
    calm: bool = False  # all alerts are resolved: it proposes to resolve
    reopened: int = 0
    escalation: dict[str, Any] = Field(default_factory=dict)  # frozen when it opened (chatops.kernel.escalation)
    pages: bool = False  # whether its severity and its sender page at all
    round: int = 0  # how often paging began
    paging_since: float = 0.0
    step: int = 0  # the next step of the escalation
    due_at: float = 0.0  # when that step, or paging again, is due; 0: nothing is
    unresolved: float = 0.0  # seconds after which an acknowledged one pages again
    paged: tuple[Paged, ...] = ()  # of this round of paging, oldest first
    pods: str = ""  # 1 of 3 ready · CrashLoopBackOff
    deployed: str = ""  # 1.4.2 by Dana
    deployed_at: float = 0.0
    undone: bool = False  # that deploy was rolled back already: there is nothing to go back from
    back_to: str = ""  # the version that going back goes to; empty: not known
    back_healthy: float = 0.0  # seconds for which that version ran there before
    looked_round: int = 0  # the round of paging in which evidence was gathered last
    charted_round: int = 0  # the round of paging for which the chart was made last
    channel: str = ""  # where its card stands
    cards: tuple[tuple[str, str], ...] = ()  # post and channel of further cards: where the escalation called for help
    room: str = ""  # the channel made for it: its id
    lead: Holder | None = None  # who leads its handling, where that is not who has it
    status: str = ""  # what was last told: investigating, identified, mitigated, resolved
    status_text: str = ""
    status_at: float = 0.0
    mitigated_at: float = 0.0
    closed_at: float = 0.0
    closed_by: str = ""
    digest: str = ""  # the message that names it in a storm

    @property
    def name(self) -> str:
        """The id as people say it: INC-318."""
        return f"INC-{self.id}"

    @property
    def ended(self) -> bool:
        """Whether it is over; alerts that come back within a while open it again."""
        return self.state is State.RESOLVED

    @property
    def flapping(self) -> bool:
        """Whether its alerts come and go."""
        return self.summary.changes > FLAPPING
