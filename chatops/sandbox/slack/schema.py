"""The few kinds of rule that Block Kit's table is written in; each reports in Slack's words with a json-pointer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Problems:
    """What is wrong, each with the place: `must be less than 151 characters [json-pointer:/blocks/0/text/text]`."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, message: str, path: str) -> None:
        self.found.append(f"{message} [json-pointer:{path}]")


class Rule(Protocol):
    """One rule of the table."""

    def check(self, value: Any, path: str, problems: Problems) -> None: ...


@dataclass(frozen=True)
class Str:
    """Text of `shortest` to `longest` characters, matching `pattern` where one is given."""

    longest: int = 3000
    shortest: int = 1
    pattern: str = ""

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, str):
            problems.add("must be a string", path)
        elif len(value) > self.longest:
            problems.add(f"must be less than {self.longest + 1} characters", path)
        elif len(value) < self.shortest:
            problems.add(f"must be more than {self.shortest - 1} characters", path)
        elif self.pattern and not re.fullmatch(self.pattern, value):
            problems.add(f"failed to match regex `^{self.pattern}$`", path)


@dataclass(frozen=True)
class Enum:
    """One of a few words."""

    allowed: tuple[str, ...]

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if value not in self.allowed:
            problems.add("must be a valid enum value", path)


@dataclass(frozen=True)
class Bool:
    """True or false."""

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, bool):
            problems.add("must be a boolean", path)


@dataclass(frozen=True)
class Int:
    """A whole number between two bounds."""

    least: int = 0
    most: int = 2**53

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            problems.add("must be an integer", path)
        elif value < self.least:
            problems.add(f"must be more than {self.least - 1}", path)
        elif value > self.most:
            problems.add(f"must be less than {self.most + 1}", path)


@dataclass(frozen=True)
class Anything:
    """A value that this server stores without looking into it."""

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if value is None:
            problems.add("must provide a value", path)


@dataclass(frozen=True)
class List:
    """A list of `fewest` to `most` items; the values under `unique` may not repeat."""

    item: Rule
    most: int
    fewest: int = 1
    unique: tuple[str, ...] = ()

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, list):
            problems.add("must be an array", path)
            return
        if len(value) > self.most:
            problems.add(f"no more than {self.most} items allowed", path)
        if len(value) < self.fewest:
            problems.add(f"no less than {self.fewest} items allowed", path)
        for index, one in enumerate(value):
            self.item.check(one, f"{path}/{index}", problems)
        for name in self.unique:
            self._repeated(name, value, path, problems)

    @staticmethod
    def _repeated(name: str, value: list[Any], path: str, problems: Problems) -> None:
        seen: set[str] = set()
        for index, one in enumerate(value):
            given = one.get(name) if isinstance(one, dict) else None
            if isinstance(given, str) and given in seen:
                problems.add(f"`{name}` {given} already exists", f"{path}/{index}/{name}")
            elif isinstance(given, str):
                seen.add(given)


@dataclass(frozen=True)
class Obj:
    """An object with `needs`, perhaps `may`, at least one of `any_of`, and nothing else."""

    needs: Mapping[str, Rule] = field(default_factory=dict)
    may: Mapping[str, Rule] = field(default_factory=dict)
    any_of: tuple[str, ...] = ()

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.add("must provide an object", path)
            return
        for name, rule in self.needs.items():
            if value.get(name) is None:
                problems.add(f"missing required field: {name}", path)
            else:
                rule.check(value[name], f"{path}/{name}", problems)
        for name, rule in self.may.items():
            if value.get(name) is not None:
                rule.check(value[name], f"{path}/{name}", problems)
        if self.any_of and all(value.get(name) is None for name in self.any_of):
            problems.add(f"must define one of: {', '.join(self.any_of)}", path)
        for name in value:
            if name not in self.needs and name not in self.may and name != "type":
                problems.add(f"invalid additional property: {name}", path)


@dataclass(frozen=True)
class Typed:
    """An object whose `type` says which of the rules holds."""

    kinds: Mapping[str, Rule]

    def check(self, value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.add("must provide an object", path)
        elif "type" not in value:
            problems.add("missing required field: type", path)
        elif not isinstance(value["type"], str) or value["type"] not in self.kinds:
            problems.add(f"unsupported type: {value['type']}", f"{path}/type")
        else:
            self.kinds[value["type"]].check(value, path, problems)
