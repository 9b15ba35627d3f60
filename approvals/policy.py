"""Policy: rules and facts in; decision, explanation and what is still missing out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

from approvals.request import Vote
from chatops.kernel.action import Action
from chatops.kernel.catalog import Environment, Platform, PolicyRule, Service
from chatops.kernel.cel import CelError, EvaluateAll, spoken_of
from chatops.kernel.durations import spoken
from chatops.kernel.people import Person
from chatops.kernel.plan import Ask, Decision, Plan
from chatops.kernel.quorum import unfilled, unsatisfiable
from chatops.kernel.variables import of_environment, of_requester, of_service

__all__ = ["decide", "explain", "facts", "missing", "partial_facts", "possible", "unsatisfiable"]

Facts = dict[str, Any]  # what a rule may speak of, by name
NO_INCIDENT: Mapping[str, Any] = {"id": "", "name": "", "severity": "", "acknowledged_by": "", "mine": False}


def facts(
    action: Action,
    inputs: BaseModel | Mapping[str, Any],
    requester: Person,
    *,
    now: datetime,
    environment: Environment | None = None,
    service: Service | None = None,
    plan: Plan | None = None,
    incident: Mapping[str, Any] = NO_INCIDENT,
) -> Facts:
    """What a rule may speak of. Every field is there; what is absent is ``""``, ``[]`` or ``{}``.

    ``incident`` is what ``Incidents.concerning`` says of the requester, the service and the environment.
    """
    values = inputs.model_dump(mode="python") if isinstance(inputs, BaseModel) else dict(inputs)
    seen = action.variables(inputs) if action.variables is not None else values
    changes = plan.changes if plan else ()
    risk = plan.risk if plan and plan.risk else action.risk  # whichever is higher: there is none above danger
    return {
        "env": of_environment(environment),
        "action": {"name": action.name, "risk": risk, "asks": list(action.inputs.model_fields)},
        "inputs": {name: "" if value is None else value for name, value in seen.items()},
        "service": of_service(service),
        # These two and action.asks are not in the vocabulary: policy itself needs them
        "requester": of_requester(requester) | {"id": requester.id, "member": requester.is_member},
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
        "incident": dict(incident),
        "now": now.astimezone(UTC),
    }


def partial_facts(
    platform: Platform,
    action: Action,
    values: Mapping[str, Any],
    requester: Person,
    now: float,
    incident: Mapping[str, Any] | None = None,
) -> Facts:
    """The facts while a form is being filled in: what is not given or not valid yet is left out, and so is the plan.

    ``values`` as typed, by input name; ``now`` in seconds since the epoch; ``incident``: None where it is not known.
    """
    given = dict(_valid(action, values))
    environment = platform.environments.get(str(given.get("environment", "")))
    service = platform.services.get(str(given.get("service", "")))
    at = datetime.fromtimestamp(now, UTC)
    found = facts(
        action, given, requester, now=at, environment=environment, service=service, incident=incident or NO_INCIDENT
    )
    unknown = {
        "plan", "" if environment else "env", "" if service else "service", "incident" if incident is None else "",
    }  # fmt: skip
    return {name: value for name, value in found.items() if name not in unknown}


def _valid(action: Action, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, info in action.inputs.model_fields.items():
        value = values.get(name, info.default)
        if value is PydanticUndefined or (value in (None, "") and info.is_required()):
            continue
        if value in (None, ""):  # left empty: it will be what it is without
            yield name, info.get_default(call_default_factory=True)
            continue
        with suppress(ValidationError):  # half typed: the same as not given yet
            kind: Any = Annotated[info.annotation, info]
            yield name, TypeAdapter(kind).validate_python(value)


async def decide(
    platform: Platform, facts: Facts, evaluate: EvaluateAll, *, broke_glass: bool = False,
    standing: Sequence[PolicyRule] = (),
) -> Decision:  # fmt: skip
    """What policy says to these facts; ``standing``: denials that hold beside its rules, whatever the facts are.

    ``broke_glass`` lifts the denials whose group the requester is in, never the approvals. What is dangerous is
    authorised by people whom the configuration names: being in a Slack usergroup alone neither approves it, nor lifts
    a denial, nor makes a rule allow it.
    """
    judged = await _judged(platform, facts, evaluate)
    no_freeze = _no_freeze(judged)
    judged += [_Judged(rule, matched=True) for rule in standing]
    decision = _decision(judged, _of_the_named(platform, facts), broke_glass=broke_glass)
    reviewers = _reviewers(judged, decision, platform)
    return decision.model_copy(update={"no_freeze": no_freeze, "reviewers": reviewers})


def _reviewers(judged: Iterable[_Judged], decision: Decision, platform: Platform) -> tuple[str, ...]:
    """Who looks afterwards: whom the rules name that allowed it, and those of the glass that was broken."""
    if decision.outcome == "deny":
        return ()
    found: list[str] = []
    for one in judged:
        if one.matched and not one.rule.deny:
            found += one.rule.review
        elif decision.lifted and one.forbids and one.lifted_by:
            found += one.rule.review or (f"group:{one.lifted_by}", *platform.operators)
    return tuple(dict.fromkeys(found))


def _no_freeze(judged: Iterable[_Judged]) -> bool:
    """Whether there are freezes (rules that deny and speak of the time), and none that holds or cannot be judged."""
    freezes = [one for one in judged if one.rule.deny and "now" in spoken_of(one.rule.when)]
    return bool(freezes) and not any(one.matched or one.error for one in freezes)


async def explain(
    platform: Platform, facts: Facts, evaluate: EvaluateAll, *, short: bool = False,
    standing: Sequence[PolicyRule] = (),
) -> tuple[str, ...]:  # fmt: skip
    """The decision in sentences, then the rules that do not apply (not when ``short``): the answer of ``why``.

    With ``partial_facts`` as far as can be said: a rule that speaks of what is not known yet says what it depends on.
    """
    judged = await _judged(platform, facts, evaluate)
    judged += [_Judged(rule, matched=True) for rule in standing]
    open_ended = [one for one in judged if one.error and _unknown(one.rule, facts)]
    decision = _decision([one for one in judged if one not in open_ended], _of_the_named(platform, facts))
    depends = tuple(f"{one.rule.name}: depends on {', '.join(_unknown(one.rule, facts))}." for one in open_ended)
    if open_ended and not decision.rules:
        return depends
    others = ", ".join(one.rule.name for one in judged if not one.matched and not one.error)
    unmatched = (f"Does not apply here: {others}.",) if others and not short else ()
    outcomes = {"allow": "Allowed, without approval.", "ask": "Allowed with approval.", "deny": "Refused."}
    return (outcomes[decision.outcome], *decision.why, *depends, *unmatched)


async def possible(platform: Platform, action: Action, requester: Person, evaluate: EvaluateAll, now: float) -> bool:
    """Whether this person could ask for the action somewhere, the inputs not being known yet.

    A denial that they could lift themselves does not count; ``now`` in seconds since the epoch.
    """
    for environment in (*platform.environments.values(), None):
        at = datetime.fromtimestamp(now, UTC)
        whole = facts(action, {}, requester, now=at, environment=environment)
        known = {name: value for name, value in whole.items() if name not in ("service", "plan", "incident")}
        judged = await _judged(platform, known, evaluate)
        sure = [one for one in judged if not (one.error and _unknown(one.rule, known))]
        denied = any(one.forbids and one.lifted_by not in requester.groups for one in sure)
        allowed = any(not one.rule.deny and (one.matched or one not in sure) for one in judged)
        if not denied and (allowed or action.risk == "read"):
            return requester.is_member
    return False


def missing(asks: Sequence[Ask], votes: Iterable[Vote], requester_id: str) -> tuple[int, ...]:
    """How many approvals each Ask still lacks, in order; all zero: satisfied.

    The Asks of one rule are given by different people; over several rules one vote counts for each. The requester's
    vote never counts, nor does a rejection.
    """
    people = {v.person_id: v.sources for v in votes if v.verdict == "approve" and v.person_id != requester_id}
    return lacking(asks, people)


def lacking(asks: Sequence[Ask], people: Mapping[str, Sequence[str]]) -> tuple[int, ...]:
    """How many approvals each Ask lacks when these people, by id with the sources they belong to, all approve."""
    lacks = [0] * len(asks)
    for rule in {ask.rule for ask in asks}:
        places = [place for place, ask in enumerate(asks) if ask.rule == rule]
        left = unfilled([(asks[place].approvals, asks[place].sources) for place in places], people)
        for place, number in zip(places, left, strict=True):
            lacks[place] = number
    return tuple(lacks)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One rule's answer: it matched, it did not, or it could not be evaluated."""

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
    named = _of_the_named(platform, facts)
    values = await evaluate([(rule.when, facts) for rule in platform.policies])
    judged = [_judge(rule, value) for rule, value in zip(platform.policies, values, strict=True)]
    if named is facts:
        return judged
    values = await evaluate([(rule.when, named) for rule in platform.policies])
    again = [_judge(rule, value) for rule, value in zip(platform.policies, values, strict=True)]
    return [_stricter(one, other) for one, other in zip(judged, again, strict=True)]


