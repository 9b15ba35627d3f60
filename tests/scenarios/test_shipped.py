"""Each action that the example company ships, end to end: asked for, planned, approved, made, and gone again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import ACME, REQUESTS, House, acme_house
from tests.support.people import Seen

FILES = {path.name: path.read_text() for path in sorted((ACME / "actions").glob("*.yml"))}
CORE, APPS, GATEWAY = "/api/v1", "/apis/apps/v1", "/apis/gateway.networking.k8s.io/v1"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(actions=FILES) as house:
        yield house


async def there(house: House, path: str) -> dict[str, Any] | None:
    """The live object, None when it is gone or going."""
    token = house.cluster.kubeconfig()["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with house.sandbox.session.get(house.cluster.url + path, headers=headers) as answer:
        assert answer.status in (200, 404), await answer.text()
        found: dict[str, Any] = json.loads(await answer.text())
        return None if answer.status == 404 or found["metadata"].get("deletionTimestamp") else found


async def later(house: House, seconds: float) -> None:
    """Moves the clock, and the assistant looks at what is over."""
    house.clock.advance(seconds)
    await house.assistant.expiry.look()
    await house.quiet()


async def made(house: House, line: str, *titles: str) -> Seen:
    """A change in staging, which nobody has to approve, carried out."""
    await house.dana.types(f"/platform {line}")
    card = await house.dana.sees(REQUESTS, *titles, within=10)
    return await card.becomes("SUCCEEDED", within=20)


async def approved(house: House, line: str, *titles: str) -> Seen:
    """What is dangerous, approved by the owning team's lead and by security."""
    await house.dana.types(f"/platform {line}")
    card = await house.lee.sees(REQUESTS, "WAITING", *titles, within=10)
    await card.click("Approve")
    await (await house.sam.sees(REQUESTS, "WAITING", *titles)).click("Approve")
    return await card.becomes("SUCCEEDED", within=20)


async def test_a_database_is_made_and_deleted(house: House) -> None:
    path = "/apis/postgresql.cnpg.io/v1/namespaces/shop-staging/clusters/cart-db"
    card = await made(house, "database create cart staging size=medium because carts", "Create a database")
    assert "cart-db-rw.shop-staging" in card.text
    found = await there(house, path)
    assert found is not None
    assert found["spec"] == {"instances": 2, "storage": {"size": "50Gi"}}
    assert found["status"]["readyInstances"] == 2
    await approved(house, "database delete cart staging because it moved", "Delete a database", "cart-db")
    assert await there(house, path) is None


async def test_production_takes_a_lead_and_at_least_two_replicas(house: House) -> None:
    await house.dana.types("/platform database create cart production replicas=1")
    await house.dana.sees("general", "Production needs at least two replicas")
    await house.dana.types("/platform database create cart production replicas=3 because carts")
    card = await house.lee.sees(REQUESTS, "WAITING", "cart-db", "With: size small · replicas 3", within=10)
    await card.click("Approve")
    await card.becomes("SUCCEEDED", "cart-db-rw.shop", within=20)


async def test_a_cache_is_made(house: House) -> None:
    card = await made(house, "cache create cart staging memory=medium", "Create a cache")
    assert "cart-cache.shop-staging:6379" in card.text
    found = await there(house, f"{APPS}/namespaces/shop-staging/deployments/cart-cache")
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {"memory": "512Mi"}


async def test_a_bucket_is_claimed_and_its_endpoint_told(house: House) -> None:
    card = await made(house, "bucket create cart staging cart-invoices", "Create a bucket")
    assert "cart-invoices.buckets.acme.test" in card.text


async def test_a_service_on_the_golden_path_comes_and_goes(house: House) -> None:
    line = "service create gift-cards staging shop 1.0.0 description='Sells gift cards' because gifts"
    card = await made(house, line, "Create a service")
    for words in ("https://gift-cards.staging.acme.test", "grafana.acme.test", "/platform service gift-cards"):
        assert words in card.text, card.text
    paths = [
        f"{APPS}/namespaces/shop-staging/deployments/gift-cards", f"{CORE}/namespaces/shop-staging/services/gift-cards",
        "/apis/policy/v1/namespaces/shop-staging/poddisruptionbudgets/gift-cards",
        f"{CORE}/namespaces/shop-staging/serviceaccounts/gift-cards",
        "/apis/networking.k8s.io/v1/namespaces/shop-staging/networkpolicies/gift-cards",
        f"{GATEWAY}/namespaces/shop-staging/httproutes/gift-cards",
        f"{CORE}/namespaces/platform-catalog/configmaps/gift-cards.staging",
    ]  # fmt: skip
    for path in paths:
        assert await there(house, path), path
    await house.dana.types("/platform service delete gift-cards staging because nobody gives")
    card = await house.sam.sees(REQUESTS, "WAITING", "Delete a service", within=10)
    await card.click("Approve")
    assert await there(house, paths[0]), "one of two approvals"
    await (await house.lee.sees(REQUESTS, "WAITING", "Delete a service")).click("Approve")
    await card.becomes("SUCCEEDED", within=20)
    for path in paths:
        assert await there(house, path) is None, path


