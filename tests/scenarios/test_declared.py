"""An action out of a file, from the line to its outputs, and what becomes of requests when the file changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.scenarios.test_steps import get, put
from tests.support.house import REQUESTS, House, acme_house

SHELF = """
name: shelf.create
title: Put up a shelf
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
  size:        {type: choice, options: {small: 10, large: 200}, default: small}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-shelf"}
      data: {size: "${string(inputs.size)}"}
    undo: {remove: "ConfigMap/${inputs.service}-shelf"}
  - name: up
    wait: {object: "ConfigMap/${inputs.service}-shelf", until: 'object.data.state == "up"', timeout: 10m}
    outputs: {colour: object.data.colour}
  - job: {image: "tools:1", command: [paint, "${steps.up.outputs.colour}"]}
outputs: {where: "${inputs.service}-shelf.${env.namespace} is ${steps.up.outputs.colour}"}
expires: 30d
"""
LINE = "/platform shelf create checkout staging size=large because we need room"


def shelf(*changes: tuple[str, str]) -> Mapping[str, str]:
    """The file, changed."""
    text = SHELF
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return {"shelf.create.yml": text}


def allowing(platform: dict[str, Any]) -> None:
    """Whatever Acme's own actions may touch, shelves are made of ConfigMaps."""
    platform.pop("actions", None)


@pytest.fixture
async def house():
    async with acme_house(actions=shelf(), platform=allowing) as house:
        yield house


async def rewrite(house: House, files: Mapping[str, str]) -> None:
    """The configuration's folder changes, and the assistant has read it."""
    folder, before = house.settings.config / "actions", house.assistant.configuration.platform.digest
    for old in folder.iterdir():
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)
    await house.until(lambda: house.assistant.configuration.platform.digest != before)


async def test_an_action_out_of_a_file_runs_from_the_line_to_its_outputs(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.dana.sees(REQUESTS, "RUNNING", "▸ 2. wait for ConfigMap/checkout-shelf", within=10)
    await put(house, "checkout-shelf", state="up", colour="red")
    await card.becomes("SUCCEEDED", "3 steps done", "where: checkout-shelf.shop-staging is red", within=10)
    await card.thread("is done. The end of its log:")
    live = await get(house, "checkout-shelf")
    assert live is not None
    assert live["data"]["size"] == "200"
    assert live["metadata"]["labels"] | {} == {
        "chatops/request": "R-1001", "chatops/requester": live["metadata"]["labels"]["chatops/requester"],
        "chatops/team": "shop",
    }  # fmt: skip
    assert live["metadata"]["annotations"]["chatops/expires-at"].startswith("2026-12-23T")
    jobs = await house.cluster_call("GET", "/apis/batch/v1/namespaces/shop-staging/jobs")
    [container] = jobs["items"][0]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["paint", "red"]


async def test_under_the_form_stands_what_it_would_make_and_what_policy_asks_for(house: House) -> None:
    await house.dana.types("/platform shelf create checkout")
    form = await house.dana.modal()
    await form.fill(Environment="production")
    await form.becomes("makes ConfigMap/checkout-shelf", "1 approval", within=10)


async def test_a_request_goes_on_with_the_version_it_began_with(house: House) -> None:
    await house.dana.types("/platform shelf create checkout production because we need room")
    card = await house.lee.sees(REQUESTS, "WAITING", "· 1. apply ConfigMap/checkout-shelf", within=10)
    await rewrite(house, shelf(("${inputs.service}-shelf", "${inputs.service}-board"), ("10m", "20m")))
    await card.click("Approve")
    await card.becomes("RUNNING", "▸ 2. wait for ConfigMap/checkout-shelf", "at most 10m", within=10)
    await house.dana.types("/platform shelf create cart staging because we need room")
    await house.dana.sees(REQUESTS, "▸ 2. wait for ConfigMap/cart-board", "at most 20m", within=10)


async def test_an_action_that_was_taken_out_does_not_start_any_more(house: House) -> None:
    await house.dana.types("/platform shelf create checkout production because we need room")
    card = await house.lee.sees(REQUESTS, "WAITING", within=10)
    await rewrite(house, {})
    await card.click("Approve")
    await card.becomes("REFUSED", "shelf.create was taken out of the configuration after this was asked for")
    assert await house.rows("SELECT 1 FROM objects") == []


async def test_what_runs_goes_on_when_its_action_is_taken_out(house: House) -> None:
    await house.dana.types(LINE)
    card = await house.dana.sees(REQUESTS, "RUNNING", "▸ 2.", within=10)
    await rewrite(house, {})
    await house.stop()
    await house.start()
    await put(house, "checkout-shelf", state="up", colour="red")
    await card.becomes("SUCCEEDED", "where: checkout-shelf.shop-staging is red", within=10)


async def test_an_action_that_only_waits_is_run_though_it_changes_nothing() -> None:
    ready = """
name: checkout.ready
title: Wait until it is up
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
steps:
  - wait: {object: "ConfigMap/${inputs.service}-shelf", until: 'object.data.state == "up"'}
"""
    async with acme_house(actions={"ready.yml": ready}, platform=allowing) as house:
        await house.dana.types("/platform checkout ready checkout staging because the move begins then")
        card = await house.dana.sees(REQUESTS, "RUNNING", "nothing; waits for ConfigMap/checkout-shelf", within=10)
        body = {"metadata": {"name": "checkout-shelf"}, "data": {"state": "up"}}
        await house.cluster_call("POST", "/api/v1/namespaces/shop-staging/configmaps", body)
        await card.becomes("SUCCEEDED", "1 step done", within=10)