def _of_the_named(platform: Platform, facts: Facts) -> Facts:
    """The facts, of a dangerous request only with groups that name the requester in the configuration itself."""
    requester = facts["requester"]
    if facts["action"]["risk"] != "danger":
        return facts
    person = Person(id=requester["id"], email=requester["email"])
    groups = [name for name in requester["groups"] if is_named_in(platform, name, person)]
    return facts if groups == requester["groups"] else {**facts, "requester": {**requester, "groups": groups}}


def is_named_in(platform: Platform, group: str, person: Person) -> bool:
    """Whether the configuration itself names a person as a member of a group; a Slack usergroup does not count."""
    return group in platform.groups and any(map(person.is_named, platform.groups[group].members))


def _stricter(one: _Judged, named: _Judged) -> _Judged:
    """A rule asks and denies when it does so with or without usergroups; it allows only without."""
    if one.error or named.error:
        return one if one.error else named
    both = one.matched and named.matched
    either = one.matched or named.matched
    return _Judged(one.rule, matched=either if one.rule.deny or one.rule.require else both)


def _judge(rule: PolicyRule, value: Any) -> _Judged:
    if isinstance(value, CelError):
        return _Judged(rule, matched=False, error=value.message)
    if not isinstance(value, bool):
        return _Judged(rule, matched=False, error="it gives neither true nor false")
    return _Judged(rule, matched=value)


