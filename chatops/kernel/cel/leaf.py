"""Texts that may hold ``${CEL}``: the string leaves of a declared action's templates.

``${`` begins an expression and its ``}`` ends it, whatever braces and quoted texts stand between; ``$${`` is the text
``${``. A leaf that is one expression and nothing else keeps the expression's type; an expression among other text
becomes text (as in kro, https://kro.run/docs/concepts/simple-schema).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chatops.kernel.cel.syntax import TOKENS


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a leaf at ``at`` (characters): an expression, or text with ``$${`` already read as ``${``."""

    text: str
    at: int
    cel: bool


class LeafError(ValueError):
    """A leaf that cannot be read; ``at`` is the offset in characters."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


def parts(leaf: str) -> tuple[Part, ...]:
    """The pieces of a leaf in order; one expression alone: the leaf keeps its type. Raises ``LeafError``."""
    return tuple(_parts(leaf))


def has_cel(leaf: str) -> bool:
    """Whether rendering a leaf may give anything but the leaf itself."""
    return "${" in leaf


def _parts(leaf: str) -> Iterator[Part]:
    text, begun, at = "", 0, 0
    while (found := leaf.find("${", at)) >= 0:
        text += leaf[at:found]
        if found > begun and leaf[found - 1] == "$" and text.endswith("$"):
            text, at = text[:-1] + "${", found + 2
            continue
        if text:
            yield Part(text, begun, cel=False)
        end = _end(leaf, found)
        expression = leaf[found + 2 : end]
        if not expression.strip():
            raise LeafError(found, "${} is empty: write an expression between the braces, or $${} for the text itself")
        yield Part(expression, found + 2, cel=True)
        text, begun, at = "", end + 1, end + 1
    if text + leaf[at:]:
        yield Part(text + leaf[at:], begun, cel=False)


def _end(leaf: str, begun: int) -> int:
    """Where the ``}`` stands that ends the expression begun at ``${``."""
    depth, at = 0, begun + 2
    while at < len(leaf):
        token = TOKENS.match(leaf, at)
        mark = token.group() if token is not None and token.lastgroup == "mark" else ""
        if mark == "}" and depth == 0:
            return at
        depth += (mark == "{") - (mark == "}")
        at = token.end() if token is not None else at + 1
    shown = leaf[begun : begun + 40].splitlines()[0]
    raise LeafError(begun, f"{shown} has no closing }}: close it, or write $${{ where the text ${{ itself is meant")
