"""The doors of the monitors: who may send, what is answered, and that nothing is lost."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from chatops.http.hooks import Hooks, Tokens
from chatops.http.server import LARGEST
from chatops.kernel.alert import Delivery

ALERT = {"name": "Backup", "severity": "critical"}


class Taken:
    """What came through the doors."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.unread: list[tuple[str, str, str]] = []
        self.fails = False

    async def take(self, delivery: Delivery) -> None:
        if self.fails:
            raise RuntimeError("the database is away")
        self.deliveries.append(delivery)

    async def keep(self, source: str, raw: str, why: str) -> None:
        if self.fails:
            raise RuntimeError("the database is away")
        self.unread.append((source, raw, why))


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
async def client(taken: Taken) -> AsyncIterator[TestClient[Any, Any]]:
    tokens = Tokens.from_environment({"CHATOPS_HOOK_TOKEN": "old, new", "CHATOPS_HOOK_TOKEN_ALERTMANAGER": "only-this"})
    app = web.Application(client_max_size=LARGEST)
    app.add_routes(Hooks(tokens, taken.take, taken.keep).routes())
    async with TestClient(TestServer(app)) as found:
        yield found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()}


@pytest.mark.parametrize("headers", [bearer("old"), bearer("new"), basic("new")])
async def test_either_token_opens_as_bearer_or_as_password(
    client: TestClient[Any, Any], taken: Taken, headers: dict[str, str]
) -> None:
    answer = await client.post("/hooks/alert", json=ALERT, headers=headers)
    assert (answer.status, await answer.json()) == (200, {"taken": 1})
    assert [one.alerts[0].name for one in taken.deliveries] == ["Backup"]


@pytest.mark.parametrize(
    "headers",
    [{}, bearer(""), bearer("wrong"), bearer("old, new"), basic("wrong"), {"Authorization": "Basic %%%"},
     {"Authorization": "Digest new"}, bearer("n\u00e9w")],
)  # fmt: skip
async def test_a_wrong_or_missing_token_is_turned_away_without_a_trace(
    client: TestClient[Any, Any], taken: Taken, headers: dict[str, str]
) -> None:
    answer = await client.post("/hooks/alert", json=ALERT, headers=headers)
    assert answer.status == 401
    assert not taken.deliveries
    assert not taken.unread


async def test_a_senders_own_token_is_the_only_one_that_counts_for_it(client: TestClient[Any, Any]) -> None:
    body = {"version": "4", "alerts": []}
    assert (await client.post("/hooks/alertmanager", json=body, headers=bearer("new"))).status == 401
    assert (await client.post("/hooks/alertmanager", json=body, headers=bearer("only-this"))).status == 200


async def test_while_no_token_is_set_nobody_may_send(taken: Taken) -> None:
    app = web.Application()
    app.add_routes(Hooks(Tokens.from_environment({}), taken.take, taken.keep).routes())
    async with TestClient(TestServer(app)) as client:
        answer = await client.post("/hooks/alert", json=ALERT, headers=bearer(""))
        assert answer.status == 401
        assert "CHATOPS_HOOK_TOKEN is not set" in (await answer.json())["error"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "no JSON"), (b"[]", "no object"), (b"[" * 100_000, "no JSON"), (b"\xff", "no JSON"),
        (b"{}", "needs a name"),
        (json.dumps({"name": "x", "status": "maybe"}).encode(), "firing or resolved"),
        (json.dumps({"name": "x", "sevrity": "critical"}).encode(), "is it meant to be severity"),
        (json.dumps({"name": "x", "starts_at": "yesterday"}).encode(), "no time like"),
        (json.dumps({"name": "x", "starts_at": "2026-11-23T09:00:00"}).encode(), "without its zone"),
        (json.dumps({"name": {"a": 1}}).encode(), "no text"),
        (json.dumps({"name": "x", "labels": [1]}).encode(), "no object"),
        (json.dumps({"alerts": [], "name": "x"}).encode(), "nothing else"),
    ],
)  # fmt: skip
async def test_what_cant_be_read_is_kept_and_answered_with_the_reason(
    client: TestClient[Any, Any], taken: Taken, body: bytes, why: str
) -> None:
    answer = await client.post("/hooks/alert", data=body, headers=bearer("new"))
    assert answer.status == 400
    assert why in (await answer.json())["error"]
    assert len(taken.unread) == 1
    assert why in taken.unread[0][2]


@pytest.mark.parametrize("body", [json.dumps(ALERT).encode(), b"{"])
async def test_what_cant_be_stored_is_to_be_sent_again(client: TestClient[Any, Any], taken: Taken, body: bytes) -> None:
    taken.fails = True
    answer = await client.post("/hooks/alert", data=body, headers=bearer("new"))
    assert answer.status == 503
    assert "send it again" in (await answer.json())["error"]


async def test_too_large_a_body_is_refused(client: TestClient[Any, Any], taken: Taken) -> None:
    too_large = aiohttp.BytesPayload(b" " * (LARGEST + 1))
    answer = await client.post("/hooks/alert", data=too_large, headers=bearer("new"))
    assert answer.status == 413
    assert not taken.deliveries


async def test_a_token_is_shown_nowhere() -> None:
    assert "only-this" not in repr(Tokens.from_environment({"CHATOPS_HOOK_TOKEN_ALERTMANAGER": "only-this"}))
