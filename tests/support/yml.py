"""Reads YAML with PyYAML's C parser where it was built in: ten times as fast, and the tests read much of it."""

from __future__ import annotations

from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """The one document of a text."""
    return yaml.load(text, LOADER)


def load_all(text: str) -> list[Any]:
    """Every document of a text."""
    return list(yaml.load_all(text, LOADER))
