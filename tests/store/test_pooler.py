"""Through a PgBouncer that keeps sessions whole everything works; one that drops what we set is refused."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatops.adapters import databases
from chatops.kernel.errors import Refused
from tests.support import pooler, postgres
from tests.support.databases import POSTGRES
from tests.support.house import REQUESTS, straight_to_production
from tests.support.pooler import pooled
from tests.support.replicas import two_replicas

pytestmark = [
    pytest.mark.group("postgresql"),
    pytest.mark.skipif(not POSTGRES, reason="needs a PostgreSQL: make test-postgresql"),
    pytest.mark.skipif(pooler.PROGRAM is None, reason="needs a pooler: apt-get install pgbouncer"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the name of a socket, and not root's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as found:
        yield Path(found)


async def test_two_replicas_behind_a_pooler_take_a_request_to_its_end(folder: Path) -> None:
    url = postgres.create("tpooled", postgres.TEMPLATE)
    with pooled(url, folder) as through:
        async with two_replicas(platform=straight_to_production, database=through) as house:
            with house.through(house.follower):
                await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
            card = await house.lee.sees(REQUESTS, "WAITING")
            with house.through(house.leader):
                await card.click("Approve")
            await card.becomes("SUCCEEDED", within=20)
            await house.leaves(house.leader)
            await house.until(house.follower.assistant.bells.leads)


async def test_a_pooler_that_drops_what_is_set_for_a_connection_is_refused(folder: Path) -> None:
    url = postgres.create("tdropping", postgres.TEMPLATE)
    with (
        pooled(url, folder, "ignore_startup_parameters = options") as through,
        pytest.raises(Refused, match="does not reach it"),
    ):
        async with databases.database(through):
            raise AssertionError("it was opened")
