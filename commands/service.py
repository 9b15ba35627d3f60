"""All there is to know about a service: whose it is, what runs where and how well, links, on call, recent changes.

/platform service SERVICE
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, Inputs, ServiceName
from chatops.kernel.catalog import Service as Known
from chatops.kernel.ownership import day
from commands.oncall import said_of
from commands.status import Standing, dated, standing_of

MOST_CHANGES, MOST_LEADS = 5, 3


class Service(Inputs):
    """Which service."""

    service: ServiceName = Field(title="Service")


async def answer(inputs: Service, ctx: Context) -> Answer:
    """Its page of the catalog; an environment whose cluster is away costs its line, not the page."""
    service, environments = ctx.platform.services[inputs.service], list(ctx.platform.environments.values())
    found = await asyncio.gather(*(standing_of(ctx, service, environment) for environment in environments))
    standings = [await dated(ctx, one) for one in found]
    lines = [service.description] if service.description else []
    lines += [*await _owner(service, ctx), *map(_standing, standings), *await _changes(ctx, service)]
    lines += [f"Runbook: {service.runbook}"] if service.runbook else []
    if service.labels:
        lines.append("Labels: " + " · ".join(f"{name} {value}" for name, value in sorted(service.labels.items())))
    lines += [f"In the catalog by {service.entry}"] if service.entry else []
    return Answer(service.name, tuple(lines), buttons=_buttons(service, standings))


async def _owner(service: Known, ctx: Context) -> list[str]:
    team = ctx.platform.teams.get(service.team)
    if team is None:
        return [f"Owner: team {service.team}"]
    channel = f", #{team.channel}" if team.channel else ""
    leads, on_call = await asyncio.gather(_some(team.leads, ctx), _on_call(team.oncall, ctx))
    return [f"Owner: team {team.name}{channel}{f', led by {leads}' if leads else ''}", f"On call: {on_call}"]


async def _on_call(rota: str, ctx: Context) -> str:
    if rota not in ctx.platform.rotas:
        return "the team has no rota"
    said, _ = await said_of(ctx.platform.rotas[rota], ctx)
    return said


async def _some(people: Sequence[str], ctx: Context) -> str:
    shown, more = people[:MOST_LEADS], len(people) - MOST_LEADS
    names = await ctx.desks.overrides.called(shown)
    return ", ".join(names.get(one, one) for one in shown) + (f" and {more} more" if more > 0 else "")


def _standing(one: Standing) -> str:
    mark = "✅" if one.is_well else "➖" if one.seen is None else "❌" if one.seen.state == "failing" else "⏳"
    since = f", since {one.since.removeprefix('on ')}" if one.since else ""
    by = f" by {one.by}" if one.by else ""
    why = f" {one.seen.sentence}" if one.seen is not None and not one.is_well and one.seen.sentence else ""
    said = f"{one.version} {one.state}".strip()
    return f"{mark} *{one.environment}*: {said}{since}{by}.{why}"


async def _changes(ctx: Context, service: Known) -> list[str]:
    """The newest deploys and rollbacks of all environments."""
    found = [
        (line.at, f"• {line.version} in {name} by {line.by}, {_when(line.at, ctx)}: {line.outcome.replace('_', ' ')}")
        for name in ctx.platform.environments
        for line in await ctx.ledger.last(service.name, name, MOST_CHANGES)
    ]
    newest = [said for _, said in sorted(found, reverse=True)[:MOST_CHANGES]]
    return ["*Recent changes*", *newest] if newest else ["Nothing was changed through the platform yet."]


def _when(at: float, ctx: Context) -> str:
    then = datetime.fromtimestamp(at, UTC)
    shown = day(then, ctx.now)
    return f"{shown} {then:%H:%M} UTC" if shown in ("today", "yesterday") else shown


def _buttons(service: Known, standings: list[Standing]) -> tuple[Button, ...]:
    """Where it is unwell in one place alone, that is the place people mean."""
    unwell = [one.environment for one in standings if one.seen is not None and not one.is_well]
    there = [one.environment for one in standings if one.seen is not None]
    place = unwell[0] if len(unwell) == 1 else there[0] if len(there) == 1 else ""

    def look(label: str, action: str) -> Button:
        line = f"{action} {service.name} {place}" if place else f"{action} service={service.name}"
        return Button(label, line, form=not place)

    return (Button("Deploy", f"deploy service={service.name}", form=True), look("Logs", "logs"),
            look("Diagnose", "diagnose"))  # fmt: skip


RECORD = Action(
    name="service",
    title="Service",
    risk="read",
    inputs=Service,
    usage="service SERVICE",
    summary="A service's page: owner, what runs where, on call, recent changes, links",
    positionals=("service",),
    answer=answer,
)
