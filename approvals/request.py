"""A request and its votes, as stored and as shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import AliasChoices, Field

from chatops.kernel.catalog import Record
from chatops.kernel.course import Run
from chatops.kernel.plan import Decision, Plan


class State(StrEnum):
    """Where a request stands; ``approvals.lifecycle`` holds the table of transitions."""

    PLANNING = "planning"  # the cluster is being asked what would change
    CONTESTED = "contested"  # another change holds this service and environment: Wait or Replace?
    QUEUED = "queued"  # waits for its turn; planned, and approved, when it comes
    WAITING = "waiting"  # for approvals
    APPROVED = "approved"  # about to start: planned once more
    STALLED = "stalled"  # could not start within 30 minutes: asks its requester
    RUNNING = "running"  # being written and watched
    ROLLING_BACK = "rolling_back"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"  # nothing to do
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"  # by a guard or by the cluster, while planning
    DENIED = "denied"  # by policy
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


ENDED = frozenset(
    {
        State.SUCCEEDED,
        State.UNCHANGED,
        State.FAILED,
        State.ROLLED_BACK,
        State.REFUSED,
        State.DENIED,
        State.REJECTED,
        State.EXPIRED,
        State.CANCELLED,
    }
)


class Approver(Record):
    """Somebody who may approve, as known when the plan was made; for the card and for mentions."""

    id: str
    name: str
    email: str = ""
    sources: tuple[str, ...] = ()  # of those that were asked; empty: stored by a version that did not keep them


class Vote(Record):
    """One person's decision on one plan."""

    person_id: str
    name: str
    email: str = ""
    verdict: Literal["approve", "reject"]
    sources: tuple[str, ...] = ()  # the requirement sources this person belongs to: group:leads, team-leads, …
    reason: str = ""
    at: float
    digest: str


class Review(Record):
    """What somebody else said of a change that was carried out without having been judged before."""

    name: str
    text: str
    at: float


class Request(Record):
    """One person's wish to run one action with given inputs, and what has become of it. Times: epoch seconds."""

    id: int
    action: str
    title: str  # Deploy
    risk: str = "change"
    inputs: dict[str, Any]
    service: str = ""
    environment: str = ""
    tier: str = ""
    reason: str = ""
    requester_id: str
    requester_name: str
    requester_email: str = ""
    state: State = State.PLANNING
    version: int = 0  # compare-and-swap
    plan: Plan | None = None
    decision: Decision | None = None
    digest: str = ""
    votes: tuple[Vote, ...] = ()  # standing votes on this digest, oldest first
    approvers: tuple[Approver, ...] = ()  # who may give what is still asked for
    reviewers: tuple[Approver, ...] = ()  # who may say afterwards that they have looked at it
    reviewed: Review | None = None
    deadline_at: float = 0.0
    remind_at: float = 0.0
    progress: str = ""  # 2 of 3 pods ready
    step: str = ""  # the run's place: writing, watching, restoring, watching_back
    outcome: str = ""  # one sentence about how it ended, or what it waits for
    by: str = ""  # who rejected, cancelled, replaced it, or took back the approval that it waits for again
    behind: int = 0  # the request that holds the service and environment
    ahead: str = ""  # what that one is: Scale cart 3 → 5 pods, asked by Dana
    broke_glass: str = ""  # the reason given for breaking the glass
    void: str = ""  # why earlier approvals no longer count
    channel: str = ""  # where it was asked, when that is not the requests channel
    thread_ts: str = ""
    not_before: float = 0.0  # a schedule's time: nothing is written before it
    schedule: str = ""  # S-12, where one asked for it
    early: bool = False  # asked for by a schedule and not begun: it holds no place
    created_at: float = 0.0
    updated_at: float = 0.0
    approved_at: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    run: Run = Field(default=Run(), validation_alias=AliasChoices("run", "extra"))  # extra: in rows of earlier versions
    pinned: str = ""  # the declared action as it was when this was asked, so that it goes on with that version

    @property
    def name(self) -> str:
        """The id as people say it: R-1042."""
        return f"R-{self.id}"

    @property
    def wish(self) -> str:
        """What was asked for: ``Deploy checkout 1.4.1 → 1.4.2``; from the inputs while there is no plan."""
        return f"{self.title} {(self.plan.summary if self.plan else '') or self._given()}".rstrip()

    @property
    def whose(self) -> str:
        """The wish and who has it: ``Deploy checkout 1.4.1 → 1.4.2, asked by Dana``."""
        return f"{self.wish}, asked by {self.requester_name}"

    def _given(self) -> str:
        """``checkout 1.4.2``, ``checkout revision 3``."""
        given = {k: v for k, v in self.inputs.items() if k not in ("service", "environment", "reason")}
        # A bare number could be anything, 0 replicas is the one to notice; so could a bare yes.
        extras = [
            f"{k} {_word(v)}" if isinstance(v, int) else str(v) for k, v in given.items() if v or isinstance(v, int)
        ]
        return " ".join([self.service, *extras])

    @property
    def planned(self) -> Plan:
        """The plan of a request that runs; raises ``TypeError`` when it was never planned."""
        if self.plan is None:
            raise TypeError(f"{self.name} runs without a plan")
        return self.plan

    @property
    def glass_is_broken(self) -> bool:
        """Whether a denial was lifted; a reason given in case of one lifts nothing by itself."""
        return bool(self.broke_glass) and self.decision is not None and self.decision.lifted

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


def _word(value: int) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
