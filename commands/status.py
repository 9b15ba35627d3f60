"""What runs where, healthy or not, since when, deployed by whom.

/platform status [SERVICE] [ENVIRONMENT]
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, EnvironmentName, Inputs, ServiceName
from chatops.kernel.catalog import Environment, Service
from chatops.kernel.errors import ClusterError, Unavailable
from chatops.kernel.ownership import day, foreign_owner, moment
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import ClusterReader
from chatops.kernel.rollout import Rollout, newest_replicaset, owned_by, revision_of, rollout
from commands.watching import parts_of
from commands.workload import image_in, with_image

NOT_THERE = "not there"
MOST_ROWS = 40
MOST_CLOSE = 20  # services of one environment whose pods are looked at for a list, two questions each
MOST_KEPT, MOST_LINES = 10, 50  # revisions shown, and lines of the ledger looked through for who deployed them
OF_SERVICE = ("Environment", "Version", "State", "Since", "By")
OF_REVISION = ("Revision", "Version", "Last deployed", "By", "Outcome")
NOT_BACK_TO = frozenset({"runs now", "failed", "rolled back"})  # what a rollback without a revision passes over, too


class Status(Inputs):
    """Which service, where; either may be left out."""

    service: ServiceName = Field(default="", title="Service", description="Empty: every service.")
    environment: EnvironmentName = Field(default="", title="Environment", description="Empty: every environment.")


@dataclass(frozen=True, slots=True)
class Kept:
    """A revision that the cluster keeps."""

    number: int
    version: str
    made: str = ""  # when the cluster says that it began
    now: bool = False  # it is what runs


@dataclass(frozen=True, slots=True)
class Standing:
    """One service in one environment."""

    service: str
    environment: str
    version: str = ""
    seen: Rollout | None = None
    made: str = ""  # when the cluster says that this began
    since: str = ""
    by: str = ""
    owner: str = ""
    trouble: str = ""  # why nothing can be said: not there, or the cluster does not answer
    well_since: float = 0.0  # epoch seconds from which it has been healthy, as the cluster says; 0: it is not
    kept: tuple[
        Kept, ...
    ] = ()  # revisions that a rollback can name, newest first; known only of one service in one place

    @property
    def state(self) -> str:
        """``healthy``, or how it is going."""
        if self.seen is None:
            return self.trouble
        if self.seen.state == "healthy":
            return "healthy" if self.seen.wanted else "scaled to 0"
        reason = f" ({self.seen.reason})" if self.seen.reason else ""
        return f"{'failing, ' if self.seen.state == 'failing' else ''}{self.seen.progress}{reason}"

    @property
    def is_well(self) -> bool:
        """Whether it is there and healthy."""
        return self.seen is not None and self.seen.state == "healthy"

    @property
    def rank(self) -> int:
        """Its place in a list: the unwell first; last what is not there, which may be most of a large catalog."""
        return 2 if self.trouble == NOT_THERE else int(self.is_well)

    @property
    def brief(self) -> str:
        """The version, and the state when it is not healthy."""
        return self.version if self.is_well else f"{self.version} {self.state}".strip()

    @property
    def row(self) -> tuple[str, ...]:
        """Version, state, since, by."""
        return (self.version or "–", self.state, self.since or "–", self.by or "–")


async def answer(inputs: Status, ctx: Context) -> Answer:
    """One service in one place in words; a table otherwise. A cluster that is away costs its rows, not the answer."""
    services = [ctx.platform.services[inputs.service]] if inputs.service else list(ctx.platform.services.values())
    chosen = ctx.platform.environments
    environments = [chosen[inputs.environment]] if inputs.environment else list(chosen.values())
    if inputs.service:
        found = await asyncio.gather(*(standing_of(ctx, services[0], environment) for environment in environments))
        known = [await dated(ctx, one) for one in found]
        if inputs.environment:
            return _in_words(known[0], await _revisions(ctx, known[0]))
        return _over_environments(inputs.service, known)
    columns = await asyncio.gather(*(all_in(ctx, services, environment) for environment in environments))
    if inputs.environment:
        worst = sorted(columns[0], key=lambda one: (one.rank, one.service))
        shown = [await dated(ctx, one) for one in worst[:MOST_ROWS]]
        return _over_services(environments[0].name, columns[0], shown)
    return _overview([environment.name for environment in environments], columns)


async def _revisions(ctx: Context, one: Standing) -> tuple[tuple[str, ...], ...]:
    """A row for each revision that a rollback can name; empty when there is none but the present one."""
    if len(one.kept) < 2:
        return ()
    lines = await ctx.ledger.last(one.service, one.environment, MOST_LINES)
    rows = []
    for kept in one.kept[:MOST_KEPT]:
        line = next((line for line in lines if line.version == kept.version), None)
        when = day(datetime.fromtimestamp(line.at, UTC) if line else moment(kept.made), ctx.now)
        outcome = "runs now" if kept.now else line.outcome.replace("_", " ") if line else "–"
        rows.append(
            (str(kept.number), kept.version or "–", when.removeprefix("on "), line.by if line else "–", outcome)
        )
    return (OF_REVISION, *rows)


def _in_words(one: Standing, revisions: tuple[tuple[str, ...], ...]) -> Answer:
    title = f"{one.service} in {one.environment}"
    if one.seen is None:
        return Answer(title, (f"{one.trouble[:1].upper()}{one.trouble[1:]}.",))
    details = f", {one.seen.progress}" if one.seen.state == "healthy" and one.seen.wanted else ""
    lines = [f"{one.version} {one.state}{details}"]
    if one.seen.state != "healthy" and one.seen.sentence:
        lines.append(one.seen.sentence)
    who = f"deployed by {one.by}" if one.by else "not deployed through the platform"
    lines.append(f"Since {one.since.removeprefix('on ') or 'a time nobody noted'}, {who}")
    if one.owner:
        return Answer(title, (*lines, f"Belongs to {one.owner}"))
    place = f"{one.service} {one.environment}"
    buttons = (
        Button("Deploy", f"deploy service={one.service} environment={one.environment}", form=True),
        Button("Roll back", f"rollback {place}", form=True),
    )
    back = next((row for row in revisions[1:] if row[-1] not in NOT_BACK_TO), None)
    context = f"To go back: rollback {place} revision={back[0]} because …" if back else ""
    return Answer(title, tuple(lines), table=revisions, buttons=buttons, context=context)


def _over_environments(service: str, found: list[Standing]) -> Answer:
    return Answer(service, table=(OF_SERVICE, *((one.environment, *one.row) for one in found)))


def _over_services(environment: str, found: list[Standing], shown: list[Standing]) -> Answer:
    there = [one for one in found if one.trouble != NOT_THERE]
    well = sum(one.is_well for one in there)
    gone = len(found) - len(there)
    absent = f"; {gone} more of the catalog {'is' if gone == 1 else 'are'} not there" if gone else ""
    rows = tuple((one.service, *one.row) for one in shown)
    more = f"{len(found) - len(shown)} more are not shown; name a service." if len(found) > len(shown) else ""
    lines = (f"{well} of {len(there)} services are healthy{absent}",)
    return Answer(environment, lines, table=(("Service", *OF_SERVICE[1:]), *rows), context=more)


def _overview(environments: list[str], columns: list[list[Standing]]) -> Answer:
    found = sorted(zip(*columns, strict=True), key=lambda standings: min(one.rank for one in standings))
    rows = [(standings[0].service, *(one.brief for one in standings)) for standings in found]
    more = f"{len(rows) - MOST_ROWS} more services are not shown; name one." if len(rows) > MOST_ROWS else ""
    return Answer("What runs where", table=(("Service", *environments), *rows[:MOST_ROWS]), context=more)


async def standing_of(ctx: Context, service: Service, environment: Environment) -> Standing:
    """One service in one environment, its pods included when it is not healthy."""
    try:
        return await look(_cluster(ctx, environment), service, environment)
    except (Unavailable, ClusterError) as away:
        return Standing(service.name, environment.name, trouble=away.message)


async def look(cluster: ClusterReader, service: Service, environment: Environment) -> Standing:
    """As ``standing_of``; raises ``Unavailable`` or a ``ClusterError`` where nothing can be said."""
    ref = ObjectRef(kind="Deployment", namespace=environment.namespace, name=service.workload_name)
    live = await cluster.get(ref)
    if live is None:
        return Standing(service.name, environment.name, trouble=NOT_THERE)
    return await _close(cluster, service, environment, live)


async def _close(cluster: ClusterReader, service: Service, environment: Environment, live: dict[str, Any]) -> Standing:
    """With its ReplicaSets and pods: the Deployment counts old and new pods that are ready together."""
    replicasets, pods = await parts_of(cluster, live)
    seen = rollout(live, replicasets, pods)
    newest = newest_replicaset(live, replicasets)
    standing = _standing(service, environment, live, seen, (newest or live)["metadata"].get("creationTimestamp"))
    return replace(standing, kept=_kept(service, live, replicasets, newest))


def _kept(
    service: Service, live: Mapping[str, Any], replicasets: list[dict[str, Any]], present: Mapping[str, Any] | None
) -> tuple[Kept, ...]:
    named = with_image(service, live)
    found = [
        Kept(
            revision_of(one), named.version_of(image_in(one, service.container)),
            str(one["metadata"].get("creationTimestamp") or ""), one is present,
        )
        for one in owned_by(live, replicasets)
        if revision_of(one)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: one.number, reverse=True))


async def all_in(ctx: Context, services: list[Service], environment: Environment) -> list[Standing]:
    """Every service of an environment from one list of its Deployments, and a closer look at those that are unwell."""
    cluster = _cluster(ctx, environment)
    try:
        found = await cluster.find("apps/v1", "Deployment", environment.namespace)
    except (Unavailable, ClusterError) as away:
        return [Standing(service.name, environment.name, trouble=away.message) for service in services]
    known = {str(one["metadata"]["name"]): one for one in found}
    listed = [_listed(service, environment, known.get(service.workload_name)) for service in services]
    unwell = [place for place, one in enumerate(listed) if one.seen is not None and not one.is_well][:MOST_CLOSE]
    looks = (
        _closer(cluster, services[at], environment, known[services[at].workload_name], listed[at]) for at in unwell
    )
    for place, one in zip(unwell, await asyncio.gather(*looks), strict=True):
        listed[place] = one
    return listed


async def _closer(
    cluster: ClusterReader, service: Service, environment: Environment, live: dict[str, Any], known: Standing
) -> Standing:
    """What is known already where the closer look fails."""
    try:
        return await _close(cluster, service, environment, live)
    except (Unavailable, ClusterError):
        return known


def _listed(service: Service, environment: Environment, live: Mapping[str, Any] | None) -> Standing:
    if live is None:
        return Standing(service.name, environment.name, trouble=NOT_THERE)
    conditions = (live.get("status") or {}).get("conditions") or []
    changed = next((one.get("lastUpdateTime") for one in conditions if one.get("type") == "Progressing"), None)
    return _standing(service, environment, live, rollout(live), changed)


def _standing(
    service: Service, environment: Environment, live: Mapping[str, Any], seen: Rollout, made: str | None
) -> Standing:
    version = with_image(service, live).version_of(image_in(live, service.container))
    return Standing(
        service.name, environment.name, version, seen, made=made or "", owner=foreign_owner(live),
        well_since=_well_since(live) if seen.state == "healthy" and seen.wanted else 0.0,
    )  # fmt: skip


def _well_since(live: Mapping[str, Any]) -> float:
    """Since its rollout was complete, and as many pods as it needs were there at all times.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    times = {str(one.get("type")): one for one in (live.get("status") or {}).get("conditions") or []}
    complete, available = times.get("Progressing") or {}, times.get("Available") or {}
    if complete.get("reason") != "NewReplicaSetAvailable" or available.get("status") != "True":
        return 0.0
    found = (complete.get("lastUpdateTime"), available.get("lastTransitionTime"))
    return max(moment(text).timestamp() for text in found)


async def dated(ctx: Context, one: Standing) -> Standing:
    """With since when, and by whom: the ledger's newest line that ended with this version, else the object's age."""
    lines = await ctx.ledger.last(one.service, one.environment) if one.seen else []
    line = next((line for line in lines if line.outcome == "succeeded" and line.version == one.version), None)
    if line is not None:
        return replace(one, since=day(datetime.fromtimestamp(line.at, UTC), ctx.now), by=line.by)
    return replace(one, since=day(moment(one.made), ctx.now)) if one.made else one


def _cluster(ctx: Context, environment: Environment) -> ClusterReader:
    if ctx.clusters is None:
        raise TypeError("status needs the clusters")
    return ctx.clusters.reader(environment)


RECORD = Action(
    name="status",
    title="Status",
    risk="read",
    inputs=Status,
    usage="status [SERVICE] [ENVIRONMENT]",
    summary="What runs where, healthy or not, since when, deployed by whom",
    positionals=("service", "environment"),
    answer=answer,
    button="Status",
)
