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
    platform["watcher"] = {"enabled": False}  # it looks as the assistant itself


NOTE = """
name: note.put
title: Put up a note
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
  beside:      {type: choice, required: false, options_from: {kind: ConfigMap, cel: object.metadata.name}}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-note"}
      data: {note: hello}
    undo: {remove: "ConfigMap/${inputs.service}-note"}
  - wait: {object: "ConfigMap/${inputs.service}-note", until: 'object.data.note == "hello"'}
"""
NOTE_LINE = "/platform note put checkout production because somebody has to know"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=as_people, actions={"note.yml": NOTE}) as house:
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


@pytest.mark.parametrize("line", ["logs checkout production", "diagnose checkout production"])
async def test_logs_and_diagnose_obey_it_and_say_so_in_words(house: House, line: str) -> None:
    await house.sam.types(f"/platform {line}")
    await house.sam.sees("general", "Kubernetes does not let sam@acme.test")
    before = house.cluster.log.count
    await house.dana.types(f"/platform {line}")
    await house.dana.sees("general", "checkout in production")
    await house.quiet()
    asked = {one["user"] for one in house.cluster.log.after(before) if one.get("namespace") == "shop"}
    assert asked == {"dana@acme.test"}


async def test_a_declared_action_is_refused_by_its_dry_run_in_words(house: House) -> None:
    await house.dana.types(NOTE_LINE)
    await house.dana.sees(REQUESTS, "REFUSED", "Kubernetes does not let dana@acme.test patch configmaps in shop")
    assert await house.rows("SELECT 1 FROM objects") == []


async def test_every_step_of_a_declared_action_is_its_requesters_whoever_approves_and_over_a_restart(
    house: House,
) -> None:
    house.cluster.load(DANA_EDITS)
    before = house.cluster.log.count
    await house.dana.types(NOTE_LINE)
    card = await house.lee.sees(REQUESTS, "WAITING", "Put up a note")
    await house.stop()
    await house.start()
    await card.click("Approve")
    await card.becomes("SUCCEEDED")
    asked = [one for one in house.cluster.log.after(before) if one.get("namespace") == "shop"]
    assert {one["user"] for one in asked} == {"dana@acme.test"}
    assert {one["verb"] for one in asked} >= {"get", "patch"}


async def test_the_options_of_a_form_are_what_its_person_may_see(house: House) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "oak"}}
    await house.cluster_call("POST", "/api/v1/namespaces/shop/configmaps", body)
    await house.dana.types("/platform note put checkout")
    form = await house.dana.modal(title="Put up a note")
    await form.fill(Environment="production", Beside="oak")
    await house.sam.types("/platform note put checkout")
    form = await house.sam.modal(title="Put up a note")
    await form.fill(Environment="production")
    await form.becomes("Kubernetes does not let sam@acme.test list configmaps in shop")
