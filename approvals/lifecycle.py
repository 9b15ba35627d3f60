"""The lifecycle of a request: one table of transitions, and pure functions that make the next request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Literal

from approvals.policy import is_named_in, missing
from approvals.request import ENDED, Approver, Request, State, Vote
from chatops.kernel.catalog import Platform
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.people import Person, Standing

GLASS_HOLDS = 24 * 3600.0  # seconds after a denial in which its glass may be broken; later it is asked for anew
START_WITHIN = 30 * 60.0  # seconds an approved run may wait before its requester is asked again


class Event(StrEnum):
    """What can happen to a request, in the past tense."""

    CONTESTED = "contested"  # another change holds the service and environment
    WAIT_CHOSEN = "wait_chosen"
    TURN_CAME = "turn_came"
    ALLOWED = "allowed"  # policy asks for nothing
    ASKED = "asked"  # policy asks for approvals
    DENIED = "denied"
    REFUSED = "refused"  # by a guard or the cluster
    FOUND_UNCHANGED = "found_unchanged"
    SATISFIED = "satisfied"  # the last approval came
    VOTED = "voted"  # an approval, more are needed; or one was withdrawn
    VOIDED = "voided"  # the plan differs from what was approved
    WITHDRAWN = "withdrawn"  # an approval was taken back before the run
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    GLASS_BROKEN = "glass_broken"
    STALLED = "stalled"
    START_CHOSEN = "start_chosen"
    BEGUN = "begun"
    MOVED = "moved"  # progress within the run
    BECAME_HEALTHY = "became_healthy"
    FAILED = "failed"
    UNDO_BEGUN = "undo_begun"
    UNDONE = "undone"


S, E = State, Event

TABLE: dict[tuple[State, Event], State] = {
    (S.PLANNING, E.CONTESTED): S.CONTESTED,
    (S.PLANNING, E.ALLOWED): S.APPROVED,
    (S.PLANNING, E.ASKED): S.WAITING,
    (S.PLANNING, E.DENIED): S.DENIED,
    (S.PLANNING, E.REFUSED): S.REFUSED,
    (S.PLANNING, E.FOUND_UNCHANGED): S.UNCHANGED,
    (S.PLANNING, E.CANCELLED): S.CANCELLED,
    (S.PLANNING, E.MOVED): S.PLANNING,
    (S.CONTESTED, E.MOVED): S.CONTESTED,  # another one is ahead now
    (S.CONTESTED, E.WAIT_CHOSEN): S.QUEUED,
    (S.CONTESTED, E.TURN_CAME): S.PLANNING,
    (S.CONTESTED, E.CANCELLED): S.CANCELLED,
    (S.CONTESTED, E.EXPIRED): S.EXPIRED,
    (S.QUEUED, E.MOVED): S.QUEUED,
    (S.QUEUED, E.TURN_CAME): S.PLANNING,
    (S.QUEUED, E.CANCELLED): S.CANCELLED,
    (S.WAITING, E.VOTED): S.WAITING,
    (S.WAITING, E.MOVED): S.WAITING,
    (S.WAITING, E.SATISFIED): S.APPROVED,
    (S.WAITING, E.REJECTED): S.REJECTED,
    (S.WAITING, E.EXPIRED): S.EXPIRED,
    (S.WAITING, E.CANCELLED): S.CANCELLED,
    (S.APPROVED, E.MOVED): S.APPROVED,
    (S.APPROVED, E.ALLOWED): S.APPROVED,
    (S.APPROVED, E.VOTED): S.APPROVED,  # one was withdrawn that was not needed
    (S.APPROVED, E.VOIDED): S.WAITING,
    (S.APPROVED, E.WITHDRAWN): S.WAITING,
    (S.APPROVED, E.DENIED): S.DENIED,
    (S.APPROVED, E.REFUSED): S.REFUSED,
    (S.APPROVED, E.FOUND_UNCHANGED): S.UNCHANGED,
    (S.APPROVED, E.CANCELLED): S.CANCELLED,
    (S.APPROVED, E.STALLED): S.STALLED,
    (S.APPROVED, E.BEGUN): S.RUNNING,
    (S.STALLED, E.START_CHOSEN): S.APPROVED,
    (S.STALLED, E.VOTED): S.STALLED,
    (S.STALLED, E.WITHDRAWN): S.WAITING,
    (S.STALLED, E.CANCELLED): S.CANCELLED,
    (S.STALLED, E.EXPIRED): S.EXPIRED,
    (S.DENIED, E.GLASS_BROKEN): S.PLANNING,
    (S.RUNNING, E.MOVED): S.RUNNING,
    (S.RUNNING, E.STALLED): S.STALLED,  # nothing was written yet; nor is it for the next three
    (S.RUNNING, E.VOIDED): S.WAITING,
    (S.RUNNING, E.ALLOWED): S.APPROVED,
    (S.RUNNING, E.DENIED): S.DENIED,
    (S.RUNNING, E.BECAME_HEALTHY): S.SUCCEEDED,
    (S.RUNNING, E.FAILED): S.FAILED,
    (S.RUNNING, E.UNDO_BEGUN): S.ROLLING_BACK,
    (S.ROLLING_BACK, E.MOVED): S.ROLLING_BACK,
    (S.ROLLING_BACK, E.UNDONE): S.ROLLED_BACK,
    (S.ROLLING_BACK, E.FAILED): S.FAILED,
}

CANCELLABLE = frozenset(state for state, event in TABLE if event is E.CANCELLED)
HOLDING = frozenset({S.PLANNING, S.WAITING, S.APPROVED, S.STALLED, S.RUNNING, S.ROLLING_BACK})
"""States in which a request holds its service and environment."""


def move(request: Request, event: Event, now: float, **changes: Any) -> Request:
    """The request after ``event``; raises ``TooLate`` with what stands now when the table has no such step."""
    state = TABLE.get((request.state, event))
    if state is None:
        raise TooLate(stands(request))
    if state in ENDED:
        changes.setdefault("ended_at", now)
        changes.setdefault("progress", "")
    return request.model_copy(update={**changes, "state": state, "updated_at": now, "version": request.version + 1})


def sources_of(
    person: Person, sources: Iterable[str], team: str, platform: Platform, *, named: bool = False
) -> tuple[str, ...]:
    """Those of the sources (``group:NAME``, ``team-leads`` of ``team``, ``user:NAME``) that a person belongs to.

    Nobody but a full member of the home workspace belongs to any. ``named``: for what is dangerous, a group's members
    are those whom the configuration names; whoever can edit a Slack usergroup must not be able to authorise it.
    """
    leads = platform.teams[team].leads if team in platform.teams else ()

    def belongs(source: str) -> bool:
        kind, _, name = source.partition(":")
        if source == "team-leads":
            return any(map(person.is_named, leads))
        if kind == "group":
            return is_named_in(platform, name, person) if named else name in person.groups
        return kind == "user" and person.is_named(name)

    return tuple(source for source in dict.fromkeys(sources) if person.is_member and belongs(source))


REFUSALS = {
    Standing.GUEST: "Guests of this workspace can't decide on changes.",
    Standing.OUTSIDER: "People from other workspaces can't decide on changes here.",
    Standing.BOT: "Apps can't decide on changes.",
    Standing.DEACTIVATED: "This account is deactivated.",
    Standing.UNKNOWN: "I could not find out who you are just now, so the answer is no. Try again in a minute.",
    Standing.AUTOMATION: "An automation can't decide on changes.",
}


def _is_only_in_a_usergroup(request: Request, person: Person) -> bool:
    asks = request.decision.asks if request.decision else ()
    return any(ask.named and f"group:{group}" in ask.sources for ask in asks for group in person.groups)


def check_voter(request: Request, person: Person, sources: Sequence[str]) -> None:
    """Raises ``Refused`` for whoever may not decide: outsiders, the requester, people nobody asked."""
    if not person.is_member:
        raise Refused(REFUSALS[person.standing])
    if is_requester(request, person):
        raise Refused("Nobody approves their own request. Ask " + (names(request.approvers) or "someone who may") + ".")
    if not sources and _is_only_in_a_usergroup(request, person):
        said = f"{request.name} is dangerous, and a Slack usergroup alone authorises nothing dangerous."
        others = names(request.approvers)
        hint = f"Ask {others}." if others else "Ask the platform team to name the group's members in platform.yml."
        raise Refused(said, hint=hint)
    if not sources:
        raise Refused(f"{request.name} is decided by {names(request.approvers) or 'others'}; you are not among them.")


def still_asked(request: Request) -> tuple[Approver, ...]:
    """Who may give what is still missing: a second lead's vote brings no nearer what only security can give."""
    asks = request.decision.asks if request.decision else ()
    lacking = missing(asks, request.votes, request.requester_id)
    wanted = {source for ask, number in zip(asks, lacking, strict=True) if number for source in ask.sources}
    voted = {vote.person_id for vote in request.votes} | {request.requester_id}
    return tuple(
        one
        for one in request.approvers
        if one.id not in voted and (not one.sources or wanted.intersection(one.sources))
    )


