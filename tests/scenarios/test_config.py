"""A key of a ConfigMap, with its diff on the card."""

from collections.abc import AsyncIterator

import pytest

from tests.support.house import REQUESTS, House, acme_house

CONFIG = "/api/v1/namespaces/shop/configmaps/checkout-config"
MADE = {
    "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "checkout-config", "namespace": "shop"},
    "data": {"LOG_LEVEL": "info", "REGION": "eu"},
}  # fmt: skip


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        await house.cluster_call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=kubectl", MADE)
        yield house


async def test_a_key_is_set_after_a_lead_has_seen_what_it_was(house: House) -> None:
    await house.dana.types("/platform config set checkout production LOG_LEVEL debug because hunting a bug")
    card = await house.lee.sees(REQUESTS, "LOG_LEVEL of checkout-config", "WAITING", "info")
    await card.click("Approve")
    await card.becomes("SUCCEEDED")
    assert (await house.cluster_call("GET", CONFIG))["data"] == {"LOG_LEVEL": "debug", "REGION": "eu"}


async def test_setting_a_second_key_keeps_the_first(house: House) -> None:
    for key in ("ONE", "TWO"):
        await house.dana.types(f"/platform config set checkout production {key} 1")
        card = await house.lee.sees(REQUESTS, f"{key} of checkout-config", "WAITING")
        await card.click("Approve")
        await card.becomes("SUCCEEDED")
    assert set((await house.cluster_call("GET", CONFIG))["data"]) == {"LOG_LEVEL", "REGION", "ONE", "TWO"}


async def test_what_is_set_already_changes_nothing(house: House) -> None:
    await house.dana.types("/platform config set checkout production LOG_LEVEL info")
    await house.dana.sees(REQUESTS, "LOG_LEVEL is that already")


async def test_a_configmap_that_is_not_there_or_is_immutable_is_refused(house: House) -> None:
    await house.dana.types("/platform config set cart production LOG_LEVEL info")
    named = "Name one that there is with configmap=NAME: checkout-config"
    await house.dana.sees(REQUESTS, "There is no ConfigMap/cart-config in production.", named)
    await house.dana.types("/platform config set cart staging LOG_LEVEL info")
    none = "There is none at all there: the first one is rolled out together with its service"
    await house.dana.sees(REQUESTS, "There is no ConfigMap/cart-config in staging.", none)
    body = {"immutable": True}
    await house.cluster_call("PATCH", CONFIG, body, "application/merge-patch+json")
    await house.dana.types("/platform config set checkout production LOG_LEVEL debug")
    await house.dana.sees(REQUESTS, "ConfigMap/checkout-config is immutable")


async def test_what_looks_like_a_token_is_not_kept(house: House) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    await house.dana.types(f"/platform config set checkout production TOKEN {token}")
    await house.dana.sees("general", "Please check")
    assert token not in repr(await house.rows("SELECT * FROM requests")) + repr(await house.rows("SELECT * FROM inbox"))
