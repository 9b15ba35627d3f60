"""The README's table of figures is the one that the bench writes."""

from __future__ import annotations

import pytest

from bench.parts import PARTS, known
from bench.table import BEGIN, END, HEADS, README, Line, standing, written
from tests.docs.pages import prose, table


def test_the_table_of_figures_has_the_rows_that_the_bench_knows() -> None:
    assert [name for name, *_ in table(README, *HEADS)] == [name.replace("`", "") for name in known()]


def test_no_two_parts_of_the_bench_write_the_same_row() -> None:
    assert len(set(known())) == len(known())


def test_the_readme_names_every_part_of_the_bench() -> None:
    said = prose(README)
    assert [name for name in PARTS if f"`{name}`" not in said and f"PART={name}" not in said] == []


def test_a_part_writes_its_own_rows_and_leaves_those_of_the_others_as_they_are() -> None:
    page = f"before\n{BEGIN}\n{END}\nafter"
    first = written(page, ("a", "b"), [Line("a", "bare", "1/s", "2/s", "2.00")], "Measured on paper.")
    second = written(first, ("b", "a"), [Line("b", here="3 s")])
    assert standing(second) == [Line("b", here="3 s"), Line("a", "bare", "1/s", "2/s", "2.00")]
    assert second.startswith("before\n")
    assert second.endswith("\nafter")
    assert "Measured on paper." in second


def test_a_row_that_nobody_measures_any_more_goes_and_a_new_one_says_that_it_waits() -> None:
    page = written(f"{BEGIN}\n{END}", ("old",), [Line("old", here="1 s")])
    assert standing(written(page, ("new",), [])) == [Line("new", "not measured yet")]


def test_a_row_that_no_part_knows_is_not_written() -> None:
    with pytest.raises(ValueError, match="nobody"):
        written(f"{BEGIN}\n{END}", ("a",), [Line("nobody")])


def test_a_page_without_a_place_for_the_table_is_left_alone() -> None:
    with pytest.raises(ValueError, match="bench-write"):
        written("a page", ("a",), [])
