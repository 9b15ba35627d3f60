"""Every (state, event) of the table, and who may decide what."""

import pytest

from approvals.lifecycle import (
    CANCELLABLE,
    HOLDING,
    TABLE,
    Event,
    approve,
    check_voter,
    move,
    reject,
    sources_of,
    stands,
    withdraw,
)
from approvals.request import ENDED, Approver, Request, State, Vote
from chatops.kernel.catalog import Platform, Team
from chatops.kernel.errors import Refused, TooLate
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import Ask, Decision

NOW = 1_000.0
LEE = Person(id="U0LEE", name="Lee", email="lee@acme.test", standing=Standing.MEMBER, groups=("leads",))
DANA = Person(id="U0DANA", name="Dana", email="dana@acme.test", standing=Standing.MEMBER)
ONE_LEAD = Decision(outcome="ask", asks=(Ask(rule="lead", approvals=1, sources=("group:leads",), expires=60),))


def request(state: State = State.WAITING, **changes: object) -> Request:
    return Request(
        id=1042, action="deploy", title="Deploy", inputs={}, service="checkout", environment="production",
        state=state,
        requester_id="U0DANA", requester_name="Dana", requester_email="dana@acme.test", decision=ONE_LEAD,
        digest="7f3a",
        approvers=(Approver(id="U0LEE", name="Lee"),), **changes,
    )  # fmt: skip


def vote(person: Person = LEE, verdict: str = "approve", sources: tuple[str, ...] = ("group:leads",)) -> Vote:
    return Vote(
        person_id=person.id,
        name=person.name,
        email=person.email,
        verdict=verdict,
        sources=sources,
        at=NOW,
        digest="7f3a",
        reason="no",
    )


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_a_transition_is_in_the_table_or_is_too_late(state: State, event: Event) -> None:
    before = request(state, version=3)
    if (state, event) in TABLE:
        after = move(before, event, NOW)
        assert (after.state, after.version, after.updated_at) == (TABLE[state, event], 4, NOW)
        assert after.ended_at == (NOW if after.state in ENDED else 0)
    else:
        with pytest.raises(TooLate, match="R-1042"):
            move(before, event, NOW)


def test_nothing_leaves_an_ended_state_but_breaking_the_glass() -> None:
    assert {(state, event) for state, event in TABLE if state in ENDED} == {(State.DENIED, Event.GLASS_BROKEN)}


def test_every_state_that_has_not_ended_has_a_way_out() -> None:
    for state in set(State) - ENDED:
        assert any(before is state and after is not state for (before, _), after in TABLE.items()), state


def test_a_running_change_cannot_be_cancelled() -> None:
    assert not CANCELLABLE & {State.RUNNING, State.ROLLING_BACK}
    assert {State.RUNNING, State.ROLLING_BACK, State.APPROVED, State.WAITING} <= HOLDING


def test_the_last_approval_approves() -> None:
    after = approve(request(), vote(), NOW)
    assert (after.state, after.approved_at) == (State.APPROVED, NOW)


def test_an_approval_of_two_leaves_it_waiting() -> None:
    two = Decision(outcome="ask", asks=(Ask(rule="two", approvals=2, sources=("group:leads",), expires=60),))
    assert approve(request().model_copy(update={"decision": two}), vote(), NOW).state is State.WAITING


def test_nobody_counts_twice_with_another_account_of_theirs() -> None:
    two = ONE_LEAD.model_copy(update={"asks": (ONE_LEAD.asks[0].model_copy(update={"approvals": 2}),)})
    once = approve(request().model_copy(update={"decision": two}), vote(), NOW)
    other = LEE.model_copy(update={"id": "U0LEE2", "email": "LEE@acme.test"})
    with pytest.raises(TooLate, match="already approved"):
        approve(once, vote(other), NOW)


def test_nobody_votes_twice() -> None:
    with pytest.raises(TooLate, match="already approved"):
        approve(request(votes=(vote(),)), vote(), NOW)


def test_a_rejection_ends_it_and_says_who_and_why() -> None:
    after = reject(request(), vote(verdict="reject"), NOW)
    assert (after.state, after.by, after.outcome) == (State.REJECTED, "Lee", "no")
    assert stands(after) == "R-1042 was already rejected by Lee."


def test_an_approval_can_be_withdrawn_until_the_run_starts() -> None:
    approved = approve(request(), vote(), NOW)
    after = withdraw(approved, LEE, NOW)
    assert (after.state, after.votes, after.approved_at) == (State.WAITING, (), 0.0)
    running = move(approved, Event.BEGUN, NOW)
    with pytest.raises(TooLate, match="already started"):
        withdraw(running, LEE, NOW)


def test_who_has_not_approved_has_nothing_to_withdraw() -> None:
    with pytest.raises(TooLate, match="no approval"):
        withdraw(request(votes=(vote(),)), DANA, NOW)


def test_the_requester_cannot_approve_their_own_request() -> None:
    with pytest.raises(Refused, match="their own request"):
        check_voter(request(), DANA, ("group:leads",))


def test_the_requesters_second_account_cannot_approve_either() -> None:
    twin = Person(id="U0OTHER", name="Dana", email="DANA@acme.test", standing=Standing.MEMBER)
    with pytest.raises(Refused, match="their own request"):
        check_voter(request(), twin, ("group:leads",))


@pytest.mark.parametrize("standing", [one for one in Standing if one is not Standing.MEMBER])
def test_only_full_members_decide(standing: Standing) -> None:
    with pytest.raises(Refused):
        check_voter(request(), LEE.model_copy(update={"standing": standing}), ("group:leads",))


def test_a_member_nobody_asked_is_told_who_decides() -> None:
    with pytest.raises(Refused, match="Lee"):
        check_voter(request(), LEE, ())


def test_sources_are_those_asked_for_that_the_person_belongs_to() -> None:
    asked = ("group:leads", "team-leads", "user:lee@acme.test", "group:security")
    platform = Platform(teams={"shop": Team(name="shop", leads=("LEE@acme.test",))})
    assert sources_of(LEE, asked, "shop", platform) == asked[:3]
    assert sources_of(DANA, asked, "shop", platform) == ()
    assert sources_of(LEE, asked, "gone", platform) == ("group:leads", "user:lee@acme.test")


def test_a_guest_belongs_to_nothing() -> None:
    guest = LEE.model_copy(update={"standing": Standing.GUEST})
    assert sources_of(guest, ("group:leads",), "", Platform()) == ()
