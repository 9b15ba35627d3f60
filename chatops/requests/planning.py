"""Planning: what a request would change, what policy says about it, who may approve it, and the digest of all that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from approvals import policy
from approvals.lifecycle import is_requester, sources_of
from approvals.request import Approver, Request
from chatops.kernel import freezes, touched
from chatops.kernel.action import Action, Context, Incidents, Overrides, Questions
from chatops.kernel.catalog import Environment, PolicyRule, Service
from chatops.kernel.cel import EvaluateAll
from chatops.kernel.declaration import Declaration
from chatops.kernel.errors import ClusterError, Refused, Unavailable
from chatops.kernel.helpdesk import Helpdesk
from chatops.kernel.locks import Lock, Locks, rule
from chatops.kernel.people import AUTOMATION, Person, automation, is_automation
from chatops.kernel.plan import Decision, Plan, digest
from chatops.kernel.ports import Clock, Clusters, ClusterWriter, Configuration, Directory, Ledger
from chatops.kernel.preferences import Preferring
from chatops.kernel.schedules import Schedules
from chatops.kernel.spans import zone_of
from chatops.requests import promotion
from chatops.requests.health import Health

MOST_REVIVED = 200  # pinned actions kept; as many requests of different versions are hardly under way at once


@dataclass(frozen=True, slots=True)
class Made:
    """One planning's result."""

    plan: Plan
    decision: Decision
    digest: str
    approvers: tuple[Approver, ...]
    reviewers: tuple[Approver, ...] = ()

    def stands_for(self, request: Request) -> bool:
        """Whether it is what was approved, and policy has not come to refuse it: a freeze is not in the digest."""
        return self.digest == request.digest and self.decision.outcome != "deny"


class Overtaken(Exception):
    """What would be written is no longer what was approved, and nothing was written: ``made`` is the plan now."""

    def __init__(self, made: Made) -> None:
        super().__init__()
        self.made = made


