"""Reads one thing out of an alert's expression: what is measured, and against which number.

No parser of PromQL. ``rate(…) > 0.01`` falls into its left side and the number; whatever is not as plain as that is
left whole. What is known of the language here: strings, comments, brackets, and that comparisons bind weaker than
arithmetic and stronger than ``and``, ``or`` and ``unless``
(https://prometheus.io/docs/prometheus/latest/querying/operators/#binary-operator-precedence).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*" | '(?:[^'\\\n]|\\[^\n])*' | `[^`]*`)
    | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<open>[(\[{]) | (?P<close>[)\]}])
    | (?P<compare>[=!<>]=|[<>])
    | (?P<other>.)""",
    re.VERBOSE,
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_WEAKER = frozenset({"and", "or", "unless"})
_SEEN_FROM_THE_RIGHT = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Measured:
    """What an expression measures; ``relation`` (``>``, ``<=``, …) to ``limit`` is when it alerts, empty: not known."""

    expression: str
    relation: str = ""
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    depth: int


def measured(expression: str) -> Measured:
    """What is on one side of the comparison with a number that an expression consists of; else all of it."""
    whole = Measured(expression.strip())
    tokens = _unwrapped(_tokens(expression))
    depth = tokens[0].depth if tokens else 0
    top = [place for place, one in enumerate(tokens) if one.depth == depth]
    if any(tokens[place].text.lower() in _WEAKER | {"bool"} for place in top):
        return whole
    signs = [place for place in top if tokens[place].kind == "compare"]
    if len(signs) != 1:
        return whole
    left, right = tokens[: signs[0]], tokens[signs[0] + 1 :]
    if not left or not right:
        return whole
    relation = tokens[signs[0]].text
    if (limit := _number(right)) is not None:
        return Measured(_text(expression, left), relation, limit)
    if (limit := _number(left)) is not None:
        return Measured(_text(expression, right), _SEEN_FROM_THE_RIGHT[relation], limit)
    return whole


def _tokens(expression: str) -> list[_Token]:
    """What an expression is made of, without space and comments; nothing when its brackets or quotes don't match."""
    found: list[_Token] = []
    waiting: list[str] = []
    for match in _TOKEN.finditer(expression):
        kind, text = match.lastgroup or "", match.group()
        if kind == "space":
            continue
        if kind == "close" and (not waiting or waiting.pop() != text):
            return []
        if kind == "other" and text in "\"'`":
            return []
        found.append(_Token(kind, text, *match.span(), len(waiting)))
        if kind == "open":
            waiting.append(_PAIRS[text])
    return [] if waiting else found


def _unwrapped(tokens: Sequence[_Token]) -> Sequence[_Token]:
    """Without brackets around all of it."""
    while len(tokens) > 2 and tokens[0].text == "(" and tokens[-1].text == ")":
        if any(one.depth <= tokens[0].depth for one in tokens[1:-1]):
            break
        tokens = tokens[1:-1]
    return tokens


def _text(expression: str, tokens: Sequence[_Token]) -> str:
    return expression[tokens[0].start : tokens[-1].end]


def _number(tokens: Sequence[_Token]) -> float | None:
    """The number that these are: a literal, perhaps signed or in brackets."""
    tokens = _unwrapped(tokens)
    signs = [one.text for one in tokens[:-1]]
    if not tokens or tokens[-1].kind != "number" or any(sign not in "+-" for sign in signs):
        return None
    value = float(tokens[-1].text) * (-1.0) ** signs.count("-")
    return value if math.isfinite(value) else None
