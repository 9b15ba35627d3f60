"""Reads one mapping key by key and collects what is wrong, so that every mistake is told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.problems import Problem
from chatops.kernel.catalog import closest

T = TypeVar("T")

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 label: namespaces, containers
SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")  # object names
WORD = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")  # groups, teams, rotas
EMAIL = re.compile(r"[^@\s,;:<>()\"]+@[^@\s,;:<>()\"]+\.[^@\s,;:<>()\".]+")
SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,}")
CHANNEL = re.compile(r"[^\sA-Z.,#@!?:;/\\\"'(){}<>$&*%=+|~^`\[\]]{1,80}|[CG][A-Z0-9]{6,}")
HANDLE = re.compile(r"[a-z0-9][a-z0-9._-]*|S[A-Z0-9]{2,}")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")  # owner/name on GitHub
DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def is_person(name: str) -> bool:
    """Whether this is an e-mail or a Slack user id."""
    return bool(EMAIL.fullmatch(name) or SLACK_USER.fullmatch(name))


URL = re.compile(r"https?://[^\s<>|]+")


def seconds(value: object) -> float | None:
    """The length of ``1h30m``; None for what is no duration."""
    found = DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        return None
    return float(sum(int(n or 0) * size for n, size in zip(found.groups(), (604800, 86400, 3600, 60, 1), strict=True)))


class Problems:
    """The mistakes found so far in one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, line: int, message: str) -> None:
        """One more; the same at the same line is told once."""
        if (problem := Problem(self.file, line, message)) not in self.found:
            self.found.append(problem)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``: did you mean X?``, or what there is when that is short."""
    names = list(known)
    if better := closest(word, names):
        return f": did you mean {better}?"
    return f": there are {', '.join(sorted(names))}" if 0 < len(names) <= 10 else ""


class Fields:
    """The keys of one mapping; ``where`` names it in sentences (``service checkout``), ``line`` is its name's."""

    def __init__(self, node: Node, where: str, problems: Problems, line: int = 0) -> None:
        self.node = node
        self._line = line or node.line
        self.where = where
        self.problems = problems
        self._values: Mapping[str, Node] = {}
        if isinstance(node.value, dict):
            self._values = node.value
        elif node.value is not None:
            self.wrong(self._line, f"is {node.kind}: it needs keys with values")

    def wrong(self, line: int, message: str) -> None:
        """A mistake in this mapping."""
        self.problems.add(line, f"{self.where} {message}" if self.where else message)

    def line(self, key: str) -> int:
        """The line of a key, or of the mapping when the key is not there."""
        return self.node.key_lines.get(key, self._line)

    def only(self, *known: str, later: Iterable[str] = ()) -> None:
        """Refuses keys that are none of these, or have no value; ``later`` are keys that only later versions read.

        A key whose value was commented out must not count as left out: a rule without its ``require`` allows.
        """
        for key in self._values:
            if key in known:
                self.given(key)
            elif key in later:
                self.wrong(self.line(key), f"has the key {key}, which is not supported by this version")
            else:
                self.wrong(self.line(key), f"has an unknown key {key}{suggestion(key, known)}")

    def has(self, key: str) -> bool:
        """Whether a key is there with a value."""
        return key in self._values and self._values[key].value is not None

    def names(self) -> tuple[str, ...]:
        """The keys that are written."""
        return tuple(self._values)

    def given(self, key: str) -> Node | None:
        """The value of a key that must not be empty when it is written."""
        if key in self._values and self._values[key].value is None:
            self.wrong(self.line(key), f"has {key} without a value (# starts a comment): give one, or remove the key")
        return self.get(key)

    def get(self, key: str) -> Node | None:
        """The value of a key; None when it is absent or empty."""
        found = self._values.get(key)
        return found if found is not None and found.value is not None else None

    def text(self, key: str, *, required: bool = False, pattern: re.Pattern[str] | None = None, like: str = "") -> str:
        """A text; ``like`` says what is right when it does not fit ``pattern``."""
        node = self.given(key)
        if node is None:
            if required and key not in self._values:
                self.wrong(self.line(key), f"needs {key}{f': {like}' if like else ''}")
            return ""
        return self.as_text(node, key, pattern=pattern, like=like)

    def as_text(
        self, node: Node, key: str, *, pattern: re.Pattern[str] | None = None, like: str = "", empty: bool = False
    ) -> str:
        """A node that has to be a text, and says something unless ``empty`` texts mean something, too."""
        value = node.value
        if isinstance(value, bool | int | float):
            self.wrong(node.line, f"has {key} {str(value).lower()}: it is text, write it in quotes")
            return ""
        if not isinstance(value, str):
            self.wrong(node.line, f"has {node.kind} as {key}: it is text{f', {like}' if like else ''}")
            return ""
        if not value.strip() and not empty:
            self.wrong(node.line, f"has an empty text as {key}: write something, or remove it")
            return ""
        if pattern is not None and not pattern.fullmatch(value):
            self.wrong(node.line, f"has {key} {value!r}: {like}")
            return ""
        return value

    def choice(self, key: str, options: Iterable[str]) -> str:
        """One of a few words."""
        value = self.text(key)
        if value and value not in options:
            self.wrong(self.line(key), f"has {key} {value!r}: it is {' or '.join(options)}")
            return ""
        return value

    def number(self, key: str, default: int, *, least: int, most: int) -> int:
        """A whole number within limits."""
        node = self.given(key)
        if node is None:
            return default
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not least <= node.value <= most:
            shown = node.value if isinstance(node.value, str | int | float) else node.kind
            self.wrong(node.line, f"has {key} {shown!r}: it is a whole number from {least} to {most}")
            return default
        return node.value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        node = self.given(key)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            shown = node.value if isinstance(node.value, str | int | float) else node.kind
            self.wrong(node.line, f"has {key} {shown!r}: it is true or false")
            return default
        return node.value

    def duration(self, key: str, default: float, *, zero: bool = False, years: int = 1) -> float:
        """Seconds, from ``4h``, ``30m``, ``7d``, ``1h30m``; at most so many years."""
        node = self.given(key)
        if node is None:
            return default
        length = seconds(node.value)
        if length is None or (length == 0 and not zero) or length > years * 366 * 86400:
            shown = node.value if isinstance(node.value, str | int | float) else node.kind
            most = "a year" if years == 1 else f"{years} years"
            self.wrong(node.line, f"has {key} {shown!r}: it is a duration like 30m, 4h, 7d (at most {most})")
            return default
        return length

    def items(self, key: str, what: str, *, one_is_enough: bool = False) -> Iterator[Node]:
        """The nodes of a list; with ``one_is_enough`` a single value stands for a list of one."""
        node = self.get(key)
        if node is None:
            return
        if isinstance(node.value, list):
            yield from node.value
        elif one_is_enough:
            yield node
        else:
            self.wrong(node.line, f"has {node.kind} as {key}: it is a list of {what}, like [{what}]")

    def entries(self, key: str, what: str) -> Iterator[tuple[str, Node, int]]:
        """Name, node and line of each entry of a mapping of names."""
        node = self.get(key)
        if node is None:
            return
        if not isinstance(node.value, dict):
            self.problems.add(node.line, f"{key} is {node.kind}: it maps names to {what}")
            return
        for name, entry in node.value.items():
            yield name, entry, node.key_lines[name]

    def people(self, key: str) -> tuple[str, ...]:
        """E-mails and Slack user ids."""
        found: list[str] = []
        for node in self.items(key, "e-mails or Slack ids"):
            name = self.as_text(node, key)
            if name and not is_person(name):
                like = "people are named by e-mail (dana@acme.test) or Slack user id (U…)"
                self.wrong(node.line, f"names {name!r} in {key}: {like}")
            elif name:
                if name.casefold() in {other.casefold() for other in found}:
                    self.wrong(node.line, f"names {name} twice in {key}: keep one")
                found.append(name)
        return tuple(found)

    def channel(self, key: str) -> str:
        """A channel's name without #, or its id."""
        value = self.text(key)
        if value.startswith("#"):
            self.wrong(self.line(key), f"has {key} {value!r}: write it without #, {value[1:]}")
            return ""
        like = "a channel is its name in lower case, like platform-requests, or its id"
        return self.text(key, pattern=CHANNEL, like=like) if value else ""
