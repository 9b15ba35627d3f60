"""Approvals of several groups: enough is what trying every seating of the voters says is enough, on both engines."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from approvals.lifecycle import still_asked
from approvals.policy import missing
from chatops.kernel.catalog import Group
from chatops.kernel.errors import PlatformError, Refused, TooLate
from chatops.kernel.people import Person
from chatops.kernel.plan import Ask
from chatops.kernel.ports import Database
from tests.model.office import (
    DANA,
    PLATFORM,
    Fixed,
    Office,
    Run,
    clear,
    find,
    made,
    member,
    opened,
    thoroughness,
    told,
    trail,
)
from tests.support.databases import ENGINES, name_of

ANN, BOB, CID, EVE = (
    member("Ann", "red"),
    member("Bob", "red", "blue"),
    member("Cid", "blue"),
    member("Eve", "blue", "green"),
)
FAY = member("Fay", "green", "red")
ANN_TOO = member("Ann", "red", "blue", "green", id="U0ANNTOO")  # her second account, in more groups
VOTERS = (ANN, BOB, CID, EVE, FAY, ANN_TOO)
NAMED: Mapping[str, tuple[Person, ...]] = {
    "red": (ANN, BOB),
    "blue": (CID,),
    "green": (),
}  # by the configuration itself
GROUPS = {name: Group(name=name, members=tuple(one.email for one in people)) for name, people in NAMED.items()}
ASK = st.builds(
    Ask,
    rule=st.sampled_from(["first", "second"]),
    approvals=st.integers(1, 2),
    sources=st.sets(st.sampled_from(["group:red", "group:blue", "group:green"]), min_size=1, max_size=2).map(
        lambda some: tuple(sorted(some))
    ),
    expires=st.just(3600.0),
    named=st.booleans(),
)


class Quorums(RuleBasedStateMachine):
    """One request, asked of some groups; everybody votes, takes it back, and the plan changes under them."""

    def __init__(self, database: Database, run: Run) -> None:
        super().__init__()
        platform = PLATFORM.model_copy(update={"groups": GROUPS})
        self.office, self.run = Office(database, configuration=Fixed(platform)), run
        self.votes, self.clicks, self.version = dict[str, Person](), 0, "1.4.2"
        self.state = "waiting"
        self.run(database.write(clear))

    @initialize(asks=st.lists(ASK, min_size=1, max_size=3))
    def asked(self, asks: list[Ask]) -> None:
        self.asks = tuple(asks)
        self.number = self.run(self.office.database.write(self.office.ask, "key", self.office.wish(DANA)))
        self.plan_is("1.4.2")
        self.run(self.office.engine._plan(self.request))
        self.expected = ["requested", "asked"]

    @property
    def request(self) -> Any:
        return self.run(self.office.database.read(find, self.number))

    def plan_is(self, version: str) -> None:
        self.version = version
        self.office.plans.next = made("ask", self.asks, version, VOTERS)

    # the model ------------------------------------------------------------------------------------------------------

    def sits(self, person: Person, ask: Ask) -> bool:
        """Whether somebody's approval is one of those asked for; of what is dangerous, only if they are named."""
        known = any(one.named for one in self.asks)

        def belongs(group: str) -> bool:
            return any(person.email == one.email for one in NAMED[group]) if known else group in person.groups

        return any(belongs(source.removeprefix("group:")) for source in ask.sources)

    def lacking(self, rule: str) -> int:
        """How many seats of a rule stay empty, however its voters are seated."""
        seats = [ask for ask in self.asks if ask.rule == rule for _ in range(ask.approvals)]
        people = [*self.votes.values(), *[None] * len(seats)]
        filled = max(
            sum(one is not None and self.sits(one, seat) for one, seat in zip(some, seats, strict=True))
            for some in set(itertools.permutations(people, len(seats)))
        )
        return len(seats) - filled

    @property
    def policies(self) -> list[str]:
        return sorted({one.rule for one in self.asks})

    # what happens ---------------------------------------------------------------------------------------------------

    def click(self, person: Person, verdict: Any, digest: str) -> Any:
        self.clicks += 1
        self.office.clock.time += 1.0
        try:
            return self.run(self.office.road.vote(self.number, digest, verdict, person=person, key=f"c{self.clicks}"))
        except PlatformError as no:
            return no

    @rule(person=st.sampled_from([*VOTERS, DANA]), old=st.integers(0, 5))
    def approve(self, person: Person, old: int) -> None:
        said = self.click(person, "approve", "f" * 64 if not old else self.request.digest)
        if self.state != "waiting":
            assert isinstance(said, str)
            assert self.state != "approved" or all(one.name in said for one in self.votes.values())
        elif person is DANA or not any(self.sits(person, ask) for ask in self.asks):
            assert isinstance(said, Refused)
        elif not old:
            assert "has changed since" in told(said)
        elif any(one.email == person.email for one in self.votes.values()):
            assert isinstance(said, TooLate), "nobody counts twice"
        else:
            self.votes[person.id] = person
            enough = not any(map(self.lacking, self.policies))
            self.state = "approved" if enough else "waiting"
            self.expected.append("satisfied" if enough else "voted")

    @rule(person=st.sampled_from([*VOTERS, DANA]))
    def withdraw(self, person: Person) -> None:
        said = self.click(person, "withdraw", self.request.digest)
        if person.id in self.votes and self.state in ("waiting", "approved"):
            del self.votes[person.id]
            if any(map(self.lacking, self.policies)):
                self.state = "waiting"
            assert ("stays approved" in said) == (self.state == "approved")
            self.expected.append("withdrawn")
        else:
            assert isinstance(said, TooLate)

    @precondition(lambda self: self.state == "approved")
    @rule(version=st.sampled_from(["1.4.2", "1.4.3"]))
    def about_to_start(self, version: str) -> None:
        """Another plan than was approved, and the approvals are void; also when the first plan comes back later."""
        same = version == self.version
        self.plan_is(version)
        self.office.clock.time += 1.0
        self.run(self.office.engine._start(self.request))
        self.state = "running" if same else "waiting"
        self.expected.append("begun" if same else "voided")
        if not same:
            self.votes = {}

    # what holds at any time -----------------------------------------------------------------------------------------

    @invariant()
    def what_is_stored_is_what_was_given(self) -> None:
        request = self.request
        assert request.state.value == self.state
        assert {vote.person_id for vote in request.votes} == set(self.votes)
        assert all(vote.digest == request.digest for vote in request.votes), "bound to the plan that they saw"
        lacks = missing(request.decision.asks, request.votes, request.requester_id)
        for policy in self.policies:
            found = sum(lack for lack, ask in zip(lacks, self.asks, strict=True) if ask.rule == policy)
            assert found == self.lacking(policy)
        assert (self.state == "waiting") == any(map(self.lacking, self.policies))
        assert not set(self.votes) & {one.id for one in still_asked(request)}, "who has voted is not asked again"
        assert [what for _, what in self.run(self.office.database.read(trail, request.name))] == self.expected


@pytest.mark.fire
@pytest.mark.parametrize("engine", ENGINES)
def test_enough_approvals_are_what_trying_every_seating_says(engine: str, tmp_path: Path) -> None:
    with opened(name_of(tmp_path, engine)) as (database, run):
        run_state_machine_as_test(lambda: Quorums(database, run), settings=thoroughness(40, 20))
