"""Rights in the cluster: where an environment says so, Kubernetes answers to the person, not to the assistant."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import REQUESTS, House, acme_house
from tests.support.rights import RIGHTS

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"
DANA_EDITS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dana-edits, namespace: shop}
roleRef: {kind: ClusterRole, name: edit, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: User, name: dana@acme.test}]
"""


def as_people(platform: dict[str, Any]) -> None:
    platform["environments"]["production"]["impersonate"] = True


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=as_people) as house:
        house.cluster.load(RIGHTS)
        yield house


async def test_who_may_not_patch_is_refused_at_planning_in_words(house: House) -> None:
    await house.dana.types(LINE)
    await house.dana.sees(REQUESTS, "REFUSED", "Kubernetes does not let dana@acme.test patch deployments in shop")
    assert await house.image("checkout") == "1.4.1"


async def test_a_deploy_is_planned_written_and_watched_as_its_requester_alone(house: House) -> None:
    house.cluster.load(DANA_EDITS)
    before = house.cluster.log.count
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes("SUCCEEDED")
    asked = {one["user"] for one in house.cluster.log.after(before) if one.get("namespace") == "shop"}
    assert asked == {"dana@acme.test"}


async def test_rights_that_are_taken_away_between_approval_and_write_stop_the_run(house: House) -> None:
    house.cluster.load(DANA_EDITS)
    house.cluster.fault(
        403, verb="patch", resource="deployments", dry_run=False,
        message='deployments.apps "checkout" is forbidden: User "dana@acme.test" cannot patch resource "deployments" '
        'in API group "apps" in the namespace "shop"',
    )  # fmt: skip
    await house.dana.types(LINE)
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
    await card.becomes("FAILED", "Kubernetes does not let dana@acme.test patch deployments in shop", "Nothing was")


async def test_reading_obeys_it_too(house: House) -> None:
    await house.dana.types("/platform status checkout production")
    await house.dana.sees("general", "checkout in production", "1.4.1 healthy")
    await house.sam.types("/platform status checkout production")
    await house.sam.sees("general", "Kubernetes does not let sam@acme.test get deployments in shop")
