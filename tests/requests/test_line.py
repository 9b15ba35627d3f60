"""The line people type, understood kindly."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatops.kernel.declaration import DeclaredInput, OptionsFrom
from chatops.requests.line import Line, Misread, write
from chatops.requests.reading import parse
from chatops.slack.mentions import people_in, unescape, without_mention
from commands import registry
from commands.declared import action_of
from tests.declared.samples import asking
from tests.slack.desk import ACTIONS, platform

ACME = platform()
CHECKOUT = {"service": "checkout", "version": "1.4.2", "environment": "production"}


def read(text: str) -> Line:
    return parse(text, ACTIONS, ACME)


def misread(text: str) -> Misread:
    with pytest.raises(Misread) as caught:
        read(text)
    return caught.value


def test_the_declared_order_is_understood_with_the_reason_verbatim() -> None:
    line = read('deploy checkout 1.4.2 production because  fixes "the cart"  & more  ')
    assert line == Line("deploy", CHECKOUT, 'fixes "the cart"  & more')


@pytest.mark.parametrize(
    "text",
    [
        "deploy checkout production 1.4.2",
        "deploy production checkout 1.4.2",
        "deploy 1.4.2 checkout production",
        "Deploy Checkout 1.4.2 PRODUCTION",
        "deploy environment=production checkout 1.4.2",
        "deploy checkout version=1.4.2 production",
        "deploy \"checkout\" '1.4.2' production",
        "deploy “checkout” version=“1.4.2” production",
        "deploy\u00a0checkout\t1.4.2\nproduction",
    ],
)
def test_words_that_fit_one_way_only_are_understood_in_any_order(text: str) -> None:
    assert read(text) == Line("deploy", CHECKOUT)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("deploy", {}),
        ("deploy checkout", {"service": "checkout"}),
        ("deploy production", {"environment": "production"}),
        ("deploy checkout production", {"service": "checkout", "environment": "production"}),
        ("deploy checkout 1.4.2", {"service": "checkout", "version": "1.4.2"}),
        ("scale checkout production replicas=5", {"service": "checkout", "environment": "production", "replicas": "5"}),
        ("scale checkout production Replicas=5", {"service": "checkout", "environment": "production", "replicas": "5"}),
        ("scale checkout production 5", {"service": "checkout", "environment": "production", "replicas": "5"}),
        ("scale 5 production checkout", {"service": "checkout", "environment": "production", "replicas": "5"}),
        ("scale checkout 5", {"service": "checkout", "replicas": "5"}),
        ("requests waiting", {"whose": "waiting"}),
    ],
)
def test_a_part_of_a_line_is_understood_as_far_as_it_goes(text: str, values: dict[str, str]) -> None:
    assert read(text).values == values


def test_an_action_of_two_words_is_the_one_with_a_dot() -> None:
    assert read("database create checkout").action == read("database.create checkout").action == "database.create"


def test_nothing_typed_is_no_action() -> None:
    assert read("  ") == Line("")


def test_missing_inputs_are_named_by_their_labels() -> None:
    line = read("deploy checkout")
    assert line.missing(ACTIONS["deploy"]) == ("Version", "Environment")


def test_the_reason_is_an_input_where_the_action_takes_one() -> None:
    assert read("deploy checkout 1.4.2 production because x").inputs(ACTIONS["deploy"]) == {**CHECKOUT, "reason": "x"}
    assert read("status checkout because x").inputs(ACTIONS["status"]) == {"service": "checkout"}


def test_because_in_quotation_marks_is_a_word() -> None:
    assert misread('deploy "because" 1.4.2 production').field == "service"


@pytest.mark.parametrize(("word", "lifted"), [("yes", True), ("true", True), ("no", False)])
def test_breaking_the_glass_is_said_with_a_key(word: str, lifted: bool) -> None:
    assert read(f"deploy checkout 1.4.2 production break_glass={word} because fire").break_glass is lifted
    assert read(f"deploy checkout 1.4.2 production break-glass={word} because fire").break_glass is lifted


@pytest.mark.parametrize(
    ("text", "field", "suggestion", "corrected"),
    [
        ("deplyo checkout 1.4.2 production", "action", "deploy", "deploy checkout 1.4.2 production"),
        ("databse create checkout", "action", "database create", "database create checkout"),
        (
            "deploy chekout 1.4.2 production because x",
            "service",
            "checkout",
            "deploy checkout 1.4.2 production because x",
        ),
        ("deploy checkout 1.4.2 prodction", "environment", "production", "deploy checkout 1.4.2 production"),
        ("deploy checkout prodction 1.4.2", "environment", "production", "deploy checkout 1.4.2 production"),
        ("deploy service=chekout 1.4.2 production", "service", "checkout", "deploy checkout 1.4.2 production"),
        ("scale checkout production replcas=5", "replcas", "replicas", "scale checkout production replicas=5"),
        ("requests mein", "whose", "mine", "requests mine"),
    ],
)
def test_a_wrong_word_gets_a_suggestion_and_the_corrected_line(
    text: str, field: str, suggestion: str, corrected: str
) -> None:
    wrong = misread(text)
    assert (wrong.field, wrong.suggestion) == (field, suggestion)
    assert wrong.corrected == corrected


def test_what_was_understood_beside_a_wrong_word_is_kept_for_the_form() -> None:
    assert misread("deploy chekout 1.4.2 production because x").line == Line(
        "deploy", {"version": "1.4.2", "environment": "production"}, "x"
    )


def test_a_word_like_no_other_names_what_there_is() -> None:
    wrong = misread("deploy checkout 1.4.2 mars")
    assert wrong.suggestion == ""
    assert "staging, production" in wrong.hint


def test_the_first_word_of_several_actions_gets_their_names() -> None:
    actions = registry.load(())
    with pytest.raises(Misread) as alone:
        parse("incident", actions, ACME)
    assert alone.value.message == "`incident` needs another word."
    assert "There are incident open, incident ack, " in alone.value.hint
    with pytest.raises(Misread) as wrong:
        parse("incident zzzzzz", actions, ACME)
    assert wrong.value.message == "There is no action called 'incident zzzzzz'."
    assert "There are incident open, incident ack, " in wrong.value.hint
    with pytest.raises(Misread) as near:
        parse("incident akc 7", actions, ACME)
    assert (near.value.suggestion, near.value.corrected) == ("incident ack", "incident ack 7")
    assert parse("help incident", actions, ACME).values["action"] == "incident"


def test_a_choice_that_there_is_not_is_said_in_words() -> None:
    wrong = misread("requests tomorrow")
    assert (str(wrong), wrong.hint) == ("Whose can't be 'tomorrow'.", "There are mine, waiting, recent.")


def test_an_input_given_twice_is_asked_about_and_never_guessed() -> None:
    wrong = misread("deploy checkout production version=1.4.2 version=1.4.3 because x")
    assert (str(wrong), wrong.field) == ("Version is given twice: '1.4.2' and '1.4.3'.", "version")
    assert read("scale checkout production replicas=5 replicas=5").values["replicas"] == "5"


def test_words_too_many_are_taken_for_a_forgotten_because() -> None:
    wrong = misread("deploy checkout 1.4.2 production fixes the cart")
    assert wrong.corrected == "deploy checkout 1.4.2 production because fixes the cart"


def test_a_word_for_an_input_that_may_be_left_out_is_offered_with_its_key() -> None:
    actions = registry.load(())
    with pytest.raises(Misread) as caught:
        parse("rollback checkout production 12 because the cart", actions, ACME)
    wrong = caught.value
    assert (wrong.message, wrong.hint) == ("I don't know what '12' is for.", "Did you mean revision=12?")
    assert wrong.corrected == "rollback checkout production revision=12 because the cart"
    assert parse(wrong.corrected, actions, ACME).values["revision"] == "12"


def test_two_numbers_are_not_guessed_at() -> None:
    assert misread("scale checkout production 5 6").message == "I don't know what '6' is for."


def test_a_version_that_is_none_is_left_to_the_form_of_the_error() -> None:
    """The road says what a version looks like; the line only says where it goes."""
    assert read(f"deploy checkout {'9' * 300} production").values["version"] == "9" * 300


def test_a_version_named_like_an_environment_is_taken_when_nothing_else_fits() -> None:
    values = read("deploy checkout version=staging production").values
    assert values == {"service": "checkout", "version": "staging", "environment": "production"}


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("a &amp;&amp; b &lt;c&gt;", "a && b <c>"),
        ("&amp;lt;", "&lt;"),
        ("<@U0LEE|lee> and <@U0SAM>", "@lee and @U0SAM"),
        ("<#C0DEPLOYS|deploys>", "#deploys"),
        ("<!subteam^S0LEADS|@platform-leads>", "@platform-leads"),
        ("<!channel> <!here|here>", "@channel @here"),
        ("<https://a.test/x?a=1&amp;b=2>", "https://a.test/x?a=1&b=2"),
        ("<http://checkout.io|checkout.io>", "checkout.io"),
        ("<mailto:dana@acme.test|dana@acme.test>", "dana@acme.test"),
        ("<mailto:dana@acme.test>", "dana@acme.test"),
    ],
)
def test_slacks_wrapping_is_undone(sent: str, typed: str) -> None:
    assert unescape(sent) == typed


@pytest.mark.parametrize("text", ["<@U0PLATFORM> deploy checkout", "hey <@U0PLATFORM>, deploy checkout"])
def test_a_mention_is_read_without_our_own_name(text: str) -> None:
    assert without_mention(text, "U0PLATFORM").split()[-2:] == ["deploy", "checkout"]


word = st.text(min_size=1, max_size=12)


PIECES = ["deploy", "scale", "checkout", "production", "1.4.2", "because", "x=", "=", '"', "'", "replicas=3", "“"]


@given(st.text(max_size=300) | st.lists(st.sampled_from(PIECES) | word, max_size=9).map(" ".join))
@example("deploy because because")
@example('deploy "')
@example("deploy =")
def test_any_text_is_understood_or_misread_and_nothing_else(text: str) -> None:
    try:
        line = parse(unescape(text), ACTIONS, ACME)
    except Misread as wrong:
        line = wrong.line
    assert line.action == "" or line.action in ACTIONS


versions = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}\Z")
reasons = st.text(min_size=1, max_size=40).map(str.strip)


@given(
    action=st.sampled_from(["deploy", "scale", "database.create"]),
    values=st.fixed_dictionaries(
        {},
        optional={
            "service": st.sampled_from(sorted(ACME.services)),
            "environment": st.sampled_from(sorted(ACME.environments)),
            "version": versions | word.filter(lambda text: "'" not in text and '"' not in text),
            "replicas": st.integers(0, 99).map(str),
        },
    ),
    reason=reasons,
    lifted=st.booleans(),
)
def test_a_written_line_reads_back_as_the_same(action: str, values: dict[str, str], reason: str, lifted: bool) -> None:
    record = ACTIONS[action]
    takes = {"service", "environment", "replicas" if action == "scale" else "version"}
    line = Line(action, {name: value for name, value in values.items() if name in takes}, reason, lifted)
    again = parse(write(record, line), ACTIONS, ACME)
    assert dict(again.values) == dict(line.values)
    assert (again.reason, again.break_glass) == (line.reason, line.break_glass)


# the kinds of declared actions ---------------------------------------------------------------------------------------

PARTY = action_of(
    asking(
        DeclaredInput(name="service", type="service"),
        DeclaredInput(
            name="tags", type="choice", several=True, options={"Red": 1, "a, b": 2, 'c"d': 3}, required=False
        ),
        DeclaredInput(name="ratio", type="number", required=False),
        DeclaredInput(name="lasts", type="duration", required=False),
        DeclaredInput(name="who", type="person", required=False),
        DeclaredInput(name="team", type="team", required=False),
        DeclaredInput(name="at", type="datetime", required=False),
        DeclaredInput(name="base", type="choice", options_from=OptionsFrom(cel="[]"), required=False),
        DeclaredInput(name="copies", type="integer", default_from="1"),
    )
)
THINGS = {**ACTIONS, "thing.make": PARTY}


def made(text: str, people: dict[str, str] | None = None) -> Line:
    return parse(text, THINGS, ACME, people)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("tags=red", {"tags": "Red"}),
        ("tags=red,RED", {"tags": "Red"}),
        ("tags='\"a, b\",red'", {"tags": '"a, b",Red'}),
        ("tags=,", {"tags": ","}),
        ("ratio=0.5 lasts=1h30m team=SHOP", {"ratio": "0.5", "lasts": "1h30m", "team": "shop"}),
        ('at="tomorrow 9:00"', {"at": "tomorrow 9:00"}),
        ("who=@lee", {"who": "U0LEE"}),
        ("who=@Lee", {"who": "U0LEE"}),
        ("who=@nemo", {"who": "@nemo"}),
        ("base=whatever", {"base": "whatever"}),
    ],
)
def test_each_kind_of_input_is_said_with_its_key(text: str, values: dict[str, str]) -> None:
    line = made(f"thing make checkout {text}", {"lee": "U0LEE"})
    assert line.values == {"service": "checkout", **values}
    assert made(write(PARTY, line)) == line


def test_a_mention_is_the_person_it_stands_for() -> None:
    typed = "thing make checkout who=<@U0LEE|lee> because <@U0OLU> said so"
    assert people_in(typed) == {"lee": "U0LEE", "u0olu": "U0OLU"}
    line = made(unescape(typed), people_in(typed))
    assert (line.values["who"], line.reason) == ("U0LEE", "@U0OLU said so")


def test_of_several_choices_the_wrong_one_is_named() -> None:
    with pytest.raises(Misread) as caught:
        made("thing make checkout tags=Red,aa,b")
    assert caught.value.message == "Tags can't be 'aa'."
    with pytest.raises(Misread) as caught:
        made("thing make checkout tags=reed")
    assert (caught.value.suggestion, caught.value.corrected) == ("Red", "thing.make checkout tags=Red")


def test_what_is_worked_out_is_not_missing() -> None:
    assert made("thing make").missing(PARTY) == ("Service",)


@given(st.text(max_size=200))
def test_whatever_is_typed_after_an_action_is_understood_or_misread(text: str) -> None:
    with suppress(Misread):
        assert made(f"thing make {text}").action == "thing.make"
