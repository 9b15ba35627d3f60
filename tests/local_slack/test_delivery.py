"""How people's doings reach the app: acks in time, repeated events, signed requests, several sockets, misfortunes."""
# mypy: disable-error-code="untyped-decorator,no-untyped-call"

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from chatops.sandbox.slack import LocalSlack
from tests.local_slack.conftest import NAME, TOKENS, over_socket, web_client
from tests.support.people import Acme, SlackSays, acme_slack

Json = dict[str, Any]
REQUESTS = "C0REQUESTS"


class Envelopes:
    """Raw socket clients that write down what they get and acknowledge only when told to."""

    def __init__(self) -> None:
        self.got: list[tuple[int, SocketModeRequest]] = []
        self.ack = True
        self.clients: list[SocketModeClient] = []
        self._came = asyncio.Event()

    async def connect(self, slack: LocalSlack) -> SocketModeClient:
        number = len(self.clients)
        client = SocketModeClient(TOKENS.app_token, web_client=web_client(slack, TOKENS.app_token), ping_interval=0.1)

        async def listener(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
            self.got.append((number, request))
            if self.ack:
                await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
            self._came.set()

        client.socket_mode_request_listeners.append(listener)
        await client.connect()
        self.clients.append(client)
        await slack.connected()
        return client

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.got) < count:
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def envelopes() -> AsyncIterator[Envelopes]:
    raw = Envelopes()
    try:
        yield raw
    finally:
        for client in raw.clients:
            await client.close()


@asynccontextmanager
async def over_http(app: AsyncApp | None = None, **options: Any) -> AsyncIterator[tuple[Acme, list[web.Request]]]:
    """Acme's Slack calling a request URL; with a Bolt app behind it, or one that answers `options["answers"]`."""
    got: list[web.Request] = []
    answers: list[int] = options.pop("answers", [])

    async def plain(request: web.Request) -> web.Response:
        got.append(request)
        await request.read()
        return web.Response(status=answers.pop(0) if answers else 200, headers=options.get("headers", {}))

    served = web.Application()
    served.router.add_post("/slack/events", plain)
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        async with acme_slack(app={"request_url": url}, rate_limits=False, retry_scale=0.0) as acme:
            yield acme, got
    finally:
        await runner.cleanup()


async def test_signed_requests_satisfy_bolt() -> None:
    app = AsyncApp(name=NAME, signing_secret=TOKENS.signing_secret, token=TOKENS.bot_token)
    got: list[str] = []

    @app.middleware
    async def authorized(next: Any) -> None:
        await next()

    @app.command("/platform")
    async def command(ack: Any, body: Json) -> None:
        got.append(body["text"])
        await ack("heard")

    @app.action("press")
    async def press(ack: Any, body: Json) -> None:
        got.append(body["actions"][0]["action_id"])
        await ack()

    @app.event("app_mention")
    async def mention(event: Json) -> None:
        got.append(event["text"])

    @app.event("message")
    async def message() -> None:
        got.append("message")

    runner = web.AppRunner(app.web_app("/slack/events"))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        async with acme_slack(app={"request_url": url, "events": ("app_mention",)}, rate_limits=False) as acme:
            app.client.base_url = acme.slack.api_url
            await acme.dana.types("/platform help ünder 100 % & more")
            await acme.dana.sees("general", "heard")
            button = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "press"}
            await app.client.conversations_join(channel=REQUESTS)
            await app.client.chat_postMessage(
                channel=REQUESTS, text="x", blocks=[{"type": "actions", "elements": [button]}]
            )
            await (await acme.lee.sees("platform-requests", "[Go]")).click("Go")
            await acme.dana.types("@platform status", "platform-requests")
            await acme.sandbox.settled()
    finally:
        await runner.cleanup()
    assert got == ["help ünder 100 % &amp; more", "press", "<@U0PLATFORM> status"]


async def test_event_is_repeated_three_times_with_its_reason_and_the_same_id() -> None:
    async with over_http(answers=[200, 500, 500, 500, 500, 500]) as (acme, got):
        await web_client(acme.slack).conversations_join(channel=REQUESTS)
        await acme.sandbox.settled()
        await acme.dana.types("hello", "platform-requests")
        await acme.sandbox.settled()
        numbers = [request.headers.get("X-Slack-Retry-Num") for request in got[1:]]
        assert numbers == [None, "1", "2", "3"]
        assert {request.headers.get("X-Slack-Retry-Reason") for request in got[2:]} == {"http_error"}
        assert len({(await request.json())["event_id"] for request in got[1:]}) == 1


async def test_app_can_decline_the_repetition() -> None:
    async with over_http(answers=[200, 500], headers={"X-Slack-No-Retry": "1"}) as (acme, got):
        await web_client(acme.slack).conversations_join(channel=REQUESTS)
        await acme.dana.types("hello", "platform-requests")
        await acme.sandbox.settled()
        assert len(got) == 2


