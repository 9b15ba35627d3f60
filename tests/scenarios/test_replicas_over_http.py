"""Two replicas behind a load balancer that gives each of Slack's requests to the next one: nothing has to stick."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from chatops.kernel import audit
from chatops.main import Assistant
from tests.scenarios.test_over_http import free_port
from tests.support.balancer import Balancer
from tests.support.databases import POSTGRES
from tests.support.evaluator import LentEvaluator
from tests.support.house import DEPLOYS, HOOK_TOKEN, REQUESTS, House, acme_house, straight_to_production

pytestmark = [
    pytest.mark.group("postgresql"),
    pytest.mark.skipif(not POSTGRES, reason="needs state that replicas can share: make test-postgresql"),
]


@asynccontextmanager
async def behind_a_balancer() -> AsyncIterator[tuple[House, Assistant, Balancer]]:
    """The house's own replica came first, and leads."""
    ports = free_port(), free_port()
    async with AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Balancer(*(f"http://127.0.0.1:{port}" for port in ports)))
        slack = {"app": {"request_url": f"{balancer.address}/slack/events"}}
        house = await stack.enter_async_context(
            acme_house(slack=slack, http_port=ports[0], platform=straight_to_production)
        )
        settings = replace(house.settings, listen=f"127.0.0.1:{ports[1]}")
        options = {**house.options, "evaluator": LentEvaluator()}
        second = await stack.enter_async_context(Assistant(settings, clock=house.clock, **options))
        yield house, second, balancer


async def deploys_with_the_form(house: House, version: str) -> None:
    """Opened at one, followed and sent at whichever has its turn, approved likewise."""
    await house.dana.types("/platform deploy")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Service="checkout", Environment="production", Version="a b", Reason="fixes the cart")
    assert "no spaces" in (await form.submit())["Version"]
    await form.fill(Version=version)
    assert await form.submit() == {}
    card = await house.lee.sees(REQUESTS, f"→ {version} · PRODUCTION", "WAITING")
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=20)
    await house.olu.sees(DEPLOYS, f"→ {version}")


async def test_a_deploy_whose_requests_come_to_each_replica_by_turns_takes_the_same_road() -> None:
    async with behind_a_balancer() as (house, _, balancer):
        await deploys_with_the_form(house, "1.4.2")
        assert min(balancer.taken.values()) > 1, "each took some of it"
        assert len(await house.rows("SELECT id FROM requests")) == 1
        assert (await house.assistant.database.read(audit.verify)).bad is None


async def test_an_alert_that_is_sent_to_each_replica_is_one_incident_that_is_acknowledged_at_either() -> None:
    fired = {
        "version": "4", "status": "firing",
        "alerts": [{
            "status": "firing", "labels": {"alertname": "ErrorRate", "severity": "critical", "service": "checkout",
                                           "environment": "production"},
            "annotations": {"summary": "5xx"}, "startsAt": "2026-06-15T07:00:00Z", "fingerprint": "f1",
        }],
    }  # fmt: skip
    async with behind_a_balancer() as (house, _, balancer):
        url, headers = f"{balancer.address}/hooks/alertmanager", {"Authorization": f"Bearer {HOOK_TOKEN}"}
        for _ in range(4):
            async with house.sandbox.session.post(url, json=fired, headers=headers) as answer:
                assert answer.status == 200
        assert min(balancer.taken.values()) >= 2
        card = await house.olu.sees("incidents", "checkout · PRODUCTION · NOBODY HAS IT")
        await card.click("Acknowledge")
        await card.becomes("OLU HAS IT")
        assert len(await house.rows("SELECT id FROM incidents")) == 1


async def test_when_one_is_stopped_the_balancer_gives_all_to_the_other_and_nobody_notices() -> None:
    async with behind_a_balancer() as (house, second, balancer):
        await deploys_with_the_form(house, "1.4.2")
        await house.stop()
        house.assistant = second
        before = dict(balancer.taken)
        await deploys_with_the_form(house, "1.4.3")
        assert sum(balancer.taken[url] > count for url, count in before.items()) == 1
        assert (await house.assistant.database.read(audit.verify)).bad is None
