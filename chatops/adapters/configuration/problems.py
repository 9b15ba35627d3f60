"""A mistake in the configuration, at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatops.kernel.errors import PlatformError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at a line (from 1) of a file, and what would be right."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ConfigurationError(PlatformError):
    """The configuration is refused; ``problems`` are all its mistakes, in the order of the files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))
