"""Put back the whole pod template that ran before: image, settings, everything.

/platform rollback SERVICE ENVIRONMENT [revision=N] because REASON
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from chatops.kernel.action import Action, ChangeInputs, Context, EnvironmentName, ServiceName
from chatops.kernel.errors import Refused
from chatops.kernel.plan import Plan
from chatops.kernel.rollout import revision_of
from commands.workload import UNDO, Draft, Seen, apply, planned


class Rollback(ChangeInputs):
    """What to roll back, and how far."""

    service: ServiceName = Field(title="Service", description="What to roll back.")
    environment: EnvironmentName = Field(title="Environment", description="Where.")
    revision: int | None = Field(
        default=None, ge=1, title="Revision", description="A revision number; empty: the one before."
    )


async def plan(inputs: Rollback, ctx: Context) -> Plan:
    """The template of the previous, or the named, revision in place of the present one."""

    async def wish(seen: Seen) -> Draft:
        target = _target(seen, inputs.revision)
        version = seen.version_in(target)
        number = revision_of(target)
        return Draft(
            summary=f"{seen.service.name} {seen.version} → {version} (revision {number})",
            manager=UNDO,
            before=seen.version,
            after=version,
            unchanged=f"Nothing would change: revision {number} is what {seen.service.name} runs.",
            restore=str(target["metadata"]["name"]),
        )

    return await planned(ctx, wish)


def _target(seen: Seen, revision: int | None) -> Mapping[str, Any]:
    name = seen.service.name
    if seen.live["spec"].get("paused"):  # kubectl refuses it, too: nothing would roll
        raise Refused(f"{name} is paused.", hint="Resume it first: kubectl rollout resume.")
    kept = {revision_of(one): one for one in seen.replicasets if revision_of(one)}
    if revision is not None:
        if revision not in kept:
            known = ", ".join(str(number) for number in sorted(kept)) or "none"
            raise Refused(f"{name} has no revision {revision}.", hint=f"Kept are: {known}.")
        return kept[revision]
    present = revision_of(seen.present) if seen.present else 0
    before = [number for number in kept if number != present]
    if not before:
        raise Refused(f"{name} has no earlier revision to go back to.", hint="Deploy the version you want instead.")
    return kept[max(before)]


RECORD = Action(
    name="rollback",
    title="Roll back",
    risk="change",
    inputs=Rollback,
    usage="rollback SERVICE ENVIRONMENT because REASON",
    summary="Put back what ran before, or a named revision",
    positionals=("service", "environment"),
    plan=plan,
    apply=apply,
    button="Roll back",
)
