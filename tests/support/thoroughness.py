"""How much is tried: a seeded share in ``make test``, all of it in ``make fire``."""

from __future__ import annotations

import os

EVERYTHING = os.environ.get("CHATOPS_FIRE") == "all"
SHARE, FEWEST = 10, 5


def examples(everything: int = 100) -> int:
    """How many examples of a property are tried, when there are ``everything`` in ``make fire``."""
    return everything if EVERYTHING else max(everything // SHARE, FEWEST)
