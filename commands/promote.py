"""From one environment to the next: what differs, and deploying exactly what runs well in the one before.

/platform compare staging production
/platform promote checkout
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, EnvironmentName, InputKind, Inputs
from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.errors import InputError, Refused
from commands.status import MOST_ROWS, Standing, all_in, dated, standing_of

MOST_BUTTONS = 5


class Compare(Inputs):
    """Which two environments."""

    one: EnvironmentName = Field(default="", title="One", description="Left out: the one that is promoted from.")
    other: EnvironmentName = Field(default="", title="Other", description="Left out: the one that is promoted to.")


class Promote(Inputs):
    """Which service, to where."""

    service: Annotated[str, InputKind.SERVICE] = Field(title="Service")
    environment: EnvironmentName = Field(
        default="", title="Environment", description="Where to; left out: where it is promoted to from elsewhere."
    )


async def compare(inputs: Compare, ctx: Context) -> Answer:
    """Every service in both, those that differ first."""
    one, other = _pair(inputs, ctx.platform)
    services = list(ctx.platform.services.values())
    here, there = await asyncio.gather(all_in(ctx, services, one), all_in(ctx, services, other))
    pairs = sorted(zip(here, there, strict=True), key=lambda pair: (not _differ(*pair), pair[0].service))
    differing = [pair for pair in pairs if _differ(*pair)]
    rows = [(a.service, a.brief or a.state, b.brief or b.state, "differs" if _differ(a, b) else "") for a, b in pairs]
    said = f"{len(differing)} of {len(pairs)} services differ between {one.name} and {other.name}"
    ready = [a.service for a, _ in differing if a.is_well] if other.promote_from == one.name else []
    more = f"{len(rows) - MOST_ROWS} more services are not shown." if len(rows) > MOST_ROWS else ""
    return Answer(
        "Compare", (said if differing else f"The same runs in {one.name} and {other.name}",),
        table=(("Service", one.name, other.name, ""), *rows[:MOST_ROWS]), context=more,
        buttons=tuple(Button(f"Promote {name}", f"promote {name} {other.name}") for name in ready[:MOST_BUTTONS]),
    )  # fmt: skip


async def promote(inputs: Promote, ctx: Context) -> Answer:
    """What would be deployed, and the form for it: exactly the version that runs well in the environment before."""
    target = _target(inputs.environment, ctx.platform)
    source = ctx.platform.environments[target.promote_from]
    service = ctx.platform.services[inputs.service]
    before, now = await asyncio.gather(standing_of(ctx, service, source), standing_of(ctx, service, target))
    if not before.is_well or not before.version:
        said = f"{service.name} is not healthy in {source.name}: {before.brief or before.state}."
        raise Refused(said, hint="What is promoted is what runs well in the environment before.")
    if not _differ(before, now):
        return Answer("Promote", (f"{target.name} runs {service.name} {before.version} already.",), private=True)
    since = (await dated(ctx, before)).since
    lines = (
        f"{service.name} {before.version} is healthy in {source.name}{f' since {since}' if since else ''}",
        f"{target.name} runs {now.brief or now.state}",
    )
    line = f"deploy service={service.name} environment={target.name} version={before.version}"
    button = Button(f"Deploy {before.version}", line, form=True, style="primary")
    return Answer(f"Promote {service.name} to {target.name}", lines, buttons=(button,), private=True)


def _differ(one: Standing, other: Standing) -> bool:
    return one.version != other.version or (one.seen is None) != (other.seen is None)


def _target(name: str, platform: Platform) -> Environment:
    """The environment that is named; else the only one that something is promoted to."""
    targets = [one for one in platform.environments.values() if one.promote_from]
    known = ", ".join(one.name for one in targets)
    if name:
        if not platform.environments[name].promote_from:
            hint = f"Promoted to: {known}." if known else "No environment of the configuration has promote_from."
            raise InputError(f"Nothing is promoted to {name}.", field="environment", hint=hint)
        return platform.environments[name]
    if len(targets) != 1:
        raise InputError("Where to?", field="environment", hint=f"Name one of {known or 'none'}.")
    return targets[0]


def _pair(inputs: Compare, platform: Platform) -> tuple[Environment, Environment]:
    environments = platform.environments
    if inputs.one and inputs.other:
        return environments[inputs.one], environments[inputs.other]
    target = _target(inputs.one if inputs.one and environments[inputs.one].promote_from else "", platform)
    if inputs.one and target.name != inputs.one and target.promote_from != inputs.one:
        raise InputError("With which other?", field="other", hint=f"There are {', '.join(environments)}.")
    return environments[target.promote_from], target


COMPARE = Action(
    name="compare",
    title="Compare",
    risk="read",
    inputs=Compare,
    usage="compare [ENVIRONMENT] [ENVIRONMENT]",
    summary="What differs between two environments, over all services",
    positionals=("one", "other"),
    answer=compare,
)
RECORD = Action(
    name="promote",
    title="Promote",
    risk="read",
    inputs=Promote,
    usage="promote SERVICE [ENVIRONMENT]",
    summary="Deploy exactly what runs well in the environment before",
    positionals=("service", "environment"),
    answer=promote,
)
RECORDS = (RECORD, COMPARE)