def _unknown(rule: PolicyRule, facts: Facts) -> tuple[str, ...]:
    """What a rule speaks of and the facts do not hold (yet), as people say it."""
    words = {"env": "the environment", "service": "the service", "plan": "what would change"}
    words["incident"] = next((words[name] for name in ("env", "service") if name not in facts), "your incident there")
    found = []
    for one in sorted(spoken_of(rule.when)):
        variable, _, name = one.partition(".")
        if variable == "inputs":
            if name not in facts.get("inputs", {}) and (not name or name in facts["action"]["asks"]):
                found.append(name.replace("_", " ") or "the inputs")
        elif variable not in facts:
            found.append(words.get(variable, variable))
    return tuple(dict.fromkeys(found))


def _decision(judged: list[_Judged], facts: Facts, *, broke_glass: bool = False) -> Decision:
    requester = facts["requester"]
    forbidding = [one for one in judged if one.forbids]
    lifted = [one for one in forbidding if broke_glass and one.lifted_by in requester["groups"]]
    standing = [one for one in forbidding if one not in lifted]
    granting = [one for one in judged if one.matched and not one.rule.deny]
    asks = tuple(
        Ask(
            rule=one.rule.name, approvals=each.approvals, sources=each.sources, expires=each.expires,
            named=facts["action"]["risk"] == "danger",
        )
        for one in granting
        for each in one.rule.require
    )  # fmt: skip
    speaking = [one for one in judged if one.matched or one.error]
    rules = tuple(one.rule.name for one in speaking)
    team = facts.get("service", {}).get("team", "")
    why = tuple(_sentence(one, lifted=one in lifted, team=team) for one in speaking)
    if standing:
        denial, denied_by, group = _denial(standing, requester["groups"])
        return Decision(
            outcome="deny", asks=asks, rules=rules, why=why, denial=denial, denied_by=denied_by, break_glass=group
        )
    if not granting:
        return _default(facts, rules, why, lifted=bool(lifted))
    return Decision(
        outcome="ask" if asks else "allow", asks=asks, rules=rules, why=why, lifted=bool(lifted),
        denied_by=lifted[0].rule.name if lifted else "",
    )  # fmt: skip


