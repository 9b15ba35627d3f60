"""docs/openapi.yml says what the HTTP side does: every route and status of it, and nothing else."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from slack_bolt.response import BoltResponse

from chatops.adapters.metrics import Metrics
from chatops.http import pages, slack
from chatops.http import server as serving
from chatops.http.deploys import DeployHooks
from chatops.http.hooks import Hooks, Tokens
from chatops.http.pagerduty import PagerDutyHook
from chatops.http.pages import PageHandlers
from chatops.http.server import HttpServer
from chatops.kernel.errors import Conflict, InputError, PlatformError, Refused, Unavailable
from chatops.sandbox.slack.transport import signature
from tests.incidents.test_sources import GRAFANA, NOTIFICATION
from tests.scenarios.test_outside_deploys import ARGOCD, BUILD, FLUX, GITHUB
from tests.slack.desk import platform
from tests.support import yml
from tests.support.pagerduty import NOTE

Json = dict[str, Any]
SPECIFICATION: Json = yml.load((Path(__file__).parents[2] / "docs" / "openapi.yml").read_text())
SECRET, TOKEN, NOW = "signing-secret", "hook-token", 1_800_000_000
JSON, FORM = {"Content-Type": "application/json"}, {"Content-Type": pages.FORM}
LARGEST = 64 * 1024  # bytes: the limits themselves have tests of their own, with bodies of megabytes


def documented() -> dict[tuple[str, str, str], Json]:
    """Every answer by path, method and status, references followed."""
    found: dict[tuple[str, str, str], Json] = {}
    for path, methods in SPECIFICATION["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items() if method != "parameters" else ():
                place = answer.get("$ref", "").rpartition("/")[2]
                found[path, method, status] = SPECIFICATION["components"]["responses"][place] if place else answer
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    shown: str
    title: str = "The key"
    code: str = "123456"
    session: str = ""


@dataclass
class Behind:
    """What is behind the doors; ``fails`` is raised whatever is asked, ``shown`` is what a page shows."""

    fails: Exception | None = None
    shown: str = "code"
    missing_parts: list[str] = field(default_factory=list)

    async def do(self, *_: Any) -> Any:
        if self.fails is not None:
            raise self.fails
        return "told"

    async def take_in(self, payload: Json, headers: Any) -> BoltResponse:
        await self.do()
        return BoltResponse(status=200, body="")

    async def open(self, token: str, session: str) -> Seen:
        await self.do()
        return Seen(self.shown)

    async def give(self, token: str, session: str, value: str) -> str:
        await self.do()
        return "It is stored."

    async def missing(self) -> list[str]:
        return self.missing_parts

    def public_url(self) -> str:
        return "http://127.0.0.1"


def server(behind: Behind, secret: str = SECRET) -> HttpServer:
    """All doors that there are."""
    tokens = Tokens((TOKEN,))
    more = (PagerDutyHook(tokens, behind.do, behind.do).route(), *DeployHooks(tokens, behind.do, platform).routes())
    return HttpServer(
        "127.0.0.1:0", behind, secret, Metrics(), behind.missing, pages=PageHandlers(behind),
        hooks=Hooks(tokens, behind.do, behind.do, more), now=lambda: NOW,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the answer that the page promises for it."""

    path: str
    method: str
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    behind: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""
    secret: str = SECRET


def _hex(body: bytes) -> str:
    return hmac.digest(TOKEN.encode(), body, "sha256").hex()


def _door(source: str, body: Json, unread: bytes, signed_as: str = "", **headers: str) -> list[Call]:
    """What each door of a sender answers, one after the other."""

    def call(status: int, content: bytes, right: bool = True, **behind: Any) -> Call:
        if not signed_as:
            access = {"Authorization": f"Bearer {TOKEN if right else 'wrong'}"}
        else:
            name, _, before = signed_as.partition(" ")
            access = {name: before + (_hex(content) if right else "0")}
        return Call(f"/hooks/{source}", "post", status, content, {**JSON, **headers, **access}, behind)

    right = json.dumps(body).encode()
    return [
        call(200, right), call(400, unread), call(401, right, right=False), call(413, b" " * (LARGEST + 1)),
        call(503, right, fails=RuntimeError("the database is away")),
    ]  # fmt: skip


