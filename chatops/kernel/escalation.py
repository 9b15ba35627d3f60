"""Whom to page, and when the next ones; how bad is bad. Pure.

A plan is frozen into an incident when it opens, so that a change of the configuration does not change who is paged in
the middle of the night.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from chatops.kernel.record import Record

SHORTEST_WAIT = 300.0  # seconds for which somebody is given time to answer after the last step


class Step(Record):
    """Who is paged ``after`` so many seconds of a round; targets as in ``page:`` of the configuration."""

    page: tuple[str, ...]  # rota:NAME, group:NAME, team-leads, user:EMAIL_OR_ID, channel:NAME
    after: float = Field(default=0.0, ge=0)


class Plan(Record):
    """Steps, and how often all of them are gone through again."""

    steps: tuple[Step, ...] = ()
    repeat: int = Field(default=0, ge=0)

    @property
    def round(self) -> float:
        """Seconds from one round's beginning to the next one's: the last step is given as long as the one before."""
        if not self.steps:
            return SHORTEST_WAIT
        last = self.steps[-1].after
        before = self.steps[-2].after if len(self.steps) > 1 else 0.0
        return last + max(last - before, SHORTEST_WAIT)


class Escalation(Plan):
    """A plan of the configuration."""

    name: str


class Due(NamedTuple):
    """One step of a plan: who, how many seconds after paging began, and whether it is the last word, said again."""

    targets: tuple[str, ...]
    offset: float
    final: bool


def freeze(escalation: Escalation) -> dict[str, Any]:
    """The plan as JSON, to be kept with an incident."""
    return escalation.model_dump(mode="json", exclude={"name"})


def step_at(plan: Plan, number: int) -> Due:
    """The step ``number`` (from 0, without end): the steps of each round, then everybody once a round.

    Raises ``ValueError`` for a plan without steps.
    """
    if not plan.steps:
        raise ValueError("a plan without steps pages nobody")
    rounds, place = divmod(number, len(plan.steps))
    if rounds <= plan.repeat:
        step = plan.steps[place]
        return Due(step.page, rounds * plan.round + step.after, final=False)
    beyond = number - len(plan.steps) * (plan.repeat + 1)
    everybody = tuple(dict.fromkeys(target for step in plan.steps for target in step.page))
    return Due(everybody, (plan.repeat + 1 + beyond) * plan.round, final=True)


class Severity(Record):
    """How bad something is; ``words`` are what monitors call it."""

    name: str
    words: tuple[str, ...] = ()
    unresolved: float = 3600.0  # seconds after which an acknowledged incident pages again
    pages: bool = True
    updates: float = (
        0.0  # seconds between two public updates, once it is led in a room or by a status; 0: none is asked
    )


SEVERITIES: Mapping[str, Severity] = {
    one.name: one
    for one in (
        Severity(
            name="sev1", words=("critical", "page", "p1", "fatal", "emergency"), unresolved=1800.0, updates=1800.0
        ),
        Severity(name="sev2", words=("error", "high", "p2", "major"), unresolved=3600.0),
        Severity(name="sev3", words=("warning", "p3", "minor"), unresolved=4 * 3600.0, pages=False),
        Severity(name="sev4", words=("info", "p4", "p5", "none"), unresolved=24 * 3600.0, pages=False),
    )
}
UNKNOWN = "sev2"  # a word that nobody explained may mean anything: better woken than sorry


def severity_of(word: str, severities: Mapping[str, Severity]) -> Severity:
    """The severity that a monitor's word means; for a word that nobody explained, sev2 or the worst there is."""
    said = word.strip().casefold()
    for one in severities.values():
        if said == one.name.casefold() or said in (known.casefold() for known in one.words):
            return one
    return severities.get(UNKNOWN) or next(iter(severities.values()))