async def test_command_is_not_repeated() -> None:
    async with over_http(answers=[500]) as (acme, got):
        with pytest.raises(SlackSays, match="dispatch_failed"):
            await acme.dana.types("/platform deploy")
        await acme.sandbox.settled()
        assert len(got) == 1


async def test_command_without_an_app_fails_at_once(acme: Acme) -> None:
    with pytest.raises(SlackSays, match="dispatch_failed"):
        await acme.dana.types("/platform deploy")


async def test_envelopes_go_to_the_connections_in_turn(acme: Acme) -> None:
    async with envelopes() as raw:
        for _ in range(3):
            await raw.connect(acme.slack)
        for _ in range(6):
            await acme.dana.types("/platform x")
        assert Counter(number for number, _ in raw.got) == {0: 2, 1: 2, 2: 2}


async def test_unacknowledged_event_is_repeated_in_an_envelope_of_its_own() -> None:
    async with acme_slack(ack_timeout=0.05) as acme, envelopes() as raw:
        await raw.connect(acme.slack)
        raw.ack = False
        await web_client(acme.slack).conversations_join(channel=REQUESTS)
        await raw.until(2)
        raw.ack = True
        await acme.sandbox.settled()
        assert len(raw.got) == 2
        await acme.sandbox.advance(60)
        await raw.until(3)
        assert [request.retry_attempt for _, request in raw.got] == [0, 1, 2]
        assert [request.retry_reason for _, request in raw.got] == ["", "http_timeout", "http_timeout"]
        assert len({request.envelope_id for _, request in raw.got}) == 3
        assert len({request.payload["event_id"] for _, request in raw.got}) == 1


async def test_own_messages_come_back_as_events_of_a_bot(acme: Acme) -> None:
    async with envelopes() as raw:
        await raw.connect(acme.slack)
        client = web_client(acme.slack)
        await client.conversations_join(channel=REQUESTS)
        posted = await client.chat_postMessage(
            channel=REQUESTS, text="x", metadata={"event_type": "card", "event_payload": {}}
        )
        await raw.until(2)
        await client.chat_update(channel=REQUESTS, ts=posted["ts"], text="y")
        await raw.until(3)
        await client.chat_delete(channel=REQUESTS, ts=posted["ts"])
        await raw.until(4)
        joined, message, changed, deleted = (request.payload["event"] for _, request in raw.got)
        assert (joined["type"], joined["user"]) == ("member_joined_channel", TOKENS.bot_user_id)
        assert (message["bot_id"], message["channel_type"]) == (TOKENS.bot_id, "channel")
        assert "metadata" not in message
        assert (changed["subtype"], changed["message"]["text"]) == ("message_changed", "y")
        assert changed["previous_message"]["text"] == "x"
        assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", posted["ts"])
        payload = raw.got[1][1].payload
        assert payload["authorizations"][0]["user_id"] == TOKENS.bot_user_id
        assert (payload["type"], payload["api_app_id"]) == ("event_callback", TOKENS.id)


async def test_ticket_opens_one_socket_only(acme: Acme) -> None:
    client = web_client(acme.slack, TOKENS.app_token)
    url = (await client.apps_connections_open(app_token=TOKENS.app_token))["url"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as socket:
            assert (await socket.receive_json())["type"] == "hello"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_client_comes_back_after_a_refresh_and_after_a_cut(acme: Acme) -> None:
    async with envelopes() as raw:
        await raw.connect(acme.slack)
        for times, reason in enumerate(("refresh_requested", "cut"), start=2):
            await acme.sandbox.fault("disconnect", reason=reason)
            await asyncio.wait_for(acme.slack.connected(times), 5)
            await acme.dana.types("/platform x")


async def test_eleventh_connection_is_sent_away(acme: Acme) -> None:
    client = web_client(acme.slack, TOKENS.app_token)
    async with aiohttp.ClientSession() as session:
        kinds, sockets = [], []
        for _ in range(11):
            url = (await client.apps_connections_open(app_token=TOKENS.app_token))["url"]
            sockets.append(await session.ws_connect(url))
            kinds.append((await sockets[-1].receive_json())["type"])
    assert kinds == ["hello"] * 10 + ["disconnect"]


# ---- misfortunes


async def test_same_event_delivered_three_times(acme: Acme) -> None:
    async with envelopes() as raw:
        await raw.connect(acme.slack)
        await web_client(acme.slack).conversations_join(channel=REQUESTS)
        await raw.until(1)
        await acme.sandbox.fault("redeliver", method="message", copies=3)
        await acme.dana.types("once", "platform-requests")
        await acme.dana.types("twice", "platform-requests")
        await raw.until(5)
        await acme.sandbox.settled()
        ids = Counter(request.payload["event_id"] for _, request in raw.got[1:])
        assert sorted(ids.values()) == [1, 3]


async def test_faults_strike_the_named_method_as_often_as_asked(acme: Acme) -> None:
    client = web_client(acme.slack, retry_handlers=[])
    await acme.sandbox.fault("ratelimit", method="chat.postMessage", retry_after=7, times=2)
    await acme.sandbox.fault("error", method="chat.update", status=503)
    await acme.sandbox.fault("error", method="usergroups.list", error="plan_upgrade_required")
    await client.auth_test()
    with pytest.raises(SlackApiError, match="plan_upgrade_required"):
        await client.usergroups_list()
    await client.usergroups_list()
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel=REQUESTS, text="x")
        assert caught.value.response.headers["Retry-After"] == "7"
    posted = await client.chat_postMessage(channel=REQUESTS, text="x")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=REQUESTS, ts=posted["ts"], text="y")
    assert caught.value.response.status_code == 503
    await client.chat_update(channel=REQUESTS, ts=posted["ts"], text="y")


