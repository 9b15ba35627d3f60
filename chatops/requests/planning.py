"""Planning: what a request would change, what policy says to it, who may approve it, and the digest of all that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import BaseModel

from approvals.request import Approver, Request
from chatops.kernel.action import Action, Context, Desks, Questions
from chatops.kernel.cel import EvaluateAll
from chatops.kernel.declaration import Declaration
from chatops.kernel.errors import Refused
from chatops.kernel.people import AUTOMATION, Person, automation, is_automation
from chatops.kernel.plan import Decision, Plan, digest
from chatops.kernel.ports import Clock, Clusters, ClusterWriter, Configuration, Directory, Ledger
from chatops.requests import promotion
from chatops.requests.approvers import Approvers
from chatops.requests.health import Health
from chatops.requests.judge import Judge

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
    questions: Questions | None = None  # handed in later, as the desks and how services do are
    health: Health | None = None
    build: Callable[[Declaration], Action] | None = None  # makes the action that a request pinned
    judge: Judge = field(init=False)
    approvers: Approvers = field(init=False)
    _revived: dict[str, Action] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """They know of the same company."""
        self.judge = Judge(self.configuration, self.clusters_for, self.evaluate, self.ledger, self.clock)
        self.approvers = Approvers(self.configuration, self.directory)

    @property
    def desks(self) -> Desks | None:
        """Where people do what needs no plan; the judge asks there, too."""
        return self.judge.desks

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
        looked = await self.judge.looked(action, inputs.model_dump(), requester, plan)
        unfit = await promotion.unpromoted(self.configuration.platform, self.ledger, looked, passed=passed)
        decision = await self.judge.decide(
            action, inputs, requester, plan, broke_glass=bool(request.broke_glass), unfit=unfit, at=request.not_before
        )
        bound = digest(action.name, inputs.model_dump(mode="json"), plan, decision)
        request = request.model_copy(update={"plan": plan})  # what it changes may say whose leads are asked
        approvers = await self.approvers.of(request, decision)
        reviewers = await self.approvers.members(
            request, decision.reviewers, named=(plan.risk or action.risk) == "danger"
        )
        # Not of the plan: they bind nobody
        said = [self.approvers.out_of_reach(request, requester, decision, approvers)]
        said += self.judge.freezes_ahead(action, inputs.model_dump(), plan)
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
            served=self.desks,
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

    async def requester(self, request: Request) -> Person:
        """Who asked, as the directory knows them now; their stored name when it cannot say."""
        if is_automation(request.requester_id):
            return automation(request.requester_id.removeprefix(AUTOMATION))
        person = await self.directory.person(request.requester_id)
        if person.email or person.is_member:
            return person
        return person.model_copy(update={"name": request.requester_name, "email": request.requester_email})
