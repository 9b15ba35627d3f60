"""The face of CEL: check an expression when it is read, evaluate it later, elsewhere, with limits.

``check`` is pure; evaluating is done by an ``Evaluator`` handed in (``chatops.adapters.cel``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chatops.kernel.cel.check import CelMistake, check, given, possible
from chatops.kernel.cel.leaf import LeafError, Part, has_cel, parts
from chatops.kernel.cel.narrow import paths_of, spoken_of
from chatops.kernel.cel.speech import Speech, catalog_variables, of_alerts, of_automations, vocabulary
from chatops.kernel.cel.types import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    Vocabulary,
    list_of,
    map_of,
    record,
)
from chatops.kernel.errors import PlatformError
from chatops.kernel.ports import EvaluateAll

__all__ = [
    "BOOL",
    "DOUBLE",
    "DURATION",
    "DYN",
    "INT",
    "STRING",
    "TIMESTAMP",
    "CelError",
    "CelMistake",
    "EvaluateAll",
    "Evaluator",
    "LeafError",
    "Part",
    "Speech",
    "Type",
    "Vocabulary",
    "catalog_variables",
    "check",
    "given",
    "has_cel",
    "list_of",
    "map_of",
    "of_alerts",
    "of_automations",
    "parts",
    "paths_of",
    "possible",
    "record",
    "spoken_of",
    "vocabulary",
]


class CelError(PlatformError):
    """An expression gave no value: an error of its own, a limit, or a worker that died."""


class Evaluator(Protocol):
    """Evaluates CEL with limits on time and size."""

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        """The value. Raises ``CelError``."""
        ...

    async def evaluate_all(self, pairs: Sequence[tuple[str, Mapping[str, Any]]], /) -> list[Any]:
        """The values in order; in the place of a value that there isn't its ``CelError``."""
        ...
