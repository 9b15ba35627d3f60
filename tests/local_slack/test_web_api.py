"""The Web API refuses what Slack refuses, in Slack's words; called through the unmodified slack_sdk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.sandbox.slack import Channel
from chatops.sandbox.slack.webapi import METHODS
from tests.local_slack.conftest import TOKENS, web_client
from tests.support.people import Acme, acme_slack

Json = dict[str, Any]
REQUESTS = "C0REQUESTS"


async def error_of(call: Awaitable[Any]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.fixture
def client(acme: Acme) -> AsyncWebClient:
    return web_client(acme.slack)


# Method, arguments, error; a fresh app is in no channel.
REFUSED: list[tuple[str, Json, str]] = [
    ("chat.postMassage", {}, "unknown_method"),
    ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
    ("chat.postMessage", {"channel": "C404", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "C0SECRET", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": REQUESTS}, "no_text"),
    ("chat.postMessage", {"channel": REQUESTS, "text": "x" * 40_001}, "msg_too_long"),
    ("chat.postMessage", {"channel": REQUESTS, "blocks": [{"type": "section"}]}, "invalid_blocks"),
    ("chat.postMessage", {"channel": REQUESTS, "blocks": "nonsense"}, "invalid_blocks_format"),
    ("chat.postMessage", {"channel": REQUESTS, "text": "x", "thread_ts": "1.000000"}, "thread_not_found"),
    (
        "chat.postMessage",
        {"channel": REQUESTS, "text": "x", "metadata": {"event_type": "x"}},
        "invalid_metadata_format",
    ),
    ("chat.postMessage", {"channel": "USLACKBOT", "text": "x"}, "cannot_dm_bot"),
    ("chat.update", {"channel": REQUESTS, "ts": "1.000000", "text": "x"}, "message_not_found"),
    ("chat.delete", {"channel": REQUESTS, "ts": "1.000000"}, "message_not_found"),
    ("chat.postEphemeral", {"channel": "C0SHOP", "user": "U0OLU", "text": "x"}, "user_not_in_channel"),
    ("chat.getPermalink", {"channel": REQUESTS, "message_ts": "1.000000"}, "message_not_found"),
    ("views.open", {"trigger_id": "1.2.3", "view": {"type": "modal"}}, "invalid_trigger_id"),
    ("views.update", {"view_id": "V404", "view": {"type": "modal"}}, "not_found"),
    ("views.publish", {"user_id": "U0DANA", "view": {"type": "modal"}}, "invalid_arguments"),
    ("users.info", {"user": "U404"}, "user_not_found"),
    ("users.lookupByEmail", {"email": "nobody@acme.test"}, "users_not_found"),
    ("usergroups.users.list", {"usergroup": "S404"}, "no_such_subteam"),
    ("conversations.history", {"channel": REQUESTS}, "not_in_channel"),
    ("conversations.history", {"channel": "C0SECRET"}, "channel_not_found"),
    ("conversations.replies", {"channel": REQUESTS, "ts": "1.000000"}, "not_in_channel"),
    ("conversations.join", {"channel": "C0SECRET"}, "channel_not_found"),
    ("conversations.open", {"users": "U404"}, "user_not_found"),
    ("conversations.create", {"name": "deploys"}, "name_taken"),
    ("conversations.create", {"name": "Deploys"}, "invalid_name_specials"),
    ("conversations.create", {"name": "x" * 81}, "invalid_name_maxlength"),
    ("conversations.invite", {"channel": REQUESTS, "users": "U0DANA"}, "not_in_channel"),
    ("conversations.setTopic", {"channel": REQUESTS, "topic": "x"}, "not_in_channel"),
    ("conversations.archive", {"channel": REQUESTS}, "not_in_channel"),
    ("conversations.list", {"types": "public"}, "invalid_types"),
    ("conversations.list", {"limit": 5000}, "invalid_limit"),
    ("conversations.list", {"cursor": "nonsense"}, "invalid_cursor"),
    ("pins.add", {"channel": REQUESTS, "timestamp": "1.000000"}, "not_in_channel"),
    ("pins.list", {"channel": REQUESTS}, "missing_scope"),
    (
        "bookmarks.add",
        {"channel_id": REQUESTS, "title": "x", "type": "link", "link": "https://a.test"},
        "not_in_channel",
    ),
    ("bookmarks.list", {"channel_id": REQUESTS}, "missing_scope"),
    ("reactions.add", {"channel": REQUESTS, "name": "eyes", "timestamp": "1.000000"}, "missing_scope"),
    ("team.info", {}, "missing_scope"),
    ("files.info", {"file": "F404"}, "missing_scope"),
    ("files.getUploadURLExternal", {"filename": "x.txt", "length": "many"}, "invalid_arguments"),
    ("files.completeUploadExternal", {"files": [{"id": "F404"}]}, "file_not_found"),
    ("apps.connections.open", {}, "not_allowed_token_type"),
]


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "form"])
async def test_refusals_in_slacks_words(as_json: bool) -> None:
    secret = Channel("C0SECRET", "secret", is_private=True, members=("U0SAM",))
    async with acme_slack(rate_limits=False, channels=[secret]) as acme:
        client = web_client(acme.slack)
        answers = []
        for method, args, _ in REFUSED:
            form = {name: one if isinstance(one, str) else json.dumps(one) for name, one in args.items()}
            call = client.api_call(method, json=args) if as_json else client.api_call(method, data=form)
            answers.append((method, args, await error_of(call)))
    assert answers == REFUSED


JUNK: list[Any] = ["", "x", "\x00", 0, -1, 10**30, 1.5, True, [], ["x"], [{}], {}, {"type": "modal"}, {"x": [None]}]
ARGUMENTS = (  # noqa: SIM905
    "channel channel_id user user_id users text blocks attachments metadata thread_ts ts timestamp name view view_id "
    "trigger_id hash limit cursor oldest latest types files filename length title type link email topic usergroup"
).split()


@pytest.mark.parametrize("junk", JUNK, ids=repr)
async def test_junk_is_refused_and_never_breaks_a_method(acme: Acme, junk: Any) -> None:
    await web_client(acme.slack).conversations_join(channel=REQUESTS)
    headers = {"Authorization": f"Bearer {TOKENS.bot_token}"}
    for method in METHODS:
        for known in ({}, {"channel": REQUESTS, "channel_id": REQUESTS, "text": "x"}):
            body = dict.fromkeys(ARGUMENTS, junk) | known
            async with acme.dana.api.session.post(acme.slack.api_url + method, json=body, headers=headers) as answer:
                assert answer.status == 200, (method, await answer.text())
                assert isinstance((await answer.json())["ok"], bool)


@pytest.mark.parametrize(
    ("body", "error"), [(b"{", "invalid_json"), (b"[]", "json_not_object"), (b"\xff\xfe", "invalid_json")]
)
async def test_body_that_is_no_json_object_is_refused(acme: Acme, body: bytes, error: str) -> None:
    headers = {"Authorization": f"Bearer {TOKENS.bot_token}", "Content-Type": "application/json"}
    url = f"{acme.slack.api_url}chat.postMessage"
    async with acme.dana.api.session.post(url, data=body, headers=headers) as answer:
        assert (await answer.json())["error"] == error


async def test_tokens_are_checked(acme: Acme) -> None:
    assert await error_of(web_client(acme.slack, "xoxb-stranger").auth_test()) == "invalid_auth"
    assert await error_of(web_client(acme.slack, "").auth_test()) == "not_authed"
    assert await error_of(web_client(acme.slack, TOKENS.app_token).auth_test()) == "not_allowed_token_type"
    answer = await web_client(acme.slack).auth_test()
    assert answer["bot_id"] == TOKENS.bot_id
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


async def test_missing_scope_says_which() -> None:
    async with acme_slack(app={"scopes": ("chat:write", "channels:read")}) as acme:
        client = web_client(acme.slack)
        with pytest.raises(SlackApiError) as caught:
            await client.users_info(user="U0DANA")
        assert caught.value.response["needed"] == "users:read"
        assert caught.value.response["provided"] == "chat:write,channels:read"
        assert await error_of(client.chat_postMessage(channel=REQUESTS, text="x")) == "not_in_channel"


async def test_invalid_blocks_say_where(client: AsyncWebClient) -> None:
    block = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=REQUESTS, text="x", blocks=[block])
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["errors"] == ["must be less than 151 characters [json-pointer:/blocks/0/text/text]"]
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"
    ]


async def test_only_own_messages_can_be_changed(acme: Acme, client: AsyncWebClient) -> None:
    said = await acme.dana.types("hello", "platform-requests")
    assert await error_of(client.chat_update(channel=REQUESTS, ts=said.ts, text="x")) == "cant_update_message"
    assert await error_of(client.chat_delete(channel=REQUESTS, ts=said.ts)) == "cant_delete_message"


async def test_metadata_is_returned_only_when_asked_for(client: AsyncWebClient) -> None:
    card = {"event_type": "card", "event_payload": {"id": "R-1"}}
    posted = await client.chat_postMessage(channel=REQUESTS, text="x", metadata=card)
    await client.conversations_join(channel=REQUESTS)
    await client.chat_update(channel=REQUESTS, ts=posted["ts"], text="y")
    without = await client.conversations_history(channel=REQUESTS)
    assert [one.get("metadata") for one in without["messages"]] == [None]
    found = await client.conversations_history(channel=REQUESTS, include_all_metadata=True)
    assert [one["metadata"] for one in found["messages"]] == [card]
    assert found["messages"][0]["edited"]["user"] == TOKENS.bot_user_id


async def test_update_keeps_blocks_that_are_not_given(client: AsyncWebClient) -> None:
    block = {"type": "section", "text": {"type": "plain_text", "text": "x"}}
    posted = await client.chat_postMessage(channel=REQUESTS, text="x", blocks=[block])
    kept = await client.chat_update(channel=REQUESTS, ts=posted["ts"], text="y")
    assert len(kept["message"]["blocks"]) == 1
    taken = await client.chat_update(channel=REQUESTS, ts=posted["ts"], text="y", blocks=[])
    assert taken["message"]["blocks"] == []


async def test_history_comes_in_pages_newest_first(client: AsyncWebClient) -> None:
    posted = [(await client.chat_postMessage(channel=REQUESTS, text=str(number)))["ts"] for number in range(5)]
    await client.chat_postMessage(channel=REQUESTS, text="reply", thread_ts=posted[0])
    await client.conversations_join(channel=REQUESTS)
    texts = []
    async for page in await client.conversations_history(channel=REQUESTS, limit=2):
        texts.append([one["text"] for one in page["messages"]])
    assert texts == [["4", "3"], ["2", "1"], ["0"]]
    between = await client.conversations_history(channel=REQUESTS, oldest=posted[1], latest=posted[3])
    assert [one["text"] for one in between["messages"]] == ["2"]
    inclusive = await client.conversations_history(channel=REQUESTS, oldest=posted[1], latest=posted[3], inclusive=True)
    assert [one["text"] for one in inclusive["messages"]] == ["3", "2", "1"]


async def test_one_post_a_second_and_channel() -> None:
    async with acme_slack(rate_limits=True) as acme:
        client = web_client(acme.slack)
        await client.chat_postMessage(channel=REQUESTS, text="1")
        await client.chat_postMessage(channel="C0DEPLOYS", text="another channel")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel=REQUESTS, text="2")
        assert caught.value.response.status_code == 429
        assert caught.value.response["error"] == "ratelimited"
        assert caught.value.response.headers["Retry-After"] == "1"
        await acme.sandbox.advance(1)
        await client.chat_postMessage(channel=REQUESTS, text="3")
        await acme.sandbox.settings(rate_limits=False)
        await client.chat_postMessage(channel=REQUESTS, text="4")


async def test_tiers_limit_methods_when_switched_on() -> None:
    async with acme_slack(tier_limits=True) as acme:
        client = web_client(acme.slack)
        for _ in range(20):
            await client.usergroups_list()
        assert await error_of(client.usergroups_list()) == "ratelimited"
        await client.users_info(user="U0DANA")
        await acme.sandbox.advance(61)
        await client.usergroups_list()


async def test_app_posts_into_a_persons_direct_messages(acme: Acme, client: AsyncWebClient) -> None:
    opened = await client.conversations_open(users="U0LEE")
    posted = await client.chat_postMessage(channel="U0LEE", text="for you")
    assert posted["channel"] == opened["channel"]["id"]
    await acme.lee.sees("@platform", "for you")


async def test_channel_is_made_filled_described_and_archived(acme: Acme, client: AsyncWebClient) -> None:
    made = (await client.conversations_create(name="incident-1"))["channel"]
    await client.chat_postMessage(channel=made["id"], text="written before anybody came")
    await client.conversations_invite(channel=made["id"], users="U0OLU,U0LEE")
    await acme.olu.sees("incident-1", "written before anybody came")
    again = client.conversations_invite(channel=made["id"], users="U0OLU")
    assert await error_of(again) == "already_in_channel"
    await client.conversations_setTopic(channel=made["id"], topic="checkout is down")
    await client.bookmarks_add(channel_id=made["id"], title="Runbook", type="link", link="https://runbooks.acme.test")
    posted = await client.chat_postMessage(channel="incident-1", text="what happened")
    await client.pins_add(channel=made["id"], timestamp=posted["ts"])
    assert await error_of(client.pins_add(channel=made["id"], timestamp=posted["ts"])) == "already_pinned"
    await acme.olu.sees("incident-1", "what happened")
    shown = acme.olu.channels[made["id"]]
    assert shown["topic"] == "checkout is down"
    assert [one["title"] for one in shown["bookmarks"]] == ["Runbook"]
    info = (await client.conversations_info(channel=made["id"]))["channel"]
    assert info["topic"]["value"] == "checkout is down"
    members = await client.conversations_members(channel=made["id"])
    assert members["members"] == [TOKENS.bot_user_id, "U0OLU", "U0LEE"]
    await client.conversations_archive(channel=made["id"])
    assert await error_of(client.chat_postMessage(channel=made["id"], text="late")) == "is_archived"


async def test_file_is_uploaded_and_shared_in_a_thread(acme: Acme, client: AsyncWebClient) -> None:
    await client.conversations_join(channel=REQUESTS)
    card = await client.chat_postMessage(channel=REQUESTS, text="Deploy")
    await client.files_upload_v2(
        channel=REQUESTS, thread_ts=card["ts"], content="- 1.4.1\n+ 1.4.2\n", filename="plan.diff", title="Full diff"
    )
    seen = await acme.dana.sees("platform-requests", "Full diff", "+ 1.4.2", thread=card["ts"])
    (file,) = seen.message["files"]
    async with acme.dana.api.session.get(file["url"]) as answer:
        assert await answer.text() == "- 1.4.1\n+ 1.4.2\n"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_picture_is_shown_by_a_block_once_it_is_ready_and_nobody_sees_it_before(
    acme: Acme, client: AsyncWebClient
) -> None:
    acme.slack.state.files_take = 0.2

    async def kept(name: str) -> str:
        answer = await client.files_upload_v2(filename=name, content=b"\x89PNG", title=name)
        return str(answer["files"][0]["id"])

    file, notes = await kept("chart.png"), await kept("notes.txt")
    blocks = [{"type": "image", "slack_file": {"id": file}, "alt_text": "12.4, alerts above 1"}]
    early = client.chat_postMessage(channel=REQUESTS, text="a chart", blocks=blocks)
    assert await error_of(early) == "invalid_blocks"
    async with asyncio.timeout(5):
        while not acme.slack.state.shows({"id": file}):
            await asyncio.sleep(0.01)
    await client.chat_postMessage(channel=REQUESTS, text="a chart", blocks=blocks)
    seen = await acme.dana.sees("platform-requests", "12.4, alerts above 1")
    async with acme.dana.api.session.get(f"{acme.slack.url}/sandbox/files/{file}/picture") as answer:
        assert (await answer.read(), answer.content_type) == (b"\x89PNG", "image/png")
    assert seen.message["blocks"][0]["slack_file"] == {"id": file}
    for wrong in (notes, "F000000404", "nothing"):
        shown = [{"type": "image", "slack_file": {"id": wrong}, "alt_text": "x"}]
        refused = client.chat_postMessage(channel=REQUESTS, text="a chart", blocks=shown)
        assert await error_of(refused) == "invalid_blocks"
    url = next(one for one in acme.slack.state.files.values() if one["id"] == file)
    assert acme.slack.state.shows({"url": f"{acme.slack.url}/sandbox/files/{url['id']}/chart.png"})


async def test_people_are_found_with_what_approvals_need_to_know(acme: Acme, client: AsyncWebClient) -> None:
    gus = (await client.users_lookupByEmail(email="GUS@partner.test"))["user"]
    assert (gus["team_id"], gus["is_stranger"]) == ("T0PARTNER", True)
    await acme.sandbox.change_person("U0LEE", deleted=True)
    assert await error_of(client.users_lookupByEmail(email="lee@acme.test")) == "users_not_found"
    lee = (await client.users_info(user="U0LEE"))["user"]
    assert lee["deleted"] is True
    assert "is_restricted" not in lee
    assert (await client.usergroups_users_list(usergroup="S0LEADS"))["users"] == []


async def test_thread_keeps_count_and_a_deleted_root_leaves_a_tombstone(client: AsyncWebClient) -> None:
    await client.conversations_join(channel=REQUESTS)
    post: Callable[..., Awaitable[Any]] = client.chat_postMessage
    root = (await post(channel=REQUESTS, text="root"))["ts"]
    first = (await post(channel=REQUESTS, text="first", thread_ts=root))["ts"]
    await post(channel=REQUESTS, text="to all", thread_ts=first, reply_broadcast=True)
    history = (await client.conversations_history(channel=REQUESTS))["messages"]
    assert [(one["text"], one.get("reply_count")) for one in history] == [("to all", None), ("root", 2)]
    await client.chat_delete(channel=REQUESTS, ts=first)
    await client.chat_delete(channel=REQUESTS, ts=root)
    thread = (await client.conversations_replies(channel=REQUESTS, ts=root))["messages"]
    assert [one["text"] for one in thread] == ["This message was deleted.", "to all"]
    assert thread[0]["reply_count"] == 1
    assert await error_of(client.chat_update(channel=REQUESTS, ts=root, text="x")) == "message_not_found"
