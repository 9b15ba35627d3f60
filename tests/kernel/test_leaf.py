"""What a text with ``${…}`` in it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.cel import LeafError, parts


def read(leaf):
    return [("cel" if part.cel else "text", part.text) for part in parts(leaf)]


@pytest.mark.parametrize(
    ("leaf", "pieces"),
    [
        ("", []),
        ("plain", [("text", "plain")]),
        ("${inputs.x}", [("cel", "inputs.x")]),
        ("${inputs.x}-db", [("cel", "inputs.x"), ("text", "-db")]),
        ("a ${b}${c} d", [("text", "a "), ("cel", "b"), ("cel", "c"), ("text", " d")]),
        ("${ {'a': {'b': 1}}.a.b }", [("cel", " {'a': {'b': 1}}.a.b ")]),
        ("${'}' + \"}\"}!", [("cel", "'}' + \"}\""), ("text", "!")]),
        ("$${x}", [("text", "${x}")]),
        ("$$${x}", [("text", "$${x}")]),
        ("$${a}$${b}", [("text", "${a}${b}")]),
        ("${a}$${b}", [("cel", "a"), ("text", "${b}")]),
        ("$PATH {x} }} {{ 7*7 }} 5$", [("text", "$PATH {x} }} {{ 7*7 }} 5$")]),
    ],
)
def test_expressions_are_told_from_text(leaf, pieces):
    assert read(leaf) == pieces


@pytest.mark.parametrize(
    ("leaf", "at", "says"),
    [
        ("x ${inputs.x", 2, "${inputs.x has no closing }: close it, or write $${ where the text ${ itself is meant"),
        ("${ {'a': 1}", 0, "has no closing }"),
        ("${'}'", 0, "has no closing }"),
        ("${}", 0, "is empty"),
        ("ab${ }", 2, "is empty"),
    ],
)
def test_what_has_no_end_is_told_at_its_place(leaf, at, says):
    with pytest.raises(LeafError) as refused:
        parts(leaf)
    assert refused.value.at == at
    assert says in refused.value.message


@given(st.text(alphabet="a$${}'\" \\/"))
def test_every_expression_is_a_piece_of_its_leaf(leaf):
    try:
        found = parts(leaf)
    except LeafError as refused:
        found, begun = (), refused.at
    else:
        begun = leaf.find("${") if any(part.cel for part in found) else -1
    assert begun < 0 or leaf[begun : begun + 2] == "${"
    for part in found:
        if part.cel:
            assert leaf[part.at - 2 : part.at] == "${"
            assert leaf[part.at : part.at + len(part.text) + 1] == part.text + "}"


@given(st.text())
def test_text_with_its_signs_escaped_stays_text(text):
    escaped = text.replace("${", "$${")
    assert "".join(part.text for part in parts(escaped)) == text
    assert not any(part.cel for part in parts(escaped))
