"""Any order of what can happen to requests: the stores say what a model in plain words says, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from approvals.request import Request
from chatops.kernel.errors import PlatformError, Refused, TooLate
from chatops.kernel.people import Person
from chatops.kernel.ports import Database
from tests.model.office import (
    DANA,
    DANA_TOO,
    GUS,
    LEE,
    OLU,
    ONE_LEAD,
    SAM,
    TWO,
    TWO_LEADS,
    Office,
    Run,
    clear,
    find,
    made,
    opened,
    thoroughness,
    told,
    trail,
    wanted,
)  # fmt: skip
from tests.model.wishes import CANCELS, GLASS, OVER, START_WITHIN, Line, Wish, same
from tests.support.databases import ENGINES, name_of

EVERYBODY = st.sampled_from([DANA, DANA_TOO, OLU, LEE, SAM, GUS])
ASKING = st.sampled_from([DANA, DANA, OLU, LEE])
ASKS = {"ask": ONE_LEAD, "two": TWO, "pair": TWO_LEADS}
PLANNED = st.sampled_from(["ask", "ask", "two", "pair", "allow", "deny", "glass", "nothing", "refuse"])
VERSIONS = st.sampled_from(["1.4.2", "1.4.2", "1.5.0"])


class Requests(RuleBasedStateMachine):
    """People and the assistant do things to a few requests for two services."""

    seen = Bundle("seen")  # what the engine read a while ago, and perhaps acts on only now

    def __init__(self, database: Database, run: Run) -> None:
        super().__init__()
        self.office, self.run = Office(database), run
        self.line, self.clicks, self.asked = Line(), 0, dict[str, int]()
        self.run(database.write(clear))

    @property
    def now(self) -> float:
        return self.office.clock.now()

    def tick(self) -> None:
        self.office.clock.time += 1.0

    def wish(self, data: st.DataObject, *states: str) -> Wish:
        found = [one for one in self.line.wishes.values() if not states or one.state in states]
        return data.draw(st.sampled_from(found)) if found else data.draw(st.sampled_from([*self.line.wishes.values()]))

    def outcome(self, work: Any) -> Any:
        """What came of it: an answer, or what people are told why not."""
        try:
            return self.run(work)
        except PlatformError as no:
            return no

    @initialize()
    def the_first(self) -> None:
        self.ask("first", "checkout", DANA)

    # asking ---------------------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from("abcdef"), service=st.sampled_from(["checkout", "cart"]), person=ASKING)
    def ask(self, key: str, service: str, person: Person) -> None:
        self.tick()
        number = self.run(self.office.database.write(self.office.ask, key, self.office.wish(person, service)))
        if key in self.asked:
            assert number == self.asked[key], "the same key asks once"
            return
        assert number not in self.line.wishes
        self.asked[key] = number
        self.line.ask(number, service, person, self.now)

    @rule(data=st.data(), target=seen)
    def the_engine_reads(self, data: st.DataObject) -> Request:
        wish = self.wish(data, "planning", "approved", "running", "rolling_back")
        request: Request = self.run(self.office.database.read(find, wish.number))
        return request

    # the engine -----------------------------------------------------------------------------------------------------

    def plan(self, what: str, version: str) -> tuple[str, str, Any]:
        """Says what the next planning makes: its outcome, the digest, and what is asked for."""
        if what == "refuse":
            self.office.plans.next = Refused("the service was taken out of the configuration")
            return what, "", ()
        asks = ASKS.get(what, ())
        outcome = {"glass": "deny", "nothing": "allow"}.get(what, "ask" if asks else what)
        glass = {"break_glass": "oncall"} if what == "glass" else {}
        self.office.plans.next = found = made(outcome, asks, "1.4.1" if what == "nothing" else version, **glass)
        return outcome, found.digest, asks

    @rule(request=consumes(seen), what=PLANNED, version=VERSIONS)
    def the_engine_goes_on(self, request: Request, what: str, version: str) -> None:
        """It acts on what it read, however long ago that was."""
        self.tick()
        outcome, digest, asks = self.plan(what, version)
        wish, state = self.line.wishes[request.id], request.state.value
        stale = self.run(self.office.database.read(find, wish.number)).version != request.version
        if state == "planning":
            said = self.outcome(self.office.engine._plan(request))
        elif state == "approved":
            said = self.outcome(self.office.engine._start(request))
        else:
            return
        late = state == "approved" and self.now - request.approved_at > START_WITHIN
        if isinstance(said, Refused):
            assert what == "refuse"
            assert not late
        elif stale:
            assert isinstance(said, TooLate), "what was read is not what stands: nobody's word may be undone"
        else:
            assert said is None
            self.follow(wish, outcome, digest, asks, what, late=late)

    def follow(self, wish: Wish, outcome: str, digest: str, asks: Any, what: str, *, late: bool) -> None:
        line, glass = self.line, "oncall" if what == "glass" else ""
        if late:
            wish.deadline = self.now + 24 * 3600
            line.move(wish, "stalled", "stalled", self.now)
        elif wish.state == "approved" and digest == wish.digest and outcome != "deny":
            line.move(wish, "running", "begun", self.now)
        elif what == "nothing":
            if wish.state == "planning":
                wish.votes = {}
            line.move(wish, "unchanged", "found_unchanged", self.now)
        else:
            line.planned(wish, outcome, asks, digest, glass, self.now, void=wish.state == "approved")

    @rule(data=st.data())
    def the_cluster_refuses(self, data: st.DataObject) -> None:
        self.tick()
        wish = self.wish(data, "planning", "approved", "running", "rolling_back")
        said = self.outcome(self.office.engine._give_up(wish.number, Refused("no")))
        if wish.state in ("planning", "approved", "running", "rolling_back"):
            assert said is None
            event = "refused" if wish.state in ("planning", "approved") else "failed"
            self.line.move(wish, event, event, self.now)
        else:
            assert said is None, "the engine has nobody to tell that somebody was faster"

    @rule(data=st.data(), what=st.sampled_from(["written", "healthy", "failed", "undone", "failed again"]))
    def the_run_goes_on(self, data: st.DataObject, what: str) -> None:
        self.tick()
        wish = self.wish(data, "running", "rolling_back")
        runner, write = self.office.runner, self.office.database.write
        request = self.run(self.office.database.read(find, wish.number))
        if what == "written":
            if wish.state != "running" or wish.wrote:
                return
            self.run(write(runner._written, request, {}))
            wish.wrote = True
            wish.trail.append("written")
            return
        if request.plan is None:
            return
        work = {
            "healthy": write(runner._healthy, request), "undone": write(runner._undone, request),
            "failed": write(runner._failed, request, "it crashes", ["CrashLoopBackOff"], ""),
            "failed again": write(runner._end_failed, request, "it is not healthy", [], ""),
        }  # fmt: skip
        for name, one in work.items():
            if name != what:
                one.close()
        said = self.outcome(work[what])
        undoes = wish.state == "running" and what == "failed" and bool(request.plan.undo)
        following = {
            ("running", "healthy"): ("succeeded", "became_healthy"), ("running", "failed"): ("failed", "failed"),
            ("running", "failed again"): ("failed", "failed"), ("rolling_back", "undone"): ("rolled_back", "undone"),
            ("rolling_back", "failed again"): ("failed", "failed"),
        }.get((wish.state, what))  # fmt: skip
        following = ("rolling_back", "undo_begun") if undoes else following
        if wish.state == "rolling_back" and what == "failed":
            assert isinstance(said, TooLate) == bool(request.plan.undo)
            following = None if request.plan.undo else ("failed", "failed")
        if following is None:
            assert isinstance(said, TooLate)
            return
        assert said is None
        self.line.move(wish, *following, self.now)

    # people ---------------------------------------------------------------------------------------------------------

    @rule(
        data=st.data(), person=EVERYBODY, verdict=st.sampled_from([*["approve"] * 3, "withdraw", "reject"]),
        shown=st.sampled_from(["the plan", "the plan", "the plan", "another", "half", "nothing"]), again=st.booleans(),
    )  # fmt: skip
    def vote(self, data: st.DataObject, person: Person, verdict: str, shown: str, again: bool) -> None:
        self.tick()
        wish = self.wish(data, "waiting") if data.draw(st.integers(0, 3)) else self.wish(data)
        digest = {"the plan": wish.digest, "half": wish.digest[:4], "another": "0" * 64}.get(shown, "")
        self.clicks += 1
        expected = self.expected(wish, person, verdict, digest)
        for double in range(2 if again else 1):
            said = self.outcome(
                self.office.road.vote(wish.number, digest, verdict, person=person, key=f"click:{self.clicks}")  # type: ignore[arg-type]
            )
            if not double:
                assert (type(said) if isinstance(said, PlatformError) else str) is expected, told(said)
            if isinstance(said, TooLate) or (isinstance(said, str) and not said.startswith("You")):
                self.names_the_first(wish, said)

    def expected(self, wish: Wish, person: Person, verdict: str, digest: str) -> type:
        """What whoever clicks is told, a sentence or why not; and what follows from it."""
        if self.found_over(wish):
            return str
        if verdict == "withdraw":
            if person.id not in wish.votes or wish.state not in ("waiting", "approved", "stalled"):
                return TooLate
            del wish.votes[person.id]
            stays = wish.state != "waiting" and wish.enough
            self.line.move(wish, wish.state if stays else "waiting", "withdrawn", self.now)
            return str
        if wish.state != "waiting":
            return str
        sources = {source for one in wish.asks for source in one.sources}
        groups = {f"group:{one}" for one in person.groups}
        if person is GUS or same(person, wish.by) or not sources & groups:
            return Refused
        if digest != wish.digest:
            return str
        if verdict == "reject":
            wish.first = person.name
            self.line.move(wish, "rejected", "rejected", self.now)
            wish.votes.pop(person.id, None)  # the no stands in its place
            return str
        if any(same(person, one) for one in wish.votes.values()):
            return TooLate
        wish.votes[person.id] = person
        if wish.enough:
            wish.approved_at = self.now
            self.line.move(wish, "approved", "satisfied", self.now)
        else:
            self.line.move(wish, "waiting", "voted", self.now)
        return str

    def found_over(self, wish: Wish) -> bool:
        """Whether its time is over, which whoever presses finds out and is told."""
        due = self.line.is_due(wish, self.now)
        if due:
            self.line.move(wish, "expired", "expired", self.now)
        return due

    def names_the_first(self, wish: Wish, said: Any) -> None:
        if wish.state in ("rejected", "cancelled"):
            assert wish.first in told(said), "the losing click is told who was first"
        assert wish.name in told(said)

    @rule(data=st.data(), person=EVERYBODY, choice=st.sampled_from(["cancel", "wait", "start", "break_glass"]))
    def choose(self, data: st.DataObject, person: Person, choice: str) -> None:
        self.tick()
        fitting = {"wait": ("contested",), "start": ("stalled",), "break_glass": ("denied",), "cancel": tuple(CANCELS)}
        wish = self.wish(data, *fitting[choice])
        person = wish.by if data.draw(st.booleans()) else person
        expected = self.chosen(wish, person, choice)
        self.clicks += 1
        said = self.outcome(
            self.office.road.choose(wish.number, choice, person=person, key=f"click:{self.clicks}", reason="it burns")  # type: ignore[arg-type]
        )
        assert (type(said) if isinstance(said, PlatformError) else str) is expected, (wish, told(said))

    def chosen(self, wish: Wish, person: Person, choice: str) -> type:
        if self.found_over(wish):
            return str
        if person is GUS:
            return Refused
        if choice == "break_glass":
            return self.broken(wish, person)
        if not same(person, wish.by):
            return Refused
        if choice == "cancel" and wish.state in CANCELS:
            wish.first = person.name
            self.line.move(wish, "cancelled", "cancelled", self.now)
        elif choice == "wait" and wish.state == "contested":
            wish.deadline = 0.0
            self.line.move(wish, "queued", "wait_chosen", self.now)
        elif choice == "start" and wish.state == "stalled":
            wish.deadline, wish.approved_at = 0.0, self.now
            self.line.move(wish, "approved", "start_chosen", self.now)
        else:
            return TooLate
        return str

    def broken(self, wish: Wish, person: Person) -> type:
        if wish.state != "denied" or not wish.glass:
            return TooLate
        if self.now - wish.ended_at > GLASS:
            return str
        if wish.glass not in person.groups or not same(person, wish.by):
            return Refused
        if self.line.holder(wish.place) is not None:
            return TooLate
        wish.ended_at = 0.0
        self.line.move(wish, "planning", "glass_broken", self.now)
        return str

    @precondition(lambda self: any(one.state == "contested" for one in self.line.wishes.values()))
    @rule(data=st.data(), what=PLANNED, saw=st.sampled_from(["the holder", "the holder", "another"]), person=EVERYBODY)
    def replace(self, data: st.DataObject, what: str, saw: str, person: Person) -> None:
        self.tick()
        wish = self.wish(data, "contested")
        person = wish.by if data.draw(st.booleans()) else person
        outcome, _, _ = self.plan(what, "1.4.2")
        old = self.line.holder(wish.place)
        assert old is not None
        self.clicks += 1
        said = self.outcome(
            self.office.road.choose(
                wish.number, "replace", person=person, key=f"click:{self.clicks}",
                saw=old.name if saw == "the holder" else "R-9",
            )
        )  # fmt: skip
        speaks = same(person, wish.by) and person is not GUS
        impossible = old.state in CANCELS and (outcome == "deny" or what in ("nothing", "refuse"))
        if not (speaks and impossible) and self.found_over(wish):
            assert isinstance(said, str)
        elif not speaks:
            assert isinstance(said, Refused)
        elif impossible:
            assert isinstance(said, Refused), "nobody loses their place to what can't be done"
        elif saw == "another":
            assert old.name in told(said)
        elif old.state not in CANCELS:
            assert isinstance(said, TooLate)
        else:
            assert isinstance(said, str)
            old.first = person.name
            wish.trail.append("wait_chosen")
            self.line.move(old, "cancelled", "cancelled", self.now, heir=wish)

    # time -----------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([60.0, 1795.0, 1795.0, 3500.0, 25 * 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.office.clock.time += seconds

    @rule()
    def somebody_looks_what_is_due(self) -> None:
        self.tick()
        self.run(self.office.deadlines.look())
        self.line.expired(self.now)

    # what holds at any time -----------------------------------------------------------------------------------------

    @invariant()
    def the_stores_say_what_the_model_says(self) -> None:
        self.run(self.office.database.read(self.compare))

    def compare(self, tx: Any) -> None:
        for wish in self.line.wishes.values():
            request = find(tx, wish.number)
            assert (request.state.value, wish.name) == (wish.state, request.name)
            voters = {vote.person_id for vote in request.votes}
            if wish.digest == request.digest:
                assert voters == set(wish.votes)
            assert all(vote.digest == request.digest and vote.verdict == "approve" for vote in request.votes)
            assert not any(vote.email == request.requester_email for vote in request.votes), "nobody approves their own"
            assert [what for _, what in trail(tx, wish.name)] == wish.trail
            assert (request.ended_at > 0) == (wish.state in OVER)
            card = wanted(tx, wish.name)
            assert card is not None
            assert card["wanted"] >= len(wish.trail) - wish.trail.count("written"), "the card is wanted anew each time"
            if request.state.value == "contested":
                assert request.behind == wish.behind, "it says who is ahead"
        assert {one: self.office.ended.count(one) for one in set(self.office.ended)} == dict(self.line.ends)


@pytest.mark.fire
@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_happens_to_requests_the_stores_say_what_the_model_says(engine: str, tmp_path: Path) -> None:
    with opened(name_of(tmp_path, engine)) as (database, run):
        run_state_machine_as_test(lambda: Requests(database, run), settings=thoroughness(50, 40))
