"""What was changed in a cluster without the assistant, and by whom: a note in the deploys channel, once it lasts.

Whoever looks at the clusters hands over the Deployments it saw. What stood there last is in the database, so a restart
tells nothing twice and forgets nothing that happened meanwhile. What the assistant's own field managers wrote, what a
controller scaled, and what another pipeline tells by itself is no news.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from approvals import store as requests
from chatops.kernel.catalog import Environment, Service
from chatops.kernel.ownership import CONTROLLERS, OURS, set_by, tag_of
from chatops.kernel.ports import Clock, Configuration, Database, Lane, Post, Tx
from chatops.kernel.ports import Outbox as Messages
from chatops.kernel.routes import spread
from chatops.notices import outside

STANDS = 60.0  # seconds that a change must last: its pipeline may tell of it, and a request of ours may end

KNOWN = "SELECT service, environment, version, replicas FROM workloads"
KEEP = """
INSERT INTO workloads (service, environment, version, replicas, seen_at)
VALUES (:service, :environment, :version, :replicas, :now)
ON CONFLICT (service, environment)
DO UPDATE SET version = excluded.version, replicas = excluded.replicas, seen_at = excluded.seen_at
"""


@dataclass(frozen=True, slots=True)
class _Workload:
    """What runs at a place: its version, and how many pods it shall have; ``live`` says who set them."""

    version: str
    replicas: int
    container: str
    live: Mapping[str, Any]

    @property
    def state(self) -> tuple[str, int]:
        return self.version, self.replicas

    @property
    def version_by(self) -> str:
        return set_by(self.live, f"containers[{self.container}].image")

    @property
    def replicas_by(self) -> str:
        return set_by(self.live, "spec.replicas")


Place = tuple[str, str]  # service, environment


@dataclass(slots=True)
class ChangedOutside:
    """Compares what stands in the clusters with what stood there; ``saw`` may be called late, early or twice."""

    database: Database
    outbox: Messages
    configuration: Configuration
    clock: Clock
    _known: dict[Place, tuple[str, int]] | None = None
    _since: dict[Place, tuple[tuple[str, int], float]] = field(default_factory=dict)  # what differs, and since when

    async def saw(self, environment: Environment, deployments: Iterable[Mapping[str, Any]]) -> None:
        """Takes in one look at an environment's Deployments."""
        if self._known is None:
            self._known = await self.database.read(_known)
        by_name = {str(one["metadata"]["name"]): one for one in deployments}
        fresh: dict[Place, _Workload] = {}
        changed: dict[Place, _Workload] = {}
        for service in self.configuration.platform.services.values():
            place, live = (service.name, environment.name), by_name.get(service.workload_name)
            found = _read(service, live) if live is not None else None
            if found is None:
                continue
            if place not in self._known:
                fresh[place] = found
            elif self._lasts(place, found):
                changed[place] = found
        if fresh or changed:
            done = await self.database.write(self._take, fresh, changed)
            self._known |= {place: found.state for place, found in done.items()}

    def _lasts(self, place: Place, found: _Workload) -> bool:
        """Whether it differs from what is known, and has done so for a while."""
        if self._known is None or self._known[place] == found.state:
            self._since.pop(place, None)
            return False
        now, (state, since) = self.clock.now(), self._since.get(place, (found.state, self.clock.now()))
        if state != found.state:
            since = now
        self._since[place] = (found.state, since)
        return now - since >= STANDS

    def _take(
        self, tx: Tx, fresh: Mapping[Place, _Workload], changed: Mapping[Place, _Workload]
    ) -> dict[Place, _Workload]:
        """Keeps what stands there now, and tells what nobody else does; what a request of ours is at comes later."""
        busy, known = requests.under_way(tx), _known(tx)
        done = {**fresh, **{place: found for place, found in changed.items() if place not in busy}}
        for place, found in done.items():
            before = known.get(place)
            tx.run(
                KEEP, service=place[0], environment=place[1], version=found.version, replicas=found.replicas,
                now=self.clock.now(),
            )  # fmt: skip
            if before is not None and (said := self._news(tx, place, before, found)):
                self._tell(tx, place, said)
        return done

    def _news(self, tx: Tx, place: Place, before: tuple[str, int], found: _Workload) -> list[str]:
        said, since = [], self.clock.now() - outside.TOGETHER
        deployed = found.version != before[0] and not (by := found.version_by).startswith(OURS)
        if deployed and not outside.is_told(tx, *place, found.version, since):
            said.append(f"{before[0]} → {found.version} by {_name(by)}")
        if found.replicas != before[1] and not (by := found.replicas_by).startswith(OURS) and by not in CONTROLLERS:
            said.append(f"{before[1]} → {found.replicas} pods by {_name(by)}")
        return said

    def _tell(self, tx: Tx, place: Place, said: list[str]) -> None:
        service, environment = place
        line = f"✋ *{service}* in {environment} was changed outside: {', '.join(said)}."
        post = Post(
            f"changed/{service}/{environment}/{self.clock.now():.0f}", Lane.NOTICE, "note",
            channel=self.configuration.platform.channel("deploys", environment, service), content={"lines": [line]},
        )  # fmt: skip
        for one in spread(self.configuration.platform, post, environment, service):
            self.outbox.show(tx, one)


def _known(tx: Tx) -> dict[Place, tuple[str, int]]:
    return {(row["service"], row["environment"]): (row["version"], int(row["replicas"])) for row in tx.all(KNOWN)}


def _read(service: Service, live: Mapping[str, Any]) -> _Workload | None:
    """None where its container is another."""
    spec = live["spec"]
    containers = {str(one.get("name")): one for one in spec["template"]["spec"].get("containers") or ()}
    image = str((containers.get(service.container) or {}).get("image") or "")
    if not image:
        return None
    replicas = spec.get("replicas")
    return _Workload(
        version=tag_of(image),
        replicas=1 if replicas is None else int(replicas),
        container=service.container,
        live=live,
    )


def _name(manager: str) -> str:
    return f"`{manager}`" if manager else "somebody who left no name"
