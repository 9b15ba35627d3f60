"""Two who do something with an incident at once, in every order of their transactions: one of them was first."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from chatops.incidents import store
from chatops.kernel.action import Answer
from chatops.kernel.errors import PlatformError
from chatops.kernel.people import Person
from chatops.slack import errors
from chatops.slack.answers import Answers
from chatops.slack.directory import Home
from chatops.slack.intake import Intake, Item
from chatops.slack.payloads import Where
from tests.model.clicks import METRICS
from tests.model.office import DANA, LEE, OLU, member
from tests.model.turns import Stage, Turns
from tests.model.two import INCIDENTS, Outcome, Table
from tests.model.watch import Watch, alert
from tests.support.thoroughness import EVERYTHING

from chatops.kernel.background import Background  # isort: skip

MONITOR = member("Alertmanager", email="alertmanager")
SAMPLE = 276  # of which ``make test`` plays one pair


@dataclass(frozen=True, slots=True)
class Deed:
    """Somebody does something with the incident."""

    person: Person
    verb: str
    given: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.person.name} {self.verb} {dict(self.given) or ''}"


VERBS = ("ack", "take", "escalate", "resolve", "close", "silence", "unsilence")
DEEDS = (
    *(Deed(OLU, verb) for verb in (*VERBS, "release", "still")), *(Deed(LEE, verb) for verb in VERBS),
    Deed(OLU, "severity", (("severity", "sev2"),)), Deed(LEE, "severity", (("severity", "sev3"),)),
    Deed(OLU, "handover", (("to", LEE.email),)), Deed(DANA, "ack"),
    *(Deed(MONITOR, what) for what in ("firing", "resolved", "worse")),
)  # fmt: skip
NOTHING_LOST = {"unsilence", "severity"}  # whoever wanted the same has it
STATES = ("open", "paged", "Olu has it", "Lee has it", "calm", "silenced", "resolved", "closed")


class Doing:
    """What a deed sets off, from the moment that Slack or a monitor brings it until it is answered."""

    def __init__(self, watch: Watch, number: int) -> None:
        self.watch, self.number = watch, number
        self.answers = Answers(watch.database, watch.board, Home(), watch.clock)
        work = {"deed": self.worked_off}
        self.intake = Intake(watch.database, watch.clock, work, self._gave_up, METRICS, Background())

    async def _gave_up(self, item: Item, error: BaseException) -> None:
        raise AssertionError(f"{item.key} was given up") from error

    async def worked_off(self, item: Item) -> None:
        deed: Deed = item.body["deed"]
        where = Where(user=deed.person.id, channel="C0INCIDENTS")
        try:
            answer = await self.done(deed)
        except PlatformError as no:
            answer = errors.answer(no)
        await self.answers.tell(item.key, where, answer)

    def done(self, deed: Deed) -> Coroutine[Any, Any, Answer]:
        if deed.verb == "silence":
            until = self.watch.clock.now() + (3600.0 if deed.person is OLU else 7200.0)
            return self.watch.silencing.silence(deed.person, self.number, until, "")
        if deed.verb == "unsilence":
            return self.watch.silencing.unsilence(deed.person, self.number)
        return self.watch.desk.act(deed.person, deed.verb, self.number, dict(deed.given))

    async def told(self, status: str) -> None:
        if status == "worse":
            await self.watch.tell(alert("checkout", "b", "firing", "critical"))
        else:
            await self.watch.tell(alert("checkout", "a", status, "error"))

    async def kept(self, item: Item) -> None:
        await self.intake.accept(item.key, "kept", {})
        await self.intake._done(item)

    def press(self, key: str, deed: Deed, known: bool) -> Coroutine[Any, Any, None]:
        """Known or not is one here: a line is always kept first; ``known`` leaves that out, for fewer orders."""
        if deed.person is MONITOR:
            return self.told(deed.verb)
        item = Item(f"line:{key}", "deed", {"deed": deed}, self.watch.clock.now())
        return self.worked_off(item) if known else self.kept(item)


async def come_to(watch: Watch, state: str) -> int:
    """Brings an incident into a state, by what monitors and people do."""
    await watch.tell(alert("checkout", "a", "firing", "error"))
    number: int = (await watch.database.read(store.open_ones))[0].id
    if state in ("paged", "Olu has it", "silenced"):
        await watch.paging.look()
    for verb, person in {
        "Olu has it": [("ack", OLU)], "Lee has it": [("ack", LEE)], "silenced": [("ack", OLU)],
        "resolved": [("resolve", OLU)], "closed": [("close", OLU)],
    }.get(state, []):  # fmt: skip
        await watch.desk.act(person, verb, number, {})
    if state == "calm":
        await watch.tell(alert("checkout", "a", "resolved", "error"))
    if state == "silenced":
        await watch.silencing.silence(OLU, number, watch.clock.now() + 1800.0, "")
    watch.clock.time += 60.0
    return number


def but_for_the_way(found: Outcome) -> Any:
    """Where an incident stands, whichever way it came there: Alertmanager is asked between two transactions."""
    names = ("state", "holder", "severity", "silenced_until", "resolved_by")
    bodies = [json.loads(row[-1]) for row in found.stands]
    return [([one[name] for name in names], sorted(one["silences"])) for one in bodies]


@pytest.mark.fire
@pytest.mark.parametrize("state", STATES)
def test_whatever_the_order_of_two_deeds_it_is_as_if_one_of_them_had_been_first(
    state: str, stage: Stage, record_property: Callable[[str, Any], None]
) -> None:
    watch = Watch(Turns())
    doing = Doing(watch, stage.alone(come_to(watch, state)))
    strictly = Table(stage, doing.press, INCIDENTS)
    loosely = Table(stage, doing.press, INCIDENTS, but_for_the_way)
    every = list(itertools.combinations_with_replacement(DEEDS, 2))
    tried = every if EVERYTHING else every[7 * STATES.index(state) :: SAMPLE]
    for pair in tried:
        in_two = any(one.verb in ("silence", "unsilence") for one in pair)
        at = loosely if in_two else strictly
        serial = at.both(pair)
        for one, other, told in at.losers(pair, serial):
            lost = MONITOR not in (one.person, other.person) and one.verb not in NOTHING_LOST
            known = any(words in told for words in (one.person.name, "You have ", " already has "))
            assert known or not lost, f"{other} after {one} is told {told}"
    if EVERYTHING:
        orders = strictly.orders + loosely.orders
        record_property("said", f"two deeds on an incident that is {state}: {len(tried)} pairs, {orders} orders")