@dataclass(slots=True)
class Planner:
    """Asks the cluster and policy; changes nothing."""

    actions: Mapping[str, Action]
    configuration: Configuration
    clusters: Clusters
    directory: Directory
    evaluate: EvaluateAll
    ledger: Ledger
    clock: Clock
    questions: Questions | None = None
    incidents: Incidents | None = None  # handed in later, as the questions are
    overrides: Overrides | None = None
    locks: Locks | None = None
    schedules: Schedules | None = None
    wishes: Preferring | None = None
    health: Health | None = None
    helpdesk: Helpdesk | None = None
    build: Callable[[Declaration], Action] | None = None  # makes the action that a request pinned
    _revived: dict[str, Action] = field(default_factory=dict)

    def action_of(self, request: Request) -> Action:
        """The action of a request: a declared one in the version that the request began with.

        Raises ``Refused`` for a built-in one that is no longer there.
        """
        if request.pinned and self.build is not None:
            if request.pinned not in self._revived:
                if len(self._revived) >= MOST_REVIVED:
                    self._revived.clear()
                self._revived[request.pinned] = self.build(Declaration.model_validate_json(request.pinned))
            return self._revived[request.pinned]
        if request.action not in self.actions:
            raise Refused(f"There is no action called {request.action} any more.")
        return self.actions[request.action]

    async def make(self, request: Request) -> Made:
        """Plans a request from the live objects; raises ``Refused``, ``Unavailable`` or a ``ClusterError``."""
        self._check_still_there(request)
        action = self.action_of(request)
        inputs = action.inputs.model_validate(request.inputs)
        requester = await self.requester(request)
        frozen = request.plan.frozen if request.plan else {}
        plan = await self.plan(action, inputs, requester, frozen, request.id)
        passed = request.decision is not None and promotion.has_passed(request.decision)
        looked = await self._looked(action, inputs.model_dump(), requester, plan)
        unfit = await promotion.unpromoted(self.configuration.platform, self.ledger, looked, passed=passed)
        decision = await self.decide(
            action, inputs, requester, plan, broke_glass=bool(request.broke_glass), unfit=unfit, at=request.not_before
        )
        bound = digest(action.name, inputs.model_dump(mode="json"), plan, decision)
        request = request.model_copy(update={"plan": plan})  # what it changes may say whose leads are asked
        approvers = await self.approvers(request, decision)
        reviewers = await self._members(request, decision.reviewers, named=(plan.risk or action.risk) == "danger")
        # Not of the plan: they bind nobody
        said = [self.out_of_reach(request, requester, decision, approvers)]
        said += self.freezes_ahead(action, inputs.model_dump(), plan)
        if warnings := tuple(filter(None, said)):
            plan = plan.model_copy(update={"warnings": (*warnings, *plan.warnings)})
        where, since = promotion.proven(looked)
        plan = plan.model_copy(update={"proven_in": where, "proven_since": since})
        return Made(plan, decision, bound, approvers, reviewers)

    def _check_still_there(self, request: Request) -> None:
        """The configuration may have changed since it was asked; what was taken out of it does not start any more."""
        platform = self.configuration.platform
        for kind, name, known in (
            ("action", request.action, self.actions),
            ("service", request.service, platform.services),
            ("environment", request.environment, platform.environments),
        ):
            if name and name not in known:
                raise Refused(f"The {kind} {name} was taken out of the configuration after this was asked for.")

    async def plan(
        self, action: Action, inputs: BaseModel, requester: Person, frozen: Mapping[str, str] | None = None,
        number: int = 0,
    ) -> Plan:  # fmt: skip
        """The action's plan for these inputs; ``number`` is the request's, 0 before there is one."""
        if action.plan is None:
            raise TypeError(f"{action.name} is a read action: it has no plan")
        return await action.plan(inputs, self.context(inputs, requester, frozen or {}, number))

    def context(
        self, inputs: BaseModel, requester: Person, frozen: Mapping[str, str] | None = None, number: int = 0
    ) -> Context:
        """What a planner or an answerer may know about these inputs."""
        platform = self.configuration.platform
        environment = platform.environments.get(getattr(inputs, "environment", "") or "")
        if self.questions is None:
            raise TypeError("the planner was not given its questions")
        clusters = self.clusters_for(requester)
        return Context(
            platform=platform,
            requester=requester,
            now=datetime.fromtimestamp(self.clock.now(), UTC),
            ledger=self.ledger,
            questions=self.questions,
            cluster=clusters.reader(environment) if environment else None,
            environment=environment,
            service=platform.services.get(getattr(inputs, "service", "") or ""),
            frozen=frozen or {},
            clusters=clusters,
            evaluate=self.evaluate,
            request=number,
            incidents=self.incidents,
            overrides=self.overrides,
            locks=self.locks,
            timetable=self.schedules,
            wishes=self.wishes,
            helpdesk=self.helpdesk,
        )

    def clusters_for(self, person: Person) -> Clusters:
        """The clusters, asked as this person where the environment says so."""
        return self.clusters.acting_for(self.configuration.platform.identity(person))

    async def writer(self, request: Request) -> ClusterWriter:
        """What writes a request's changes and watches them: as the requester where the environment says so.

        Raises ``Refused`` when the environment was taken out of the configuration.
        """
        environment = self.configuration.platform.environments.get(request.environment)
        if environment is None:
            raise Refused(f"The environment {request.environment} is no longer in the configuration.")
        return self.clusters_for(await self.requester(request)).writer(environment)

    async def decide(
        self, action: Action, inputs: BaseModel, requester: Person, plan: Plan, *, broke_glass: bool = False,
        unfit: Sequence[PolicyRule] = (), at: float = 0.0,
    ) -> Decision:  # fmt: skip
        """Policy's word on a plan, now or ``at`` a later time; ``unfit``: what the clusters have against it."""
        at = max(at, self.clock.now())
        facts = await self.facts(action, inputs, requester, plan, at)
        values, platform = inputs.model_dump(), self.configuration.platform
        frozen = self._frozen(action, values, requester, at, plan)
        locks = await self._locks_at(action, values, requester, at, plan)
        held, locked = self._held(locks, requester), next((name for name, some in locks.items() if some), "")
        decision = await policy.decide(
            platform, facts, self.evaluate, broke_glass=broke_glass, standing=(*frozen, *held, *unfit)
        )
        return decision.model_copy(
            update={
                "locked": decision.outcome == "deny" and bool(held),
                "locked_service": locked if decision.outcome == "deny" else "",
                "no_freeze": not frozen and (decision.no_freeze or bool(platform.freezes)),
            }
        )

    async def standing(
        self, action: Action, inputs: Mapping[str, Any], requester: Person, plan: Plan | None = None
    ) -> tuple[PolicyRule, ...]:
        """What keeps this person from changing something there beside the rules, as far as can be seen now.

        Freezes, other people's locks, and a version that does not run well in the environment before.
        """
        try:
            looked = await self._looked(action, inputs, requester, plan)
            unfit = await promotion.unpromoted(self.configuration.platform, self.ledger, looked)
        except (Unavailable, ClusterError):
            unfit = ()  # whoever only asks is told the rest; the plan of a request waits until it can be seen
        now = self.clock.now()
        held = self._held(await self._locks_at(action, inputs, requester, now, plan), requester)
        return (*self._frozen(action, inputs, requester, now, plan), *held, *unfit)

    async def _looked(
        self, action: Action, inputs: Mapping[str, Any], requester: Person, plan: Plan | None
    ) -> list[promotion.Looked]:
        versions = promotion.wanted(self.configuration.platform, action, inputs, plan)
        return await promotion.looked(self.clusters_for(requester), versions)

    async def _locks_at(
        self, action: Action, inputs: Mapping[str, Any], requester: Person, at: float, plan: Plan | None
    ) -> dict[str, list[Lock]]:
        """What is held against this person then, by service; under an empty name where nothing of a service changes."""
        if self.locks is None:
            return {}
        environment, services = self._places(inputs, plan)
        where, found = environment.name if environment else "", dict[str, list[Lock]]()
        for name in [one.name for one in services] or [""]:
            standing = await self.locks.standing(requester, action.name, action.risk, name, where)
            found[name] = [one for one in standing if one.until > at]
        return found

    def _held(self, locks: Mapping[str, list[Lock]], requester: Person) -> tuple[PolicyRule, ...]:
        glass, now = self.configuration.platform.locks.break_glass, self.clock.now()
        these = {one.id: one for some in locks.values() for one in some}
        return tuple(rule(one, glass, now, zone_of(requester.tz)) for one in these.values())

    def _frozen(
        self, action: Action, inputs: Mapping[str, Any], requester: Person, at: float, plan: Plan | None
    ) -> tuple[PolicyRule, ...]:
        if action.risk == "read" or action.name in freezes.NEVER_FROZEN:
            return ()
        zone, (environment, services) = zone_of(requester.tz), self._places(inputs, plan)
        platform = self.configuration.platform
        found = [freezes.rules(platform, environment, one, at, zone) for one in services or (None,)]
        return tuple({one.name: one for some in found for one in some}.values())

    def freezes_ahead(self, action: Action, inputs: Mapping[str, Any], plan: Plan | None = None) -> tuple[str, ...]:
        """What begins there within a day, in a sentence each."""
        if action.risk == "read" or action.name in freezes.NEVER_FROZEN:
            return ()
        environment, services = self._places(inputs, plan)
        platform, now = self.configuration.platform, self.clock.now()
        found = [freezes.ahead(platform, environment, one, now) for one in services or (None,)]
        return tuple(dict.fromkeys(said for some in found for said in some))

    def _places(self, inputs: Mapping[str, Any], plan: Plan | None) -> tuple[Environment | None, tuple[Service, ...]]:
        """Where something is changed: the service that the inputs name, and those whose workload the plan writes."""
        platform = self.configuration.platform
        environment = platform.environments.get(str(inputs.get("environment") or ""))
        named = platform.services.get(str(inputs.get("service") or ""))
        found = {named.name: named} if named is not None else {}
        found |= {one.name: one for one in touched.services(platform, environment, plan)} if plan is not None else {}
        return environment, tuple(found.values())

    async def facts(
        self, action: Action, inputs: BaseModel, requester: Person, plan: Plan, at: float = 0.0
    ) -> dict[str, Any]:
        """The CEL variables for one decision; ``at``: the time (epoch seconds) it is for, when that is not now."""
        platform = self.configuration.platform
        environment = platform.environments.get(getattr(inputs, "environment", "") or "")
        service = touched.concerned(platform, environment, getattr(inputs, "service", "") or "", plan)
        return policy.facts(
            action,
            inputs,
            requester,
            environment=environment,
            service=service,
            plan=plan,
            incident=await self._incident(requester, inputs.model_dump()),
            now=datetime.fromtimestamp(at or self.clock.now(), UTC),
        )

    async def partial_facts(self, action: Action, given: Mapping[str, Any], requester: Person) -> dict[str, Any]:
        """The CEL variables as far as the inputs ``given`` so far say; see ``policy.partial_facts``."""
        known = given.get("service") and given.get("environment")
        incident = await self._incident(requester, given) if known else None
        return policy.partial_facts(self.configuration.platform, action, given, requester, self.clock.now(), incident)

    async def _incident(self, requester: Person, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        service, environment = str(inputs.get("service") or ""), str(inputs.get("environment") or "")
        if self.incidents is None or not service or not environment:
            return policy.NO_INCIDENT
        return await self.incidents.concerning(requester, service, environment)

    async def requester(self, request: Request) -> Person:
        """Who asked, as the directory knows them now; their stored name when it cannot say."""
        if is_automation(request.requester_id):
            return automation(request.requester_id.removeprefix(AUTOMATION))
        person = await self.directory.person(request.requester_id)
        if person.email or person.is_member:
            return person
        return person.model_copy(update={"name": request.requester_name, "email": request.requester_email})

    async def approvers(self, request: Request, decision: Decision) -> tuple[Approver, ...]:
        """The people who may give what is asked for, without the requester; sorted by name."""
        named = any(ask.named for ask in decision.asks)
        return await self._members(request, (one for ask in decision.asks for one in ask.sources), named)

    async def _members(self, request: Request, sources: Iterable[str], named: bool) -> tuple[Approver, ...]:
        """The people behind some sources, without the requester; sorted by name."""
        team, platform = team_of(request, self.configuration), self.configuration.platform
        found: dict[str, Approver] = {}
        for source in dict.fromkeys(sources):
            for person in await self.directory.members(source, team):
                counts = not named or sources_of(person, (source,), team, platform, named=True)
                if person.is_member and counts and not is_requester(request, person):
                    known = found[person.id].sources if person.id in found else ()
                    found[person.id] = Approver(
                        id=person.id, name=person.name, email=person.email, sources=(*known, source)
                    )
        return tuple(sorted(found.values(), key=lambda approver: approver.name))

    def out_of_reach(
        self, request: Request, requester: Person, decision: Decision, approvers: Sequence[Approver]
    ) -> str:
        """Why all who may approve are too few, and what helps; empty when they are enough."""
        lacks = policy.lacking(decision.asks, {one.id: one.sources for one in approvers})
        if decision.outcome != "ask" or not any(lacks):
            return ""
        short = [ask for ask, number in zip(decision.asks, lacks, strict=True) if number]
        team, platform = team_of(request, self.configuration), self.configuration.platform
        wanted = dict.fromkeys(source for ask in short for source in ask.sources)
        named = any(ask.named for ask in short)
        who = request.requester_name
        if not sources_of(requester, wanted, team, platform, named=named):
            words = " or ".join(policy.source_words(source, team) for source in wanted)
            return f"Too few people may approve this: the platform team has to name more for {words}"
        if any(set(one.sources) & set(wanted) for one in approvers):
            return f"Too few people besides {who}, who asked, may approve this: somebody else has to ask for it"
        return f"Nobody but {who} may approve this, and {who} asked: somebody else has to ask for it"


def team_of(request: Request, configuration: Configuration) -> str:
    """The team that owns the request's service, for ``team-leads``."""
    platform = configuration.platform
    environment = platform.environments.get(request.environment)
    service = touched.concerned(platform, environment, request.service, request.plan)
    return service.team if service else ""


def ended(sentence: str) -> str:
    """The sentence with its full stop; what a cluster says often has none, and more follows."""
    return sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."


def _moved(name: str, field: str, was: object, now: object) -> str:
    """What stands somewhere else than planned; of images that differ in their version alone, the versions."""
    if field.endswith(".image") and isinstance(was, str) and isinstance(now, str):
        (repository, _, old), (same, _, new) = was.rpartition(":"), now.rpartition(":")
        if repository == same and "/" not in old + new:  # the colon of a port is no version's
            return f"the image of {name} is {new} now, it was {old}"
    return f"{field} of {name} is {now!r} now, it was {was!r}"


def differs(request: Request, made: Made) -> str:
    """In one sentence, how a new plan differs from the one that was approved."""
    if made.decision.outcome == "deny":
        return ended(made.decision.denial)
    before = {(c.object, c.field): c for c in (request.plan.changes if request.plan else ())}
    after = {(c.object, c.field): c for c in made.plan.changes}
    parts = [
        _moved(name, field, before[name, field].before, after[name, field].before)
        for name, field in after
        if (name, field) in before and after[name, field].before != before[name, field].before
    ]
    parts += [f"{field} of {name} would change as well" for name, field in after if (name, field) not in before]
    parts += [f"{field} of {name} would no longer change" for name, field in before if (name, field) not in after]
    if not parts:
        asks = request.decision.asks if request.decision else ()
        parts = ["policy asks for other approvals"] if asks != made.decision.asks else ["what it would do differs"]
    return "; ".join(parts[:3]) + "."
