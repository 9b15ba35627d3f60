"""Every (state, event) of an incident's table, and what people's verbs mean."""

import pytest

from chatops.incidents.incident import Holder, Incident, Paged, State
from chatops.incidents.lifecycle import (
    TABLE,
    Event,
    acknowledge,
    get_loud,
    give_back,
    hand_over,
    hold_on,
    move,
    reopen,
    resolve,
    silence_ended,
    silenced,
    stands,
    stay_quiet,
    take_over,
    take_up_again,
    was_paged,
)
from chatops.kernel.errors import TooLate
from chatops.kernel.people import Person, Standing

NOW = 1_000.0
OLU = Person(id="U0OLU", name="Olu", email="olu@acme.test", standing=Standing.MEMBER)
DANA = Person(id="U0DANA", name="Dana", email="dana@acme.test", standing=Standing.MEMBER)
PLAN = {"steps": [{"page": ["user:olu@acme.test"], "after": 0.0}], "repeat": 0}


def incident(state: State = State.OPEN, **changes: object) -> Incident:
    held = Holder(id="U0OLU", name="Olu") if state is State.ACKNOWLEDGED else None
    given: dict[str, object] = {"holder": held, "pages": True, "escalation": PLAN, "unresolved": 1800.0, **changes}
    return Incident(id=318, key="production/checkout", state=state, version=7, **given)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_a_transition_is_in_the_table_or_is_too_late(state: State, event: Event) -> None:
    before = incident(state)
    if (state, event) in TABLE:
        after = move(before, event, NOW)
        assert (after.state, after.version, after.updated_at) == (TABLE[state, event], 8, NOW)
        # What is done with it later does not move when it was resolved.
        assert after.resolved_at == (NOW if after.ended and not before.ended else before.resolved_at)
    else:
        with pytest.raises(TooLate, match="INC-318"):
            move(before, event, NOW)


def test_what_is_resolved_is_left_by_coming_back_alone() -> None:
    left = {event for state, event in TABLE if state is State.RESOLVED and TABLE[state, event] is not state}
    assert left == {Event.REOPENED}


def test_acknowledging_stops_paging_until_its_severitys_time_is_over() -> None:
    after = acknowledge(incident(due_at=NOW - 5), OLU, NOW)
    assert (after.state, after.holder, after.due_at) == (
        State.ACKNOWLEDGED, Holder(id="U0OLU", name="Olu", email="olu@acme.test"), NOW + 1800,
    )  # fmt: skip


def test_what_does_not_page_is_never_due() -> None:
    assert acknowledge(incident(pages=False), OLU, NOW).due_at == 0.0
    assert give_back(acknowledge(incident(pages=False), OLU, NOW), OLU, NOW).due_at == 0.0


def test_a_second_click_is_told_who_was_first() -> None:
    first = acknowledge(incident(), OLU, NOW)
    with pytest.raises(TooLate, match=r"Olu already has INC-318\."):
        acknowledge(first, DANA, NOW)
    with pytest.raises(TooLate, match=r"You have INC-318 already\."):
        acknowledge(first, OLU, NOW)
    with pytest.raises(TooLate, match=r"INC-318 is already resolved by Olu\."):
        acknowledge(resolve(first, "Olu", NOW), DANA, NOW)


def test_taking_over_changes_who_has_it_and_begins_the_time_anew() -> None:
    after = take_over(acknowledge(incident(), OLU, NOW), DANA, NOW + 60)
    assert (after.holder and after.holder.name, after.due_at) == ("Dana", NOW + 1860)
    with pytest.raises(TooLate, match="You have"):
        take_over(after, DANA, NOW)


def test_only_who_has_it_gives_it_back_or_is_still_on_it() -> None:
    held = acknowledge(incident(round=1), OLU, NOW)
    for verb in (give_back, hold_on):
        with pytest.raises(TooLate, match="Olu already has"):
            verb(held, DANA, NOW)
    assert hold_on(held, OLU, NOW + 100).due_at == NOW + 1900
    back = give_back(held, OLU, NOW + 10)
    assert (back.state, back.holder, back.round, back.step, back.due_at) == (State.OPEN, None, 2, 0, NOW + 10)


def test_what_is_not_resolved_in_time_pages_from_the_first_step() -> None:
    held = acknowledge(incident(step=4, paged=(Paged(id="U0OLU", name="Olu", step=0, at=1),)), OLU, NOW)
    after = take_up_again(held, NOW + 1800)
    assert (after.state, after.holder, after.step, after.paged, after.due_at) == (State.OPEN, None, 0, (), NOW + 1800)


def test_what_comes_back_pages_again_unless_it_is_quiet() -> None:
    over = resolve(incident(), "Olu", NOW)
    again = reopen(over, NOW + 60)
    assert (again.state, again.reopened, again.due_at, again.resolved_by) == (State.OPEN, 1, NOW + 60, "")
    assert reopen(over.model_copy(update={"quiet": "silenced"}), NOW + 60).due_at == 0.0


def test_whoever_silenced_it_is_not_paged_again_before_it_is_loud_again() -> None:
    held = incident(State.ACKNOWLEDGED, due_at=NOW + 60)
    assert silenced(held, "there", NOW + 7200, NOW).due_at == NOW + 7200
    assert silenced(held, "there", NOW + 30, NOW).due_at == NOW + 60
    assert silenced(incident(due_at=NOW + 5), "there", NOW + 7200, NOW).due_at == NOW + 5, (
        "nobody has it: paging goes on"
    )
    quiet = silenced(held, "there", NOW + 7200, NOW)
    assert (quiet.silences, quiet.silenced_until) == (("there",), NOW + 7200)
    assert hold_on(quiet, OLU, NOW + 10).due_at == NOW + 7200
    loud = silence_ended(quiet, (), NOW + 10)
    assert (loud.silences, loud.silenced_until, loud.due_at) == ((), 0.0, NOW + 10 + held.unresolved)


def test_handing_over_gives_it_to_somebody_else() -> None:
    after = hand_over(acknowledge(incident(), OLU, NOW), DANA, NOW)
    assert stands(after) == "Dana already has INC-318."


def test_the_paged_are_known_by_account_or_by_mail() -> None:
    paged = incident(paged=(Paged(id="U0OLD", name="Olu", email="olu@acme.test", step=0, at=1),))
    assert was_paged(paged, OLU)
    assert not was_paged(paged, DANA)
    assert not was_paged(incident(paged=(Paged(id="U0X", name="X", step=0, at=1),)), Person(id="U0Y"))


def test_what_is_quiet_is_looked_at_when_its_window_ends_and_pages_once_it_gets_loud() -> None:
    quiet = stay_quiet(incident(due_at=NOW), "maintenance: upgrade", NOW + 60, NOW)
    assert (quiet.quiet, quiet.quiet_until, quiet.due_at) == ("maintenance: upgrade", NOW + 60, NOW + 60)
    held = acknowledge(quiet, OLU, NOW)
    assert give_back(held, OLU, NOW).due_at == NOW + 60, "it is still quiet"
    loud = get_loud(quiet, NOW + 60)
    assert (loud.quiet, loud.quiet_until, loud.due_at, loud.step) == ("", 0.0, NOW + 60, 0)
