"""Deploys that other pipelines made are told like our own: once, in the right place, as they move."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import HOOK_TOKEN, REQUESTS, House, acme_house

BUILD = {
    "service": "cart", "environment": "staging", "version": "2.4.0", "state": "running", "by": "dana",
    "id": "build-812", "pipeline": "Jenkins", "link": "https://ci.acme.test/812",
}  # fmt: skip

# After https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status, shortened
GITHUB: dict[str, Any] = {
    "action": "created",
    "deployment_status": {
        "id": 1115122798, "state": "in_progress", "description": "", "environment": "staging",
        "target_url": "", "log_url": "https://github.test/acme/cart/actions/runs/77",
        "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z",
    },
    "deployment": {
        "id": 326191728, "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "ref": "2.4.0", "task": "deploy",
        "environment": "staging", "creator": {"login": "dana-acme", "id": 21031067},
    },
    "repository": {"id": 186853002, "name": "cart", "full_name": "acme/cart"},
}  # fmt: skip


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house() as house:
        yield house


async def told(house: House, **changes: Any) -> dict[str, Any]:
    """What /hooks/deploy answers."""
    address = f"{house.assistant.http.address}/hooks/deploy"
    headers = {"Authorization": f"Bearer {HOOK_TOKEN}"}
    async with house.sandbox.session.post(address, json={**BUILD, **changes}, headers=headers) as answer:
        return {"status": answer.status, **await answer.json()}


async def github(house: House, event: str = "deployment_status", secret: str = HOOK_TOKEN, **status: Any) -> int:
    """The status that GitHub gets for an event."""
    body = json.dumps({**GITHUB, "deployment_status": {**GITHUB["deployment_status"], **status}}).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": event, "X-Hub-Signature-256": signature}
    async with house.sandbox.session.post(
        f"{house.assistant.http.address}/hooks/github", data=body, headers=headers
    ) as answer:
        return int(answer.status)


async def posts(house: House) -> int:
    await house.quiet()
    return len(await house.rows("SELECT id FROM posts WHERE kind = 'outside'"))


async def test_one_message_follows_a_deploy_from_the_queue_to_its_end_and_the_ledger_has_it(house: House) -> None:
    assert (await told(house, state="queued"))["taken"] == "told"
    seen = await house.dana.sees("deploys", "cart", "2.4.0 is queued in staging", "by dana", "told by Jenkins")
    await told(house)
    await house.dana.sees("deploys", "2.4.0 is being deployed in staging")
    house.clock.advance(125)
    await told(house, state="succeeded")
    after = await house.dana.sees("deploys", "✅", "2.4.0 was deployed in staging in 2 min")
    assert after.ts == seen.ts
    assert await posts(house) == 1
    rows = await house.rows("SELECT after, requested_by, outcome, request_id FROM ledger")
    assert rows == [{"after": "2.4.0", "requested_by": "dana", "outcome": "succeeded", "request_id": None}]


async def test_what_comes_late_twice_or_out_of_order_changes_nothing(house: House) -> None:
    await told(house, state="failed", text="the tests failed")
    await house.dana.sees("deploys", "❌", "2.4.0 failed in staging", "the tests failed")
    for state in ("running", "queued", "failed"):
        assert (await told(house, state=state))["taken"] == "known"
    assert await posts(house) == 1
    assert len(await house.rows("SELECT id FROM ledger")) == 1
    house.clock.advance(60)
    await told(house, state="rolled_back")
    await house.dana.sees("deploys", "↩️", "2.4.0 was rolled back in staging")
    assert [row["outcome"] for row in await house.rows("SELECT outcome FROM ledger")] == ["rolled_back"]


async def test_two_sources_tell_of_one_deploy_and_the_same_version_again_is_another(house: House) -> None:
    assert await github(house) == 200
    await house.dana.sees("deploys", "cart", "2.4.0 is being deployed in staging", "by dana-acme", "told by GitHub")
    await told(house, state="succeeded")
    await house.dana.sees("deploys", "✅", "told by GitHub, Jenkins")
    assert await posts(house) == 1
    house.clock.advance(600)
    await told(house, id="build-813")
    await house.dana.sees("deploys", "2.4.0 is being deployed in staging", "told by Jenkins")
    assert await posts(house) == 2


async def test_what_the_assistant_deploys_itself_is_told_by_nobody_else(house: House) -> None:
    await house.dana.types("/platform deploy cart 2.4.0 staging because it is faster")
    await house.dana.sees(REQUESTS, "SUCCEEDED")
    assert (await told(house, state="succeeded"))["taken"] == "ours"
    assert await posts(house) == 0


async def test_it_goes_to_the_channel_of_its_service_and_an_unknown_one_is_told_as_such() -> None:
    def routed(platform: dict[str, Any]) -> None:
        platform["services"]["cart"]["channels"] = {"deploys": "team-shop"}

    async with acme_house(platform=routed) as house:
        await told(house)
        await house.dana.sees("team-shop", "2.4.0 is being deployed in staging")
        await told(house, service="warehouse <!channel>", id="other")
        seen = await house.dana.sees("deploys", "warehouse", "not in the catalog")
        assert "<!channel>" not in json.dumps(seen.message)


async def test_an_incident_knows_what_another_pipeline_deployed_before_it(house: House) -> None:
    await told(house, environment="production", state="succeeded")
    house.clock.advance(240)
    alarm = {"name": "ErrorRate", "service": "cart", "environment": "production", "severity": "critical"}
    assert await house.hook("alert", alarm) == 200
    await house.dana.sees("incidents", "cart · PRODUCTION", "Deployed 4 min before: 2.4.0 by dana")


async def test_events_that_are_not_ours_are_left_and_wrong_signatures_refused(house: House) -> None:
    assert await github(house, event="ping") == 200
    assert await github(house, event="push") == 200
    assert await github(house, state="inactive") == 200
    assert await github(house, secret="wrong") == 401
    assert await house.hook("github", GITHUB) == 401
    assert await posts(house) == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": ""}, "The body needs version."), ({"state": "done"}, "state is 'done': it is one of queued,"),
        ({"servise": "cart"}, "unknown key 'servise'; is it meant to be service"),
        ({"version": ["1"]}, "version is no text."),
        ({"at": "yesterday"}, "at"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_with_the_reason(house: House, changes: dict[str, Any], why: str) -> None:
    answer = await told(house, **changes)
    assert answer["status"] == 400
    assert why in json.dumps(answer)


async def test_a_sender_whose_clock_is_ahead_does_not_tell_of_the_future(house: House) -> None:
    await told(house, state="succeeded", at="2027-01-01T00:00:00Z")
    rows = await house.rows("SELECT ended_at FROM ledger")
    assert rows[0]["ended_at"] <= house.clock.now()


# An Application as Argo CD's API has it, shortened to what is read and a little beside it
ARGOCD: dict[str, Any] = {
    "url": "https://argocd.acme.test/applications/shop-staging",
    "app": {
        "metadata": {"name": "shop-staging", "namespace": "argocd"},
        "spec": {"destination": {"namespace": "shop-staging", "server": "https://kubernetes.default.svc"}},
        "status": {
            "health": {"status": "Progressing"},
            "sync": {"status": "Synced", "revision": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"},
            "summary": {"images": ["registry.acme.test/shop/cart:2.4.0", "registry.acme.test/shop/sidecar:7"]},
            "operationState": {
                "phase": "Succeeded", "message": "successfully synced (all tasks run)",
                "startedAt": "2026-11-23T08:59:00Z", "finishedAt": "2026-11-23T08:59:10Z",
                "operation": {"initiatedBy": {"username": "dana"}},
            },
        },
    },
}  # fmt: skip

# After https://fluxcd.io/flux/components/notification/providers/#generic-webhook
FLUX: dict[str, Any] = {
    "involvedObject": {
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "name": "cart", "namespace": "shop-staging",
        "uid": "7d0cdc51-ddcf-4743-b223-83ca5c699632",
    },
    "severity": "info", "timestamp": "2026-11-23T08:59:00Z", "message": "Helm upgrade succeeded",
    "reason": "UpgradeSucceeded", "reportingController": "helm-controller",
    "metadata": {"helm.toolkit.fluxcd.io/revision": "2.4.0+build.7", "helm.toolkit.fluxcd.io/app-version": "2.4.0"},
}  # fmt: skip


async def flux(house: House, secret: str = HOOK_TOKEN, **changes: Any) -> int:
    """The status that Flux gets for an event."""
    body = json.dumps({**FLUX, **changes}).encode()
    headers = {"X-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
    async with house.sandbox.session.post(
        f"{house.assistant.http.address}/hooks/flux", data=body, headers=headers
    ) as answer:
        return int(answer.status)


async def test_what_argo_cd_synced_is_deployed_once_it_is_healthy(house: House) -> None:
    assert await house.hook("argocd", ARGOCD) == 200
    await house.dana.sees("deploys", "cart", "2.4.0 is being deployed in staging", "by dana", "told by Argo CD")
    healthy = {**ARGOCD["app"], "status": {**ARGOCD["app"]["status"], "health": {"status": "Healthy"}}}
    assert await house.hook("argocd", {**ARGOCD, "app": healthy}) == 200
    await house.dana.sees("deploys", "✅", "2.4.0 was deployed in staging")
    assert await posts(house) == 1


async def test_an_application_of_unknown_images_is_told_by_its_name_one_never_synced_not_at_all(
    house: House,
) -> None:
    failed = {"phase": "Failed", "message": "one or more objects failed to apply", "startedAt": "2026-11-23T08:00:00Z"}
    status = {**ARGOCD["app"]["status"], "summary": {}, "operationState": failed}
    assert await house.hook("argocd", {"app": {**ARGOCD["app"], "status": status}}) == 200
    await house.dana.sees("deploys", "❌", "shop-staging", "f95f852 failed in staging", "one or more objects failed")
    assert await house.hook("argocd", {"app": {**ARGOCD["app"], "status": {}}}) == 200
    assert await house.hook("argocd", {"app": []}) == 400
    assert await posts(house) == 1


async def test_what_flux_released_is_told_with_the_version_of_the_app(house: House) -> None:
    assert await flux(house) == 200
    await house.dana.sees("deploys", "✅", "cart", "2.4.0 was deployed in staging", "told by Flux")
    failed = {"reason": "UpgradeFailed", "severity": "error", "message": "timed out waiting for the condition"}
    assert await flux(house, **failed, metadata={"revision": "main@sha1:8406e1fd2a1b"}) == 200
    await house.dana.sees("deploys", "❌", "8406e1f failed in staging", "timed out waiting")
    assert await posts(house) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "ArtifactUpToDate"}, {"involvedObject": {**FLUX["involvedObject"], "name": "infrastructure"}},
        {"involvedObject": {**FLUX["involvedObject"], "kind": "GitRepository"}}, {"metadata": {}},
    ],
)  # fmt: skip
async def test_what_flux_tells_of_everything_else_is_answered_and_left(house: House, changes: dict[str, Any]) -> None:
    assert await flux(house, **changes) == 200
    assert await flux(house, secret="wrong", **changes) == 401
    assert await posts(house) == 0
