"""What both stand-ins do with JSON."""

from __future__ import annotations

from typing import Any

_NESTED = (dict, list)


def copied(value: Any) -> Any:
    """A deep copy of a JSON value; several times faster than `copy.deepcopy`, which watches for cycles."""
    if isinstance(value, dict):
        new: Any = value.copy()
        for key, item in value.items():
            if isinstance(item, _NESTED):
                new[key] = copied(item)
        return new
    return [copied(item) for item in value] if isinstance(value, list) else value
