"""Policy: rules and facts in; decision, explanation and what is still missing out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from approvals.request import Vote
from chatops.kernel.action import Action
from chatops.kernel.catalog import Environment, Platform, PolicyRule, Service
from chatops.kernel.cel import CelError, EvaluateAll
from chatops.kernel.people import Person
from chatops.kernel.plan import Ask, Decision, Plan
from chatops.kernel.quorum import unfilled, unsatisfiable

__all__ = ["decide", "explain", "facts", "missing", "sources_of", "unsatisfiable"]

Facts = dict[str, Any]


def facts(
    action: Action,
    inputs: BaseModel | Mapping[str, Any],
    requester: Person,
    *,
    now: datetime,
    environment: Environment | None = None,
    service: Service | None = None,
    plan: Plan | None = None,
) -> Facts:
    """The CEL variables of DESIGN.md; every field is there, what is absent is ``""``, ``[]`` or ``{}``."""
    e, s = environment, service
    values = inputs.model_dump(mode="python") if isinstance(inputs, BaseModel) else dict(inputs)
    changes = plan.changes if plan else ()
    return {
        "env": {
            "name": e.name if e else "",
            "tier": e.tier if e else "",
            "namespace": e.namespace if e else "",
            "cluster": e.cluster if e else "",
        },
        "action": {"name": action.name, "risk": action.risk},
        "inputs": {name: "" if value is None else value for name, value in values.items()},
        "service": {
            "name": s.name if s else "",
            "team": s.team if s else "",
            "labels": dict(s.labels) if s else {},
        },
        "requester": {
            "email": requester.email,
            "name": requester.name,
            "groups": list(requester.groups),
            "teams": list(requester.teams),
        },
        "plan": {
            "changes": [
                {
                    "object": change.object,
                    "field": change.field,
                    "before": "" if change.before is None else change.before,
                    "after": "" if change.after is None else change.after,
                }
                for change in changes
            ],
            "warnings": list(plan.warnings) if plan else [],
        },
        "now": now.astimezone(UTC),
    }


async def decide(
    platform: Platform, facts: Facts, evaluate: EvaluateAll, *, member: bool, broke_glass: bool = False
) -> Decision:
    """What policy says to these facts.

    ``member``: whether the requester is a full member of the home workspace, the only people whom policy allows
    anything. ``broke_glass`` lifts the denials whose group the requester is in, never the approvals.
    """
    return _decision(await _judged(platform, facts, evaluate), facts, member=member, broke_glass=broke_glass)


async def explain(
    platform: Platform, facts: Facts, evaluate: EvaluateAll, *, member: bool, broke_glass: bool = False
) -> tuple[str, ...]:
    """The decision in sentences, then the rules that did not match: the answer of ``why``."""
    judged = await _judged(platform, facts, evaluate)
    decision = _decision(judged, facts, member=member, broke_glass=broke_glass)
    outcomes = {"allow": "Allowed, without approval.", "ask": "Allowed with approval.", "deny": "Refused."}
    others = [one.rule.name for one in judged if not one.matched and not one.error]
    unmatched = [f"Does not apply here: {', '.join(others)}."] if others else []
    return (outcomes[decision.outcome], *decision.why, *unmatched)


def missing(asks: Sequence[Ask], votes: Iterable[Vote], requester_id: str) -> tuple[int, ...]:
    """How many approvals each Ask still lacks, in order; all zero: satisfied.

    The Asks of one rule are given by different people; over several rules one vote counts for each. The requester's
    vote never counts, nor does a rejection.
    """
    people = {v.person_id: v.sources for v in votes if v.verdict == "approve" and v.person_id != requester_id}
    lacks = [0] * len(asks)
    for rule in {ask.rule for ask in asks}:
        places = [place for place, ask in enumerate(asks) if ask.rule == rule]
        lacking = unfilled([(asks[place].approvals, asks[place].sources) for place in places], people)
        for place, number in zip(places, lacking, strict=True):
            lacks[place] = number
    return tuple(lacks)


def sources_of(person: Person, sources: Iterable[str], platform: Platform, service: str = "") -> tuple[str, ...]:
    """Those of the sources that a person belongs to; nobody but a full member of the home workspace belongs to any.

    ``team-leads`` are the leads of the team that owns ``service``.
    """
    if not person.is_member:
        return ()
    owner = platform.services.get(service)
    team = platform.teams.get(owner.team) if owner else None

    def belongs(source: str) -> bool:
        kind, _, name = source.partition(":")
        if kind == "group":
            group = platform.groups.get(name)
            return name in person.groups or (group is not None and any(map(person.is_named, group.members)))
        if kind == "user":
            return person.is_named(name)
        return source == "team-leads" and team is not None and any(map(person.is_named, team.leads))

    return tuple(source for source in dict.fromkeys(sources) if belongs(source))


@dataclass(frozen=True, slots=True)
class _Judged:
    rule: PolicyRule
    matched: bool
    error: str = ""

    @property
    def forbids(self) -> bool:
        return bool(self.error) or (self.matched and bool(self.rule.deny))

    @property
    def lifted_by(self) -> str:
        return self.rule.break_glass.group if self.rule.break_glass else ""


async def _judged(platform: Platform, facts: Facts, evaluate: EvaluateAll) -> list[_Judged]:
    values = await evaluate([(rule.when, facts) for rule in platform.policies])
    return [_judge(rule, value) for rule, value in zip(platform.policies, values, strict=True)]


def _judge(rule: PolicyRule, value: Any) -> _Judged:
    if isinstance(value, CelError):
        return _Judged(rule, matched=False, error=value.message)
    if not isinstance(value, bool):
        return _Judged(rule, matched=False, error="it gives neither true nor false")
    return _Judged(rule, matched=value)


def _decision(judged: list[_Judged], facts: Facts, *, member: bool, broke_glass: bool) -> Decision:
    if not member:
        sentence = "Only full members of the home workspace may ask for anything."
        return Decision(outcome="deny", denial=sentence, why=(sentence,))
    mine = facts["requester"]["groups"]
    forbidding = [one for one in judged if one.forbids]
    lifted = [one for one in forbidding if broke_glass and one.lifted_by and one.lifted_by in mine]
    standing = [one for one in forbidding if one not in lifted]
    others = [one for one in judged if one.matched and not one.rule.deny]
    asks = tuple(
        Ask(rule=one.rule.name, approvals=each.approvals, sources=each.sources, expires=each.expires)
        for one in others
        for each in one.rule.require
    )
    rules = tuple(one.rule.name for one in judged if one.matched or one.error)
    why = [
        _sentence(one, lifted=one in lifted, team=facts["service"]["team"]) for one in judged if one.rule.name in rules
    ]
    if standing:
        return Decision(outcome="deny", asks=asks, rules=rules, why=tuple(why), **_denial(standing, mine))
    if not others:
        read = facts["action"]["risk"] == "read"
        default = "No rule speaks of this: " + (
            "reading is allowed to everyone in the home workspace."
            if read
            else "what changes something is refused unless a rule allows it."
        )
        outcome = {"outcome": "allow"} if read else {"outcome": "deny", "denial": default}
        return Decision(**outcome, rules=rules, why=(*why, default), lifted=read and bool(lifted))
    return Decision(outcome="ask" if asks else "allow", asks=asks, rules=rules, why=tuple(why), lifted=bool(lifted))


def _denial(standing: list[_Judged], mine: Sequence[str]) -> dict[str, str]:
    """Names every denial; who may lift them is somebody only when each of them has a group of its own that may."""
    groups = [one.lifted_by for one in standing]
    foreign = [group for group in groups if group not in mine]
    return {
        "denial": " ".join(_refusal(one) for one in standing),
        "denied_by": standing[0].rule.name,
        "break_glass": "" if "" in groups else (foreign or groups)[0],
    }


def _refusal(one: _Judged) -> str:
    if one.error:
        return f"The rule “{one.rule.name}” could not be evaluated ({one.error}), so it refuses."
    return one.rule.deny


def _sentence(one: _Judged, *, lifted: bool, team: str) -> str:
    rule = one.rule
    if one.error or rule.deny:
        tail = f" Members of {one.lifted_by} may break the glass." if one.lifted_by else ""
        tail = f" Lifted: a member of {one.lifted_by} broke the glass." if lifted else tail
        return f"{_refusal(one)}{tail}" if one.error else f"{rule.name}: refuses. {rule.deny}{tail}"
    if not rule.require:
        return f"{rule.name}: allows it."
    wants = " and ".join(_wants(each.approvals, each.sources, each.expires, team) for each in rule.require)
    return f"{rule.name}: {wants}."


def _wants(approvals: int, sources: Sequence[str], expires: float, team: str) -> str:
    names = " or ".join(source_words(source, team) for source in sources)
    return f"{approvals} approval{'s' if approvals > 1 else ''} from {names} within {span(expires)}"


def source_words(source: str, team: str = "") -> str:
    """A source as people say it: ``group:leads`` is the group leads."""
    kind, _, name = source.partition(":")
    if kind == "group":
        return f"the group {name}"
    if kind == "team-leads":
        return f"the leads of team {team}" if team else "the leads of the service's team"
    return name or source


def span(seconds: float) -> str:
    """Seconds as people say them: 4 h, 30 min, 7 days."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} day" if unit == "days" and count == 1 else f"{count} {unit}"
    return f"{seconds:g} s"
