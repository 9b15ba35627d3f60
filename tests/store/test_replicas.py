"""Replicas on one PostgreSQL: who lives, who leads, who has claimed what; and who was given up writes nothing more."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

from chatops.adapters.postgres import Postgres
from chatops.adapters.postgres_membership import Membership
from chatops.adapters.postgres_server import Address
from chatops.http.health import Readiness
from chatops.kernel.errors import Unavailable
from chatops.kernel.ports import Tx
from tests.store.facts import DEADLINE, Gate, names, note
from tests.support.databases import name_of
from tests.support.wire import Wire, wire

pytestmark = pytest.mark.group("postgresql")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return name_of(tmp_path, "postgresql")


@pytest.fixture
async def cut(url: str) -> AsyncIterator[Wire]:
    """What leads to the database and can be cut; a unix socket's path may not be long."""
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        async with wire(url, Path(folder)) as made:
            yield made


@pytest.fixture
async def replica(url: str) -> AsyncIterator[Callable[..., Postgres]]:
    """Makes replicas, which are closed in the end, in the order in which they began."""
    async with AsyncExitStack() as stack:

        def make(at: str = url, lease: float = 30.0) -> Postgres:
            made = Postgres(at, lease=lease)
            stack.push_async_callback(made.close)
            return made

        yield make


