"""Secrets planted wherever one can stand, then looked for in everything that the assistant has written."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chatops.adapters import audit_export, databases
from chatops.adapters.backup_cli import backup
from chatops.adapters.kubernetes import Patience
from chatops.adapters.mail import Mail
from tests.support.canaries import Canaries, everything_logged, said
from tests.support.databases import POSTGRES, everything_in, name_of
from tests.support.github import sends, workflow_run
from tests.support.house import HOOK_TOKEN, REQUESTS, House, acme_house, straight_to_production
from tests.support.onetime import Browser, approved, confirmed, link_for

SECRET = "/api/v1/namespaces/shop/secrets/checkout-secrets"


def address_of(folder: Path, password: str) -> str:
    """The test's database; with a password, where an address has one."""
    name = name_of(folder)
    if not POSTGRES:
        return name
    parts = urlsplit(name)
    return f"postgresql://postgres:{password}@{parts.path}?{parts.query}"


@asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """Monitors and GitHub in one, which refuse everything and say with which login they were asked."""

    async def refuse(request: web.Request) -> web.Response:
        login = request.headers.get("Authorization", "")
        told = f"unauthorized: {login}"
        return web.json_response({"status": "error", "errorType": "x", "error": told, "message": told}, status=403)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@asynccontextmanager
