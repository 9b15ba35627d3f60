"""CEL in the configuration: expressions and templates, checked against what may be spoken of at their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.fields import Fields
from chatops.kernel.cel import DYN, STRING, LeafError, Type, Vocabulary, check, given, parts, record, spoken_of
from chatops.kernel.cel.syntax import CelSyntaxError

# What cannot stand among text: joining a list or a record into a name is a mistake
_NO_TEXT = frozenset({"list", "map", "object", "bytes", "null"})


@dataclass(frozen=True, slots=True)
class Words:
    """What may be spoken of at one place.

    ``absent``: a variable, or ``variable.field``, that is not there, and why, in a sentence.
    """

    vocabulary: Vocabulary
    absent: Mapping[str, str] = field(default_factory=dict)

    def without(self, **why: str) -> Words:
        """The same without some variables."""
        left = {name: kind for name, kind in self.vocabulary.variables.items() if name not in why}
        return Words(replace(self.vocabulary, variables=left), {**self.absent, **why})

    def knowing(self, **more: Type) -> Words:
        """The same and more variables."""
        absent = {path: why for path, why in self.absent.items() if path not in more}
        return Words(self.vocabulary.with_variables(**more), absent)

    def mistakes(self, expression: str, result: Type | None) -> list[tuple[int, str]]:
        """Offset and sentence of each mistake of an expression."""
        try:
            spoken = spoken_of(expression)
        except CelSyntaxError:
            spoken = frozenset()
        missing = {path for path in spoken for known in (path, path.partition(".")[0]) if known in self.absent}
        if missing:
            reasons = {self.absent.get(path) or self.absent[path.partition(".")[0]]: path for path in sorted(missing)}
            return [(max(0, expression.find(path)), why) for why, path in reasons.items()]
        return [(mistake.offset, str(mistake)) for mistake in check(expression, self.vocabulary, result)]


def sparing_secrets(words: Words) -> Words:
    """The same with an ``object`` whose content cannot be spoken of: a Secret's must not reach Slack."""
    why = "what a Secret holds must not reach Slack: only object.metadata and object.type can be spoken of"
    spared = words.knowing(object=record(metadata=DYN, type=STRING))
    return replace(spared, absent={**spared.absent, "object.data": why, "object.stringData": why})


def line_at(node: Node, offset: int) -> int:
    """The line of a character of a text; exact where the text is a block (``|``)."""
    return node.text_line + str(node.value)[:offset].count("\n") * (node.text_line > node.line)


def cel(fields: Fields, node: Node, key: str, words: Words, result: Type | None) -> str:
    """An expression that has to give ``result``; ``""`` when it is wrong."""
    expression = fields.as_text(node, key, empty=True)
    mistakes = words.mistakes(expression, result) if expression else []
    if isinstance(node.value, str) and not expression.strip():
        mistakes = [(0, "the expression is empty")]
    for offset, sentence in mistakes:
        fields.wrong(line_at(node, offset), f"{key}: {sentence}")
    return "" if mistakes else expression


def template(
    fields: Fields, node: Node, key: str, words: Words, *, text: bool = True, empty: bool = False
) -> str:  # fmt: skip
    """A text that may hold ``${CEL}``; with ``text`` it may give nothing but text. ``""`` when it is wrong."""
    leaf = fields.as_text(node, key, empty=empty)
    wrong = leaf_mistakes(leaf, words, text=text)
    for offset, sentence in wrong:
        fields.wrong(line_at(node, offset), f"{key}: {sentence}")
    return "" if wrong else leaf


def leaf_mistakes(leaf: str, words: Words, *, text: bool) -> list[tuple[int, str]]:
    """Offset and sentence of each mistake of a template's leaf."""
    try:
        pieces = parts(leaf)
    except LeafError as error:
        return [(error.at, error.message)]
    found = []
    for piece in pieces:
        if not piece.cel:
            continue
        mistakes = words.mistakes(piece.text, None)
        if not mistakes:
            mistakes = _untextual(piece.text, words, alone=len(pieces) == 1, text=text)
        found += [(piece.at + offset, f"in ${{{_short(piece.text)}}}: {sentence}") for offset, sentence in mistakes]
    return found


def _untextual(expression: str, words: Words, *, alone: bool, text: bool) -> list[tuple[int, str]]:
    gives = given(expression, words.vocabulary)
    if gives.kind in _NO_TEXT and (text or not alone):
        return [(0, f"this gives {gives}, which is no text")]
    if text and alone and gives.kind not in ("string", "dyn"):
        return [(0, f"text is needed here, and this gives {gives}: write ${{string({_short(expression)})}}")]
    return []


def _short(expression: str) -> str:
    words = " ".join(expression.split())
    return words if len(words) <= 60 else words[:57] + "…"
