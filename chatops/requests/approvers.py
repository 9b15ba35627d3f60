"""Who may approve a request, and whether they are enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from approvals import policy
from approvals.lifecycle import is_requester, sources_of
from approvals.request import Approver, Request
from chatops.kernel import touched
from chatops.kernel.people import Person
from chatops.kernel.plan import Decision
from chatops.kernel.ports import Configuration, Directory


@dataclass(frozen=True, slots=True)
class Approvers:
    """Looks people up; remembers nobody."""

    configuration: Configuration
    directory: Directory

    async def of(self, request: Request, decision: Decision) -> tuple[Approver, ...]:
        """The people who may give what is asked for, without the requester; sorted by name."""
        named = any(ask.named for ask in decision.asks)
        return await self.members(request, (one for ask in decision.asks for one in ask.sources), named)

    async def members(self, request: Request, sources: Iterable[str], named: bool) -> tuple[Approver, ...]:
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
