"""What an alert's expression measures, and against which number; what is not plain is left whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.promql import Measured, measured

PLAIN = [
    ("up == 0", "up", "==", 0.0),
    ("rate(errors_total[5m]) > 0.01", "rate(errors_total[5m])", ">", 0.01),
    ("(rate(a[5m]) / rate(b[5m])) * 100 >= 1.5e1", "(rate(a[5m]) / rate(b[5m])) * 100", ">=", 15.0),
    ("sum by (pod) (x) + on (pod) y != 3", "sum by (pod) (x) + on (pod) y", "!=", 3.0),
    ("0.9 > free / size", "free / size", "<", 0.9),
    ("-5 <= temperature", "temperature", ">=", -5.0),
    ("((delta(x[1h]) < (-.5)))", "delta(x[1h])", "<", -0.5),
    ('x{path=~"/a > 1.*", b!="c", d!~`\\d > 2`} > 3 # not 4', 'x{path=~"/a > 1.*", b!="c", d!~`\\d > 2`}', ">", 3.0),
    ("max_over_time((a > 1)[5m:1m]) > 2", "max_over_time((a > 1)[5m:1m])", ">", 2.0),
    ("x offset 1w @ start() > 1", "x offset 1w @ start()", ">", 1.0),
    ("boolean:and_or > 1", "boolean:and_or", ">", 1.0),
    ("sum(x) # of all\n> 7", "sum(x)", ">", 7.0),
]
WHOLE = [
    "",
    "absent(up)",
    "vector(1)",
    "a > b",
    "a > b * 2",
    "a > 2 * 3",
    "a > bool 1",
    "a > BOOL 1",
    "a > 1 and b > 2",
    "a > 1 OR b",
    "a unless b > 1",
    "a > 1 < 3",
    "a > 5m",
    "a > 0x1F",
    "a > Inf",
    "a > 1e999",
    "a >",
    "> 1",
    "(a > 1) or (b > 2)",
    "a > on (x) 1",
    'x{a="b} > 1',
    "x{a='\n'} > 1",
    "sum(x > 1",
    "sum(x]) > 1",
]


@pytest.mark.parametrize(("expression", "left", "relation", "limit"), PLAIN)
def test_a_comparison_with_a_number_falls_apart(expression: str, left: str, relation: str, limit: float) -> None:
    assert measured(expression) == Measured(left, relation, limit)


@pytest.mark.parametrize("expression", WHOLE)
def test_whatever_is_not_that_plain_is_left_whole(expression: str) -> None:
    assert measured(expression) == Measured(expression.strip())


STRINGS = st.text(alphabet="ab> 1=()[]{}#\\and", max_size=8).map(lambda text: '"' + text.replace("\\", "\\\\") + '"')
SELECTORS = st.builds(
    "{}{{{}{}{}}}".format, st.sampled_from(["up", "job:errors", "bool_x"]), st.sampled_from(["a", "and"]),
    st.sampled_from(["=", "!=", "=~", "!~"]), STRINGS,
)  # fmt: skip
VALUES = st.recursive(
    SELECTORS,
    lambda inner: st.one_of(
        st.builds("rate({}[5m])".format, inner),
        st.builds("({} > 1)".format, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("{} / {}".format, inner, inner),
        st.builds("sum by (le) ({})".format, inner),
    ),
    max_leaves=5,
)


@given(VALUES, st.sampled_from([">", "<", ">=", "<=", "==", "!="]), st.floats(0, 1e12), st.sampled_from(["", " "]))
def test_what_is_measured_survives_whatever_it_is(left: str, relation: str, limit: float, space: str) -> None:
    assert measured(f"{left}{space}{relation}{space}{limit!r}") == Measured(left, relation, limit)


@given(VALUES, st.sampled_from(["and", "or", "unless"]), VALUES)
def test_two_conditions_are_never_taken_for_one(left: str, word: str, right: str) -> None:
    whole = f"{left} > 1 {word} {right} > 2"
    assert measured(whole) == Measured(whole)


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    found = measured(text)
    assert found.expression in text
