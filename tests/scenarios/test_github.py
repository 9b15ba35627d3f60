"""What GitHub tells stands in the deploys channel; what lies between two versions is where people look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.github import release, sends, workflow_run
from tests.support.house import REQUESTS, House, acme_house

COMPARE = "<https://github.com/acme/cart/compare/v2.8.0...v2.9.0|v2.8.0...v2.9.0>"
NOTES = "<https://github.test/acme/cart/releases/tag/v2.9.0|release notes>"


def on_github(platform: dict[str, Any]) -> None:
    """The cart is in a repository, and a workflow deploys it."""
    platform["services"]["cart"] |= {"repository": "acme/cart", "tag": "v{version}"}
    platform["github"] = {"workflows": [{"name": "Deploy to staging", "environment": "staging"}]}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=on_github) as house:
        yield house


async def test_a_workflow_that_deploys_is_one_message_however_it_is_told(house: House) -> None:
    run, done = workflow_run(), workflow_run("completed", "success")
    assert await sends(house, "workflow_run", run) == {"status": 200, "taken": "told"}
    seen = await house.dana.sees("deploys", "cart", "2.4.0 is being deployed in staging", "told by GitHub Actions")
    for payload, answer in ((run, "known"), (done, "told"), (done, "known"), (run, "known")):  # repeated, out of order
        assert (await sends(house, "workflow_run", payload))["taken"] == answer
    ended = await house.dana.sees("deploys", "✅", "2.4.0 was deployed in staging", "by dana-acme")
    assert ended.ts == seen.ts
    assert (await sends(house, "workflow_run", workflow_run(run_attempt=2)))["taken"] == "told"
    assert len(await house.rows("SELECT id FROM outside")) == 2
    assert (await sends(house, "workflow_run", done, secret="wrong"))["status"] == 401
    assert (await sends(house, "workflow_run", workflow_run(name="Tests")))["taken"] == "ignored"


async def test_a_release_is_told_by_the_deploys_of_its_version(house: House) -> None:
    published = release(tag="v2.9.0")
    assert await sends(house, "release", published) == {"status": 200, "taken": "kept"}
    assert (await sends(house, "release", published))["taken"] == "kept"
    await house.dana.types("/platform deploy cart 2.9.0 production because it is faster")
    card = await house.lee.sees(REQUESTS, "WAITING", "Commits: v2.8.0...v2.9.0 · release notes")
    assert f"Commits: {COMPARE} · {NOTES}" in str(card.message)
    await card.click("Approve")
    seen = await house.dana.sees("deploys", "cart 2.8.0 → 2.9.0", "Commits: v2.8.0...v2.9.0 · release notes")
    assert f"Commits: {COMPARE} · {NOTES}" in str(seen.message)
    assert (await sends(house, "release", published, secret="wrong"))["status"] == 401
    assert (await sends(house, "release", release("deleted", tag="v2.9.0")))["taken"] == "removed"
    assert await house.rows("SELECT link FROM releases") == []