async def planted(canaries: Canaries, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house whose environment, files, configuration and cluster hold secrets."""
    monkeypatch.setenv("CANARY_TOKEN", canaries.secret("environment variable"))
    file = folder / "token-file"
    file.write_text(canaries.secret("file") + "\n")
    async with echoing() as there:

        def configured(content: dict[str, Any]) -> None:
            straight_to_production(content)
            content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]
            content["prometheus"] = {"url": there, "token": {"file": str(file)}}
            content["alertmanager"] = {"url": there, "token": {"env": "CANARY_TOKEN"}}
            content["services"]["cart"] |= {"repository": "acme/cart", "tag": "v{version}"}
            workflow = {"name": "Deploy to staging", "environment": "staging"}
            content["github"] = {"api": there, "token": {"env": "CANARY_TOKEN"}, "workflows": [workflow]}

        brief = Patience(total=0.3, tries=2, pause=0.01, longest_pause=0.05)
        database = address_of(folder, canaries.secret("password of the database"))
        async with acme_house(platform=configured, database=database, patience=brief) as house:
            given = house.settings
            canaries.secrets |= {
                "bot token": given.bot_token, "app token": given.app_token, "hook token": HOOK_TOKEN,
                "cluster token": house.cluster.kubeconfig()["users"][0]["user"]["token"],
            }  # fmt: skip
            mail = Mail.from_url(f"smtp://me:{canaries.secret('mail password')}@127.0.0.1:9?from=chatops@acme.test")
            house.settings = replace(
                given, mail=mail, page_hook_url=f"{there}/ring", pagerduty_token=canaries.secret("PagerDuty's token"),
                page_hook_secret=canaries.secret("page hook"),
            )  # fmt: skip
            await house.stop()
            await house.start()
            value = canaries.secret("Kubernetes Secret")
            house.cluster.load([{
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "checkout-secrets", "namespace": "shop"},
                "data": {"OLD_KEY": base64.b64encode(value.encode()).decode()},
            }])  # fmt: skip
            await house.set_env("checkout", "DB_PASSWORD", canaries.secret("environment of a pod"))
            await house.set_env("checkout", "GREETING", canaries.bare("greeting of a pod"))
            yield house


async def changes(house: House, canaries: Canaries) -> None:
    """What people ask for, by line and by form, with tokens in it."""
    dana, lee = house.dana, house.lee
    await dana.types(f"/platform deploy checkout 1.4.2 production because {canaries.token('reason')}")
    card = await lee.sees(REQUESTS, "Deploy checkout", "WAITING")
    await card.click("Full diff")
    await lee.modal("R-1001")
    await card.click("Approve")
    await card.becomes("SUCCEEDED")
    await dana.types("/platform deploy")
    form = await dana.modal(title="Deploy")
    await form.fill(Service="cart", Environment="staging", Version="2.9.0", Reason=canaries.token("form"))
    await form.submit()
    await dana.sees(REQUESTS, "Deploy cart", "SUCCEEDED")
    await dana.types("/platform rollback checkout production because all over")
    card = await lee.sees(REQUESTS, "Roll back checkout", "WAITING")
    await card.click("Reject")
    why = await lee.modal("Reason")
    await why.fill(Reason=canaries.token("rejection"))
    await why.submit()
    await card.becomes("REJECTED")
    for pod in house.cluster.store.objects(("", "pods"), "shop"):
        if run := house.cluster.book.current(pod["metadata"]["uid"], "app"):
            run.write([f"login with {canaries.token('log of a pod')}"])
    for line in (
        f"config set checkout production GREETING {canaries.bare('value')}",
        f"deploy cart {canaries.bare('version')} staging because new",
        f"{canaries.bare('word')} checkout", f"ask because {canaries.token('question')}",
        f"lock cart staging because {canaries.token('lock')}", f"freeze staging because {canaries.token('freeze')}",
        "logs checkout production", "diagnose checkout production", "secret list checkout production",
        "status checkout production", "requests recent", "locks", "freezes",
    ):  # fmt: skip
        await dana.types(f"/platform {line}")
    await house.quiet()


async def secrets(house: House, canaries: Canaries) -> None:
    """A value is given on a one-time page, after the cluster has refused it in words that quote it."""
    line = "/platform secret set checkout production API_KEY because the vendor renewed it"
    card = await approved(house, line)
    browser = Browser(await link_for(house.dana))
    try:
        await confirmed(house, browser)
        value = canaries.secret("value on a page")
        write = {"verb": "patch", "resource": "secrets", "dry_run": False}
        house.cluster.fault(422, message=f"the vault says no to {value}", **write)
        assert value not in await browser.sends(value)
        assert "It is stored" in await browser.sends(value)
    finally:
        await browser.session.close()
    await card.becomes("SUCCEEDED")
    card = await approved(house, "/platform secret rotate checkout production OLD_KEY because it is old")
    await card.becomes("SUCCEEDED")
    live = await house.cluster_call("GET", SECRET)
    canaries.secrets["rotated value"] = base64.b64decode(live["data"]["OLD_KEY"]).decode()


async def alerts(house: House, canaries: Canaries) -> list[str]:
    """What monitors and pipelines send, and what comes of it; what they were answered."""
    labels = {"alertname": "ErrorRate", "severity": "critical", "service": "checkout", "environment": "production"}
    alert = {
        "status": "firing", "fingerprint": "c0ffee", "startsAt": "2026-11-23T09:00:00Z",
        "generatorURL": f"http://prometheus.acme.test/graph?g0.expr=up&x={canaries.bare('link')}",
        "labels": {**labels, "instance": canaries.token("label")},
        "annotations": {"summary": canaries.token("summary"), "description": canaries.token("description"),
                        "runbook_url": f"https://runbooks.acme.test/{canaries.bare('runbook')}",
                        "expression": "errors > 1"},
    }  # fmt: skip
    group = {
        "version": "4", "groupKey": "g", "status": "firing", "receiver": "chatops", "alerts": [alert],
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager.acme.test",
    }  # fmt: skip
    said = [str(await house.hook_says("alertmanager", group))]
    said.append(str(await house.hook_says("alertmanager", f"{{ {canaries.token('malformed')}".encode())))
    said.append(str(await house.hook_says("alert", {"name": canaries.token("unknown key"), "nope": 1})))
    deploy = {"service": "cart", "environment": "staging", "version": "2.4.1", "state": "failed", "by": "dana",
              "id": "build-7", "pipeline": canaries.token("pipeline")}  # fmt: skip
    said.append(str(await house.hook_says("deploy", deploy)))
    said.append(str(await sends(house, "workflow_run", workflow_run(display_title=canaries.bare("title")))))
    card = await house.olu.sees("incidents", "SEV1 · checkout")
    await house.olu.sees("@platform", "You are paged.")
    [incident] = [row["id"] for row in await house.rows("SELECT id FROM incidents WHERE service = 'checkout'")]
    for line in (
        f"incident ack INC-{incident}", f"incident note INC-{incident} because {canaries.token('note')}",
        f"silence INC-{incident} 2h because {canaries.token('silence')}",
        f"incident close INC-{incident}", f"incident timeline INC-{incident}",
        f"page shop because {canaries.token('call for help')}",
    ):  # fmt: skip
        await house.olu.types(f"/platform {line}")
    await card.becomes("RESOLVED")
    await house.quiet()
    return said


async def doors(house: House, canaries: Canaries) -> list[str]:
    """What HTTP answers to whoever shows a token at the wrong door."""
    token = canaries.bare("door")
    answers = []
    for method, path in (
        ("GET", f"/page/{token}"), ("GET", f"/nothing/{token}"), ("POST", f"/hooks/alert?token={token}"),
        ("POST", "/slack/events"), ("POST", f"/hooks/{token}"), ("GET", "/readyz"), ("GET", "/healthz"),
        ("GET", "/metrics"),
    ):  # fmt: skip
        address, headers = house.assistant.http.address + path, {"Authorization": f"Bearer {token}"}
        async with house.sandbox.session.request(method, address, headers=headers, data=token) as answer:
            answers.append(f"{answer.status} {dict(answer.headers)} {await answer.text()}")
    return answers


async def everything_written(house: House, folder: Path, logged: list[str]) -> dict[str, bytes]:
    """Each place where something stands, with all of it."""
    traffic = await house.sandbox.traffic()
    state = house.slack.state
    written = {
        "calls to Slack": said([one["request"] for one in traffic if one["direction"] == "from_app"]),
        "answers to Slack": said([one["response"] for one in traffic if one["direction"] == "to_app"]),
        "what Slack shows": repr(state.messages).encode(),
        "files in Slack": b"\0".join(state.contents.values()),
        "the database": everything_in(folder),
        "the log": "\n".join(logged).encode(),
    }
    with databases.reading(house.settings.database) as tx:
        written["the audit export"] = "\n".join(audit_export.export(tx)).encode()
        chains = [row["chain"] for row in tx.all("SELECT DISTINCT chain FROM audit WHERE chain LIKE '%-1%'")]
        for chain in chains:
            written[f"the evidence about {chain}"] = "\n".join(audit_export.bundle(tx, chain)).encode()
    if not POSTGRES:
        backup(Path(house.settings.database), folder / "backup")
        written["the backup"] = (folder / "backup").read_bytes()
    return written


async def test_no_secret_comes_out_wherever_it_was_planted_and_whatever_happens_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = Canaries()
    with everything_logged() as logged:
        async with planted(canaries, tmp_path, monkeypatch) as house:
            await changes(house, canaries)
            await secrets(house, canaries)
            answers = await alerts(house, canaries) + await doors(house, canaries)
            await house.quiet()
            written = await everything_written(house, tmp_path, logged)
            written["HTTP"] = "\n".join(answers).encode()
            written["files"] = b"\0".join(one.read_bytes() for one in house.folder.rglob("*") if one.is_file())
    assert min(map(len, written.values())) > 100, {where: len(content) for where, content in written.items()}
    assert canaries.found_in(written) == []
    assert canaries.never_came(written) == []
    assert json.dumps("[masked]").encode()[1:-1] in written["calls to Slack"]
