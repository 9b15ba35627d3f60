"""Evidence by itself: what was deployed lately, why pods are unhappy, the end of a log, events.

One reply under the card for each kind, edited when it changes; a summary of it on the card. A cluster that is away
costs its lines, and is asked again a little later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chatops.incidents import lifecycle, store
from chatops.incidents.incident import Incident
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import Event
from chatops.kernel.background import Background
from chatops.kernel.catalog import Environment, Service
from chatops.kernel.errors import ClusterError, TooLate, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import Clock, Clusters, Configuration, Database, Deployed, Ledger, Tx
from chatops.kernel.rollout import pod_troubles
from commands.causes import causes
from commands.rollback import LOOKS_BACK, earlier, failed_versions, version_of
from commands.walk import Facts, walk

log = logging.getLogger(__name__)

LATELY = 24 * 3600.0  # seconds in which a deploy is worth naming
MOST_DEPLOYS, MOST_EVENTS, MOST_CAUSES = 3, 5, 3
TRIES, PAUSE = 5, 10.0  # looks at a cluster that is away, seconds between them
AT_ONCE = 4  # incidents looked into at the same time: in a storm the clusters are busy enough


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: lines by kind, the log, and what the card says of it."""

    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    log: str = ""
    pods: str = ""
    deployed: str = ""
    deployed_at: float = 0.0
    undone: bool = False
    back_to: str = ""
    back_healthy: float = 0.0
    again: bool = False  # something could not be looked at


@dataclass(slots=True)
class Evidence:
    """Looks into incidents that were opened or came back, each once."""

    database: Database
    keeper: Keeper
    configuration: Configuration
    clusters: Clusters
    ledger: Ledger
    clock: Clock
    tasks: Background = field(default_factory=Background)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def start(self) -> None:
        """Looks into what is open and was not looked into when the last process ended."""
        for incident in await self.database.read(store.open_ones, limit=200):
            if incident.looked_round < incident.round:
                self.wake(incident.id)

    def wake(self, number: int) -> None:
        """Makes sure that somebody looks into this incident, unless that was done since it opened or came back."""
        self.tasks.spawn(self._look(number), number, f"evidence of INC-{number}")

    async def close(self) -> None:
        """Stops; what was not looked into is looked into at the next start."""
        await self.tasks.close()

    # inside --------------------------------------------------------------------------------------------------------

    async def _look(self, number: int) -> None:
        for _ in range(TRIES):
            incident = await self.database.read(store.load, number)
            if incident.ended or incident.quiet or incident.looked_round >= incident.round or not incident.service:
                return
            async with self._room:
                try:
                    found = await self._found(incident)
                except Exception:  # evidence helps; without it the incident goes on all the same
                    log.exception("looking into %s failed", incident.name)
                    return
            for _ in range(3):
                try:
                    await self.database.write(self._tell, number, found)
                    break
                except TooLate:
                    continue  # somebody changed the incident in between
            if not found.again:
                return
            await self.clock.sleep(PAUSE)

    async def _found(self, incident: Incident) -> Found:
        platform = self.configuration.platform
        service, environment = platform.services.get(incident.service), platform.environments.get(incident.environment)
        if service is None or environment is None:
            return Found()
        entries = await self.ledger.last(service.name, environment.name, LOOKS_BACK)
        lately = [one for one in entries[:MOST_DEPLOYS] if one.at >= incident.opened_at - LATELY]
        notes: dict[str, Sequence[str]] = {"deploys": _deploys(lately, incident)}
        newest = next((one for one in lately if one.at <= incident.opened_at), None)
        known = Found(notes)
        if newest is not None:
            undone = newest.outcome == "rolled_back"
            deployed = f"{newest.version} by {newest.by}{', rolled back' if undone else ''}"
            known = Found(notes, deployed=deployed, deployed_at=newest.at, undone=undone)
        try:
            facts = await self._walk(service, environment)
        except (ClusterError, Unavailable) as away:
            notes["pods"] = [f"The pods can't be looked at: {away.message}"]
            return replace(known, again=isinstance(away, Unavailable))
        if facts is None:
            notes["pods"] = [f"There is no {service.workload.kind} {service.workload_name} in {environment.namespace}."]
            return replace(known, pods="not there")
        notes["pods"] = _pods(facts)
        if facts.events:
            notes["events"] = _events(facts)
        if newest is not None and not known.undone:
            known = replace(known, back_to=_back_to(facts, entries))
            known = replace(known, back_healthy=_healthy(known.back_to, newest, entries))
        return replace(known, log=facts.log, pods=_ready(facts))

    async def _walk(self, service: Service, environment: Environment) -> Facts | None:
        cluster = self.clusters.reader(environment)
        ref = ObjectRef(kind=service.workload.kind, namespace=environment.namespace, name=service.workload_name)
        live = await cluster.get(ref)
        return await walk(cluster, service, live) if live is not None else None

    def _tell(self, tx: Tx, number: int, found: Found) -> None:
        incident = store.load(tx, number)
        if incident.ended:
            return
        for kind, lines in found.notes.items():
            if lines:
                button = _back(incident, found) if kind == "deploys" else []
                code = found.log if kind == "pods" else ""
                self.keeper.say(tx, incident, f"evidence/{kind}", lines, code=code, buttons=button)
        changes: dict[str, Any] = {"pods": found.pods, "deployed": found.deployed, "deployed_at": found.deployed_at}
        changes |= {"undone": found.undone, "back_to": found.back_to, "back_healthy": found.back_healthy}
        changes |= {} if found.again else {"looked_round": incident.round}
        after = lifecycle.move(incident, Event.LOOKED_INTO, self.clock.now(), **changes)
        text = "; ".join(
            filter(None, (found.deployed and f"deployed {found.deployed}", found.pods and f"pods {found.pods}"))
        )
        self.keeper.put(tx, incident, after, Event.LOOKED_INTO, data={"text": text or "nothing that stands out"})


