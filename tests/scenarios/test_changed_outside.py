"""What somebody changes in the cluster past the assistant is told, with the field manager that did it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.scenarios.test_outside_deploys import told
from tests.support.house import DEPLOYS, REQUESTS, House, acme_house, straight_to_production


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=straight_to_production) as house:
        await house.assistant.watcher.look()
        yield house


async def runs(house: House, version: str, manager: str = "kubectl-edit") -> None:
    containers = [{"name": "app", "image": f"registry.acme.test/shop/checkout:{version}"}]
    await house.edit("checkout", {"spec": {"template": {"spec": {"containers": containers}}}}, manager=manager)


async def looks(house: House) -> None:
    """The watcher sees it, and sees after a minute that it has lasted."""
    for _ in range(2):
        await house.assistant.watcher.look()
        house.clock.advance(61)
    await house.assistant.watcher.look()
    await house.quiet()


async def notes(house: House) -> int:
    return len(await house.rows("SELECT id FROM posts WHERE id LIKE 'changed/%'"))


async def test_another_image_is_told_once_with_who_did_it(house: House) -> None:
    await runs(house, "1.4.2")
    await house.assistant.watcher.look()
    await house.quiet()
    assert await notes(house) == 0, "it has to last"
    await looks(house)
    await house.dana.sees(DEPLOYS, "checkout in production was changed outside: 1.4.1 → 1.4.2 by kubectl-edit.")
    await house.stop()
    await house.start()
    await looks(house)
    assert await notes(house) == 1
    await house.edit("checkout", {"spec": {"replicas": 5}}, manager="dana-laptop")
    await looks(house)
    await house.dana.sees(DEPLOYS, "checkout in production was changed outside: 3 → 5 pods by dana-laptop.")
    assert await notes(house) == 2


async def test_what_happened_while_we_were_away_is_told_too(house: House) -> None:
    await house.stop()
    await runs(house, "1.4.0")
    await house.start()
    await looks(house)
    await house.dana.sees(DEPLOYS, "changed outside: 1.4.1 → 1.4.0 by kubectl-edit.")


async def test_what_the_assistant_or_a_controller_did_is_no_news(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    await (await house.lee.sees(REQUESTS, "WAITING")).click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED")
    await house.edit("checkout", {"spec": {"replicas": 4}}, manager="kube-controller-manager")
    await looks(house)
    assert await notes(house) == 0
    [row] = await house.rows("SELECT * FROM workloads WHERE service = 'checkout' AND environment = 'production'")
    assert (row["version"], row["replicas"]) == ("1.4.2", 4)


async def test_what_another_pipeline_tells_itself_is_told_by_nobody_else(house: House) -> None:
    told = {"service": "checkout", "environment": "production", "version": "1.4.2", "state": "succeeded"}
    assert await house.hook("deploy", told) == 200
    await runs(house, "1.4.2", "pipeline")
    await looks(house)
    assert await notes(house) == 0


async def test_what_is_put_back_within_the_minute_is_no_news(house: House) -> None:
    await runs(house, "1.4.2")
    await house.assistant.watcher.look()
    await runs(house, "1.4.1")
    await looks(house)
    assert await notes(house) == 0


async def test_the_first_deploy_that_a_pipeline_tells_names_the_version_that_was_seen_in_the_cluster(
    house: House,
) -> None:
    await house.assistant.watcher.look()
    await told(house, version="9.9.9", state="running")
    await house.dana.sees("deploys", "cart", "2.8.0 → 9.9.9 is being deployed in staging")
