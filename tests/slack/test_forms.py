"""An action's inputs as a modal, and back."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from chatops.kernel.action import ChangeInputs
from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.errors import InputError
from chatops.sandbox.slack.blockkit import check_view
from chatops.slack import forms, ids
from chatops.slack.forms import Origin, Shown
from commands import registry
from tests.slack.desk import ACTIONS, action, platform

ACME = platform()
ALL = {**ACTIONS, **registry.load()}


class EveryKind(ChangeInputs):
    size: Literal["small", "large"] = Field(default="small", title="Size")
    count: int = Field(ge=1, le=9, title="Count")
    sure: bool = Field(default=False, title="Sure")
    note: str = Field(title="Note")


def form(name: str, values: dict[str, Any] | None = None, where: Platform = ACME, info: tuple[str, ...] = ()) -> Any:
    everything = {**ALL, "every": action("every", EveryKind, ())}
    return forms.form(everything[name], where, everything, values or {}, Origin(action=name), Shown(info=info))


@pytest.mark.parametrize("name", [*ALL, "every"])
def test_every_form_is_one_that_slack_takes(name: str) -> None:
    assert check_view(form(name)) == []


@pytest.mark.parametrize("name", [*ALL, "every"])
@given(
    values=st.dictionaries(
        st.sampled_from(
            ["service", "environment", "version", "reason", "replicas", "count", "size", "sure", "note", "action"]
        ),
        st.text(max_size=4000) | st.sampled_from(["checkout", "production", "5", "-1", "²", "yes", "small", "9" * 40]),
    )
)
def test_whatever_was_understood_the_form_is_one_that_slack_takes(name: str, values: dict[str, str]) -> None:
    assert check_view(form(name, values, info=(values.get("note", ""),))) == []


def test_labels_are_the_titles_and_the_reason_comes_last() -> None:
    labels = [block["label"]["text"] for block in form("deploy")["blocks"] if block["type"] == "input"]
    assert labels == ["Service", "Environment", "Version", "Reason"]


def test_only_what_may_be_left_out_is_optional() -> None:
    optional = {block["block_id"]: block["optional"] for block in form("deploy")["blocks"] if block["type"] == "input"}
    assert [optional[f"in:{name}"] for name in ("service", "version", "environment", "reason")] == [False] * 3 + [True]


def test_a_value_that_is_no_choice_is_left_open_instead_of_breaking_the_form() -> None:
    blocks = {
        block["block_id"]: block for block in form("deploy", {"service": "gone", "environment": "mars"})["blocks"]
    }
    assert "initial_option" not in blocks["in:service"]["element"]
    assert "initial_option" not in blocks["in:environment"]["element"]


def test_more_than_a_hundred_environments_are_searched_instead_of_listed() -> None:
    many = {f"env-{n}": Environment(name=f"env-{n}", tier="preview", namespace=f"env-{n}") for n in range(101)}
    large = ACME.model_copy(update={"environments": many})
    view = form("deploy", {"environment": "env-7"}, large)
    [element] = [one["element"] for one in view["blocks"] if one["block_id"] == "in:environment"]
    assert (element["type"], element["initial_option"]["value"]) == ("external_select", "env-7")
    assert check_view(view) == []


def state(values: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"state": {"values": {f"in:{name}": {"x": value} for name, value in values.items()}}}


def test_what_stands_in_a_form_is_read_by_name_and_blanks_are_nothing() -> None:
    view = state(
        {
            "service": {"type": "external_select", "selected_option": {"text": {}, "value": "checkout"}},
            "environment": {"type": "static_select", "selected_option": None},
            "version": {"type": "plain_text_input", "value": " 1.4.2 "},
            "reason": {"type": "plain_text_input", "value": "  "},
        }
    )
    assert forms.filled(view) == {"service": "checkout", "version": " 1.4.2 "}


def test_errors_stand_at_their_fields_and_what_has_none_at_the_first() -> None:
    found = forms.field_errors(
        [InputError("a", field="version"), InputError("b", field="version", hint="h"), InputError("c", field="nope")],
        form("deploy"),
    )
    assert found == {"in:version": "a b h", "in:service": "c"}


def test_other_words_under_the_environment_are_another_shape_and_other_values_are_not() -> None:
    view = form("deploy", {"service": "checkout"})
    told = {**view, "id": "V1", "hash": "h", "team_id": "T", "state": {}, "bot_id": "B"}
    assert forms.same_shape(told, form("deploy", {"service": "cart", "version": "1.4.2"}))
    changed = form("deploy", {"service": "checkout"}, info=("Now: 1.4.1 healthy",))
    assert not forms.same_shape(told, changed)
    assert forms.info_of(changed) == ("Now: 1.4.1 healthy",)


@given(st.text(max_size=9000))
def test_a_diff_in_a_window_loses_nothing_but_line_breaks_between_its_parts(diff: str) -> None:
    view = forms.diff_view("R-1042", diff)
    assert view is not None
    assert check_view(view) == []
    texts = [block["elements"][0]["elements"][0]["text"] for block in view["blocks"]]
    assert "".join(texts).replace("\n", "").strip() == diff.replace("\n", "").strip()


def test_a_diff_that_is_too_long_is_none_for_a_window() -> None:
    assert forms.diff_view("R-1042", "x\n" * 200_000) is None


@pytest.mark.parametrize("verdict", ["reject", "break_glass"])
def test_the_small_forms_are_ones_that_slack_takes(verdict: str) -> None:
    assert check_view(forms.reason_view(Origin(request=1042, digest="7f3a", verdict=verdict))) == []
    assert check_view(forms.line_view(Origin(), "x" * 5000)) == []
    assert check_view(forms.said_view("a very long title that Slack would refuse", ["x" * 5000])) == []


@given(st.builds(Origin, channel=st.text(), thread_ts=st.text(), action=st.text(), break_glass=st.booleans()))
def test_where_somebody_asked_travels_with_the_form(origin: Origin) -> None:
    if len(origin.pack()) < 3000:
        assert Origin.read(origin.pack()) == origin


@pytest.mark.parametrize("packed", ["", "null", "[]", "{", '{"colour": "red"}', '"x"', "5"])
def test_a_form_of_another_version_is_from_nowhere(packed: str) -> None:
    assert Origin.read(packed) == Origin()


@pytest.mark.parametrize("packed", [None, "", "x", "[1]", "5", '"text"', 7])
def test_a_button_value_that_is_not_ours_is_empty(packed: Any) -> None:
    assert ids.read_value(packed) == {}


@given(st.text(max_size=6000))
def test_a_buttons_value_fits_whatever_the_line(line: str) -> None:
    packed = ids.line_value(line)
    assert len(packed) <= 2000
    assert line.startswith(ids.read_value(packed)["line"])
