"""``chatops policy explain``: policy's word from the configuration alone, without Slack and without a cluster."""

from __future__ import annotations

import time
from pathlib import Path

from approvals import policy
from chatops.adapters.cel import CelEvaluator
from chatops.adapters.configuration.folder import load
from chatops.kernel.errors import PlatformError
from chatops.kernel.people import Person, Standing
from chatops.requests.reading import parse
from commands import registry
from commands.declared import action_of


async def explained(config: Path, who: str, line: str) -> tuple[str, ...]:
    """What policy says to a line typed by ``who``; Slack usergroups are not known here. Raises ``PlatformError``."""
    loaded = load(config, registry.load(), action_of)
    platform, actions = loaded.platform, loaded.actions
    asked = parse(line, actions, platform)
    if not asked.action:
        raise PlatformError("Which action?", hint="As in: deploy checkout 1.4.2 production.")
    person = Person(id=who, name=who, email=who, standing=Standing.MEMBER)
    groups = tuple(group.name for group in platform.groups.values() if any(map(person.is_named, group.members)))
    teams = tuple(team.name for team in platform.teams.values() if any(map(person.is_named, team.members)))
    person = person.model_copy(update={"groups": groups, "teams": teams})
    evaluator = CelEvaluator()
    try:
        facts = policy.partial_facts(platform, actions[asked.action], asked.values, person, time.time())
        return await policy.explain(platform, facts, evaluator.evaluate_all)
    finally:
        await evaluator.close()
