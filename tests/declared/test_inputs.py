"""A declared action is the same record as a built-in one: its inputs are asked for, checked and seen by CEL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chatops.kernel.action import Action, InputKind, inputs_of
from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.declaration import Declaration, DeclaredInput, OptionsFrom
from chatops.requests.parse import InputErrors, parse
from commands.declared import action_of
from tests.declared.samples import DATABASE, asking

PLATFORM = Platform(
    environments={"staging": Environment(name="staging", tier="staging", namespace="shop-staging")},
    services={"checkout": Service(name="checkout", team="shop")},
)


def action_with(**about: Any) -> Action:
    return action_of(asking(DeclaredInput(name="thing", **about)))


def given(action: Action, **values: Any) -> dict[str, Any]:
    """What CEL sees of inputs that were accepted."""
    assert action.variables is not None
    return action.variables(parse(action, values, PLATFORM))


def refusal(action: Action, **values: Any) -> str:
    with pytest.raises(InputErrors) as wrong:
        parse(action, values, PLATFORM)
    assert wrong.value.field == "thing"
    return wrong.value.message


def test_the_example_of_the_issue_is_asked_for_like_a_built_in_action() -> None:
    action = action_of(DATABASE)
    assert action.usage == (
        "database create SERVICE ENVIRONMENT [size=small|medium|large] [replicas=REPLICAS] because REASON"
    )
    assert action.positionals == ("service", "environment")
    shown = {one.name: one for one in inputs_of(action.inputs)}
    assert list(shown) == ["service", "environment", "size", "replicas", "reason"]
    assert [shown["service"].kind, shown["environment"].kind] == [InputKind.SERVICE, InputKind.ENVIRONMENT]
    assert shown["size"].kind is InputKind.CHOICE
    assert shown["size"].options == ("small", "medium", "large")
    assert (shown["replicas"].minimum, shown["replicas"].maximum, shown["replicas"].default) == (1, 3, 2)
    assert shown["replicas"].asked.show_when == 'env.tier == "production"'
    assert not shown["size"].required
    assert shown["service"].required


def test_an_action_that_was_pinned_is_revived_as_it_was() -> None:
    action = action_of(DATABASE)
    again = action_of(Declaration.model_validate_json(action.pinned))
    assert again.pinned == action.pinned
    assert inputs_of(again.inputs) == inputs_of(action.inputs)
    assert (again.rules, again.usage, again.positionals) == (action.rules, action.usage, action.positionals)


def test_a_choice_gives_cel_the_value_on_the_right_of_its_option() -> None:
    seen = given(action_of(DATABASE), service="checkout", environment="staging", size="medium")
    assert (seen["size"], seen["replicas"], seen["service"]) == ("50Gi", 2, "checkout")


def test_what_was_typed_is_kept_and_read_again_the_same() -> None:
    action = action_of(
        asking(
            DeclaredInput(name="size", type="choice", options={"small": 1}, required=False),
            DeclaredInput(name="number", type="integer", required=False),
            DeclaredInput(name="until", type="datetime", required=False),
            DeclaredInput(name="zones", type="choice", options={"a": "zone-a", "b": "zone-b"}, several=True),
            DeclaredInput(name="ttl", type="duration", default="4h"),
        )
    )
    inputs = parse(action, {"zones": "b, a,b"}, PLATFORM)
    stored = inputs.model_dump(mode="json")
    assert stored["ttl"] == "4h"
    assert stored["zones"] == ["b", "a"]
    again = action.inputs.model_validate(stored)
    assert again == inputs
    assert action.variables is not None
    assert action.variables(again) == {
        "size": "", "number": None, "until": None, "zones": ["zone-b", "zone-a"], "ttl": 14400, "reason": "",
    }  # fmt: skip


def test_inputs_that_are_half_filled_in_are_seen_as_far_as_they_are() -> None:
    action = action_of(DATABASE)
    assert action.variables is not None
    assert action.variables({"size": "large"}) == {"size": "200Gi"}


@pytest.mark.parametrize(
    ("about", "typed", "seen"),
    [
        ({"type": "text"}, "  hello ", "hello"),
        ({"type": "text", "multiline": True}, "x\nspec: y", "x\nspec: y"),
        ({"type": "text", "pattern": "[a-z]+"}, "abc", "abc"),
        ({"type": "integer"}, "3", 3),
        ({"type": "number", "maximum": 1.5}, "1.5", 1.5),
        ({"type": "boolean"}, "yes", True),
        ({"type": "version"}, "1.4.2", "1.4.2"),
        ({"type": "person"}, "dana@acme.test", "dana@acme.test"),
        ({"type": "person"}, "U0DANA", "U0DANA"),
        ({"type": "duration"}, "1h30m", 5400),
        ({"type": "datetime"}, "2026-12-24T10:00Z", datetime(2026, 12, 24, 10, tzinfo=UTC)),
        ({"type": "datetime"}, "2026-12-24 10:00", datetime(2026, 12, 24, 10, tzinfo=UTC)),
        ({"type": "choice", "options": {"on": True}}, "on", True),
        ({"type": "choice", "options_from": OptionsFrom(cel="['a']")}, "a", "a"),
        ({"type": "text", "required": False, "pattern": "[a-z]+", "min_length": 3}, "", ""),
        ({"type": "duration", "required": False}, "", None),
        ({"type": "boolean"}, "", False),
    ],
)
def test_every_type_of_input_is_understood(about: dict[str, Any], typed: str, seen: Any) -> None:
    assert given(action_with(**about), thing=typed)["thing"] == seen


@pytest.mark.parametrize(
    ("about", "typed", "said"),
    [
        ({"type": "text"}, "", "Thing is needed."),
        ({"type": "text"}, "   ", "Thing is needed."),
        ({"type": "text"}, "x" * 100_000, "Thing is too long: at most 3000 characters."),
        ({"type": "text", "max_length": 10**9}, "x" * 100_001, "Thing is too long: at most 100000 characters."),
        ({"type": "text", "min_length": 3}, "ab", "Thing is too short: at least 3 characters."),
        ({"type": "text", "pattern": "[a-z]+"}, "abc1", "Thing 'abc1' does not fit: it has to match [a-z]+"),
        ({"type": "text", "pattern": "[a-z]+"}, "abc\nd", "Thing 'abc\\nd' does not fit: it has to match [a-z]+"),
        ({"type": "text", "pattern": "a|b", "help": "a or b."}, "ax", "Thing 'ax' does not fit: a or b."),
        ({"type": "text", "pattern": "[a-z]+"}, "аbc", "Thing 'аbc' does not fit: it has to match [a-z]+"),
        ({"type": "integer", "minimum": 1}, "0", "Thing must be 1 or more."),
        ({"type": "integer", "required": False, "maximum": 3}, "4", "Thing must be 3 or less."),
        ({"type": "integer"}, "9" * 30, "Thing is too large a number."),
        ({"type": "number"}, "inf", "Thing is too large a number."),
        ({"type": "number"}, "nan", "Thing is too large a number."),
        ({"type": "choice", "options": {"a": 1, "b": 2, "c": 3}}, "d", "Thing must be a, b or c, not 'd'."),
        ({"type": "choice", "options": {"a": 1, "b": 2}, "several": True}, "a,d", "Thing must be a or b, not 'd'."),
        ({"type": "choice", "options": {"a": 1}, "several": True}, ",", "Thing is needed."),
        ({"type": "duration", "maximum": 28800}, "9h", "Thing must be 8h or less."),
        ({"type": "duration", "minimum": 90}, "1m", "Thing must be 90s or more."),
        ({"type": "duration"}, "soon", "'soon' is no duration: write 30m, 4h or 2d."),
        ({"type": "duration"}, "0h", "'0h' is no duration: write 30m, 4h or 2d."),
        ({"type": "datetime"}, "tomorrow", "'tomorrow' is no date and time: write 2026-12-24T10:00Z."),
        ({"type": "person"}, "Dana", "Thing must be an e-mail address or a Slack user id."),
    ],
)
def test_every_mistake_is_said_at_its_field(about: dict[str, Any], typed: str, said: str) -> None:
    assert refusal(action_with(**about), thing=typed) == said


def test_a_pattern_that_python_would_chew_on_for_ever_is_answered_at_once() -> None:
    assert "does not fit" in refusal(action_with(type="text", pattern="(a+)+b"), thing="a" * 2900)


def test_an_input_that_may_stay_hidden_is_needed_only_while_it_is_shown() -> None:
    action = action_of(
        asking(
            DeclaredInput(name="kind", type="text"),
            DeclaredInput(name="address", type="text", show_when='inputs.kind == "public"'),
            DeclaredInput(name="port", type="integer", show_when='inputs.kind == "public"', default=80),
        )
    )
    parse(action, {"kind": "private"}, PLATFORM)
    shown = {one.name: one for one in inputs_of(action.inputs)}
    assert [shown[name].required for name in ("kind", "address", "port")] == [True, False, False]
    assert [shown[name].asked.needed for name in ("kind", "address", "port")] == [False, True, False]