async def test_dropped_connection_leaves_the_message_or_not(acme: Acme) -> None:
    client = web_client(acme.slack, retry_handlers=[])
    await acme.sandbox.fault("drop", channel="platform-requests")
    await acme.sandbox.fault("drop_after_store", channel="deploys")
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.chat_postMessage(channel=REQUESTS, text="lost")
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.chat_postMessage(channel="C0DEPLOYS", text="stored")
    await acme.dana.sees("deploys", "stored")
    await acme.dana.never_sees("platform-requests", "lost")


async def test_sdk_posts_twice_when_the_answer_is_lost(acme: Acme) -> None:
    await acme.sandbox.fault("drop_after_store", method="chat.postMessage")
    await web_client(acme.slack).chat_postMessage(channel="C0DEPLOYS", text="notice")
    await acme.dana.sees("deploys", "notice")
    await acme.dana.catches_up()
    assert acme.dana.screen("deploys") == "notice\n---\nnotice"


async def test_call_that_is_never_answered_ends_with_the_clients_patience(acme: Acme) -> None:
    await acme.sandbox.fault("timeout", method="chat.postMessage")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1)) as session:
        client = web_client(acme.slack, session=session, retry_handlers=[])
        with pytest.raises(TimeoutError):
            await client.chat_postMessage(channel=REQUESTS, text="x")
    await acme.dana.never_sees("platform-requests", "x")
    await acme.sandbox.fault("timeout_after_store", method="chat.postMessage")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1)) as session:
        client = web_client(acme.slack, session=session, retry_handlers=[])
        with pytest.raises(SlackApiError, match="channel_not_found"):
            await client.chat_postMessage(channel="C404", text="y")  # nothing is stored: the fault waits
        with pytest.raises(TimeoutError):
            await client.chat_postMessage(channel=REQUESTS, text="y")
    await acme.dana.sees("platform-requests", "y")


async def test_slow_answer_comes_when_its_time_has_come(acme: Acme) -> None:
    await acme.sandbox.fault("slow", method="auth.test", delay=3600)
    call = asyncio.create_task(web_client(acme.slack).auth_test())
    await asyncio.wait_for(acme.slack.faults.strikes.reach(1), 5)
    await acme.sandbox.advance(3600)
    assert (await asyncio.wait_for(call, 5))["ok"]


async def test_slack_away_refuses_everyone_and_keeps_the_events(acme: Acme) -> None:
    async with envelopes() as raw:
        await raw.connect(acme.slack)
        client = web_client(acme.slack, retry_handlers=[])
        await client.conversations_join(channel=REQUESTS)
        await raw.until(1)
        await acme.sandbox.fault("away", delay=600)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.chat_postMessage(channel=REQUESTS, text="x")
        with pytest.raises(SlackSays, match="slack_is_away"):
            await acme.dana.types("/platform x")
        await acme.sandbox.advance(601)
        await client.chat_postMessage(channel=REQUESTS, text="back")
        await acme.dana.sees("platform-requests", "back")


async def test_events_of_an_absence_arrive_after_it(acme: Acme) -> None:
    app = AsyncApp(name=NAME, client=web_client(acme.slack))
    heard: list[str] = []
    came = asyncio.Event()

    @app.event("member_joined_channel")
    async def joined() -> None:
        heard.append("joined")

    @app.event("message")
    async def message(event: Json) -> None:
        heard.append(event["text"])
        came.set()

    async with over_socket(acme.slack, app):
        await app.client.conversations_join(channel=REQUESTS)
        await acme.sandbox.settled()
        await acme.sandbox.fault("away")
        # Somebody's message that Slack took just before it went away.
        requests = acme.slack.state.conversations[REQUESTS]
        acme.slack.posting.post(requests, "U0DANA", {"text": "before"})
        await acme.sandbox.settled()
        assert heard == ["joined"]
        await acme.sandbox.repair()
        await asyncio.wait_for(came.wait(), 10)
    assert heard == ["joined", "before"]
