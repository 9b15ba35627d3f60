"""From one environment to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.house import REQUESTS, House, acme_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


async def test_what_differs_stands_first_and_is_promoted_from_there(house: House) -> None:
    await house.dana.types("/platform compare staging production")
    seen = await house.dana.sees("general", "Compare", "differ between staging and production")
    first = next(line for line in seen.text.splitlines() if "1.4.2" in line)
    assert first.split()[:3] == ["checkout", "1.4.2", "1.4.1"]
    await seen.click("Promote checkout")
    offer = await house.dana.sees("general", "Promote checkout to production", "checkout 1.4.2 is healthy in staging")
    assert "production runs 1.4.1" in offer.text
    await offer.click("Deploy 1.4.2")
    form = await house.dana.modal("Now: 1.4.1", title="Deploy")
    assert await form.submit() == {}
    await (await house.lee.sees(REQUESTS, "WAITING", "checkout 1.4.1 → 1.4.2")).click("Approve")
    await house.dana.sees(REQUESTS, "SUCCEEDED")
    await house.dana.types("/platform promote checkout")
    await house.dana.sees("general", "production runs checkout 1.4.2 already.")


async def test_what_is_not_healthy_before_is_not_promoted(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.5.0-broken staging because I try it")
    await house.dana.sees(REQUESTS, "FAILED")
    await house.dana.types("/platform promote checkout")
    await house.dana.sees(
        "general", "checkout is not healthy in staging: 1.5.0-broken", "What is promoted is what runs"
    )


async def test_a_cluster_that_is_away_is_said(house: House) -> None:
    house.cluster_away(True)
    await house.dana.types("/platform promote checkout production")
    await house.dana.sees("general", "checkout is not healthy in staging", "does not answer", within=30)
    house.cluster_away(False)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("promote checkout staging", "Nothing is promoted to staging."),
        ("promote chekout", "Did you mean checkout?"),
        ("compare staging", "between staging and production"),
        ("compare production staging", "between production and staging"),
    ],
)
async def test_who_names_one_environment_means_its_partner(house: House, line: str, answer: str) -> None:
    await house.dana.types(f"/platform {line}")
    await house.dana.sees("general", answer)
