"""Put back the whole pod template that ran before: image, settings, everything.

/platform rollback SERVICE ENVIRONMENT [revision=N] because REASON
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, ServiceName
from chatops.kernel.catalog import Service
from chatops.kernel.errors import Refused
from chatops.kernel.plan import Plan
from chatops.kernel.ports import Deployed
from chatops.kernel.rollout import revision_of
from commands.workload import UNDO, Draft, Seen, apply, image_in, planned

LOOKS_BACK = 20  # deploys


class Rollback(ChangeInputs):
    """What to roll back, and how far."""

    service: ServiceName = Field(title="Service", description="What to roll back.")
    environment: EnvironmentName = Field(title="Environment", description="Where.")
    revision: int | None = Field(
        default=None, ge=1, title="Revision", description="A revision number; empty: the one before."
    )


async def plan(inputs: Rollback, ctx: Context) -> Plan:
    """The template of the previous, or the named, revision in place of the present one."""

    failed = await _failed(ctx, inputs)

    async def wish(seen: Seen) -> Draft:
        target = _target(seen, inputs.revision, failed)
        version, number = seen.version_in(target), revision_of(target)
        return Draft(
            summary=f"{seen.service.name} {seen.version} → {version} (revision {number})",
            manager=UNDO,
            before=seen.version,
            after=version,
            unchanged=f"Nothing would change: revision {number} is what {seen.service.name} runs.",
            restore=str(target["metadata"]["name"]),
            warnings=(f"{version} failed when it was deployed last",) if version in failed else (),
        )

    return await planned(ctx, wish)


async def _failed(ctx: Context, inputs: Rollback) -> frozenset[str]:
    """Versions whose last deploy there failed; after an automatic rollback the revision before is the broken one."""
    return failed_versions(await ctx.ledger.last(inputs.service, inputs.environment, LOOKS_BACK))


def failed_versions(newest_first: Sequence[Deployed]) -> frozenset[str]:
    """The versions whose last deploy in the ledger failed."""
    outcomes = {line.version: line.outcome for line in reversed(newest_first)}
    return frozenset(version for version, outcome in outcomes.items() if outcome in ("failed", "rolled_back"))


def earlier(
    service: Service, present: Mapping[str, Any] | None, kept: Iterable[Mapping[str, Any]], failed: frozenset[str]
) -> Mapping[str, Any] | None:
    """The ReplicaSet that going back goes to: the newest but the present one, of a version that did not fail there."""
    revisions = {revision_of(one): one for one in kept if revision_of(one)}
    before = [number for number in revisions if number != (revision_of(present) if present else 0)]
    sound = [number for number in before if version_of(service, revisions[number]) not in failed]
    return revisions[max(sound or before)] if before else None


def version_of(service: Service, owner: Mapping[str, Any]) -> str:
    """The version in a pod template."""
    return service.version_of(image_in(owner, service.container))


def _target(seen: Seen, revision: int | None, failed: frozenset[str]) -> Mapping[str, Any]:
    name = seen.service.name
    if seen.live["spec"].get("paused"):  # kubectl refuses it, too: nothing would roll
        raise Refused(f"{name} is paused.", hint="Resume it first: kubectl rollout resume.")
    if revision is not None:
        kept = {revision_of(one): one for one in seen.replicasets if revision_of(one)}
        if revision not in kept:
            known = ", ".join(f"{number} ({seen.version_in(kept[number])})" for number in sorted(kept)) or "none"
            raise Refused(f"{name} has no revision {revision}.", hint=f"Kept are: {known}.")
        return kept[revision]
    found = earlier(seen.service, seen.present, seen.replicasets, failed)
    if found is None:
        raise Refused(f"{name} has no earlier revision to go back to.", hint="Deploy the version you want instead.")
    return found


RECORD = Action(
    name="rollback",
    title="Roll back",
    risk="change",
    inputs=Rollback,
    usage="rollback SERVICE ENVIRONMENT [revision=N] because REASON",
    summary="Put back what ran before, or a named revision",
    positionals=("service", "environment"),
    plan=plan,
    apply=apply,
    button="Roll back",
)
