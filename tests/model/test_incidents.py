"""Any order of what monitors tell and people do: incidents are what a model in plain words says, on both engines."""

from __future__ import annotations

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

from chatops.incidents import store
from chatops.kernel.errors import PlatformError, Refused, TooLate
from chatops.kernel.people import Person
from chatops.kernel.ports import Database
from tests.model.cases import COMES_BACK_WITHIN, PAGES, WORDS, Case
from tests.model.office import DANA, LEE, OLU, SAM, Run, clear, opened, thoroughness, trail, wanted
from tests.model.watch import Watch, alert
from tests.support.databases import ENGINES, name_of

EVERYBODY = st.sampled_from([OLU, OLU, LEE, SAM, DANA])  # Dana is not of the team, and is never paged
SERVICES = st.sampled_from(["checkout", "cart"])
TOLD = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.sampled_from(["firing", "resolved"]), st.sampled_from(sorted(WORDS))),
    min_size=1, max_size=3,
)  # fmt: skip


class Incidents(RuleBasedStateMachine):
    """Monitors tell of two services, in any order and again and again; people answer, or don't."""

    def __init__(self, database: Database, run: Run) -> None:
        super().__init__()
        self.watch, self.run = Watch(database), run
        self.cases = dict[int, Case]()
        self.run(database.write(clear))

    @property
    def now(self) -> float:
        return self.watch.clock.now()

    def tick(self) -> None:
        self.watch.clock.time += 1.0

    def newest(self, service: str) -> Case | None:
        return next((one for one in reversed(self.cases.values()) if one.service == service), None)

    def act(self, case: Case, person: Person, verb: str, **given: str) -> Any:
        """What came of it: the answer's sentence, or why not."""
        self.tick()
        try:
            return self.run(self.watch.desk.act(person, verb, case.number, given)).lines[0]
        except PlatformError as no:
            return no

    def any_case(self, data: st.DataObject, *states: str) -> Case:
        found = [one for one in self.cases.values() if one.state in states] or list(self.cases.values())
        return data.draw(st.sampled_from(found))

    @initialize()
    def the_first(self) -> None:
        self.monitors_tell("checkout", {"a": ("firing", "critical")})

    # monitors -------------------------------------------------------------------------------------------------------

    @rule(service=SERVICES, alerts=TOLD)
    def monitors_tell(self, service: str, alerts: dict[str, tuple[str, str]]) -> None:
        self.tick()
        told = [alert(service, name, status, word) for name, (status, word) in alerts.items()]
        self.run(self.watch.tell(*told))
        case, now = self.newest(service), self.now
        news = {name: one for name, one in alerts.items() if case is None or case.alerts.get(name) != one}
        if case is not None and (case.state != "resolved" or now - case.resolved_at <= COMES_BACK_WITHIN):
            case.told(news, now)
        elif any(status == "firing" for status, _ in news.values()):
            worst = min(WORDS[word] for status, word in alerts.values() if status == "firing")
            [row] = self.run(self.watch.database.read(lambda tx: tx.all("SELECT max(id) AS id FROM incidents")))
            pages = worst in PAGES
            self.cases[row["id"]] = Case(
                row["id"], service, worst, pages, now, now if pages else 0.0, alerts=dict(alerts)
            )

    # people ---------------------------------------------------------------------------------------------------------

    def may(self, case: Case, person: Person) -> bool:
        """Olu's team, the leads, and whoever was paged, if with another account."""
        return person is not DANA or case.asked(person)

    @rule(data=st.data(), person=EVERYBODY)
    def acknowledge(self, data: st.DataObject, person: Person) -> None:
        case = self.any_case(data, "open", "open", "acknowledged")
        said = self.act(case, person, "ack")
        if case.state == "open" and case.paged and not case.asked(person):
            assert isinstance(said, Refused) if not self.may(case, person) else "Do you take it" in said
        elif case.state == "open":
            case.held(person, self.now)
            case.trail.append("acknowledged")
            assert said.startswith(f"You have INC-{case.number}")
        elif case.state == "acknowledged":
            assert case.holder is not None
            who = "You" if case.holder is person else case.holder.name
            assert said.startswith(who), "the late one is told who was first"
        else:
            assert "is already resolved" in said

    @rule(data=st.data(), person=EVERYBODY)
    def take_over(self, data: st.DataObject, person: Person) -> None:
        case = self.any_case(data, "acknowledged", "open")
        said = self.act(case, person, "take")
        if not self.may(case, person):
            assert isinstance(said, Refused)
        elif case.state == "resolved" or case.holder is person:
            assert isinstance(said, TooLate)
        else:
            case.held(person, self.now)
            case.trail.append("taken_over")

    @rule(data=st.data(), person=EVERYBODY, to=st.sampled_from([OLU, LEE]))
    def hand_over(self, data: st.DataObject, person: Person, to: Person) -> None:
        case = self.any_case(data, "acknowledged")
        said = self.act(case, person, "handover", to=to.email)
        if case.holder is not person and not self.may(case, person):
            assert isinstance(said, Refused)
        elif case.state == "resolved":
            assert isinstance(said, TooLate)
        else:
            case.held(to, self.now)
            case.trail.append("handed_over")

    @rule(data=st.data(), person=EVERYBODY, verb=st.sampled_from(["release", "still"]))
    def go_on_or_give_back(self, data: st.DataObject, person: Person, verb: str) -> None:
        case = self.any_case(data, "acknowledged")
        said = self.act(case, case.holder or person if data.draw(st.booleans()) else person, verb)
        if isinstance(said, TooLate):
            assert case.state != "acknowledged" or case.holder is not person
        elif verb == "release":
            case.state = "open"
            case.anew(self.now)
            case.trail.append("unacknowledged")
        else:
            case.due = case.again(self.now)
            case.trail.append("held_on")

    @rule(data=st.data(), person=EVERYBODY)
    def escalate(self, data: st.DataObject, person: Person) -> None:
        case = self.any_case(data, "open")
        said = self.act(case, person, "escalate")
        if case.state != "open":
            assert isinstance(said, TooLate)
            return
        case.due, case.pages = self.now, True
        case.trail.append("escalated")

    @rule(data=st.data(), person=EVERYBODY, verb=st.sampled_from(["resolve", "resolve", "status", "close"]))
    def resolve(self, data: st.DataObject, person: Person, verb: str) -> None:
        case = self.any_case(data, "open", "acknowledged")
        closed = "closed" in case.trail[-1 - case.trail[::-1].index("reopened") if "reopened" in case.trail else 0 :]
        said = self.act(case, person, verb, **({"status": "resolved"} if verb == "status" else {}))
        if case.holder is not person and not self.may(case, person):
            assert isinstance(said, Refused)
        elif case.state == "resolved" and verb != "close":
            assert isinstance(said, TooLate)
            assert said.message.startswith(f"INC-{case.number} is already resolved by "), "the late one is told by whom"
        elif verb == "close" and closed:
            assert isinstance(said, TooLate)
        else:
            case.trail += ["status_set"] if verb == "status" else []
            if case.state != "resolved":
                case.state, case.resolved_at, case.due = "resolved", self.now, 0.0
                case.trail.append("resolved")
            case.trail += ["closed"] if verb == "close" else []

    @rule(data=st.data(), person=EVERYBODY, severity=st.sampled_from(["sev1", "sev2", "sev3", "sev9"]))
    def say_how_bad_it_is(self, data: st.DataObject, person: Person, severity: str) -> None:
        case = self.any_case(data, "open", "acknowledged")
        said = self.act(case, person, "severity", severity=severity)
        if severity == "sev9" or (case.holder is not person and not self.may(case, person)):
            assert isinstance(said, Refused)
        elif severity == case.severity or case.state == "resolved":
            assert isinstance(said, TooLate)
        else:
            case.graded(severity, self.now)
            case.trail.append("severity_changed")

    @rule(data=st.data(), person=EVERYBODY, text=st.sampled_from(["", "it is the database"]))
    def note(self, data: st.DataObject, person: Person, text: str) -> None:
        case = self.any_case(data)
        said = self.act(case, person, "note", text=text)
        assert isinstance(said, Refused) != bool(text)
        case.trail += ["noted"] if text else []

    # time -----------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([60.0, 590.0, 890.0, 1800.0, 4 * 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.watch.clock.time += seconds

    @precondition(lambda self: any(0 < one.due <= self.now for one in self.cases.values()))
    @rule()
    def somebody_looks_who_is_to_be_paged(self) -> None:
        self.run(self.watch.paging.look())
        for case in self.cases.values():
            case.steps(self.now)

    # what holds at any time -----------------------------------------------------------------------------------------

    @invariant()
    def the_stores_say_what_the_model_says(self) -> None:
        self.run(self.watch.database.read(self.compare))

    def compare(self, tx: Any) -> None:
        assert {row["id"] for row in tx.all("SELECT id FROM incidents")} == set(self.cases), (
            "one for all that belongs together"
        )
        for case in self.cases.values():
            found = store.load(tx, case.number)
            assert (found.state.value, found.severity, found.round) == (case.state, case.severity, case.round)
            assert (found.holder.id if found.holder else "") == (case.holder.id if case.holder else "")
            assert found.due_at == case.due, "when somebody is paged next"
            assert {one.id for one in found.paged} == case.paged
            assert found.resolved_at == case.resolved_at, "when it was resolved does not move"
            if case.state != "resolved":
                assert found.summary.firing == case.firing
                assert case.due or not case.pages, "what nobody has, or has for too long, is never forgotten"
            assert [what for _, what in trail(tx, found.name)] == case.trail
            card = wanted(tx, found.name)
            assert card is not None
            assert card["wanted"] >= len([what for what in case.trail if what != "noted"])
        waiting = {person for person, _ in store.waiting_pages(tx)}
        assert not waiting or any(one.state == "open" for one in self.cases.values()), (
            "nobody is paged for what is over"
        )


@pytest.mark.fire
@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_happens_to_incidents_the_stores_say_what_the_model_says(engine: str, tmp_path: Path) -> None:
    with opened(name_of(tmp_path, engine)) as (database, run):
        run_state_machine_as_test(lambda: Incidents(database, run), settings=thoroughness(50, 40))
