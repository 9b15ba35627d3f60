"""Two replicas of the assistant in one house: one Slack, one cluster, one PostgreSQL.

async with two_replicas() as house:
    with house.through(house.follower):
        await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, fields
from typing import Any

from chatops.main import Assistant
from chatops.sandbox.slack.transport import Connection, SocketTransport
from tests.support.evaluator import LentEvaluator
from tests.support.house import House, acme_house

SOCKETS = 2  # Socket Mode connections of one replica


@dataclass(eq=False)
class Replica:
    """One of them, and what Slack is connected to it by."""

    assistant: Assistant
    stack: AsyncExitStack
    connections: frozenset[Connection]


@dataclass(kw_only=True)
class TwoReplicas(House):
    """The house's own assistant leads; `follower` came after it."""

    leader: Replica
    follower: Replica

    def through(self, replica: Replica) -> AbstractContextManager[None]:
        """Meanwhile people reach this one alone."""
        return only(self.slack.socket, replica.connections)

    async def leaves(self, replica: Replica) -> None:
        """It ends calmly; whoever asks the house from then on asks the other."""
        other = self.follower if replica is self.leader else self.leader
        await replica.stack.aclose()
        self.assistant = other.assistant

    async def all_quiet(self) -> None:
        """Waits until neither has anything left to do or to say."""
        for replica in (self.follower, self.leader, self.follower):
            await replica.assistant.engine.idle()
        await self.quiet()


@contextmanager
def only(slack: SocketTransport, connections: Collection[Connection]) -> Iterator[None]:
    """Meanwhile Slack gives what comes to these alone; by itself it gives it to each connection in turn."""
    others = [one for one in slack.connections if one not in connections]
    for one in others:
        one.leaving = True
    try:
        yield
    finally:
        for one in others:
            one.leaving = False


@asynccontextmanager
async def two_replicas(**options: Any) -> AsyncIterator[TwoReplicas]:
    """As `acme_house`, on PostgreSQL."""
    async with acme_house(**options) as house:
        await house.slack.connected(SOCKETS)
        before = frozenset(house.slack.socket.connections)
        leader = Replica(house.assistant, house.stack, before)
        async with AsyncExitStack() as stack:
            second = Assistant(house.settings, clock=house.clock, **{**house.options, "evaluator": LentEvaluator()})
            await stack.enter_async_context(second)
            await house.slack.connected(2 * SOCKETS)
            follower = Replica(second, stack, frozenset(house.slack.socket.connections) - before)
            assert (house.assistant.bells.leads(), second.bells.leads()) == (True, False)
            await house.until(lambda: bool(house.assistant.replicas.membership.others))  # type: ignore[attr-defined]
            given = {one.name: getattr(house, one.name) for one in fields(House)}
            yield TwoReplicas(**given, leader=leader, follower=follower)
