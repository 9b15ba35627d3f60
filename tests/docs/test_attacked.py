"""The pages that name tests name tests that there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, table

PROMISES, THREATS = ROOT / "docs" / "promises.md", ROOT / "docs" / "threat-model.md"
NAMED = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
_ROW = re.compile(r"^\|(?!---)(.*)\|$", re.MULTILINE)


@cache
def defined_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("page", [PROMISES, THREATS], ids=lambda page: page.name)
def test_every_test_that_is_named_is_there(page: Path) -> None:
    named = NAMED.findall(page.read_text())
    assert len(named) > 20
    assert [f"{file}::{name}" for file, name in named if name not in defined_in(file)] == []


def test_every_attack_has_a_test_that_shows_what_stops_it() -> None:
    for page, last in ((PROMISES, "test"), (THREATS, "shown by")):
        rows = [row.split("|") for row in _ROW.findall(page.read_text())]
        assert all(NAMED.search(row[-1]) for row in rows if row[-1].strip() != last), page


def test_the_promises_are_those_of_the_readme_in_their_order() -> None:
    promises = table(ROOT / "README.md", "promise", "tests")
    assert len(re.findall(r"^## \d\. ", PROMISES.read_text(), re.MULTILINE)) == len(promises)
