"""The DORA figures of a ledger of deploys. Pure; docs/figures.md says what counts and what does not.

https://dora.dev/guides/dora-metrics/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from chatops.kernel.durations import lasted

DAY = 86400.0  # seconds
SOON = DAY  # seconds within which going back to what ran before says that a deploy had failed
FAILED = frozenset({"failed", "rolled_back"})
WELL = frozenset({"succeeded", "rolled_back"})  # what runs afterwards runs well
ENDED = FAILED | WELL
MOST_CHANGES = 100_000  # the newest, that are counted; of two years: one every ten minutes


@dataclass(frozen=True, slots=True)
class Change:
    """One deploy or rollback that was carried out. Times: epoch seconds.

    ``first_at``: when its version was first asked for, in any environment, or begun by another pipeline.
    """

    service: str
    environment: str
    action: str  # deploy or rollback
    before: str
    after: str
    started_at: float
    ended_at: float
    outcome: str  # succeeded, failed or rolled_back
    first_at: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The four of a period, with what they were counted from. Times: seconds; None where nothing was counted."""

    days: float
    deploys: int = 0  # that succeeded
    ended: int = 0  # that succeeded or failed
    lead: float | None = None
    versions: int = 0  # whose lead time it is the median of
    failed: int = 0
    recovery: float | None = None
    recovered: int = 0  # that it is the median of

    @property
    def per_week(self) -> float:
        """How many deploys succeed in a week."""
        return self.deploys / self.days * 7 if self.days else 0.0

    @property
    def rate(self) -> float | None:
        """The share of deploys that failed, 0 to 1."""
        return self.failed / self.ended if self.ended else None

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Each figure's name and what it is, in words."""
        rate, open_ones = self.rate, self.failed - self.recovered
        lead = "–" if self.lead is None else f"{lasted(self.lead)} (median of {self.versions})"
        recovery = "–" if self.recovery is None else f"{lasted(self.recovery)} (median of {self.recovered})"
        recovery += f", {open_ones} not recovered" if open_ones else ""
        return (
            ("Deployment frequency", f"{self.per_week:.1f} a week ({self.deploys})" if self.deploys else "none"),
            ("Lead time for changes", lead),
            ("Change failure rate", "–" if rate is None else f"{rate * 100:.0f} % ({self.failed} of {self.ended})"),
            ("Failed deployment recovery time", recovery),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """One deploy with what the others say of it; ``recovery``: seconds, None where none was needed or there is none."""

    change: Change
    fresh: bool  # the first time that its version runs well there
    failed: bool
    recovery: float | None


def judged(changes: Iterable[Change]) -> list[Judged]:
    """Every deploy among them, each judged once: in one pass over each service and environment from its end."""
    found = list[Judged]()
    ordered = sorted(changes, key=lambda one: (one.service, one.environment, one.ended_at, one.started_at))
    for _, place in groupby(ordered, key=lambda one: (one.service, one.environment)):
        here, seen, fresh = list(place), set[str](), set[int]()
        for at, one in enumerate(here):
            if one.action == "deploy" and one.outcome == "succeeded" and one.after not in seen:
                seen.add(one.after)
                fresh.add(at)
        well, following = None, None  # when something runs well again, and what comes next, seen from the one looked at
        for at in range(len(here) - 1, -1, -1):
            one = here[at]
            if one.action == "deploy":
                back = _taken_back(one, following)
                failed = back or one.outcome in FAILED
                found.append(Judged(one, at in fresh, failed, _recovery(one, well, back)))
            following = one
            well = one.ended_at if one.outcome in WELL else well
    return found


def figures(changes: Iterable[Change], since: float, until: float) -> Figures:
    """The figures of the deploys that ended from ``since`` to before ``until`` (epoch seconds).

    ``changes`` may reach beyond on both sides: what came before tells which versions are new, what comes after how a
    failure was recovered from.
    """
    return counted(judged(changes), since, until)


def counted(deploys: Iterable[Judged], since: float, until: float) -> Figures:
    """The same of what was judged already."""
    within = [one for one in deploys if since <= one.change.ended_at < until]
    leads = [one.change.ended_at - min(one.change.first_at, one.change.started_at) for one in within if one.fresh]
    recoveries = [one.recovery for one in within if one.recovery is not None]
    return Figures(
        days=(until - since) / DAY, deploys=sum(one.change.outcome == "succeeded" for one in within),
        ended=sum(one.change.outcome in ENDED for one in within), lead=median(leads) if leads else None,
        versions=len(leads), failed=sum(one.failed for one in within),
        recovery=median(recoveries) if recoveries else None, recovered=len(recoveries),
    )  # fmt: skip


def _taken_back(one: Change, following: Change | None) -> bool:
    """Whether a rollback says that a deploy which had succeeded was a failure: the next thing, within a day."""
    if one.outcome != "succeeded" or following is None or following.action != "rollback":
        return False
    return following.started_at - one.ended_at <= SOON and following.before == one.after


def _recovery(one: Change, well: float | None, back: bool) -> float | None:
    """Seconds from when a failed deploy began to run until something runs well again; None: it did not fail, or yet."""
    if one.outcome == "rolled_back":
        return one.ended_at - one.started_at
    if (one.outcome != "failed" and not back) or well is None:
        return None
    return well - (one.started_at if one.outcome == "failed" else one.ended_at)
