"""Reads YAML 1.2 into plain values that know their lines, with limits; YAML's own traps are refused by name.

Two parsers give the same events: libyaml's (PyYAML, which the Kubernetes client brings along) and, where that was
built without C, ruamel.yaml's: 5,000 services take 0.2 s with the first and 5 s with the second. What a scalar means is
decided here, by the core schema (https://yaml.org/spec/1.2.2/#103-core-schema), so ``16:00`` and ``yes`` are
text with both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from chatops.adapters.configuration.problems import ConfigurationError, Problem

LARGEST = 16 * 1024 * 1024  # bytes of one file
DEEPEST = 20  # lists and maps within each other
MOST = 2_000_000  # values in one file
MOST_DOCUMENTS = 200  # documents in one text of manifests

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NO_LINES: Mapping[str, int] = {}


class Node:
    """A value and the line (from 1) where it starts; not a dataclass, for a large file has 100,000 of them.

    ``value`` is text, int, float, bool, None, a list of nodes, or a dict of text to node; ``key_lines`` are those of a
    dict's keys; ``text_line`` is the line on which a text's own first line stands.
    """

    __slots__ = ("key_lines", "line", "text_line", "value")

    def __init__(self, value: Any, line: int, text_line: int = 0, key_lines: Mapping[str, int] = _NO_LINES) -> None:
        self.value = value
        self.line = line
        self.text_line = text_line
        self.key_lines = key_lines

    @property
    def kind(self) -> str:
        """What it is, for people."""
        if isinstance(self.value, str):
            return "text"
        names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "keys with values"}
        return names.get(type(self.value), "nothing")


def read_yaml(content: bytes, file: str, *, c_parser: bool = True) -> Node:
    """The one document of a YAML file. Raises ``ConfigurationError``."""
    text = _decoded(content, file)
    found = _read(text, _Builder(file, 0, most=1), c_parser=c_parser)
    return found[0] if found else Node(None, 1)


def read_documents(content: bytes | str, file: str, first: int = 1) -> list[Node]:
    """The documents of a YAML text that begins at line ``first`` of its file, without the empty ones.

    Raises ``ConfigurationError``.
    """
    if isinstance(content, bytes):
        content = _decoded(content, file)
    found = _read(content, _Builder(file, first - 1, most=MOST_DOCUMENTS), c_parser=True)
    return [node for node in found if node.value is not None]


def _read(text: str, builder: _Builder, *, c_parser: bool) -> list[Node]:
    try:
        return builder.documents(_events(text, c_parser=c_parser))
    except (yaml.MarkedYAMLError, MarkedYAMLError) as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark is not None else 0
        raise builder.refused(line, f"this is no YAML: {_said(error.problem or error.context)}") from error
    except (yaml.reader.ReaderError, YAMLError) as error:
        line = text[: getattr(error, "position", 0)].count("\n")
        raise builder.refused(line, "this is no YAML: it holds a control character") from error


def _decoded(content: bytes, file: str) -> str:
    if len(content) > LARGEST:
        raise _refused(file, 1, f"the file has {len(content)} bytes: at most {LARGEST // 1024 // 1024} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _refused(file, line, "this is not UTF-8: save the file as UTF-8") from error


def _said(problem: str | None) -> str:
    words = problem or "it cannot be read"
    if "\\t" in words or "\t" in words:
        return "a tab cannot start a token: indent with spaces"
    return words


def _refused(file: str, line: int, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(file, line, message)])


def _events(text: str, *, c_parser: bool) -> Iterator[Any]:
    if c_parser and yaml.__with_libyaml__:
        return iter(yaml.parse(text, Loader=yaml.CSafeLoader))
    return iter(YAML(typ="safe", pure=True).parse(text))


class _Builder:
    """Makes nodes of one text that begins ``above`` lines into its file."""

    def __init__(self, file: str, above: int, *, most: int) -> None:
        self._file = file
        self._above = above
        self._most = most  # documents
        self._count = 0

    def documents(self, events: Iterator[Any]) -> list[Node]:
        """The documents in order; an empty one is a node with None."""
        found: list[Node] = []
        seen = 0
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                seen += 1
                if seen > self._most:
                    few = "a second document begins here: one file, one document (no second ---)"
                    self._refuse(event, few if self._most == 1 else f"more than {self._most} documents")
            elif kind not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
                found.append(self._node(event, events, 1))
        return found

    def refused(self, line: int, message: str) -> ConfigurationError:
        """What is raised for a mistake at a line (from 0) of the text."""
        return _refused(self._file, self._above + line + 1, message)

    def _refuse(self, event: Any, message: str) -> None:
        raise self.refused(event.start_mark.line, message)

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        kind = type(event).__name__
        self._count += 1
        if self._count > MOST:
            self._refuse(event, f"more than {MOST} values in one file")
        if depth > DEEPEST:
            self._refuse(event, f"nested deeper than {DEEPEST}")
        if kind == "AliasEvent" or event.anchor is not None:
            sign = "*" if kind == "AliasEvent" else "&"
            self._refuse(event, f"{sign}{event.anchor}: anchors and aliases are not read here, write the value out")
        if event.tag is not None and str(event.tag) not in ("!", "tag:yaml.org,2002:str"):
            self._refuse(event, f"the tag {event.tag} is not read here: write a plain value")
        line = self._above + event.start_mark.line + 1
        if kind == "ScalarEvent":
            return self._scalar(event, line)
        if kind == "SequenceStartEvent":
            items = []
            while type(item := next(events)).__name__ != "SequenceEndEvent":
                items.append(self._node(item, events, depth + 1))
            return Node(items, line)
        return self._mapping(events, line, depth)

    def _scalar(self, event: Any, line: int) -> Node:
        plain = not event.style and event.tag is None
        first = line + 1 if event.style in ("|", ">") else line
        return Node(scalar(event.value) if plain else event.value, line, text_line=first)

    def _mapping(self, events: Iterator[Any], line: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while type(event := next(events)).__name__ != "MappingEndEvent":
            key = self._node(event, events, depth + 1)
            if isinstance(key.value, dict | list):
                self._refuse(event, "a key is a word here, not a list or a map")
            name = event.value
            if name in values:
                self._refuse(event, f"{name} stands here twice, first in line {lines[name]}: keep one")
            if name == "<<" and not event.style:
                self._refuse(event, "<< (merging) is not read here, write the keys out")
            lines[name] = key.line
            values[name] = self._node(next(events), events, depth + 1)
        return Node(values, line, key_lines=lines)


def scalar(text: str) -> Any:
    """The value of a plain scalar by YAML 1.2's core schema."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base) if len(text) < 1000 else text
    if _FLOAT.fullmatch(text):
        return float(
            text.replace(".inf", "inf")
            .replace(".Inf", "inf")
            .replace(".INF", "inf")
            .replace(".n", "n")
            .replace(".N", "N")
        )
    return text