def is_requester(request: Request, person: Person) -> bool:
    """Whether this person asked for it: the same account, or another account with the same e-mail."""
    same_mail = bool(person.email) and person.email.casefold() == request.requester_email.casefold()
    return person.id == request.requester_id or same_mail


def approve(request: Request, vote: Vote, now: float) -> Request:
    """The request after one approval: enough of them, and it is approved."""
    if request.state is not S.WAITING:
        raise TooLate(stands(request))
    if any(_same_person(standing, vote) for standing in request.votes):
        raise TooLate(f"You have already approved {request.name}.")
    votes = (*request.votes, vote)
    if _enough(request, votes):
        return move(request, E.SATISFIED, now, votes=votes, approved_at=now, by="")
    return move(request, E.VOTED, now, votes=votes, by="")


def _enough(request: Request, votes: Sequence[Vote]) -> bool:
    decision = request.decision
    return decision is not None and not any(missing(decision.asks, votes, request.requester_id))


def _same_person(one: Vote, other: Vote) -> bool:
    """The same account, or another account with the same e-mail: nobody counts twice."""
    same_mail = bool(one.email) and one.email.casefold() == other.email.casefold()
    return one.person_id == other.person_id or same_mail


def reject(request: Request, vote: Vote, now: float) -> Request:
    """The request after a rejection: one eligible person's no ends it."""
    return move(request, E.REJECTED, now, by=vote.name, outcome=vote.reason)


