"""What may go wrong between the assistant and a peer for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.support.between import Between
from tests.support.house import House

SLACK, CLUSTER, DATABASE = "slack", "cluster", "postgresql"
SLOW, CUT, SILENT, LOST, LIMITED, FAILING = "slow", "cut", "silent", "answers lost", "429", "500"
REFUSING, STANDBY = "refusing", "read-only"
WIRED = (SLOW, CUT, SILENT, LOST)
KINDS = {SLACK: (*WIRED, LIMITED, FAILING), CLUSTER: (*WIRED, LIMITED, FAILING), DATABASE: (*WIRED, REFUSING, STANDBY)}
PAUSE = {SLACK: 0.2, CLUSTER: 0.1, DATABASE: 0.03}  # seconds a piece; a page of the database's work has many


@dataclass
class Peers:
    """A house and what lies between it and its peers; ``server`` is its PostgreSQL past the wire, where it has one."""

    house: House
    between: Mapping[str, Between]
    server: str = ""

    @asynccontextmanager
    async def in_trouble(self, peer: str, kind: str) -> AsyncIterator[None]:
        """Of this kind, until it is left."""
        wire = self.between[peer]
        if kind == SLOW:
            wire.pause = PAUSE[peer]
        elif kind == CUT:
            await wire.close()
        elif kind == SILENT:
            wire.speaking.clear()
        elif kind == LOST:
            wire.lose_answers = True
        else:
            await self._answers(peer, kind)
        if peer == CLUSTER and kind not in (SLOW, SILENT):
            self.house.cluster.close_watches()  # one that was open before would go on telling: nothing is asked there
        try:
            yield
        finally:
            wire.pause, wire.lose_answers = 0.0, False
            wire.speaking.set()
            if kind == CUT:
                await wire.open()
            await self._recovers(peer)

    async def _answers(self, peer: str, kind: str) -> None:
        """The peer itself says no to everything."""
        if peer == DATABASE:
            self._administer(
                "ALTER DATABASE {name} SET default_transaction_read_only = on"
                if kind == STANDBY
                else "ALTER DATABASE {name} ALLOW_CONNECTIONS false",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
            )
        elif peer == CLUSTER:
            self.house.cluster.fault(int(kind), times=None)
        elif kind == LIMITED:
            await self.house.sandbox.fault("ratelimit", times=0, retry_after=3)
        else:
            await self.house.sandbox.fault("error", times=0, status=int(kind))

    async def _recovers(self, peer: str) -> None:
        if peer == DATABASE:
            self._administer(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS true",
                "ALTER DATABASE {name} RESET default_transaction_read_only",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
            )
        elif peer == CLUSTER:
            self.house.cluster.faults.clear()
        else:
            await self.house.sandbox.repair()

    def _administer(self, *statements: str) -> None:
        name = str(conninfo_to_dict(self.server)["dbname"])
        with psycopg.connect(self.server.replace(f"/{name}", "/postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.format(name=name).encode())
