"""An action's inputs as a modal, and back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from annotated_types import MaxLen
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, create_model

from chatops.kernel.action import Action, Asked, ChangeInputs, InputKind
from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.errors import InputError
from chatops.requests.parse import parse
from chatops.sandbox.slack.blockkit import check_view, view_too_large
from chatops.sandbox.slack.inputs import values_of
from chatops.slack import forms, ids
from chatops.slack.forms import Origin, Shown
from chatops.slack.steps import steps_of
from commands import registry
from tests.slack.desk import ACTIONS, action, platform

ACME = platform()
ALL = {**ACTIONS, **registry.load()}


class EveryKind(ChangeInputs):
    size: Literal["small", "large"] = Field(default="small", title="Size")
    count: int = Field(ge=1, le=9, title="Count")
    sure: bool = Field(default=False, title="Sure")
    note: str = Field(title="Note")


class NewKinds(ChangeInputs):
    ratio: float = Field(default=0.5, ge=0.25, le=1e9, title="Ratio")
    tags: Annotated[tuple[str, ...], InputKind.CHOICES, Asked({"red": 1, "a, b": 2, "green": 3})] = Field(
        default=("red",), title="Tags"
    )
    many: Annotated[tuple[str, ...], InputKind.CHOICES, Asked({f"m{n}": n for n in range(60)})] = Field(default=())
    crowd: Annotated[tuple[str, ...], InputKind.CHOICES, Asked({f"c{n}": n for n in range(101)})] = Field(default=())
    pick: Annotated[str, InputKind.CHOICE, Asked({f"p{n}": n for n in range(101)})] = Field(default="p7")
    team: Annotated[str, InputKind.TEAM] = Field(title="Team")
    who: Annotated[str, InputKind.PERSON] = Field(title="Who")
    wait: Annotated[str, InputKind.DURATION, Asked(maximum=86400.0)] = Field(default="4h", title="Wait")
    at: Annotated[str, InputKind.DATETIME] = Field(default="", title="At")
    note: Annotated[str, InputKind.TEXT, Asked(min_length=3), MaxLen(5000)] = Field(default="", title="Note")


KINDS = {
    "ratio": "0.75", "tags": '"a, b",green', "many": "m1,m59", "crowd": "c3,c100", "pick": "p100", "team": "shop",
    "who": "U0LEE", "wait": "30m", "at": "2026-12-24T10:00:00Z", "note": "as typed", "reason": "two\nlines",
}  # fmt: skip


def test_limits_are_said_before_somebody_gets_them_wrong() -> None:
    every, kinds = (
        {one["block_id"]: one for one in form(name)["blocks"] if "block_id" in one} for name in ("every", "kinds")
    )
    assert every["in:count"]["hint"]["text"] == "From 1 to 9."
    assert kinds["in:ratio"]["hint"]["text"] == "From 0.25 to 1000000000."
    assert kinds["in:wait"]["hint"]["text"] == "At most 1d."
    assert "hint" not in kinds["in:team"]


def standing(view: dict[str, Any]) -> dict[str, Any]:
    """The view as Slack hands it back when nobody touched it."""
    return {**view, "state": {"values": values_of(view["blocks"], {})}}


def form(name: str, values: dict[str, Any] | None = None, where: Platform = ACME, info: tuple[str, ...] = ()) -> Any:
    everything = {**ALL, "every": action("every", EveryKind, ()), "kinds": action("kinds", NewKinds, ())}
    return forms.form(everything[name], where, everything, values or {}, Origin(action=name), Shown(info=info))


@pytest.mark.parametrize("name", [*ALL, "every", "kinds"])
def test_every_form_is_one_that_slack_takes(name: str) -> None:
    assert check_view(form(name)) == []


@pytest.mark.parametrize("name", [*ALL, "every", "kinds"])
@given(
    values=st.dictionaries(
        st.sampled_from(["service", "environment", "version", "replicas", "count", "size", "sure", "action", *KINDS]),
        st.text(max_size=4000)
        | st.sampled_from(["checkout", "production", "5", "-1", "²", "yes", "small", "9" * 40, "1e9", "0.5", ",", '"'])
        | st.sampled_from(list(KINDS.values())),
    )
)
def test_whatever_was_understood_the_form_is_one_that_slack_takes(name: str, values: dict[str, str]) -> None:
    assert check_view(form(name, values, info=(values.get("note", ""),))) == []


def test_what_stands_in_a_form_reads_back_as_it_was_typed() -> None:
    assert forms.filled(standing(form("kinds", KINDS))) == KINDS
    inputs: Any = parse(action("kinds", NewKinds, ()), KINDS, ACME)
    assert (inputs.ratio, inputs.tags, inputs.many) == (0.75, ("a, b", "green"), ("m1", "m59"))


def test_each_kind_has_slacks_own_element() -> None:
    kinds = {block["block_id"]: block["element"]["type"] for block in form("kinds")["blocks"] if "element" in block}
    assert [kinds[f"in:{name}"] for name in NewKinds.model_fields if name != "reason"] == [
        "number_input", "checkboxes", "multi_static_select", "multi_external_select", "external_select",
        "static_select", "users_select", "plain_text_input", "datetimepicker", "plain_text_input",
    ]  # fmt: skip


def test_presets_stand_in_the_form_and_limits_are_slacks_too() -> None:
    view = form("kinds")
    elements = {block["block_id"]: block["element"] for block in view["blocks"] if "element" in block}
    assert forms.filled(standing(view)) == {"ratio": "0.5", "tags": "red", "pick": "p7", "wait": "4h"}
    ratio = elements["in:ratio"]
    assert (ratio["is_decimal_allowed"], ratio["min_value"], ratio["max_value"]) == (True, "0.25", "1000000000")
    assert (elements["in:note"]["min_length"], elements["in:note"]["max_length"]) == (3, 3000)
    assert elements["in:wait"]["placeholder"]["text"] == "30m, 4h, 2d"


def test_presets_that_were_all_taken_away_are_none_and_not_the_presets_again() -> None:
    view = standing(form("kinds"))
    view["state"]["values"]["in:tags"]["value"]["selected_options"] = []
    assert forms.filled(view)["tags"] == ","
    inputs: Any = parse(action("kinds", NewKinds, ()), {**KINDS, "tags": ","}, ACME)
    assert inputs.tags == ()


def long_form(count: int, /, **more: Any) -> Action:
    fields: dict[str, Any] = {f"n{n}": (str, Field(**more)) for n in range(count)}
    inputs = create_model("Long", __base__=ChangeInputs, **fields)
    return action("long", inputs, ())


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (89, 1), (90, 2), (178, 2), (250, 3), (400, 5)])
def test_a_form_of_more_than_slack_holds_has_steps_each_of_which_slack_takes(count: int, steps: int) -> None:
    long = long_form(count, title="T" * 150, description="h" * 200, max_length=200)
    seen: list[str] = []
    for step in range(len(steps_of(long))):
        view = forms.form(long, ACME, [], {}, Origin(action="long", step=step, draft="d" * 32))
        assert check_view(view) == []
        assert not view_too_large(view)
        if steps > 1:
            assert f"{step + 1} of {steps}" in view["title"]["text"]
        last = step == steps - 1
        assert view["submit"]["text"] == ("Long" if last else "Next")
        seen += [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    assert step + 1 == steps
    assert seen == [f"in:{name}" for name in [*(f"n{n}" for n in range(count)), "reason"]]


@pytest.mark.parametrize("text", ["x" * 3000, "ü" * 3000])
def test_texts_that_slack_cannot_hold_together_are_on_several_steps_or_shortened_and_that_is_said(text: str) -> None:
    long = long_form(80, description="h" * 2000, default=text)
    values = {f"n{n}": text for n in range(80)}
    for step in range(len(steps_of(long))):
        view = forms.form(long, ACME, [], values, Origin(action="long", step=step))
        assert check_view(view) == []
        assert not view_too_large(view)
        texts = [len(block["element"].get("initial_value", "")) for block in view["blocks"] if "element" in block]
        assert (forms.SHORTENED in str(view)) == (max(texts) < 3000)


def test_options_that_slack_cannot_hold_together_are_asked_for_while_typing() -> None:
    wide = Annotated[str, InputKind.CHOICE, Asked({f"{n} {'ö' * 70}": n for n in range(100)})]
    fields: dict[str, Any] = {f"n{n}": (wide, Field(default="")) for n in range(60)}
    inputs = create_model("Wide", __base__=ChangeInputs, **fields)
    for step in range(len(steps_of(action("wide", inputs, ())))):
        view = forms.form(action("wide", inputs, ()), ACME, [], {}, Origin(action="wide", step=step))
        assert check_view(view) == []
        assert not view_too_large(view)


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


@pytest.mark.parametrize("packed", ["", "null", "[]", "{", '{"colour": "red"}', '"x"', "5", "[" * 2500])
def test_a_form_of_another_version_is_from_nowhere(packed: str) -> None:
    assert Origin.read(packed) == Origin()


@pytest.mark.parametrize("packed", [None, "", "x", "[1]", "5", '"text"', 7, "[" * 2500])
def test_a_button_value_that_is_not_ours_is_empty(packed: Any) -> None:
    assert ids.read_value(packed) == {}


@given(st.text(max_size=6000))
def test_a_buttons_value_fits_whatever_the_line(line: str) -> None:
    packed = ids.line_value(line)
    assert len(packed) <= 2000
    assert line.startswith(ids.read_value(packed)["line"])
