"""The server as the page and the inspector meet it, its safety on loopback, and its life as a process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chatops.sandbox.slack import LocalSlack, Suggestion, load_workspace
from chatops.sandbox.slack.seed import SeedError
from tests.local_slack.conftest import TOKENS, web_client
from tests.support.people import ACME, Acme, Person, SlackSays

Json = dict[str, Any]


async def test_only_loopback_names_are_served(acme: Acme) -> None:
    session = acme.dana.api.session
    for host, status in (("evil.test", 403), ("localhost", 200), ("127.0.0.1:7070", 200)):
        url = f"{acme.slack.url}/sandbox/api/bootstrap?as=U0DANA"
        async with session.get(url, headers={"Host": host}) as answer:
            assert answer.status == status, host


async def test_live_socket_is_for_the_own_page_only(acme: Acme) -> None:
    live = f"{acme.slack.url}/sandbox/api/live?as=U0DANA"
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await acme.dana.api.session.ws_connect(live, headers={"Origin": "http://evil.test"})
    async with acme.dana.api.session.ws_connect(live, headers={"Origin": acme.slack.url}) as socket:
        assert (await socket.receive_json())["type"] == "hello"


async def test_who_does_not_say_who_they_are_is_told_how(acme: Acme) -> None:
    session = acme.dana.api.session
    for path, status, detail in (
        ("bootstrap", 400, "Say as whom: as=dana"),
        ("bootstrap?as=", 400, "Say as whom: as=dana"),
        ("bootstrap?as=nobody", 400, "Nobody here goes by 'nobody'"),
        ("live", 400, "Say as whom: as=dana"),
    ):
        async with session.get(f"{acme.slack.url}/sandbox/api/{path}") as answer:
            assert answer.status == status, path
            assert detail in (await answer.json())["detail"]


async def test_the_page_is_framed_by_nobody_and_runs_only_what_is_its_own(acme: Acme) -> None:
    for path in ("/", "/static/app.js"):
        async with acme.dana.api.session.get(acme.slack.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy
            assert "default-src 'self';" in policy
            if path == "/":
                assert policy.startswith(
                    re.findall(r'Content-Security-Policy" content="([^"]+)"', await answer.text())[0]
                )


async def test_foreign_pages_cannot_act_for_people(acme: Acme) -> None:
    body = json.dumps({"as": "U0DANA", "channel": "general", "text": "from evil.test"})
    for origin, status in (("http://evil.test", 403), ("null", 403), (acme.slack.url, 200)):
        headers = {"Origin": origin, "Content-Type": "text/plain"}
        async with acme.dana.api.session.post(
            f"{acme.slack.url}/sandbox/api/say", data=body, headers=headers
        ) as answer:
            assert answer.status == status, origin


def test_server_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        LocalSlack(load_workspace(ACME), host="0.0.0.0")


async def test_nothing_outside_the_page_folder_is_served(acme: Acme) -> None:
    for path in ("../server.py", "%2e%2e/server.py", "..%2fserver.py", "nothing.js"):
        async with acme.dana.api.session.get(f"{acme.slack.url}/static/{path}") as answer:
            assert answer.status == 404, path


async def test_traffic_shows_calls_without_secrets(acme: Acme) -> None:
    client = web_client(acme.slack, TOKENS.app_token)
    await client.apps_connections_open(app_token=TOKENS.app_token)
    bot = web_client(acme.slack)
    await bot.chat_postMessage(channel="C0DEPLOYS", text=f"my token is {TOKENS.bot_token}")
    await bot.files_getUploadURLExternal(filename="x.txt", length=3)
    entries = await acme.sandbox.traffic()
    assert [entry["what"] for entry in entries] == [
        "apps.connections.open",
        "chat.postMessage",
        "files.getUploadURLExternal",
    ]
    shown = json.dumps(entries)
    for secret in (TOKENS.bot_token, TOKENS.app_token, TOKENS.signing_secret):
        assert secret not in shown
    assert "/sandbox/socket/…" in entries[0]["response"]["url"]
    assert "/sandbox/upload/…" in entries[2]["response"]["upload_url"]
    assert entries[1]["summary"].startswith("#deploys")


async def test_nobody_acts_for_strangers_or_where_they_are_not(acme: Acme) -> None:
    for body, error in (
        ({"as": "U404", "channel": "general", "text": "x"}, "no_such_person"),
        ({"as": "U0OLU", "channel": "team-shop", "text": "x"}, "not_in_channel"),
        ({"as": "U0OLU", "channel": "nowhere", "text": "x"}, "channel_not_found"),
        ({"as": "U0OLU", "channel": "general", "text": "  "}, "no_text"),
    ):
        with pytest.raises(SlackSays, match=error):
            await acme.dana.api.post("say", **body)
    await acme.sandbox.change_person("U0OLU", deleted=True)
    with pytest.raises(SlackSays, match="account_inactive"):
        await acme.olu.types("x")


async def test_each_person_is_offered_what_they_may_type(acme: Acme) -> None:
    async def offers(user: str) -> list[Suggestion]:
        return [Suggestion("/platform pause")] if user == "U0OLU" else []

    async def offered(name: str) -> list[str]:
        told = await acme.dana.api.get("commands", **{"as": name})
        return [one["text"] for one in told["commands"][0]["suggestions"]]

    assert await offered("olu") == []
    acme.slack.offer(offers)
    assert await offered("olu") == ["/platform pause"]
    assert await offered("dana") == []


async def test_new_person_joins_and_is_seen(acme: Acme) -> None:
    await acme.sandbox.change_person("U0BOT", name="alertbot", is_bot=True, channels=["incidents"])
    await acme.dana.api.post("say", **{"as": "U0BOT", "channel": "incidents", "text": "disk full"})
    seen = await acme.olu.sees("incidents", "disk full")
    assert seen.message["bot_id"] == "B0BOT"


async def test_button_of_another_message_cannot_be_invented(acme: Acme) -> None:
    said = await acme.dana.types("hello")
    with pytest.raises(SlackSays, match="no_such_element"):
        await acme.dana.act("action", block_id="b", action_id="a", channel=said.channel, message_ts=said.ts)


async def test_typed_text_is_escaped_and_mentions_are_found(acme: Acme) -> None:
    typed = "@lee @nobody <b> & #deploys dana@acme.test @here https://a.test/?a=1&b=2, a_b@c"
    said = await acme.dana.types(typed)
    assert said.message["text"] == (
        "<@U0LEE> @nobody &lt;b&gt; &amp; <#C0DEPLOYS|> <mailto:dana@acme.test|dana@acme.test> <!here> "
        "<https://a.test/?a=1&amp;b=2>, a_b@c"
    )
    assert said.message["blocks"][0]["elements"][0]["elements"][0] == {"type": "user", "user_id": "U0LEE"}
    await acme.lee.sees("general", typed)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("people: []", "needs a 'team'"),
        ("team: {id: T1, name: A}\nroles: []", "unknown key 'roles'"),
        ("team: {id: T1, name: A}\npeople: [{id: U1, name: a, nick: b}]", "unknown key 'nick'"),
        ("team: {id: T1, name: A}\nchannels: [{id: C1, name: c, members: [zoe]}]", "nobody is called 'zoe'"),
        ("team: {id: T1, name: A}\npeople: [{name: a}]", "missing 1 required positional argument: 'id'"),
    ],
)
def test_mistake_in_a_workspace_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "slack.yml"
    file.write_text(text)
    with pytest.raises(SeedError, match=complaint):
        load_workspace(file)


async def test_server_runs_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chatops.sandbox.slack",
        "--listen",
        "127.0.0.1:0",
        "--workspace",
        str(ACME),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ACME.parents[2])},
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
        assert line.startswith("local Slack: http://127.0.0.1:")
        async with Person("dana", line.split()[-1]) as dana:
            await dana.types("hello")
            await dana.sees("general", "hello")
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
