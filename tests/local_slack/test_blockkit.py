"""Block Kit's limits, each just kept and just broken; what slack_sdk checks and what it does not."""

from __future__ import annotations

import string
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.sandbox.slack.blockkit import check_blocks, check_view, view_too_large
from chatops.sandbox.slack.content import checked_content
from chatops.sandbox.slack.errors import SlackError

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def option(number: int = 0, text: str = "x", value: str = "") -> Json:
    return {"text": plain(text), "value": value or f"v{number}"}


def options(count: int) -> list[Json]:
    return [option(number) for number in range(count)]


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("Go"), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "a", "options": options(1), **more}


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain("T"), "blocks": list(blocks), **more}


def field(**more: Any) -> Json:
    return {"type": "input", "label": plain("L"), "element": {"type": "plain_text_input", "action_id": "a"}, **more}


CONFIRM = {"title": plain("Sure?"), "text": plain("Really?"), "confirm": plain("Yes"), "deny": plain("No")}
TOO_LONG = "must be less than {} characters [json-pointer:{}]"

# (what is tried, blocks just within the limit, blocks just over it, what Slack says).
MESSAGES: list[tuple[str, list[Json], list[Json], str]] = [
    ("50 blocks", [section()] * 50, [section()] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    (
        "section text",
        [section("x" * 3000)],
        [section("x" * 3001)],
        TOO_LONG.format(3001, "/blocks/0/text/text"),
    ),
    (
        "header text",
        [{"type": "header", "text": plain("x" * 150)}],
        [{"type": "header", "text": plain("x" * 151)}],
        TOO_LONG.format(151, "/blocks/0/text/text"),
    ),
    (
        "header is plain",
        [{"type": "header", "text": plain("x")}],
        [{"type": "header", "text": mrkdwn("x")}],
        "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
    ),
    ("empty text", [section("x")], [section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    (
        "fields",
        [{"type": "section", "fields": [mrkdwn("x")] * 10}],
        [{"type": "section", "fields": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    (
        "field text",
        [{"type": "section", "fields": [mrkdwn("x" * 2000)]}],
        [{"type": "section", "fields": [mrkdwn("x" * 2001)]}],
        TOO_LONG.format(2001, "/blocks/0/fields/0/text"),
    ),
    (
        "section says something",
        [section()],
        [{"type": "section"}],
        "must define one of: text, fields [json-pointer:/blocks/0]",
    ),
    (
        "context elements",
        [{"type": "context", "elements": [mrkdwn("x")] * 10}],
        [{"type": "context", "elements": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        "actions elements",
        [actions(*[button()] * 25)],
        [actions(*[button()] * 26)],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        "button text",
        [actions(button(text=plain("x" * 75)))],
        [actions(button(text=plain("x" * 76)))],
        TOO_LONG.format(76, "/blocks/0/elements/0/text/text"),
    ),
    (
        "button value",
        [actions(button(value="x" * 2000))],
        [actions(button(value="x" * 2001))],
        TOO_LONG.format(2001, "/blocks/0/elements/0/value"),
    ),
    (
        "button style",
        [actions(button(style="danger"))],
        [actions(button(style="default"))],
        "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]",
    ),
    (
        "action_id",
        [actions(button(action_id="x" * 255))],
        [actions(button(action_id="x" * 256))],
        TOO_LONG.format(256, "/blocks/0/elements/0/action_id"),
    ),
    (
        "action_ids differ",
        [actions(button(action_id="a"), button(action_id="b")), actions(button(action_id="a"))],
        [actions(button(action_id="a"), button(action_id="a"))],
        "`action_id` a already exists [json-pointer:/blocks/0/elements/1/action_id]",
    ),
    (
        "block_ids differ",
        [section(block_id="a"), section(block_id="b")],
        [section(block_id="a"), section(block_id="a")],
        "`block_id` a already exists [json-pointer:/blocks/1/block_id]",
    ),
    (
        "options",
        [actions(select(options=options(100)))],
        [actions(select(options=options(101)))],
        "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    (
        "no options",
        [actions(select())],
        [actions(select(options=[]))],
        "no less than 1 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    (
        "option text",
        [actions(select(options=[option(text="x" * 75)]))],
        [actions(select(options=[option(text="x" * 76)]))],
        TOO_LONG.format(76, "/blocks/0/elements/0/options/0/text/text"),
    ),
    (
        "option value",
        [actions(select(options=[option(value="x" * 150)]))],
        [actions(select(options=[option(value="x" * 151)]))],
        TOO_LONG.format(151, "/blocks/0/elements/0/options/0/value"),
    ),
    (
        "initial option",
        [actions(select(initial_option=option(0)))],
        [actions(select(initial_option=option(1)))],
        "initial option must be one of the options [json-pointer:/blocks/0]",
    ),
    (
        "overflow",
        [section(accessory={"type": "overflow", "options": options(5)})],
        [section(accessory={"type": "overflow", "options": options(6)})],
        "no more than 5 items allowed [json-pointer:/blocks/0/accessory/options]",
    ),
    (
        "confirm is whole",
        [actions(button(confirm=CONFIRM))],
        [actions(button(confirm={"title": plain("Sure?"), "text": plain("x"), "confirm": plain("x")}))],
        "missing required field: deny [json-pointer:/blocks/0/elements/0/confirm]",
    ),
    (
        "image has alt_text",
        [{"type": "image", "image_url": "https://a.test/x.png", "alt_text": "x"}],
        [{"type": "image", "image_url": "https://a.test/x.png"}],
        "missing required field: alt_text [json-pointer:/blocks/0]",
    ),
    (
        "a url is one",
        [actions(button(url="https://a.test"))],
        [actions(button(url="a test"))],
        "failed to match regex `^[a-z][a-z0-9+.-]*:\\S+$` [json-pointer:/blocks/0/elements/0/url]",
    ),
    (
        "known blocks only",
        [section()],
        [{"type": "sectoin"}],
        "unsupported type: sectoin [json-pointer:/blocks/0/type]",
    ),
    (
        "known properties only",
        [section()],
        [section(txt="x")],
        "invalid additional property: txt [json-pointer:/blocks/0]",
    ),
    (
        "text is an object",
        [section()],
        [{"type": "section", "text": "x"}],
        "must provide an object [json-pointer:/blocks/0/text]",
    ),
    (
        "no text field among actions",
        [actions(button())],
        [actions({"type": "plain_text_input", "action_id": "a"})],
        "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]",
    ),
    (
        "table columns",
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 20]}],
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}],
        "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]",
    ),
]


@pytest.mark.parametrize(("within", "over", "words"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_message_blocks_keep_to_the_limit(within: list[Json], over: list[Json], words: str) -> None:
    assert check_blocks(within, "message") == []
    assert check_blocks(over, "message") == [words]


VIEWS: list[tuple[str, Json, Json, str]] = [
    (
        "100 blocks",
        modal(*[section()] * 100),
        modal(*[section()] * 101),
        "no more than 100 items allowed [json-pointer:/view/blocks]",
    ),
    ("title", modal(title=plain("x" * 24)), modal(title=plain("x" * 25)), TOO_LONG.format(25, "/view/title/text")),
    (
        "submit",
        modal(submit=plain("x" * 24)),
        modal(submit=plain("x" * 25)),
        TOO_LONG.format(25, "/view/submit/text"),
    ),
    ("close", modal(close=plain("x" * 24)), modal(close=plain("x" * 25)), TOO_LONG.format(25, "/view/close/text")),
    (
        "a modal has a title",
        modal(),
        {"type": "modal", "blocks": []},
        "missing required field: title [json-pointer:/view]",
    ),
    (
        "private_metadata",
        modal(private_metadata="x" * 3000),
        modal(private_metadata="x" * 3001),
        TOO_LONG.format(3001, "/view/private_metadata"),
    ),
    (
        "callback_id",
        modal(callback_id="x" * 255),
        modal(callback_id="x" * 256),
        TOO_LONG.format(256, "/view/callback_id"),
    ),
    (
        "inputs need a submit button",
        modal(field(), submit=plain("Go")),
        modal(field()),
        "must define `submit` to use an `input` block in modals [json-pointer:/view/blocks/0/type]",
    ),
    (
        "no table in a modal",
        modal(section()),
        modal({"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}),
        "unsupported type: table [json-pointer:/view/blocks/0/type]",
    ),
    (
        "no title on App Home",
        {"type": "home", "blocks": []},
        {"type": "home", "blocks": [], "title": plain("T")},
        "invalid additional property: title [json-pointer:/view]",
    ),
    (
        "no button in an input",
        modal(field(), submit=plain("Go")),
        modal(field(element=button()), submit=plain("Go")),
        "unsupported type: button [json-pointer:/view/blocks/0/element/type]",
    ),
]


@pytest.mark.parametrize(("within", "over", "words"), [row[1:] for row in VIEWS], ids=[row[0] for row in VIEWS])
def test_views_keep_to_the_limit(within: Json, over: Json, words: str) -> None:
    assert check_view(within) == []
    assert check_view(over) == [words]


def test_message_holds_13000_characters_over_all_blocks() -> None:
    assert checked_content({"blocks": [section("x" * 2600)] * 5})
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        checked_content({"blocks": [*[section("x" * 2600)] * 5, section("x")]})


def test_view_holds_250_kilobytes() -> None:
    assert not view_too_large(modal(*[section("x" * 2400)] * 100))
    assert view_too_large(modal(*[section("x" * 2600)] * 100))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.ascii_letters, max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "elements", "fields", "accessory", "element", "options", "label", "rows"]),
            inner
            | st.sampled_from(["section", "actions", "input", "table", "rich_text", "static_select", "plain_text"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_is_sent_gets_an_answer_and_stays_as_it_was(blocks: Any) -> None:
    before = deepcopy(blocks)
    for surface in ("message", "modal", "home"):
        assert isinstance(check_blocks(blocks, surface), list)
    check_view(blocks)
    assert blocks == before


def asking(**element: Any) -> Json:
    label = {"type": "plain_text", "text": "How many"}
    return {"type": "input", "block_id": "b", "label": label, "element": {"action_id": "a", **element}}


@pytest.mark.parametrize(
    ("element", "wrong"),
    [
        ({"type": "plain_text_input", "min_length": 5, "max_length": 4}, "min_length must be less than max_length"),
        ({"type": "number_input", "is_decimal_allowed": False, "initial_value": "0.5"}, "must be a valid number"),
        ({"type": "number_input", "is_decimal_allowed": True, "min_value": "1e9"}, "must be a valid number"),
        (
            {"type": "number_input", "is_decimal_allowed": True, "min_value": "2", "max_value": "1"},
            "min_value must be less than max_value",
        ),
        ({"type": "number_input", "is_decimal_allowed": True, "min_value": "0.5", "initial_value": "0.75"}, ""),
    ],
)
def test_limits_of_inputs_are_numbers_with_something_between(element: Json, wrong: str) -> None:
    found = check_blocks([asking(**element)], "modal")
    assert [wrong in one for one in found] == [True] * bool(wrong)
