"""How the platform itself is used: what is asked for, how long approvals take, how much of it fails. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

FAILED = frozenset({"failed", "rolled_back"})
TURNED_DOWN = frozenset({"refused", "denied", "rejected"})
GIVEN_UP = frozenset({"cancelled", "expired"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``waited``: seconds from being asked until it was approved by people, None when none approved it."""

    action: str
    person: str
    state: str
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class Forms:
    """How many forms of an action were opened, and how many of them were left without being sent."""

    opened: int
    left: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What some requests have in common."""

    action: str
    requests: int
    people: int
    failed: int
    turned_down: int
    given_up: int
    median_wait: float | None
    p90_wait: float | None


def usage(asked: Sequence[Asked]) -> tuple[Usage, ...]:
    """A line for all of them, then one for each action, the most asked for first; nothing where nothing was asked."""
    if not asked:
        return ()
    busiest = Counter(one.action for one in asked).most_common()
    each = [_of(name, [one for one in asked if one.action == name]) for name, _ in busiest]
    return (_of("all", asked), *each)


def _of(name: str, these: Sequence[Asked]) -> Usage:
    waits = [one.waited for one in these if one.waited is not None]
    middle, p90 = (median(waits), waits[0]) if waits else (None, None)
    if middle is not None and len(waits) > 1:
        # Of equal waits, what is worked out between two of them can be a rounding less.
        p90 = max(quantiles(waits, n=10, method="inclusive")[8], middle)
    states = Counter(one.state for one in these)
    return Usage(
        name, len(these), len({one.person for one in these}), sum(states[one] for one in FAILED),
        sum(states[one] for one in TURNED_DOWN), sum(states[one] for one in GIVEN_UP),
        middle, p90,
    )  # fmt: skip
