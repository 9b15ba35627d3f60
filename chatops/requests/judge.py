"""What stands in the way of a change: policy, freezes, locks, and versions that have not run well before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from approvals import policy
from chatops.kernel import freezes, touched
from chatops.kernel.action import Action, Desks
from chatops.kernel.catalog import Environment, PolicyRule, Service
from chatops.kernel.cel import EvaluateAll
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.locks import Lock, rule
from chatops.kernel.people import Person
from chatops.kernel.plan import Decision, Plan
from chatops.kernel.ports import Clock, Clusters, Configuration, Ledger
from chatops.kernel.spans import zone_of
from chatops.requests import promotion


@dataclass(slots=True)
class Judge:
    """Asks policy about plans, with all that stands beside its rules.

    ``clusters_for`` gives the clusters as one person may see them.
    """

    configuration: Configuration
    clusters_for: Callable[[Person], Clusters]
    evaluate: EvaluateAll
    ledger: Ledger
    clock: Clock
    desks: Desks | None = None  # handed in later

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
            looked = await self.looked(action, inputs, requester, plan)
            unfit = await promotion.unpromoted(self.configuration.platform, self.ledger, looked)
        except (Unavailable, ClusterError):
            unfit = ()  # whoever only asks is told the rest; the plan of a request waits until it can be seen
        now = self.clock.now()
        held = self._held(await self._locks_at(action, inputs, requester, now, plan), requester)
        return (*self._frozen(action, inputs, requester, now, plan), *held, *unfit)

    async def looked(
        self, action: Action, inputs: Mapping[str, Any], requester: Person, plan: Plan | None
    ) -> list[promotion.Looked]:
        """How what is to come runs in the environment before; raises ``Unavailable`` or a ``ClusterError``."""
        versions = promotion.wanted(self.configuration.platform, action, inputs, plan)
        return await promotion.looked(self.clusters_for(requester), versions)

    def freezes_ahead(self, action: Action, inputs: Mapping[str, Any], plan: Plan | None = None) -> tuple[str, ...]:
        """What begins there within a day, in a sentence each."""
        if action.risk == "read" or action.name in freezes.NEVER_FROZEN:
            return ()
        environment, services = self._places(inputs, plan)
        platform, now = self.configuration.platform, self.clock.now()
        found = [freezes.ahead(platform, environment, one, now) for one in services or (None,)]
        return tuple(dict.fromkeys(said for some in found for said in some))

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

    async def _locks_at(
        self, action: Action, inputs: Mapping[str, Any], requester: Person, at: float, plan: Plan | None
    ) -> dict[str, list[Lock]]:
        """What is held against this person then, by service; under an empty name where nothing of a service changes."""
        if self.desks is None:
            return {}
        environment, services = self._places(inputs, plan)
        where, found = environment.name if environment else "", dict[str, list[Lock]]()
        for name in [one.name for one in services] or [""]:
            standing = await self.desks.locks.standing(requester, action.name, action.risk, name, where)
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

    def _places(self, inputs: Mapping[str, Any], plan: Plan | None) -> tuple[Environment | None, tuple[Service, ...]]:
        """Where something is changed: the service that the inputs name, and those whose workload the plan writes."""
        platform = self.configuration.platform
        environment = platform.environments.get(str(inputs.get("environment") or ""))
        named = platform.services.get(str(inputs.get("service") or ""))
        found = {named.name: named} if named is not None else {}
        found |= {one.name: one for one in touched.services(platform, environment, plan)} if plan is not None else {}
        return environment, tuple(found.values())

    async def _incident(self, requester: Person, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        service, environment = str(inputs.get("service") or ""), str(inputs.get("environment") or "")
        if self.desks is None or not service or not environment:
            return policy.NO_INCIDENT
        return await self.desks.incidents.concerning(requester, service, environment)
