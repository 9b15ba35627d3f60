"""What holds for a service holds for every action that changes its workload, also for one that does not name it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import ACME, REQUESTS, House, acme_house

RESTART = (ACME / "actions" / "deployment-restart.yml").read_text()
CANARY = """
name: image.put
title: Put an image
risk: change
inputs:
  environment: {type: environment}
  name:        {type: text}
  version:     {type: version}
steps:
  - apply: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: "${inputs.name}", namespace: "${env.namespace}"}
      spec:
        template:
          spec: {containers: [{name: app, image: "registry.acme.test/shop/${inputs.name}:${inputs.version}"}]}
"""
OUT_OF_A_STEP = """
name: image.copy
title: Copy an image
risk: change
inputs:
  environment: {type: environment}
steps:
  - name: seen
    wait: {object: Deployment.apps/cart, until: "true"}
    outputs: {image: "object.spec.template.spec.containers[0].image"}
  - apply: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: checkout, namespace: "${env.namespace}"}
      spec: {template: {spec: {containers: [{name: app, image: "${steps.seen.outputs.image}"}]}}}
"""
FILES = {"deployment-restart.yml": RESTART, "image-put.yml": CANARY, "image-copy.yml": OUT_OF_A_STEP}


def frozen_and_guarded(content: dict[str, Any]) -> None:
    """The tests' clock stands at Monday 23 November 2026, 10:00 in Berlin."""
    content["freezes"] = [
        {
            "name": "the banks close their books", "from": "2026-11-23 08:00", "until": "2026-11-23 18:00",
            "timezone": "Europe/Berlin", "services": ["payments"],
        }
    ]  # fmt: skip
    content["policies"].append({
        "name": "search is its own team's", "when": 'env.tier == "staging" && service.name == "search"',
        "require": {"approvals": 1, "from": ["team-leads"]},
    })  # fmt: skip


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(actions=FILES, platform=frozen_and_guarded) as house:
        yield house


async def test_a_lock_of_a_service_holds_for_an_action_that_writes_its_deployment(house: House) -> None:
    await house.lee.types("/platform lock checkout staging until 16:00 because migrating the carts")
    await house.lee.sees("general", "Locked")
    await house.dana.types("/platform deployment restart staging checkout because it hangs")
    card = await house.dana.sees(REQUESTS, "DENIED", "checkout in staging is locked by Lee", "Rule: lock")
    await card.click("Tell me when it is free")  # the request names no service, its plan does
    await house.dana.sees(REQUESTS, "I tell you in a direct message when checkout in staging is free.")
    await house.lee.types("/platform deployment restart staging checkout because it hangs")
    await house.lee.sees(REQUESTS, "Restart a Deployment", "SUCCEEDED", within=20)


async def test_a_freeze_of_a_service_holds_there_too_and_nowhere_else(house: House) -> None:
    await house.dana.types("/platform deployment restart staging payments because it hangs")
    await house.dana.sees(REQUESTS, "DENIED", "the banks close their books")
    await house.dana.types("/platform deployment restart staging cart because it hangs")
    await house.dana.sees(REQUESTS, "Restart a Deployment", "SUCCEEDED", within=20)


async def test_what_has_not_run_well_before_comes_into_production_by_no_other_action(house: House) -> None:
    await house.dana.types("/platform image put production checkout 1.4.3 because new")
    await house.dana.sees(REQUESTS, "DENIED", "checkout 1.4.3 has to run well in staging first: 1.4.2 runs there.")
    await house.dana.types("/platform image put production checkout 1.4.2 because new")
    await (await house.lee.sees(REQUESTS, "WAITING", "Put an image")).click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED", "Put an image", within=20)
    assert await house.image("checkout") == "1.4.2"


async def test_a_version_that_nobody_can_know_before_is_not_let_through(house: House) -> None:
    await house.dana.types("/platform image copy production because trying")
    await house.dana.sees(REQUESTS, "DENIED", "a version that is known only during the run has to run well in staging")
    assert await house.image("checkout") == "1.4.1"


async def test_a_rule_about_a_service_and_its_leads_count(house: House) -> None:
    await house.dana.types("/platform deployment restart staging search because it hangs")
    card = await house.lee.sees(REQUESTS, "WAITING", "search is its own team's", "1 approval from Lee")
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=20)
