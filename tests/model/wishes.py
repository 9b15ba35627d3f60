"""What a request must be after whatever people and the assistant do, in plain words: a dozen fields and a list."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from chatops.kernel.people import Person

CONTESTED_FOR, STALLED_FOR, START_WITHIN, GLASS = 3600.0, 24 * 3600.0, 1800.0, 24 * 3600.0
HOLDS = {"planning", "waiting", "approved", "stalled", "running", "rolling_back"}
OVER = {
    "succeeded", "unchanged", "failed", "rolled_back", "refused", "denied", "rejected", "expired", "cancelled",
}  # fmt: skip
CANCELS = {"planning", "contested", "queued", "waiting", "approved", "stalled"}
EXPIRES = {"contested", "waiting", "stalled"}


def same(one: Person, other: Person) -> bool:
    """One person, if perhaps with two accounts."""
    return one.id == other.id or one.email == other.email


@dataclass
class Wish:
    """What a model believes of one request; ``trail`` is what the audit trail must hold of it."""

    number: int
    place: str
    by: Person
    state: str = "planning"
    votes: dict[str, Person] = field(default_factory=dict)
    digest: str = ""
    asks: Any = ()
    glass: str = ""
    deadline: float = 0.0
    remind: float = 0.0
    approved_at: float = 0.0
    ended_at: float = 0.0
    behind: int = 0
    undoes: bool = False
    wrote: bool = False
    trail: list[str] = field(default_factory=lambda: ["requested"])
    first: str = ""  # who decided it

    @property
    def name(self) -> str:
        return f"R-{self.number}"

    @property
    def enough(self) -> bool:
        """Whether each rule has its approvals; one vote may count for several, for each asks but once."""
        given = [{f"group:{group}" for group in one.groups} for one in self.votes.values()]
        return all(sum(bool(groups & set(one.sources)) for groups in given) >= one.approvals for one in self.asks)


class Line:
    """All requests, and who holds which place."""

    def __init__(self) -> None:
        self.wishes: dict[int, Wish] = {}
        self.ends: defaultdict[int, int] = defaultdict(int)

    def holder(self, place: str) -> Wish | None:
        found = [one for one in self.wishes.values() if one.place == place and one.state in HOLDS]
        assert len(found) <= 1
        return found[0] if found else None

    def ask(self, number: int, place: str, by: Person, now: float) -> None:
        """Somebody asks; contested where another one holds the place."""
        wish = Wish(number, place, by)
        if (holder := self.holder(place)) is not None:
            wish.state, wish.deadline, wish.behind = "contested", now + CONTESTED_FOR, holder.number
        self.wishes[number] = wish

    def move(self, wish: Wish, state: str, what: str, now: float, heir: Wish | None = None) -> None:
        """It comes into a state; whoever waits gets the place that it leaves."""
        held = wish.state in HOLDS
        wish.state = state
        wish.trail.append(what)
        if state in OVER:
            wish.ended_at = now
            self.ends[wish.number] += 1
        if held and state not in HOLDS:
            self._hand_over(wish.place, now, heir)

    def _hand_over(self, place: str, now: float, heir: Wish | None) -> None:
        line = [one for one in self.wishes.values() if one.place == place and one.state in ("queued", "contested")]
        line.sort(key=lambda one: (one.state != "queued", one.number))
        if (heir := heir or next(iter(line), None)) is None:
            return
        heir.deadline, heir.behind = 0.0, 0
        self.move(heir, "planning", "turn_came", now)
        for other in line:
            if other is not heir:
                other.behind = heir.number

    def planned(self, wish: Wish, outcome: str, asks: Any, digest: str, glass: str, now: float, *, void: bool) -> None:
        """A plan and what policy says of it; ``void``: it is another one than was approved."""
        wish.votes, wish.digest, wish.asks, wish.glass = {}, digest, asks, glass
        wish.wrote = False
        if outcome == "deny":
            self.move(wish, "denied", "denied", now)
        elif outcome == "allow":
            wish.approved_at, wish.deadline = now, 0.0
            self.move(wish, "approved", "allowed", now)
        else:
            wish.deadline = now + min(one.expires for one in asks)
            wish.remind = now + (wish.deadline - now) / 2
            self.move(wish, "waiting", "voided" if void else "asked", now)

    @staticmethod
    def is_due(wish: Wish, now: float) -> bool:
        """Whether its time is over, looked at or not."""
        return wish.state in EXPIRES and 0 < wish.deadline <= now

    def expired(self, now: float) -> None:
        """Whatever is due ends, the longest due first; what gets its turn by that is not due any more."""
        due = [one for one in self.wishes.values() if self.is_due(one, now)]
        for one in sorted(due, key=lambda one: one.deadline):
            if self.is_due(one, now):
                self.move(one, "expired", "expired", now)
        for one in self.wishes.values():
            if one.state == "waiting" and 0 < one.remind <= now:
                one.remind = 0.0