def _default(facts: Facts, rules: tuple[str, ...], why: tuple[str, ...], *, lifted: bool) -> Decision:
    """When no rule grants anything: members may read, and that is all."""
    if facts["action"]["risk"] == "read" and facts["requester"].get("member", False):
        sentence = "Reading is allowed to everyone in the home workspace."
        return Decision(outcome="allow", rules=rules, why=(*why, sentence), lifted=lifted)
    sentence = "No rule allows this, and what no rule allows is refused."
    if facts["action"]["risk"] == "read":
        sentence = "No rule allows this, and without one only full members of the home workspace may read."
    return Decision(outcome="deny", rules=rules, why=(*why, sentence), denial=sentence)


def _denial(standing: list[_Judged], mine: Sequence[str]) -> tuple[str, str, str]:
    """What refuses, which rule, and the group that may lift it: nobody unless each denial has such a group.

    Of several groups, one that the requester is not in: only who is in all of them can lift them all.
    """
    groups = [one.lifted_by for one in standing]
    foreign = [group for group in groups if group not in mine]
    text = " ".join(_refusal(one) for one in standing)
    return text, standing[0].rule.name, "" if "" in groups else (foreign or groups)[0]


def _refusal(one: _Judged) -> str:
    if one.error:
        return f"The rule “{one.rule.name}” could not be evaluated ({one.error}), so it refuses."
    return one.rule.deny


def _sentence(one: _Judged, *, lifted: bool, team: str) -> str:
    rule = one.rule
    if one.forbids:
        tail = f" Members of the group {one.lifted_by} may break the glass." if one.lifted_by else ""
        tail = f" Lifted: a member of the group {one.lifted_by} broke the glass." if lifted else tail
        return f"{'' if one.error else f'{rule.name}: refused. '}{_refusal(one)}{tail}"
    if not rule.require:
        return f"{rule.name}: allowed."
    wants = " and ".join(_wants(each.approvals, each.sources, each.expires, team) for each in rule.require)
    apart = ", by different people" if len(rule.require) > 1 else ""
    return f"{rule.name}: {wants}{apart}."


def _wants(approvals: int, sources: Sequence[str], expires: float, team: str) -> str:
    names = " or ".join(source_words(source, team) for source in sources)
    return f"{approvals} approval{'s' if approvals > 1 else ''} from {names} within {spoken(expires)}"


def source_words(source: str, team: str = "") -> str:
    """A source as people say it: ``group:leads`` is the group leads."""
    kind, _, name = source.partition(":")
    if kind == "group":
        return f"the group {name}"
    if kind == "team-leads":
        return f"the leads of team {team}" if team else "the leads of the service's team"
    return name or source
