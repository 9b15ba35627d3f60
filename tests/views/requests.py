"""Requests as they come to the views: Dana deploys checkout 1.4.2 to production."""

from __future__ import annotations

from typing import Any

from approvals.request import Approver, Request, State, Vote
from chatops.kernel.plan import Ask, Change, Decision, Plan

NOW = 1_781_510_400.0  # Monday 15 June 2026, 08:00 UTC
LEE = Approver(id="U0LEE", name="Lee", email="lee@acme.test")
SAM = Approver(id="U0SAM", name="Sam", email="sam@acme.test")
DIGEST = "7f3a9c01d2e4" + "0" * 52

PLAN = Plan(
    summary="checkout 1.4.1 → 1.4.2",
    changes=(
        Change(object="Deployment/checkout", field="spec.template.spec.containers[app].image", before="a", after="b"),
    ),
    warnings=("LOG_LEVEL was edited by hand yesterday; it stays",),
    now="1.4.1 healthy · no freeze",
    impact="image only · 3 pods, one at a time",
    on_failure="back to 1.4.1 automatically",
    before="1.4.1",
    after="1.4.2",
)
DECISION = Decision(
    outcome="ask",
    asks=(Ask(rule="production needs a lead", approvals=1, sources=("group:leads", "team-leads"), expires=14400),),
    rules=("production needs a lead",),
)
TWO_TEAMS = Decision(
    outcome="ask",
    asks=(
        Ask(rule="deleting data takes two teams", approvals=1, sources=("team-leads",), expires=86400),
        Ask(rule="deleting data takes two teams", approvals=1, sources=("group:security",), expires=86400),
    ),
    rules=("deleting data takes two teams",),
)


def vote(who: Approver, *sources: str, minutes: float = 2) -> Vote:
    """An approval given some minutes after eight."""
    return Vote(
        person_id=who.id,
        name=who.name,
        verdict="approve",
        sources=sources or ("group:leads",),
        at=NOW + minutes * 60,
        digest=DIGEST,
    )


def request(state: State = State.WAITING, **changes: Any) -> Request:
    """Dana's deploy in a state, with what that state brings along."""
    base: dict[str, Any] = {
        "id": 1042,
        "action": "deploy",
        "title": "Deploy",
        "inputs": {"service": "checkout", "version": "1.4.2", "environment": "production", "reason": "fixes the cart"},
        "service": "checkout",
        "environment": "production",
        "tier": "production",
        "reason": "fixes the cart",
        "requester_id": "U0DANA",
        "requester_name": "Dana",
        "state": state,
        "created_at": NOW,
    }
    if state not in (State.PLANNING, State.CONTESTED, State.QUEUED, State.REFUSED):
        base |= {"plan": PLAN, "decision": DECISION, "digest": DIGEST}
    return Request(**(base | _BROUGHT.get(state, {}) | changes))


_RUN: dict[str, Any] = {"votes": (vote(LEE),), "approved_at": NOW + 120, "started_at": NOW + 180}
_BROUGHT: dict[State, dict[str, Any]] = {
    State.CONTESTED: {"behind": 1041, "ahead": "Scale, asked by Lee", "deadline_at": NOW + 3600},
    State.QUEUED: {"behind": 1041, "ahead": "Scale, asked by Lee"},
    State.WAITING: {"approvers": (LEE, SAM), "deadline_at": NOW + 10 * 3600},
    State.APPROVED: {"votes": (vote(LEE),), "approved_at": NOW + 120},
    State.STALLED: {"votes": (vote(LEE),), "approved_at": NOW + 120, "outcome": "The cluster did not answer."},
    State.RUNNING: _RUN | {"progress": "2 of 3 pods ready"},
    State.ROLLING_BACK: _RUN | {"progress": "1 of 3 pods ready", "outcome": "app keeps crashing (exit code 1)."},
    State.SUCCEEDED: _RUN | {"ended_at": NOW + 300, "outcome": "3 of 3 pods ready"},
    State.FAILED: _RUN | {"ended_at": NOW + 300, "outcome": "app keeps crashing (exit code 1)."},
    State.ROLLED_BACK: _RUN | {"ended_at": NOW + 300, "outcome": "app keeps crashing (exit code 1)."},
    State.REFUSED: {"outcome": "checkout is managed by Argo CD (application shop); deploy it there.", "ended_at": NOW},
    State.DENIED: {
        "decision": Decision(
            outcome="deny",
            denial="Production is frozen until 27 December.",
            denied_by="frozen for the holidays",
            break_glass="sre",
            rules=("frozen for the holidays",),
        ),
        "ended_at": NOW,
    },
    State.REJECTED: {"by": "Lee", "outcome": "not on a Friday", "ended_at": NOW + 300},
    State.EXPIRED: {"approvers": (LEE, SAM), "ended_at": NOW + 14400},
    State.CANCELLED: {"by": "Dana", "ended_at": NOW + 300},
}
