"""What people fill in becomes typed inputs, or mistakes with a sentence each, at their fields."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.catalog import Environment, Platform, Service, Team
from chatops.kernel.texts import ended
from chatops.requests.parse import InputErrors, parse
from commands import registry

ACTIONS = registry.load()
PLATFORM = Platform(
    environments={name: Environment(name=name, tier=name, namespace=name, max_replicas=5) for name in ("live", "try")},
    teams={"shop": Team(name="shop")},
    services={name: Service(name=name, team="shop") for name in ("checkout", "cart")},
)
RIGHT = {"service": "checkout", "environment": "live", "version": "1.4.2"}
VALUES = st.one_of(st.text(max_size=40), st.integers(), st.none(), st.booleans())


@pytest.mark.parametrize(
    ("action", "values", "field", "sentence"),
    [
        ("deploy", {**RIGHT, "service": "chekout"}, "service", "There is no service called 'chekout'. Did you mean"),
        ("deploy", {**RIGHT, "environment": "moon"}, "environment", "There are live, try."),
        ("deploy", {**RIGHT, "version": ""}, "version", "Version is needed."),
        ("deploy", {**RIGHT, "version": "1 2"}, "version", "no spaces"),
        ("deploy", {**RIGHT, "versoin": "1"}, "", "Deploy has no input 'versoin'. Did you mean version?"),
        ("deploy", {**RIGHT, "reason": "x" * 2001}, "reason", "Reason is too long: at most 2000 characters."),
        ("scale", {"service": "cart", "environment": "live", "replicas": "-1"}, "replicas", "must be 0 or more."),
        ("scale", {"service": "cart", "environment": "live", "replicas": "6"}, "replicas", "between 0 and 5 in live."),
        ("scale", {"service": "cart", "environment": "live", "replicas": "2.5"}, "replicas", "must be a whole number."),
        ("requests", {"whose": "hers"}, "whose", "Whose must be 'mine', 'waiting' or 'recent'."),
    ],
)
def test_a_mistake_is_said_at_its_field(action: str, values: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(InputErrors) as wrong:
        parse(ACTIONS[action], values, PLATFORM)
    (error,) = wrong.value.errors
    assert error.field == field
    assert sentence in f"{error.message} {error.hint}"


def test_every_mistake_is_said_once_and_all_of_them() -> None:
    with pytest.raises(InputErrors) as wrong:
        parse(ACTIONS["deploy"], {"service": "nope", "environment": "nope", "version": "no pe"}, PLATFORM)
    assert sorted(error.field for error in wrong.value.errors) == ["environment", "service", "version"]


@given(st.sampled_from(sorted(ACTIONS)), st.dictionaries(st.sampled_from([*RIGHT, "replicas", "reason", "x"]), VALUES))
def test_whatever_is_filled_in_is_understood_or_refused_in_sentences(action: str, values: dict[str, Any]) -> None:
    mistakes: list[str] = []
    try:
        parse(ACTIONS[action], {**RIGHT, **values}, PLATFORM)
    except InputErrors as wrong:
        mistakes = [error.message for error in wrong.errors]
    assert all(mistake.endswith((".", "…")) for mistake in mistakes), mistakes


def test_blanks_and_line_breaks_around_a_value_do_not_count() -> None:
    inputs = parse(ACTIONS["deploy"], {**RIGHT, "version": " 1.4.2\n"}, PLATFORM)
    assert inputs.model_dump()["version"] == "1.4.2"


@pytest.mark.parametrize("said", ["Forbidden", "Forbidden.", "Really?", "cut off…"])
def test_a_sentence_of_the_cluster_gets_the_full_stop_it_lacks(said: str) -> None:
    assert ended(said) in (said, f"{said}.")
    assert ended(ended(said)) == ended(said)