async def test_what_the_golden_path_made_is_in_the_catalog_and_goes_the_way_of_every_service(house: House) -> None:
    await made(house, "service create gift-cards staging shop 1.0.0 because gifts", "Create a service")
    await known(house, "gift-cards")
    await house.dana.types("/platform service gift-cards")
    await house.dana.sees("general", "Owner: team shop", "1.0.0 healthy", "gift-cards.staging (R-1001)")
    await house.dana.types("/platform deploy gift-cards 1.1.0 staging because better gifts")
    await (await house.dana.sees(REQUESTS, "Deploy gift-cards 1.0.0 → 1.1.0", within=10)).becomes("SUCCEEDED")
    await house.dana.types("/platform service create gift-cards production shop 1.2.0 because gifts")
    await house.dana.sees(REQUESTS, "DENIED", "gift-cards 1.2.0 has to run well in staging first: 1.1.0 runs there.")
    await house.dana.types("/platform service create gift-cards production shop 1.1.0 because gifts")
    card = await house.lee.sees(REQUESTS, "WAITING", "Create a service", within=10)
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=20)
    await approved(house, "service delete gift-cards staging because moved", "Delete a service", "STAGING")
    await house.assistant.discovery.look()
    assert "gift-cards" in house.assistant.configuration.platform.services, "production's entry still stands"
    await approved(house, "service delete gift-cards production because over", "Delete a service", "PRODUCTION")
    await known(house, "gift-cards", gone=True)
    await house.dana.types("/platform deploy gift-cards 1.1.0 staging because gifts")
    await house.dana.sees("general", "Not quite", "There is no service called 'gift-cards'")


async def known(house: House, service: str, *, gone: bool = False) -> None:
    """Waits until the catalog knows a service, or no longer does."""
    await house.until(lambda: (service in house.assistant.configuration.platform.services) is not gone)


async def test_a_preview_has_a_namespace_of_its_own_and_goes_when_its_days_are_over(house: House) -> None:
    space = "preview-cart-pr-7"
    card = await approved(house, "preview create cart staging 1.4.2 pr-7 days=1 because look", "Create a preview")
    assert "https://pr-7.cart.preview.acme.test" in card.text
    found = await there(house, f"{APPS}/namespaces/{space}/deployments/cart")
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.acme.test/shop/cart:1.4.2"
    await house.dana.types("/platform mine")
    await house.dana.sees("general", "Yours", "ResourceQuota/preview")
    for _ in range(8):
        await later(house, 3 * 3600 + 60)
    assert await there(house, f"{CORE}/namespaces/{space}") is None


async def test_access_is_granted_for_a_time_and_taken_away(house: House) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop-staging/rolebindings/granted-r1001"
    line = "access grant staging person=olu@acme.test lasts=1h because night shift"
    card = await approved(
        house, line, "Grant access", "The access that it gives ends after 1h, and cannot be extended."
    )
    found = await there(house, path)
    assert found is not None
    assert found["subjects"][0]["name"] == "olu@acme.test"
    assert found["roleRef"]["name"] == "view"
    await house.dana.types("/platform mine")
    mine = await house.dana.sees("general", "RoleBinding.rbac.authorization.k8s.io/granted-r1001", "until")
    assert "Extend R-1001" not in mine.buttons
    await later(house, 46 * 60)
    warned = await card.thread("is removed: RoleBinding", "Access ends when it was said to end")
    assert "Extend" not in warned.buttons, "two teams approved an hour, not more"
    await house.dana.types("/platform extend R-1001")
    await house.dana.sees("general", "Access ends when it was said to end, and is not extended")
    for minutes in (10, 3):
        await later(house, minutes * 60)
    assert await there(house, path)
    await later(house, 60)
    assert await there(house, path) is None


async def test_a_job_runs_one_command_and_its_log_comes_into_the_thread(house: House) -> None:
    card = await made(house, 'job run cart staging 1.4.2 command="python manage.py migrate"', "Run a job")
    await card.thread("log", within=10)


async def test_a_cron_job_is_suspended_and_resumed(house: House) -> None:
    path = "/apis/batch/v1/namespaces/shop-staging/cronjobs/nightly"
    await house.cluster_call(
        "POST", path.rpartition("/")[0],
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": "shop-staging"},
         "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": {
             "restartPolicy": "Never", "containers": [{"name": "app", "image": "tools:1"}]}}}}}},
    )  # fmt: skip
    await made(house, "cron suspend staging nightly because of the migration", "Suspend a cron job")
    found = await there(house, path)
    assert found is not None
    assert found["spec"]["suspend"] is True
    assert found["spec"]["schedule"] == "0 3 * * *"
    await made(house, "cron resume staging nightly", "Resume a cron job")
    found = await there(house, path)
    assert found is not None
    assert found["spec"]["suspend"] is False


async def test_anything_with_pods_is_restarted(house: House) -> None:
    path = f"{APPS}/namespaces/shop-staging/deployments/cart"
    before = await there(house, path)
    await made(house, "deployment restart staging cart because it hangs", "Restart a Deployment")
    found = await there(house, path)
    assert found is not None
    assert before is not None
    assert found["metadata"]["generation"] == before["metadata"]["generation"] + 1
    template = found["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert template["spec"] == before["spec"]["template"]["spec"]
    labels = found["metadata"].get("labels", {})
    assert not [name for name in labels if name.startswith("chatops/")], "what was there before is not taken over"


async def test_what_is_not_there_is_not_made_by_restarting_it(house: House) -> None:
    await house.dana.types("/platform statefulset restart staging nothing because trying")
    await house.dana.sees(REQUESTS, "REFUSED", within=10)
