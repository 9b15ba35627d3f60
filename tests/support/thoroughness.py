"""How much is tried: a seeded share in ``make test``, all of it in ``make fire``, more where that may take longer."""

from __future__ import annotations

import os
import zlib

EVERYTHING = os.environ.get("CHATOPS_FIRE") == "all"
SHARE, FEWEST = 10, 5
USUAL = 5.0  # FIRE_MINUTES
MINUTES = float(os.environ.get("FIRE_MINUTES") or USUAL)  # that what has no end of its own goes on in `make fire`


def examples(everything: int = 100, share: int = SHARE) -> int:
    """How many examples of a property are tried, when there are ``everything`` in ``make fire`` of the usual length."""
    return round(everything * max(1.0, MINUTES / USUAL)) if EVERYTHING else max(everything // share, FEWEST)


def in_share(name: str, parts: int, which: int = 0) -> bool:
    """Whether this one is in a share of one in so many: the same ones every time."""
    return zlib.crc32(name.encode()) % parts == which


def stride(every: int) -> tuple[int, int]:
    """Where to begin and how far to go, when one in ``every`` is tried in a `make fire` of the usual length.

    A longer one tries all, a shorter one fewer. ``FIRE_TURN``, a number that grows, moves the beginning, so that in the
    end all of them have their turn.
    """
    step = 1 if MINUTES > USUAL else max(1, round(every * USUAL / MINUTES))
    return int(os.environ.get("FIRE_TURN") or 0) % step, step


def seconds(share: float) -> float:
    """How long something without an end of its own goes on in ``make fire``; ``share`` is its part of the minutes."""
    return MINUTES * 60 * share