def _slack(status: int, body: bytes = b'{"type": "url_verification"}', **more: Any) -> Call:
    return Call("/slack/events", "post", status, body, {**JSON, **signature(SECRET, body, NOW)}, **more)


def _given(status: int, body: bytes = b"value=x", fails: Exception | None = None, **headers: str) -> Call:
    return Call("/page/{token}", "post", status, body, {**FORM, **headers}, {"fails": fails})


def _opened(status: int, query: str = "", **behind: Any) -> Call:
    return Call("/page/{token}", "get", status, behind=behind, query=query)


def calls() -> list[Call]:
    """One for every answer that is documented."""
    event = {"event": {"id": "01BQ", "event_type": "incident.annotated", "data": NOTE}}
    return [
        _slack(200), _slack(400, b"{"), _slack(401, secret="other"), _slack(404, secret=""),
        _slack(413, b" " * (LARGEST + 1)), _slack(500, behind={"fails": RuntimeError("the database is away")}),
        *_door("alertmanager", NOTIFICATION, b"{"), *_door("grafana", GRAFANA, b"[]"),
        *_door("alert", {"name": "Backup"}, b"{}"), *_door("pagerduty", event, b"{}", "X-PagerDuty-Signature v1="),
        *_door("deploy", BUILD, b"{}"), *_door("argocd", ARGOCD, b"{}"),
        *_door("github", GITHUB, b"{}", "X-Hub-Signature-256 sha256=", **{"X-GitHub-Event": "deployment_status"}),
        *_door("flux", FLUX, b"{}", "X-Signature sha256="),
        _opened(200), _opened(400, "?again"), _opened(404, shown="gone"), _opened(500, fails=RuntimeError("a defect")),
        _opened(503, fails=Unavailable("The database is away.")),
        _given(200), _given(400, b"other=x"), _given(403, fails=Refused("It is not yours.")),
        _given(409, fails=PlatformError("It was used.")), _given(413, b"value=" + b"x" * LARGEST), _given(415, **JSON),
        _given(422, fails=InputError("It is empty.")), _given(500, fails=RuntimeError("a defect")),
        _given(503, fails=Conflict("Somebody else is changing it.")),
        Call("/healthz", "get", 200), Call("/readyz", "get", 200), Call("/metrics", "get", 200),
        Call("/readyz", "get", 503, behind={"missing_parts": ["database"]}),
    ]  # fmt: skip


def test_every_route_is_documented_and_every_documented_one_is_there() -> None:
    served = {
        (route.resource.canonical, route.method.lower())
        for route in server(Behind()).web.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert served == {(path, method) for path, method, _ in documented()}


def test_there_is_a_call_for_every_documented_answer() -> None:
    assert {(one.path, one.method, str(one.status)) for one in calls()} == set(documented())


@pytest.mark.parametrize("call", calls(), ids=lambda one: f"{one.method} {one.path} {one.status}")
async def test_an_answer_is_the_documented_one(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (serving, slack, pages):
        monkeypatch.setattr(module, "LARGEST", LARGEST)
    behind = Behind(**call.behind)
    async with TestClient(TestServer(server(behind, call.secret).web)) as client:
        address = call.path.replace("{token}", "abc") + call.query
        async with client.request(call.method, address, data=call.body or None, headers=call.headers) as answer:
            assert answer.status == call.status
            text = await answer.text()
            kinds = documented()[call.path, call.method, str(call.status)]["content"]
            assert answer.content_type in kinds
            if answer.content_type == "application/json" and call.status >= 400 and call.path != "/readyz":
                assert set(json.loads(text)) == {"error"}


async def test_nothing_else_is_answered_and_other_methods_are_told_which_there_are() -> None:
    async with TestClient(TestServer(server(Behind()).web)) as client:
        for path in {path for path, _, _ in documented()}:
            async with client.request("PATCH", path.replace("{token}", "abc")) as answer:
                assert (answer.status, set(await answer.json())) == (405, {"error"})
        for path in (
            "/",
            "/hooks",
            "/hooks/unknown",
            "/healthz/",
            "/page/",
            "/page/a/b",
            "/page/..%2f..%2fetc%2fpasswd/x",
        ):
            async with client.get(path) as answer:
                assert (answer.status, set(await answer.json())) == (404, {"error"}), path
