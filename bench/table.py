"""The README's one table of figures: each part of the bench writes its own rows, those of the others stay."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
HEADS = ("what", "compared with", "there", "here", "ratio", "CPU")
BEGIN, END = "<!-- bench: `make bench-write` writes what is between these lines -->", "<!-- end of bench -->"
MISSING = "not measured yet"


@dataclass(frozen=True, slots=True)
class Line:
    """A row: what was measured, compared with what, both figures with units, and here over there; also of CPU time."""

    what: str
    than: str = ""
    there: str = ""
    here: str = ""
    ratio: str = ""
    cpu: str = ""

    def cells(self) -> tuple[str, ...]:
        return tuple(astuple(self))


def over(here: float, there: float) -> str:
    """The ratio as it is shown; empty where there is nothing to divide by."""
    if there <= 0:
        return ""
    return f"{here / there:.2f}" if here < 10 * there else f"{here / there:,.0f}"


def milliseconds(seconds: float) -> str:
    """A time as it is shown: three digits of it at most."""
    spent = seconds * 1000
    return f"{spent:.2f} ms" if spent < 1 else f"{spent:.1f} ms" if spent < 100 else f"{spent:,.0f} ms"


def written(text: str, names: Sequence[str], found: Sequence[Line], machine: str = "") -> str:
    """The page with these rows in its table: every known name in its order, with what stood there or was found now.

    Raises ``ValueError`` for a page without the markers, and for rows nobody knows.
    """
    before, begin, rest = text.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    if unknown := [line.what for line in found if line.what not in names]:
        raise ValueError(f"no part of the bench knows these rows: {unknown}")
    lines = {line.what: line for line in [*standing(inside), *found]}
    rows = [lines.get(name, Line(name, MISSING)).cells() for name in names]
    table = [HEADS, ("---",) * len(HEADS), *rows]
    shown = "\n".join(f"| {' | '.join(cells)} |".replace("  ", " ") for cells in table)
    note = f"\n\n{machine}" if machine else _note(inside)
    return f"{before}{BEGIN}\n\n{shown}{note}\n\n{END}{after}"


def standing(text: str) -> list[Line]:
    """The rows that a page's table has now."""
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line.startswith("| ")]
    return [Line(*row) for row in rows[2:] if len(row) == len(HEADS)]


def _note(inside: str) -> str:
    found = re.search(r"^Measured on .*$", inside, re.MULTILINE)
    return f"\n\n{found[0]}" if found else ""


def machine(others: Mapping[str, str]) -> str:
    """What the figures were measured on; ``others`` are versions of what took part."""
    versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, **others}
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Measured on {os.cpu_count()} cores with {said}; load average at the start: {os.getloadavg()[0]:.1f}."
