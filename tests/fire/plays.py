"""What is asked for while the assistant is killed, and what must have come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Get = Callable[[str], Awaitable[dict[str, Any]]]  # what the cluster has at a path

SHELF = """
name: shelf.create
title: Put up a shelf
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-shelf"}
      data: {size: "10"}
    undo: {remove: "ConfigMap/${inputs.service}-shelf"}
  - name: up
    wait: {object: "ConfigMap/${inputs.service}-shelf", until: 'object.data.ready == "yes"'}
    outputs: {size: object.data.size}
  - job: {image: "tools:1", command: [paint]}
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-box"}
      data: {size: "${steps.up.outputs.size}"}
outputs: {where: "${inputs.service}-shelf.${env.namespace}"}
"""


@dataclass(frozen=True)
class Play:
    """One request from the line to its end; ``once`` counts what the audit trail must say of it."""

    line: str
    card: str  # words of the card
    notice: str  # words of the notice
    once: Mapping[str, int]
    check: Callable[[Get, list[dict[str, Any]]], Awaitable[None]]  # of the cluster, and the rows of objects
    actions: Mapping[str, str] = field(default_factory=dict)
    wakes: tuple[str, str, dict[str, Any]] | None = None  # once this point is reached, what changes in the cluster
    since: str = ""  # only points after this one are tried: those before it are the same in every play


async def _deployed(get: Get, objects: list[dict[str, Any]]) -> None:
    found = await get("/apis/apps/v1/namespaces/shop/deployments/checkout")
    assert found["metadata"]["generation"] == 2, "the workload was written more than once"
    assert objects == []


async def _put_up(get: Get, objects: list[dict[str, Any]]) -> None:
    maps = {one["metadata"]["name"]: one for one in (await get("/api/v1/namespaces/shop/configmaps"))["items"]}
    made = {name: one["metadata"]["uid"] for name, one in maps.items() if name in ("checkout-shelf", "checkout-box")}
    assert {one["name"]: one["uid"] for one in objects} == made
    assert len(made) == 2
    assert maps["checkout-box"]["data"] == {"size": "10"}
    jobs = (await get("/apis/batch/v1/namespaces/shop/jobs"))["items"]
    assert [one["status"].get("succeeded") for one in jobs] == [1], "the Job ran but once"


_ONCE = dict.fromkeys(("requested", "asked", "satisfied", "begun", "became_healthy"), 1)
DEPLOY = Play(
    line="/platform deploy checkout 1.4.2 production because fixes the cart",
    card="Deploy checkout", notice="1.4.1 → 1.4.2", once={**_ONCE, "written": 1}, check=_deployed,
)  # fmt: skip
STEPS = Play(
    line="/platform shelf create checkout production because we need room",
    card="Put up a shelf", notice="carried out Put up a shelf", once={**_ONCE, "written": 3, "step_done": 4},
    check=_put_up, actions={"shelf.create.yml": SHELF}, since="after commit _begin",
    wakes=(  # not before somebody watches: whether a wait that is over at once opens its watch is a matter of luck
        "after cluster watch ConfigMap/checkout-shelf #1",
        "/api/v1/namespaces/shop/configmaps/checkout-shelf", {"data": {"ready": "yes"}},
    ),
)  # fmt: skip
