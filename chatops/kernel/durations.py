"""How long something takes, lasted or may last, in the ways in which people write it."""

from __future__ import annotations

_UNITS = ((86400, "d", "days"), (3600, "h", "h"), (60, "m", "min"))


def short(seconds: float) -> str:
    """As it is typed and configured: ``90s``, ``10m``, ``4h``, ``30d``."""
    for size, letter, _ in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{letter}"
    return f"{seconds:g}s"


def spoken(seconds: float) -> str:
    """In a sentence: ``4 h``, ``30 min``, ``7 days``."""
    for size, _, word in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return "1 day" if (count, word) == (1, "days") else f"{count} {word}"
    return f"{seconds:g} s"


def lasted(seconds: float) -> str:
    """Measured, so rounded: ``40 s``, ``3 min``, ``2 h 5 min``, ``6 days``."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(minutes / 60 / 24)} days"
    return f"{hours} h {rest} min" if rest else f"{hours} h"
