"""The DORA figures of a ledger of deploys. Pure; docs/figures.md says what counts and what does not.

https://dora.dev/guides/dora-metrics/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from chatops.kernel.durations import lasted

DAY = 86400.0  # seconds
SOON = DAY  # seconds within which going back to what ran before says that a deploy had failed
FAILED = frozenset({"failed", "rolled_back"})


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


def figures(changes: Iterable[Change], since: float, until: float) -> Figures:
    """The figures of the deploys that ended from ``since`` to before ``until`` (epoch seconds).

    ``changes`` may reach beyond on both sides: what came before tells which versions are new, what comes after how a
    failure was recovered from.
    """
    deploys = failed = 0
    leads, recoveries = list[float](), list[float]()
    ordered = sorted(changes, key=lambda one: (one.service, one.environment, one.ended_at, one.started_at))
    for _, place in groupby(ordered, key=lambda one: (one.service, one.environment)):
        here = list(place)
        seen = set[str]()
        for at, one in enumerate(here):
            if one.action != "deploy":
                continue
            fresh = one.outcome == "succeeded" and one.after not in seen
            seen |= {one.after} if fresh else set()
            if not since <= one.ended_at < until:
                continue
            deploys += one.outcome == "succeeded"
            failed += one.outcome in FAILED
            if fresh:
                leads.append(one.ended_at - min(one.first_at, one.started_at))
            back = _taken_back(one, here[at + 1 :])
            failed += back is not None
            recoveries += [] if (took := _recovery(one, here[at + 1 :], back)) is None else [took]
    ended = deploys + sum(
        one.action == "deploy" and one.outcome in FAILED and since <= one.ended_at < until for one in ordered
    )
    return Figures(
        days=(until - since) / DAY, deploys=deploys, ended=ended, lead=median(leads) if leads else None,
        versions=len(leads), failed=failed, recovery=median(recoveries) if recoveries else None,
        recovered=len(recoveries),
    )  # fmt: skip


def _taken_back(one: Change, later: Sequence[Change]) -> Change | None:
    """The rollback that says that a deploy which had succeeded was a failure: the next thing, within a day."""
    following = later[0] if later else None
    if one.outcome != "succeeded" or following is None or following.action != "rollback":
        return None
    return following if following.started_at - one.ended_at <= SOON and following.before == one.after else None


def _recovery(one: Change, later: Sequence[Change], back: Change | None) -> float | None:
    """Seconds from when a failed deploy began to run until something runs well again; None: it did not fail, or yet."""
    if one.outcome == "rolled_back":
        return one.ended_at - one.started_at
    if one.outcome != "failed" and back is None:
        return None
    begun = one.started_at if one.outcome == "failed" else one.ended_at
    well = next((other.ended_at for other in later if other.outcome in ("succeeded", "rolled_back")), None)
    return None if well is None else well - begun
