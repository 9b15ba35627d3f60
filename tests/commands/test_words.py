"""help, requests, why, pause, resume, and what other distributions add."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.configuration.folder import load
from chatops.kernel.action import Action, Answer, Context, inputs_of
from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.errors import InputError, PlatformError, Refused
from chatops.kernel.people import Person, Standing
from chatops.slack.views.answer import answer as message_of
from commands import deploy, help, pause, registry, requests, resume, scale, why
from commands.declared import action_of

DANA = Person(id="U0DANA", name="Dana", standing=Standing.MEMBER)
NOW = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
ACME = Platform(
    environments={"production": Environment(name="production", tier="production", namespace="shop")},
    services={"checkout": Service(name="checkout", team="shop")},
)


class Questions:
    """Answers what a test planned; everything else raises."""

    def __init__(self, **planned: Any) -> None:
        self.planned, self.asked = planned, list[tuple[Any, ...]]()

    async def _answer(self, name: str, *arguments: Any) -> Any:
        if name not in self.planned:
            raise AssertionError(f"unplanned question: {name}{arguments}")
        self.asked.append((name, *arguments))
        if isinstance(self.planned[name], Exception):
            raise self.planned[name]
        return self.planned[name]

    async def allowed(self, person: Person) -> tuple[Action, ...]:
        found: tuple[Action, ...] = await self._answer("allowed", person.name)
        return found

    async def why(self, person: Person, action: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        found: tuple[str, ...] = await self._answer("why", action, dict(values))
        return found

    async def requests(self, person: Person, whose: str) -> tuple[Mapping[str, Any], ...]:
        found: tuple[Mapping[str, Any], ...] = await self._answer("requests", whose)
        return found

    async def pause(self, person: Person, paused: bool, reason: str, key: str = "", before: float = math.inf) -> str:
        return str(await self._answer("pause", paused, reason))


async def ask(record: Action, questions: Questions, **inputs: Any) -> Answer:
    context = Context(platform=ACME, requester=DANA, now=NOW, ledger=None, questions=questions)  # type: ignore[arg-type]
    assert record.answer is not None
    return await record.answer(record.inputs.model_validate(inputs), context)


async def test_help_lists_what_this_person_may_do_and_nothing_else() -> None:
    answer = await ask(help.RECORD, Questions(allowed=(deploy.RECORD, help.RECORD)))
    said = "\n".join(answer.lines)
    assert deploy.RECORD.summary in said
    assert "scale" not in said


async def test_acmes_help_is_one_message_in_which_nothing_is_left_out() -> None:
    folder = Path(__file__).parents[2] / "examples" / "acme"
    actions = tuple(load(folder, registry.load(), action_of).actions.values())
    said = message_of(await ask(help.RECORD, Questions(allowed=actions)))
    assert "more lines" not in str(said.blocks)
    assert all(one.name.split(".")[0] in str(said.blocks) for one in actions if not one.hidden)


async def test_help_for_one_action_tells_its_usage_inputs_and_limits() -> None:
    answer = await ask(help.RECORD, Questions(allowed=(scale.RECORD,)), action="scale")
    said = "\n".join(answer.lines)
    assert scale.RECORD.usage in said
    assert "*Service*: What" in said
    assert "*Reason*: Why; the approvers read it (may be left out)" in said
    assert "replicas=…" in said
    assert [(one.line, one.form) for one in answer.buttons] == [("scale", True)]


async def test_help_tells_of_actions_that_begin_alike_on_one_line_and_of_each_when_asked_for_their_word() -> None:
    every = Questions(allowed=tuple(one for one in registry.load(()).values() if not one.hidden))
    lines = (await ask(help.RECORD, every)).lines
    (incident,) = (line for line in lines if line.startswith("`incident "))
    assert "incident open, incident ack" in incident
    assert "`/platform help incident`" in incident
    assert sum(len(line) + 1 for line in lines) < 4000  # a message has room for them, and for a company's own
    (logs,) = (line for line in lines if line.startswith("`logs "))
    assert logs.startswith("`logs SERVICE ENVIRONMENT […]`  ")
    assert "[since=15m]" in "\n".join((await ask(help.RECORD, every, action="logs")).lines)
    kin = "\n".join((await ask(help.RECORD, every, action="incident")).lines)
    assert "`incident ack INCIDENT`  Say that you have an incident" in kin
    assert "deploy" not in kin
    assert "`oncall restore NUMBER`" in "\n".join((await ask(help.RECORD, every, action="oncall")).lines)


async def test_help_does_not_tell_of_what_one_may_not_do() -> None:
    with pytest.raises(Refused, match="pause"):
        await ask(help.RECORD, Questions(allowed=(deploy.RECORD,)), action="pause")


async def test_requests_are_a_list_with_the_other_lists_as_buttons() -> None:
    at = NOW.timestamp()
    rows = tuple(
        {
            "id": f"R-{1000 + n}",
            "title": "Deploy checkout",
            "state": "waiting",
            "by": "Dana",
            "at": at - 50_000 * n,
            "link": "",
        }
        for n in range(3)
    )
    questions = Questions(requests=rows)
    answer = await ask(requests.RECORD, questions)
    assert questions.asked == [("requests", "mine")]
    assert [(one.heading, one.rows) for one in answer.lists] == [("", rows)]
    assert [one.line for one in answer.buttons] == ["requests waiting", "requests recent"]


async def test_no_requests_are_a_sentence() -> None:
    answer = await ask(requests.RECORD, Questions(requests=()), whose="waiting")
    assert answer.lines == ("Nothing waits for you.",)
    assert answer.lists == ()


async def test_why_asks_policy_with_what_was_said_and_offers_the_form() -> None:
    questions = Questions(why=("production needs a lead: 1 approval from Lee",))
    answer = await ask(why.RECORD, questions, action="deploy", service="checkout", environment="production")
    assert questions.asked == [("why", "deploy", {"service": "checkout", "environment": "production"})]
    assert answer.lines == ("production needs a lead: 1 approval from Lee",)
    assert answer.buttons[0].line == "deploy service=checkout environment=production"
    assert answer.buttons[0].form


async def test_pausing_needs_a_reason_and_resuming_none() -> None:
    with pytest.raises(InputError, match="Say why"):
        await ask(pause.RECORD, Questions())
    questions = Questions(pause="New writes are paused.")
    answer = await ask(pause.RECORD, questions, reason="the cluster is upgraded")
    assert answer.lines == ("New writes are paused.",)
    await ask(resume.RECORD, questions)
    assert questions.asked == [("pause", True, "the cluster is upgraded"), ("pause", False, "")]


async def test_a_refusal_to_pause_is_passed_on() -> None:
    with pytest.raises(Refused):
        await ask(resume.RECORD, Questions(pause=Refused("Only the platform team.")))


def test_every_built_in_action_is_whole() -> None:
    actions = registry.load(())
    assert {"deploy", "rollback", "restart", "scale", "status", "requests", "why", "help", "pause"} <= set(actions)
    for name, action in actions.items():
        names = {one.name for one in inputs_of(action.inputs)}
        assert action.name == name
        assert action.usage.startswith(name.replace(".", " "))
        assert action.summary
        assert set(action.positionals) <= names
        assert (action.plan is None) != (action.answer is None), "either it changes something or it answers"
        assert action.answer is None or (action.apply is None and action.give is None)


ADDED = help.RECORD.__class__(
    name="restart-node", title="Restart node", risk="danger", inputs=help.Help, usage="restart-node", summary="x",
    answer=help.answer,
)  # fmt: skip
TWIN = help.RECORD
BROKEN = ADDED.__class__(
    name="broken", title="B", risk="read", inputs=help.Help, usage="broken", summary="x", positionals=("nope",),
    answer=help.answer,
)  # fmt: skip
NO_ACTION = "text"


def point(value: str) -> EntryPoint:
    return EntryPoint(name="added", value=value, group=registry.GROUP)


def test_other_distributions_add_actions() -> None:
    actions = registry.load([point("tests.commands.test_words:ADDED")])
    assert actions["restart-node"] is ADDED
    assert list(actions)[-1] == "restart-node"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("tests.commands.test_words:TWIN", "exists already"),
        ("tests.commands.test_words:BROKEN", "nope"),
        ("tests.commands.test_words:NO_ACTION", "not a chatops"),
        ("tests.commands.test_words:MISSING", "cannot be loaded"),
        ("there.is.no.such:MODULE", "cannot be loaded"),
    ],
)
def test_an_entry_point_that_cannot_be_used_stops_the_start_naming_itself(value: str, words: str) -> None:
    with pytest.raises(PlatformError, match=words) as caught:
        registry.load([point(value)])
    assert "entry point added" in caught.value.message
