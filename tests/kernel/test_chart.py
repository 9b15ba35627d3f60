"""What of Prometheus' answer is shown, and how its numbers are said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatops.kernel.chart import MOST_SERIES, Chart, Series, chosen, legends, number, read, words

CHART = Chart("ErrorRate · checkout", "errors", 0.0, 3600.0, 15.0, 3600.0, ">", 1.0)


def answer(*series: tuple[dict[str, str], list[list[Any]]], **changes: Any) -> bytes:
    result = [{"metric": labels, "values": values} for labels, values in series]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}, **changes}).encode()


def series(name: str, *values: float) -> Series:
    return Series({"pod": name}, tuple((15.0 * place, value) for place, value in enumerate(values)))


def test_the_numbers_are_those_of_the_answer_and_what_is_none_is_a_gap() -> None:
    given = [[0, "1.5"], [15, "NaN"], [30.5, "+Inf"], [45, "-Inf"], [60, "1e305"], [75, "-2e-9"]]
    assert read(answer(({"pod": "a"}, given))) == [Series({"pod": "a"}, ((0.0, 1.5), (75.0, -2e-9)))]
    histogram = json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "histograms": []}]}}
    )
    assert read(histogram.encode()) == [Series({}, ())]


@pytest.mark.parametrize(
    "broken",
    [b"", b"<html>", b"[]", b"{}", b'"x"', answer()[:-9], answer(status="error"), answer(({}, [["now", "x"]])),
     answer(({}, [[1]])), answer(data={"resultType": "vector", "result": []}), answer(data=None), b"[" * 100_000],
)  # fmt: skip
def test_an_answer_of_another_shape_is_none(broken: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the caller says one sentence for all of them)
        read(broken)


def test_the_alerts_own_series_come_first_then_the_worst_and_the_empty_not_at_all() -> None:
    ones = [series(f"p{place}", 0.0, float(place)) for place in range(9)]
    alerting = Chart(
        **{**{name: getattr(CHART, name) for name in CHART.__slots__}, "labels": ({"pod": "p3", "x": "y"},)}
    )
    shown = chosen([*ones, series("empty")], alerting)
    assert [one.labels["pod"] for one in shown] == ["p3", "p8", "p7", "p6", "p5", "p4"]
    assert len(shown) == MOST_SERIES


@pytest.mark.parametrize(
    ("relation", "first"), [(">", "high"), (">=", "high"), ("<", "low"), ("<=", "low"), ("==", "one"), ("!=", "high")]
)
def test_what_is_worst_depends_on_what_alerts(relation: str, first: str) -> None:
    chart = Chart("A", "a", 0.0, 60.0, 15.0, 60.0, relation, 1.0)
    shown = chosen([series("one", 1.0), series("low", -5.0), series("high", 9.0)], chart)
    assert shown[0].labels["pod"] == first


def test_the_words_say_what_the_picture_shows() -> None:
    long = Series({}, ((0.0, 0.2), (1800.0, 12.61), (3000.0, 12.4)))
    assert words(CHART, [long]) == "12.4 at last (alerts above 1), 0.2 to 12.61 in 50 min"
    assert words(CHART, [series("a", 3.0), series("b", 0.0)]).startswith("a: 3 at last (alerts above 1)")
    assert words(Chart("A", "a", 0, 1, 1, 1), [series("a", 3.0)]) == "3 at last"
    assert words(CHART, []) == ""


def test_series_are_told_apart_by_the_labels_on_which_they_differ_and_secrets_are_masked() -> None:
    ones = [Series({"job": "shop", "pod": pod, "code": code}, ()) for pod, code in (("a", "500"), ("b", "502"))]
    assert legends([*ones, Series({"job": "shop"}, ())]) == ["500 · a", "502 · b", "(no labels)"]
    assert legends([Series({"x": "token=hunter2-and-more"}, ()), Series({"x": "b"}, ())])[0] == "token=[masked]"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (-0.0, "0"), (0.01234567, "0.01235"), (999.94, "999.9"), (1234.0, "1.234 k"), (-2.5e9, "-2.5 G"),
     (8e12, "8 T"), (3e20, "3e+20"), (1.2e-7, "1.2e-07")],
)  # fmt: skip
def test_a_number_fits_on_a_phone(value: float, said: str) -> None:
    assert number(value) == said