async def holds(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


def old(replica: Postgres, seconds: float) -> None:
    """Makes the server believe that a replica has shown no sign of life for so long."""
    with psycopg.connect(**replica.address._given, autocommit=True) as connection:
        connection.execute(
            "UPDATE _chatops_replicas SET beat = beat - %s * interval '1 second' WHERE epoch = %s",
            (seconds, replica.replicas.me),
        )


async def test_one_leads_and_when_it_leaves_another_does_at_once(replica: Callable[..., Postgres]) -> None:
    first, second, third = replica(), replica(), replica()
    for one in (first, second, third):
        await one.open()
    assert [one.replicas.leads.is_set() for one in (first, second, third)] == [True, False, False]
    await first.close()
    await holds(lambda: second.replicas.leads.is_set() or third.replicas.leads.is_set())
    assert [second.replicas.leads.is_set(), third.replicas.leads.is_set()].count(True) == 1


async def test_a_piece_of_work_is_claimed_by_one_until_it_lets_go(replica: Callable[..., Postgres]) -> None:
    first, second = replica(), replica()
    await first.open()
    await second.open()
    taken = await asyncio.gather(*(one.replicas.take("request 1") for one in (first, second) for _ in range(2)))
    mine, theirs = (first, second) if taken[0] else (second, first)
    assert taken == [mine is first, mine is first, mine is second, mine is second]
    assert await theirs.replicas.take("request 2")
    mine.replicas.drop("request 1")
    await mine.replicas.take("request 3")  # one after the other
    assert await theirs.replicas.take("request 1")


async def test_one_that_was_overtaken_while_it_was_away_changes_nothing_more(
    replica: Callable[..., Postgres], caplog: pytest.LogCaptureFixture
) -> None:
    """As a process that was stopped and goes on: nobody tells it what happened meanwhile."""
    paused, other = replica(lease=1000.0), replica()  # looks after itself every hundred seconds
    await paused.open()
    await other.open()
    await paused.write(note, "mine")
    assert await paused.replicas.take("request 1")
    await asyncio.to_thread(old, paused, 60.0)
    other.replicas._sooner.set()
    await holds(other.replicas.leads.is_set)
    assert other.replicas.gone(paused.replicas.me)
    assert await other.replicas.take("request 1")
    with pytest.raises(Unavailable, match="Another chatops has taken over the database"):
        await paused.write(note, "late")
    with pytest.raises(Unavailable, match="Another chatops has taken over the database"):
        await paused.read(names)
    with pytest.raises(Unavailable, match="Another chatops has taken over the database"):
        await paused.replicas.take("request 2")
    await asyncio.wait_for(paused.replicas.lost.wait(), DEADLINE)
    assert await Readiness(paused, ()).missing() == ("database",)
    assert await other.read(names) == ["mine"]
    assert "was taken over by another chatops" in caplog.text


async def test_a_transaction_that_is_held_open_by_one_that_is_given_up_is_ended(
    replica: Callable[..., Postgres],
) -> None:
    paused, other = replica(lease=1000.0), replica()
    await paused.open()
    await other.open()
    gate = Gate()
    held = asyncio.create_task(paused.write(gate.hold))
    await gate.reached()
    await asyncio.to_thread(old, paused, 60.0)
    other.replicas._sooner.set()
    await holds(other.replicas.leads.is_set)
    gate.open()
    with pytest.raises(Unavailable):
        await held
    assert await other.read(names) == []


async def test_one_whose_connection_has_ended_is_given_up_before_its_lease_runs_out(
    cut: Wire, replica: Callable[..., Postgres]
) -> None:
    dead, other = replica(cut.url, lease=1000.0), replica(lease=2.0)
    await dead.open()
    await other.open()
    cut.cut()
    await holds(other.replicas.leads.is_set)


async def test_after_its_own_absence_nobody_judges_the_others(
    cut: Wire, replica: Callable[..., Postgres], url: str
) -> None:
    """After the server's restart all leases look as if they had run out, and all connections as if their owners had."""
    back, other = replica(cut.url, lease=1000.0), replica(lease=1000.0)
    await other.open()
    await back.open()
    cut.cut()
    await asyncio.to_thread(old, other, 5000.0)
    back.replicas._sooner.set()
    await holds(lambda: back.replicas.membership._back and not back.replicas.membership._away)
    assert other.replicas.leads.is_set()
    assert await other.write(note, "still here") == "still here"


async def test_before_a_call_that_has_an_effect_a_lease_that_has_nearly_run_out_says_no(
    replica: Callable[..., Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replica(lease=1000.0)
    await one.open()
    one.replicas.check()
    one.replicas.membership._renewed -= 900.0
    with pytest.raises(Unavailable, match="others may be at its work"):
        one.replicas.check()


async def test_one_that_has_come_is_known_to_the_others_at_once(replica: Callable[..., Postgres]) -> None:
    """What they ring would not reach it before."""
    first, second = replica(lease=1000.0), replica(lease=1000.0)  # they look for others every hundred seconds
    await first.open()
    await second.open()
    await holds(lambda: first.replicas.membership.others == {second.replicas.me})


async def test_what_one_rings_the_others_hear_and_not_itself(replica: Callable[..., Postgres]) -> None:
    first, second = replica(), replica(lease=2.0)
    await first.open()
    await second.open()
    first.replicas._sooner.set()
    await holds(lambda: first.replicas.membership.others)
    heard: list[str] = []
    first.replicas.on("post", lambda what: heard.append(f"first {what}"))
    second.replicas.on("post", lambda what: heard.append(f"second {what}"))
    for number in range(2000):  # more than fits into one notification
        first.replicas.ring("post", f"R-{number}")
    await holds(lambda: len(heard) >= 2000)
    assert heard == [f"second R-{number}" for number in range(2000)]


async def test_a_listener_whose_connection_was_lost_listens_again_and_is_told_to_look(
    cut: Wire, replica: Callable[..., Postgres]
) -> None:
    one = replica(cut.url, lease=2.0)
    await one.open()
    looked: list[str] = []
    one.replicas.on("look", looked.append)
    cut.cut()
    await holds(lambda: looked)
    assert one.replicas._listener is not None


async def test_a_column_that_a_newer_version_adds_meanwhile_disturbs_no_statement(
    replica: Callable[..., Postgres], url: str
) -> None:
    one = replica()
    await one.open()

    def look(tx: Tx) -> int:
        return len(tx.all("SELECT * FROM settings"))

    for _ in range(10):  # until it is a prepared statement
        await asyncio.gather(*(one.read(look) for _ in range(3)), *(one.write(look) for _ in range(4)))
    with psycopg.connect(url, autocommit=True) as newer:
        newer.execute("ALTER TABLE settings ADD COLUMN later BIGINT NOT NULL DEFAULT 0")
    for _ in range(5):
        assert await asyncio.gather(*(one.read(look) for _ in range(3)), *(one.write(look) for _ in range(4)))


def test_who_leaves_is_forgotten_with_all_that_it_had(url: str) -> None:
    gone = Membership(Address(url), writers=2)
    gone.join()
    gone.take(["request 1"])
    gone.leave()
    with psycopg.connect(url) as connection:
        for table in ("_chatops_replicas", "_chatops_writers", "_chatops_claims"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
