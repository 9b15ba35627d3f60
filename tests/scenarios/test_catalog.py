"""The catalog's entries in the cluster, while the assistant runs: they come, stay over trouble, and go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import REQUESTS, House, acme_house

PATH = "/api/v1/namespaces/platform-catalog/configmaps"
FINDER = {"name": "finder", "team": "shop", "image": "registry.acme.test/shop/search", "container": "app"}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


async def put(house: House, place: str, /, **data: str) -> None:
    """Somebody else than the assistant makes an entry, and it is looked for."""
    metadata = {"name": place, "labels": {"chatops/catalog": "service"}}
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    await house.cluster_call("POST", PATH, body)
    await house.assistant.discovery.look()


def services(house: House) -> set[str]:
    return set(house.assistant.configuration.platform.services)


async def test_an_entry_is_known_to_lines_forms_and_the_trail(house: House) -> None:
    before = house.assistant.configuration.platform.digest
    await put(house, "finder", **FINDER)
    await house.dana.types("/platform service finder")
    await house.dana.sees("general", "Owner: team shop", "In the catalog by ConfigMap platform-catalog/finder")
    await house.dana.types("/platform deploy")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Service="finder")
    [row] = await house.rows("SELECT data, configuration FROM audit WHERE what = 'catalog_changed'")
    assert row["data"] == '{"added":["finder"],"removed":[]}'
    assert row["configuration"] == house.assistant.configuration.platform.digest != before


async def test_a_cluster_that_is_away_takes_nothing_out_of_the_catalog_nor_does_a_restart_meanwhile(
    house: House,
) -> None:
    await put(house, "finder", **FINDER)
    house.cluster_away(True)
    await house.assistant.discovery.look()
    assert "finder" in services(house)
    await house.stop()
    await house.start()
    assert "finder" in services(house), "before the cluster could be asked"
    house.cluster_away(False)
    await house.cluster_call("DELETE", f"{PATH}/finder")
    await house.assistant.discovery.look()
    assert "finder" not in services(house)


async def test_a_request_that_waits_keeps_its_service_over_a_restart(house: House) -> None:
    manifest = await house.deployment("search")
    meta = {"name": "finder", "namespace": "shop", "labels": {"app": "finder"}}
    spec = manifest["spec"] | {"selector": {"matchLabels": {"app": "finder"}}}
    spec["template"]["metadata"] = {"labels": {"app": "finder"}}
    for space in ("shop", "shop-staging"):
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**meta, "namespace": space}, "spec": spec}
        await house.cluster_call("POST", f"/apis/apps/v1/namespaces/{space}/deployments", body)
    await put(house, "finder", **FINDER)
    await house.dana.types("/platform restart finder production because it leaks")
    card = await house.lee.sees(REQUESTS, "WAITING", "Restart finder", within=10)
    await house.stop()
    await house.start()
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=20)


async def test_a_mistake_in_an_entry_is_told_to_the_platform_team_once(house: House) -> None:
    await put(house, "finder", **{**FINDER, "team": "shpo"})
    told = await house.sam.sees(REQUESTS, "These entries of the catalog in the cluster can't be used", "@olu", "@sam")
    assert "ConfigMap platform-catalog/finder:1: service finder names the team shpo" in told.text
    assert "did you mean shop?" in told.text
    await house.assistant.discovery.look()
    await house.stop()
    await house.start()
    await house.assistant.discovery.look()
    await house.quiet()
    assert house.sam.screen(REQUESTS).count("can't be used") == 1


async def test_without_the_key_nothing_is_read() -> None:
    async with acme_house(platform=lambda content: content.pop("catalog")) as house:
        await put(house, "finder", **FINDER)
        assert "finder" not in services(house)