def withdraw(request: Request, person: Person, now: float) -> Request:
    """The request after an approval was taken back; possible until the run starts.

    Where the other approvals are enough it stays approved: there is nobody who could give what it would wait for.
    """
    if request.state in (S.RUNNING, S.ROLLING_BACK):
        raise TooLate(f"{request.name} has already started; an approval can be withdrawn only before that.")
    votes = tuple(vote for vote in request.votes if vote.person_id != person.id)
    if len(votes) == len(request.votes):
        raise TooLate(f"You have no approval on {request.name} to withdraw. {stands(request)}")
    if request.state is S.WAITING or _enough(request, votes):
        return move(request, E.VOTED, now, votes=votes)
    return move(request, E.WITHDRAWN, now, votes=votes, approved_at=0.0, by=person.name)


def names(people: Sequence[Any], last: str = "or") -> str:
    """Lee, Sam or Olu."""
    found = [person.name for person in people]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} {last} {found[-1]}" if found else ""


_BY: dict[State, Literal["votes", "by", ""]] = {S.APPROVED: "votes", S.REJECTED: "by", S.CANCELLED: "by"}


def stands(request: Request) -> str:
    """What has become of a request, in one sentence for a late click."""
    sentence = {
        S.PLANNING: "is being planned",
        S.CONTESTED: "has not been given its turn yet",
        S.QUEUED: "waits for its turn",
        S.WAITING: "waits for approval",
        S.APPROVED: "is already approved",
        S.STALLED: "is approved and waits for its requester to start it",
        S.RUNNING: "is already running",
        S.ROLLING_BACK: "failed and is being rolled back",
        S.SUCCEEDED: "is done",
        S.UNCHANGED: "changed nothing: there was nothing to do",
        S.FAILED: "has failed",
        S.ROLLED_BACK: "failed and was rolled back",
        S.REFUSED: "was refused",
        S.DENIED: "was denied by policy",
        S.REJECTED: "was already rejected",
        S.EXPIRED: "expired before enough people approved it",
        S.CANCELLED: "was cancelled",
    }[request.state]
    if request.state is S.EXPIRED and request.decision is None:  # it never came to approvals
        sentence = "expired: nobody chose in time whether it waits or replaces"
    if request.state is S.WAITING and request.by:
        sentence = f"waits for approval: {request.by} has withdrawn theirs"
    by = _BY.get(request.state, "")
    who = names(request.votes, "and") if by == "votes" else request.by if by == "by" else ""
    if not who and request.votes and request.state in (S.RUNNING, S.SUCCEEDED, S.FAILED, S.ROLLED_BACK, S.ROLLING_BACK):
        return f"{request.name} {sentence}; approved by {names(request.votes, 'and')}."
    return f"{request.name} {sentence}{f' by {who}' if who else ''}."