def _deploys(entries: Sequence[Deployed], incident: Incident) -> list[str]:
    if not entries:
        return []
    lines = ["*Deployed lately*"]
    for one in entries:
        minutes = round((incident.opened_at - one.at) / 60)
        when = f"{minutes} min before" if minutes >= 0 else f"{-minutes} min after it began"
        lines.append(f"• {one.version} by {one.by}, {when}: {one.outcome.replace('_', ' ')}")
    return lines


def _back(incident: Incident, found: Found) -> list[dict[str, Any]]:
    if not found.deployed or found.undone:
        return []
    line = f"rollback {incident.service} {incident.environment} because {incident.name}"
    return [{"label": "Roll back", "line": line, "form": True, "style": "danger"}]


def _back_to(facts: Facts, entries: Sequence[Deployed]) -> str:
    target = earlier(facts.service, facts.newest, facts.replicasets, failed_versions(entries))
    return version_of(facts.service, target) if target is not None else ""


def _healthy(version: str, newest: Deployed, entries: Sequence[Deployed]) -> float:
    """Seconds from when a version came up to when the newest came after it; 0 where the ledger does not say."""
    before = next((one for one in entries if one.at < newest.at and one.outcome == "succeeded"), None)
    return newest.at - before.at if before is not None and before.version == version else 0.0


def _pods(facts: Facts) -> list[str]:
    found = causes(facts)
    lines = [f"*Pods:* {_ready(facts)}"]
    lines += [f"*Likely cause:* {found[0].what}", f"*What to do:* {found[0].do}"] if found else []
    lines += [f"*Also:* {one.what}" for one in found[1:MOST_CAUSES]]
    return [*lines, *facts.unseen]


def _ready(facts: Facts) -> str:
    seen = facts.rollout
    why = list(dict.fromkeys(one.reason for one in pod_troubles(facts.unready) if one.reason))
    old = f"{facts.old} old still serve{'s' if facts.old == 1 else ''}" if facts.old else ""
    ready = f"{seen.ready} of {seen.wanted} {'new ones ' if old else ''}ready"
    return " · ".join([ready, *([old] if old else []), *why[:2]])


def _events(facts: Facts) -> list[str]:
    said = (
        f"• {one.get('reason', 'Warning')}: {' '.join(str(one.get('message', '')).split())[:200]}"
        for one in facts.events
    )
    return ["*Events*", *list(dict.fromkeys(mask(line)[0] for line in said))[:MOST_EVENTS]]
