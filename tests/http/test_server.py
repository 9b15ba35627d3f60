"""The HTTP side: what is not Slack's is refused with a sentence, and nothing answers 500."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote_plus, urlencode

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.adapters.clock import SystemClock
from chatops.adapters.metrics import Metrics
from chatops.http.gauges import Gauges
from chatops.http.health import Readiness
from chatops.http.payload import read
from chatops.http.server import HttpServer, parsed
from chatops.http.signature import problem
from chatops.http.slack import LARGEST
from chatops.incidents import store
from chatops.incidents.incident import Incident
from chatops.kernel.errors import PlatformError
from chatops.kernel.ports import Tx
from chatops.sandbox.slack.transport import signature
from chatops.slack.intake import ADD, done
from tests.slack.desk import Desk, desk
from tests.support.databases import database as database_in

SECRET = "local-signing-secret"
NOW = 1_800_000_000


def signed(body: bytes, at: int = NOW, secret: str = SECRET) -> dict[str, str]:
    return signature(secret, body, at)


@given(st.text() | st.text(alphabet='%+25DdC", /ä'))
def test_a_payload_says_what_was_put_into_its_form(words: str) -> None:
    payload = json.dumps({"type": "block_actions", "actions": [{"value": words}]}, ensure_ascii=False)
    try:
        body = b"payload=" + quote_plus(payload).encode()
    except UnicodeEncodeError:
        return
    assert unquote_plus(body.decode()) == "payload=" + payload
    assert read(body, "application/x-www-form-urlencoded")["actions"] == [{"value": words}]


@pytest.mark.parametrize("at", [NOW, NOW - 299, NOW + 299])
def test_a_right_signature_within_five_minutes_is_accepted(at: int) -> None:
    assert problem(SECRET, signed(b"body", at), b"body", NOW) == ""


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({}, b"body", "not signed"),
        ({"X-Slack-Signature": "v0=1"}, b"body", "not signed"),
        (signed(b"body", NOW - 301), b"body", "five minutes"),
        (signed(b"body", NOW + 301), b"body", "five minutes"),
        (signed(b"body", secret="other"), b"body", "does not fit"),
        (signed(b"body"), b"other body", "does not fit"),
        ({**signed(b"body"), "X-Slack-Request-Timestamp": "now"}, b"body", "no number"),
        ({**signed(b"body"), "X-Slack-Request-Timestamp": "-5"}, b"body", "no number"),
        ({**signed(b"body"), "X-Slack-Request-Timestamp": "٣"}, b"body", "no number"),
        ({**signed(b"body"), "X-Slack-Request-Timestamp": "9" * 4000}, b"body", "no number"),
        ({**signed(b"body"), "X-Slack-Signature": "ä"}, b"body", "does not fit"),
    ],
)
def test_every_other_signature_is_told_what_is_wrong(headers: dict[str, str], body: bytes, words: str) -> None:
    assert words in problem(SECRET, headers, body, NOW)


def test_without_a_secret_nothing_is_accepted() -> None:
    assert "No signing secret" in problem("", signed(b"", secret=""), b"", NOW)


@pytest.mark.parametrize("listen", ["", "8080", "host:", "host:port", "host:70000", "::1:80"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(PlatformError, match="CHATOPS_LISTEN"):
        parsed(listen)


def test_addresses_are_host_and_port() -> None:
    assert [parsed(one) for one in ("127.0.0.1:80", "[::1]:80", ":80")] == [
        ("127.0.0.1", 80), ("::1", 80), ("127.0.0.1", 80),
    ]  # fmt: skip


@dataclass
class Served:
    """A server with listeners behind it."""

    acme: Desk
    url: str
    session: aiohttp.ClientSession
    ready: Readiness
    now: list[float] = field(default_factory=lambda: [float(NOW)])

    async def posts(self, body: bytes, headers: dict[str, str] | None = None, kind: str = "") -> tuple[int, str]:
        kind = kind or "application/x-www-form-urlencoded"
        headers = signed(body) if headers is None else headers
        async with self.session.post(
            f"{self.url}/slack/events", data=body, headers={**headers, "Content-Type": kind}
        ) as answer:
            return answer.status, await answer.text()

    async def gets(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def served(path: Path, secret: str = SECRET) -> AsyncIterator[Served]:
    async with desk(path) as acme, aiohttp.ClientSession() as session:
        ready = Readiness(acme.database)
        gauges = Gauges(acme.database, acme.metrics, SystemClock())
        async with HttpServer(
            "127.0.0.1:0", acme.front.app, secret, acme.metrics, ready.missing, count=gauges.count, now=lambda: NOW
        ) as server:
            yield Served(acme, server.address, session, ready)


def command(text: str, trigger: str = "t1") -> bytes:
    body = {"command": "/platform", "text": text, "user_id": "U0DANA", "team_id": "T0ACME", "trigger_id": trigger}
    return urlencode({**body, "channel_id": "C0GENERAL", "channel_name": "general"}).encode()


async def test_a_signed_command_is_taken_in_and_its_replay_is_acknowledged_and_not_done_again(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        here.acme.road.plan("ask", lambda *_: here.acme.asked())
        body = command("deploy checkout 1.4.2 production because x")
        assert await here.posts(body) == (200, "")
        assert await here.posts(body) == (200, "")
        await here.acme.quiet()
        assert len(here.acme.road.called("ask")) == 1


async def test_an_event_is_acknowledged_and_slacks_challenge_answered(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        challenge = json.dumps({"type": "url_verification", "challenge": "abc", "token": "x"}).encode()
        status, text = await here.posts(challenge, kind="application/json")
        assert (status, json.loads(text)) == (200, {"challenge": "abc"})
        event = {"type": "event_callback", "event_id": "Ev1", "team_id": "T0ACME", "event": {"type": "channel_rename"}}
        assert (await here.posts(json.dumps(event).encode(), kind="application/json"))[0] == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{not json", "application/json", 400),
        (b"[1, 2]", "application/json", 400),
        (b"", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b"payload={broken", "application/x-www-form-urlencoded", 400),
        (b"payload=[]", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"just words", "text/plain", 400),
    ],
)
async def test_malformed_bodies_are_told_so(tmp_path: Path, body: bytes, kind: str, status: int) -> None:
    async with served(tmp_path) as here:
        answered, text = await here.posts(body, kind=kind)
        assert answered == status
        assert json.loads(text)["error"]


async def test_unsigned_wrongly_signed_and_old_requests_are_401_before_their_body_is_read(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        body = command("deploy")
        for headers in ({}, signed(body, secret="other"), signed(body, NOW - 3600), {**signed(body), "X-Slack-Request-Timestamp": "x"}):  # fmt: skip # noqa: E501
            status, text = await here.posts(body, headers)
            assert status == 401
            assert json.loads(text)["error"]
        assert (await here.posts(b"{not json", {}))[0] == 401
        assert await here.acme.rows("SELECT * FROM inbox") == []


async def test_oversized_bodies_are_413_with_and_without_a_length(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        assert (await here.posts(b"x" * (LARGEST + 1)))[0] == 413

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(LARGEST // 65536 + 2):
                yield b"x" * 65536

        async with here.session.post(f"{here.url}/slack/events", data=endless()) as answer:
            assert answer.status == 413


async def test_junk_in_signed_payloads_never_gives_500(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        view = {"id": "V1", "type": "modal"}
        payloads: list[Any] = [
            {},
            {"type": 5},
            {"type": "unheard_of"},
            {"type": "block_actions"},
            {"type": "block_actions", "actions": []},
            {"type": "block_actions", "actions": [1]},
            {"type": "block_actions", "actions": [{"action_id": "approve", "value": "{}"}], "user": None},
            {"type": "block_actions", "actions": [{"action_id": "approve", "value": "[1]"}], "user": {"id": "U0LEE"}},
            {"type": "block_suggestion", "action_id": "pick_service"},
            {"type": "shortcut", "callback_id": "ask_platform"},
            {"type": "view_submission"},
            {"type": "view_submission", "view": {}},
            {"type": "view_submission", "view": {**view, "callback_id": "form"}},
            {"type": "view_submission", "view": {**view, "callback_id": "form", "private_metadata": "[1]"}},
            {"type": "view_submission", "view": {**view, "callback_id": "reason", "state": {"values": 5}}},
        ]
        for payload in payloads:
            status, _ = await here.posts(urlencode({"payload": json.dumps(payload)}).encode())
            assert status < 500, payload
        for event in ({}, {"type": "app_mention"}, {"type": "message"}, None):
            wrapped = {"type": "event_callback", "event_id": "Ev2", "event": event}
            status, _ = await here.posts(json.dumps(wrapped).encode(), kind="application/json")
            assert status < 500, event


async def test_with_socket_mode_the_request_url_is_off(tmp_path: Path) -> None:
    async with served(tmp_path, secret="") as here:
        status, text = await here.posts(command("deploy"))
        assert status == 404
        assert "Socket Mode" in text


async def test_ready_once_everything_came_up_and_not_without_the_database(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        assert (await here.gets("/healthz"))[0] == 200
        status, text = await here.gets("/readyz")
        assert (status, json.loads(text)["missing"]) == (503, ["database", "slack", "scheduler"])
        for part in ("database", "slack", "scheduler"):
            here.ready.came_up(part)
        assert (await here.gets("/readyz"))[0] == 200
        await here.acme.sandbox.fault("away")
        assert (await here.gets("/readyz"))[0] == 200, "a restart would not bring Slack back"
        await here.acme.sandbox.repair()
        await here.acme.messenger.close()
        await here.acme.database.close()
        status, text = await here.gets("/readyz")
        assert (status, json.loads(text)["missing"]) == (503, ["database"])
        assert (await here.gets("/healthz"))[0] == 200
        assert (await here.gets("/metrics"))[0] == 200


async def test_metrics_tell_what_waits_what_came_in_and_what_was_called(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        await here.acme.database.write(insert_requests)
        here.acme.road.plan("ask", lambda *_: here.acme.asked())
        await here.posts(command("deploy checkout 1.4.2 production"))
        await here.acme.quiet()
        _, text = await here.gets("/metrics")
        assert 'chatops_requests_open{state="waiting"} 2.0' in text
        assert 'chatops_incidents_open{state="open"} 2.0' in text
        assert "chatops_paging_overdue 1.0" in text
        assert 'chatops_posts_waiting{lane="approval"} 0.0' in text
        assert 'chatops_ack_seconds_count{kind="command"} 1.0' in text
        assert 'chatops_intake_seconds_count{kind="line"} 1.0' in text
        assert 'chatops_call_seconds_count{call="users.info",result="ok",system="slack"}' in text


async def test_metrics_tell_how_long_the_oldest_waits_that_was_acknowledged_and_is_not_done(tmp_path: Path) -> None:
    async def waits(here: Served) -> float:
        _, text = await here.gets("/metrics")
        [found] = [line for line in text.splitlines() if line.startswith("chatops_intake_waiting_seconds ")]
        return float(found.split()[1])

    async with served(tmp_path) as here:
        write = here.acme.database.write
        assert await waits(here) == 0
        for key, age in (("decision:1", 600), ("decision:2", 60)):
            await write(acknowledged, key, time.time() - age)
        assert 600 <= await waits(here) < 660
        await write(done, "decision:1", 1.0)
        assert 60 <= await waits(here) < 120
        await write(done, "decision:2", 1.0)
        assert await waits(here) == 0


def acknowledged(tx: Tx, key: str, at: float) -> None:
    tx.run(ADD, key=key, kind="decision", body="{}", now=at, replica=0)


def insert_requests(tx: Tx) -> None:
    for number, ended in ((1, 0.0), (2, 0.0), (3, 5.0)):
        sql = (
            "INSERT INTO requests (key, action, requester_id, state, created_at, updated_at, ended_at, body) "
            "VALUES (:key, 'deploy', 'U', 'waiting', 1.0, 1.0, :ended, '{}')"
        )
        tx.run(sql, key=str(number), ended=ended)
    for key, due_at in (("late", 5.0), ("soon", time.time() - 10)):
        store.insert(tx, Incident(id=0, key=key, opened_at=1.0, due_at=due_at))


async def test_the_access_log_holds_no_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "chatops.http")
    async with served(tmp_path) as here:
        body = command("status token-in-body")
        await here.posts(body, {**signed(body), "Authorization": "Bearer very-secret"})
        await here.gets("/healthz?token=in-the-query")
        here.acme.road.plan("answer", RuntimeError("x"))
    lines = [one.getMessage() for one in caplog.records if one.name == "chatops.http.server"]
    assert any("POST /slack/events 200" in line for line in lines)
    assert not any(secret in line for line in lines for secret in ("very-secret", "in-the-query", "token-in-body"))


async def test_an_address_in_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with database_in(tmp_path) as database:
            server = HttpServer(
                f"127.0.0.1:{taken.getsockname()[1]}",
                None,
                "",
                Metrics(),
                Readiness(database).missing,  # type: ignore[arg-type]
            )
            with pytest.raises(PlatformError, match=r"Can't listen on 127.0.0.1:\d+: Address already in use\.$") as no:
                await server.__aenter__()
            assert "CHATOPS_LISTEN" in str(no.value.hint)


async def test_slack_over_http_works_like_slack_over_a_socket(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with desk(tmp_path, http_port=port) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        acme.road.plan("preview", ("Now: 1.4.1 healthy",))
        await acme.dana.types("/platform deploy checkout production")
        form = await acme.dana.modal("Deploy")
        await form.becomes("Now: 1.4.1 healthy")
        assert "no spaces" in (await form.fill(Version="a b") and await form.submit())["Version"]
        await form.fill(Version="1.4.2")
        assert await form.submit() == {}
        card = await acme.lee.sees("platform-requests", "card of R-1042")
        acme.road.plan("vote", "You approved R-1042.")
        await asyncio.wait_for(card.click("Approve"), 5)
        await acme.quiet()
        assert len(acme.road.called("vote")) == 1


async def test_without_a_database_a_command_is_answered_and_an_event_is_left_for_slack_to_repeat(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as here:
        await here.acme.messenger.close()
        await here.acme.database.close()
        status, text = await here.posts(command("deploy checkout 1.4.2 production"))
        assert status == 200
        assert "The database is closed" in text
        event = {
            "type": "app_mention",
            "user": "U0DANA",
            "text": "<@U0PLATFORM> status checkout",
            "channel": "C0GENERAL",
        }
        wrapped = {"type": "event_callback", "event_id": "Ev1", "team_id": "T0ACME", "event": event}
        status, _ = await here.posts(json.dumps(wrapped).encode(), kind="application/json")
        assert status == 500
