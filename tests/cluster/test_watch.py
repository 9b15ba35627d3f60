"""Watching one object through closed connections, expired history and a cluster in trouble."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from chatops.adapters.kubernetes.handle import Reader, Writer
from chatops.kernel.errors import Forbidden, NotFound, Unavailable
from chatops.sandbox.cluster import PracticeCluster
from tests.cluster.checkout import CHECKOUT, image, image_of


class Watch:
    """Collects the images a watch shows, in the background."""

    def __init__(self, reader: Reader) -> None:
        self.images: list[str] = []
        self.changed = asyncio.Event()
        self.task = asyncio.create_task(self._follow(reader))

    async def _follow(self, reader: Reader) -> None:
        async for found in reader.watch(CHECKOUT, timeout=30):
            if image_of(found) not in self.images:
                self.images.append(image_of(found))
            self.changed.set()

    async def until(self, version: str) -> None:
        async with asyncio.timeout(5):
            while version not in self.images:
                self.changed.clear()
                await self.changed.wait()

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_watch_begins_with_what_stands_now(writer: Writer) -> None:
    async with Watch(writer) as watch:
        await watch.until("1.4.1")
        await writer.write(image("1.4.2"))
        await watch.until("1.4.2")
    assert watch.images == ["1.4.1", "1.4.2"]


async def test_a_watch_survives_a_closed_connection(cluster: PracticeCluster, writer: Writer) -> None:
    async with Watch(writer) as watch:
        await watch.until("1.4.1")
        cluster.watches.close_all()
        await writer.write(image("1.4.2"))
        await watch.until("1.4.2")


async def test_a_watch_survives_an_expired_history(cluster: PracticeCluster, writer: Writer) -> None:
    cluster.fault(410, verb="watch", times=2)
    async with Watch(writer) as watch:
        await watch.until("1.4.1")
        await writer.write(image("1.4.2"))
        await watch.until("1.4.2")


@pytest.mark.parametrize("answer", [429, 500, 503, "drop", "hang"])
async def test_a_watch_survives_a_cluster_in_trouble(
    cluster: PracticeCluster, writer: Writer, answer: int | str
) -> None:
    cluster.fault(answer, verb="watch", times=2, retry_after=0)
    cluster.fault("drop", verb="list", times=5)
    async with Watch(writer) as watch:
        await asyncio.sleep(0)
        await writer.write(image("1.4.2"))
        if answer == "hang":
            cluster.faults.clear()
        await watch.until("1.4.2")


async def test_a_watch_survives_an_absent_cluster(cluster: PracticeCluster, writer: Writer) -> None:
    async with Watch(writer) as watch:
        await watch.until("1.4.1")
        cluster.go_away()
        with pytest.raises(Unavailable):
            await writer.write(image("1.4.2"))
        cluster.come_back()
        await writer.write(image("1.4.2"))
        await watch.until("1.4.2")


async def test_a_watch_on_what_is_forbidden_ends_with_the_clusters_words(
    cluster: PracticeCluster, reader: Reader
) -> None:
    cluster.fault(403, verb="watch", message="viewer cannot watch")
    with pytest.raises(Forbidden, match="viewer cannot watch"):
        async for _ in reader.watch(CHECKOUT, timeout=5):
            pass


async def test_a_watch_says_when_its_object_goes(cluster: PracticeCluster, reader: Reader) -> None:
    seen = reader.watch(CHECKOUT, timeout=5)
    assert image_of(await anext(seen)) == "1.4.1"
    where = f"{cluster.url}/apis/apps/v1/namespaces/shop/deployments/checkout"
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer practice-admin"}) as session:
        await session.delete(where)
    with pytest.raises(NotFound, match="Deployment/checkout is gone"):
        [found async for found in seen]


async def test_a_watch_ends_with_its_time(reader: Reader) -> None:
    async with asyncio.timeout(5):
        seen = [image_of(found) async for found in reader.watch(CHECKOUT, timeout=0.3)]
    assert seen[0] == "1.4.1"
