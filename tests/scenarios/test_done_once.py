"""Whatever a line does is done once under the key of its row, and whoever asked hears that it was done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from chatops.incidents.silencing import Silencing
from chatops.kernel.action import Answer
from chatops.kernel.errors import TooLate
from chatops.requests.line import Line
from chatops.requests.reading import parse
from commands import registry
from tests.model.watch import Silences
from tests.scenarios.test_incidents import alert, tell
from tests.support.house import REQUESTS, House, acme_house
from tests.support.steps import apply, config_map, known, stepping

# One after the other: what each needs is there by those before it.
LINES = (
    ("U0OLU", "lock checkout production because migrating"),
    ("U0OLU", "unlock checkout production"),
    ("U0OLU", "freeze staging because auditors"),
    ("U0OLU", "thaw staging"),
    ("U0OLU", "pause because something is wrong"),
    ("U0OLU", "resume"),
    ("U0OLU", "incident ack INC-101"),
    ("U0OLU", "incident still INC-101"),
    ("U0OLU", "incident severity INC-101 sev2"),
    ("U0OLU", "incident note INC-101 because seen it"),
    ("U0OLU", "incident lead INC-101 lee@acme.test"),
    ("U0OLU", "incident status INC-101 identified because the cart"),
    ("U0OLU", "incident room INC-101"),
    ("U0OLU", "silence INC-101 2h because known"),
    ("U0OLU", "unsilence INC-101"),
    ("U0OLU", "incident release INC-101"),
    ("U0OLU", "incident escalate INC-101"),
    ("U0OLU", "incident take INC-101"),
    ("U0OLU", "incident handover INC-101 lee@acme.test"),
    ("U0LEE", "incident resolve INC-101"),
    ("U0LEE", "incident close INC-101"),
    ("U0DANA", "incident open cart production because slow"),
    ("U0DANA", "page shop because nothing works"),
    ("U0OLU", "oncall override tomorrow 9-12 for sam@acme.test because dentist"),
    ("U0OLU", "oncall restore 1"),
    ("U0OLU", "oncall test"),
    ("U0DANA", "schedule restart checkout staging at tomorrow 9:00 because nightly"),
    ("U0DANA", "schedule pause S-1"),
    ("U0DANA", "schedule resume S-1"),
    ("U0DANA", "schedule remove S-1"),
    ("U0DANA", "preferences told=dm"),
    ("U0DANA", "extend R-1001"),
    ("U0LEE", "review R-1001 because It was right."),
    ("U0DANA", "secret confirm 1002 000000 no"),
)
IDEMPOTENT = {"ask", "lock.watch", "incident.postmortem"}  # as often as it is done, it comes to the same
READ = {
    "status", "services", "service", "logs", "diagnose", "secret.list", "requests", "mine", "why", "help", "oncall",
    "incidents", "incident.timeline", "incident.more", "locks", "freezes", "promote", "compare", "schedules", "dora",
    "adoption",
}  # fmt: skip
DEEDS = "SELECT (SELECT count(*) FROM audit WHERE who = :who) AS told, (SELECT count(*) FROM overrides) AS overrides"


def at_once(content: dict[str, Any]) -> None:
    content["policies"] = [{"name": "at once", "when": "true", "review": "group:leads"}]


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    known(monkeypatch, stepping(apply(config_map("shelf", size="10")), expires=30 * 86400.0))
    async with acme_house(platform=at_once) as house:
        yield house


def parsed(house: House, text: str) -> Line:
    return parse(text, house.assistant.actions, house.assistant.configuration.platform)


async def done(house: House, user: str, text: str, *, again: bool) -> Answer:
    """What the row of this line does, once and again."""
    person, line = await house.assistant.directory.person(user), parsed(house, text)
    inputs = line.inputs(house.assistant.actions[line.action])
    return await house.assistant.road.answer(line.action, inputs, person=person, key=text, again=again)


async def test_whatever_a_line_does_it_does_once_and_who_asked_is_told_that_it_did(house: House) -> None:
    silencing = house.assistant.planner.desks.silences
    assert isinstance(silencing, Silencing)
    silencing.silencer = Silences()
    await house.dana.types("/platform shelf.create checkout staging because we need room")
    await house.dana.sees(REQUESTS, "R-1001", "SUCCEEDED", within=15)
    await house.dana.types("/platform secret set checkout production NEW because it is new")
    await house.dana.sees("@platform", "Give the value on this page")
    await tell(house, alert())
    for user, text in LINES:
        await done(house, user, text, again=False)
        who = (await house.assistant.directory.person(user)).email
        before = await house.rows(DEEDS, who=who)
        with suppress(TooLate):  # by somebody who is at it at the same time, and has not looked that up
            await done(house, user, text, again=False)
        with pytest.raises(TooLate, match="This was done already"):
            await done(house, user, text, again=True)
        assert await house.rows(DEEDS, who=who) == before, text


async def test_what_did_nothing_is_said_again_and_not_that_it_was_done(house: House) -> None:
    await tell(house, alert())
    await house.olu.sees("@platform", "You are paged.")
    for line in ("incident ack INC-101", "incident more INC-101"):
        said = await done(house, "U0LEE", line, again=False)
        assert await done(house, "U0LEE", line, again=True) == said
    assert said.buttons


async def test_every_action_that_answers_is_known_to_do_something_or_not(house: House) -> None:
    doing = {(parsed(house, text)).action for _, text in LINES}
    answering = {name for name, action in registry.load([]).items() if action.answer is not None}
    assert answering == doing | IDEMPOTENT | READ
    assert not doing & (IDEMPOTENT | READ)
