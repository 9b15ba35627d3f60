"""The pages of the documentation, taken apart: tables, code blocks, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: ``yaml broken`` is its language and what is special about it."""

    language: str
    note: str
    text: str


def blocks(page: Path, language: str, note: str = "") -> list[Block]:
    """The code blocks of a language, in order."""
    found = re.findall(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(*one) for one in found if one[0] == language and one[1] == note]


def prose(page: Path) -> str:
    """Everything but the code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def table(page: Path, *heads: str) -> list[tuple[str, ...]]:
    """The rows of the one table with these heads, as plain text: no backticks, no escapes."""
    lines = page.read_text().splitlines()
    [start] = [number for number, line in enumerate(lines) if _cells(line) == heads]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(_cells(line))
    return rows


def _cells(line: str) -> tuple[str, ...]:
    if not line.startswith("|"):
        return ()
    cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return tuple(cell.strip().replace("`", "").replace(r"\|", "|") for cell in cells)


def links(page: Path) -> list[str]:
    """Where the page's links and pictures lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The names under which GitHub makes the headings reachable."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
