"""Evidence by itself: what was deployed lately, why pods are unhappy, the end of a log, events.

One reply under the card for each kind, edited when it changes; a summary of it on the card. It is looked at again every
minute while the incident is open: what is told as present must not be what was. A cluster that is away costs its lines,
and is asked again a little later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from chatops.incidents import lifecycle, store
from chatops.incidents.incident import Incident
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import Event
from chatops.kernel import events
from chatops.kernel.background import Background
from chatops.kernel.catalog import Environment, Service
from chatops.kernel.errors import ClusterError, TooLate, Unavailable
from chatops.kernel.plan import ObjectRef
from chatops.kernel.ports import Clock, Clusters, Configuration, Database, Deployed, Ledger, Tx
from chatops.kernel.rollout import pod_troubles
from commands.causes import causes
from commands.rollback import LOOKS_BACK, earlier, failed_versions, version_of
from commands.walk import Facts, walk

log = logging.getLogger(__name__)

Lines = Mapping[str, Sequence[str]]  # by the kind of evidence

LATELY = 24 * 3600.0  # seconds in which a deploy is worth naming
MOST_DEPLOYS, MOST_EVENTS, MOST_CAUSES = 3, 5, 3
TRIES, PAUSE = 5, 10.0  # looks at a cluster that is away, seconds between them
AT_ONCE = 4  # incidents looked into at the same time: in a storm the clusters are busy enough
MOST_AGAIN = 8  # incidents looked into again at a time, for each may cost Slack three edits


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

    @property
    def facts(self) -> dict[str, Any]:
        """What the card shows of it: fields of the incident."""
        return {
            "pods": self.pods, "deployed": self.deployed, "deployed_at": self.deployed_at, "undone": self.undone,
            "back_to": self.back_to, "back_healthy": self.back_healthy,
        }  # fmt: skip

    @property
    def summary(self) -> str:
        """The same in a line of the timeline."""
        deployed = f"deployed {self.deployed}" if self.deployed else ""
        pods = f"pods {self.pods}" if self.pods else ""
        return "; ".join(filter(None, (deployed, pods))) or "nothing that stands out"


@dataclass(slots=True)
class Evidence:
    """Looks into incidents that were opened or came back, and again while they are open."""

    database: Database
    keeper: Keeper
    configuration: Configuration
    clusters: Clusters
    ledger: Ledger
    clock: Clock
    tasks: Background = field(default_factory=Background)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _again: dict[int, tuple[float, Lines]] = field(default_factory=dict)  # when it was looked at again, what was found

    async def start(self) -> None:
        """Looks into what is open and was not looked into when the last process ended."""
        for incident in await self.database.read(store.open_ones, limit=200):
            if incident.looked_round < incident.round:
                self.wake(incident.id)

    def wake(self, number: int) -> None:
        """Makes sure that somebody looks into this incident, unless that was done since it opened or came back."""
        self.tasks.spawn(self._look(number), number, f"evidence of INC-{number}")

    async def look_again(self) -> None:
        """Looks again into what is open, first what was longest ago; of what a digest names, into what somebody has."""
        everything = await self.database.read(store.open_ones, limit=200)
        ones = [one for one in everything if (one.looked_round == one.round or not one.service) and not one.quiet]
        ones = [one for one in ones if not one.digest or one.holder is not None]
        self._again = {one.id: self._again[one.id] for one in ones if one.id in self._again}
        ones.sort(key=lambda one: (self._again.get(one.id, (0.0, {}))[0], one.id))
        await asyncio.gather(*(self._looked_again(one) for one in ones[:MOST_AGAIN]))

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
                    self._again.pop(number, None)  # the replies say something else now: all of it is news
                    break
                except TooLate:
                    continue  # somebody changed the incident in between
            if not found.again:
                return
            await self.clock.sleep(PAUSE)

    async def _looked_again(self, incident: Incident) -> None:
        try:
            async with self._room:
                found = await self._found(incident)
        except Exception:  # as above: the next look comes in a minute
            log.exception("looking into %s again failed", incident.name)
            return
        lines = {kind: tuple(said) for kind, said in found.notes.items()}
        before = self._again.get(incident.id, (0.0, {}))[1]
        looked_at = self.clock.now()
        self._again[incident.id] = (looked_at, before)
        if found.again:
            return  # what is known stays; that the cluster is away for a moment is no news of the incident
        news = {kind for kind, said in lines.items() if before.get(kind) != said}
        try:
            if await self.database.write(self._tell_again, incident, found, news):
                self._again[incident.id] = (looked_at, lines)  # not before: what was not told is news for the next look
        except TooLate:
            log.debug("%s changed meanwhile; the next look comes in a minute", incident.name)

    def _tell_again(self, tx: Tx, seen: Incident, found: Found, news: Set[str]) -> bool:
        """Whether it was told: an incident that ended or came back meanwhile is not what was looked into."""
        incident = store.load(tx, seen.id)
        if incident.ended or incident.round != seen.round:
            return False
        self._say(tx, incident, found, news)
        facts = found.facts
        if any(getattr(incident, name) != value for name, value in facts.items()):
            after = lifecycle.move(incident, Event.LOOKED_INTO, self.clock.now(), **facts)
            self.keeper.put(tx, incident, after, Event.LOOKED_INTO, data={"text": found.summary})
        else:
            self.keeper.show(tx, incident)  # it says for how long that has been
        return True

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
            since = next((one for one in entries if one.at > newest.at and one.outcome == "succeeded"), None)
            gone_back = since is not None and since.version != newest.version
            undone = newest.outcome == "rolled_back" or gone_back
            then = (
                f", then {since.version} by {since.by}" if since is not None and gone_back else ", rolled back" * undone
            )
            deployed = f"{newest.version} by {newest.by}{then}"
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
        self._say(tx, incident, found, set(found.notes))
        changes = found.facts | ({} if found.again else {"looked_round": incident.round})
        after = lifecycle.move(incident, Event.LOOKED_INTO, self.clock.now(), **changes)
        self.keeper.put(tx, incident, after, Event.LOOKED_INTO, data={"text": found.summary})

    def _say(self, tx: Tx, incident: Incident, found: Found, kinds: Set[str]) -> None:
        for kind, lines in found.notes.items():
            if lines and kind in kinds:
                button = _back(incident, found) if kind == "deploys" else []
                code = found.log if kind == "pods" else ""
                self.keeper.say(tx, incident, f"evidence/{kind}", lines, code=code, buttons=button)


def _deploys(entries: Sequence[Deployed], incident: Incident) -> list[str]:
    if not entries:
        return []
    lines = ["*Deployed lately*"]
    for one in entries:
        before = incident.opened_at - one.at
        minutes = round(abs(before) / 60)
        when = f"{minutes} min before" if before >= 0 else f"{minutes} min after it began"
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
    return ["*Events*", *(f"• {said}" for said in events.told(facts.events, 200)[:MOST_EVENTS])]
