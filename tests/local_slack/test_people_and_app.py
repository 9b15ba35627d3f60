"""What people do reaches the app, and what the app does is seen by people."""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatops.sandbox.slack import Command, Shortcut
from tests.support.people import SlackSays

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(text: str) -> Json:
    return {"text": plain(text), "value": text.lower()}


def button(label: str, action_id: str = "press") -> Json:
    return {"type": "button", "text": plain(label), "action_id": action_id, "value": "7"}


CARD: list[Json] = [
    {"type": "header", "text": plain("Deploy checkout")},
    {"type": "actions", "block_id": "decide", "elements": [button("Approve"), button("Reject", "reject")]},
]

FORM: Json = {
    "type": "modal",
    "callback_id": "deploy",
    "title": plain("Deploy"),
    "submit": plain("Ask"),
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "service",
            "label": plain("Service"),
            "dispatch_action": True,
            "element": {"type": "external_select", "action_id": "service", "min_query_length": 0},
        },
        {
            "type": "input",
            "block_id": "environment",
            "label": plain("Environment"),
            "element": {
                "type": "static_select",
                "action_id": "environment",
                "options": [option("Staging"), option("Production")],
            },
        },
        {
            "type": "input",
            "block_id": "reason",
            "label": plain("Reason"),
            "element": {"type": "plain_text_input", "action_id": "reason", "max_length": 20},
        },
    ],
}


async def test_command_is_answered_to_its_author_alone(start: Any) -> None:
    acme, app = await start()

    @app.command("/platform")
    async def command(ack: Any, body: Json) -> None:
        await ack(f"you said {body['text']}")

    await acme.dana.types("/platform deploy checkout because <fast> & good", "deploys")
    await acme.dana.sees("deploys", "you said deploy checkout because <fast> & good")
    await acme.lee.never_sees("deploys", "you said")


async def test_command_text_carries_ids_beside_names(start: Any) -> None:
    acme, app = await start()
    got: list[str] = []

    @app.command("/platform")
    async def command(ack: Any, body: Json) -> None:
        got.append(body["text"])
        await ack()

    await acme.dana.types("/platform page @lee in #deploys about https://a.test/x?y=1&z for @platform-leads")
    (text,) = got
    assert text.startswith("page <@U0LEE|lee> in <#C0DEPLOYS|deploys> about <https://a.test/x?y=1&amp;z>")
    assert text.endswith(" for <!subteam^S0LEADS|@platform-leads>")


async def test_command_that_is_not_acknowledged_fails_in_slacks_words(start: Any) -> None:
    acme, app = await start(ack_timeout=0.05)

    @app.command("/platform")
    async def command() -> None:
        await asyncio.Event().wait()

    with pytest.raises(SlackSays, match="operation_timeout"):
        await acme.dana.types("/platform deploy", "deploys")
    await acme.dana.sees("deploys", '/platform failed with the error "operation_timeout"')


async def test_form_is_opened_filled_in_and_submitted(start: Any) -> None:
    acme, app = await start()
    submitted: list[Json] = []
    told: list[Json] = []

    @app.command("/platform")
    async def command(ack: Any, body: Json, client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.options("service")
    async def options(ack: Any, payload: Json) -> None:
        await ack(options=[option(name) for name in ("Checkout", "Cart") if payload["value"].lower() in name.lower()])

    @app.action("service")
    async def chosen(ack: Any, body: Json) -> None:
        told.append(body["view"]["state"]["values"]["service"]["service"]["selected_option"])
        await ack()

    @app.view("deploy")
    async def view(ack: Any, body: Json) -> None:
        if len(submitted) == 0:
            await ack(response_action="errors", errors={"reason": "Say more"})
        else:
            await ack()
        submitted.append(body)

    await acme.dana.types("/platform deploy")
    form = await acme.dana.modal(title="Deploy")
    required = "Please complete this required field."
    assert await form.submit() == {"Service": required, "Environment": required, "Reason": required}
    await form.fill(Service="Check", Environment="Production", Reason="x" * 21)
    assert [one["value"] for one in told] == ["checkout"]
    assert await form.submit() == {"Reason": "Must be at most 20 characters."}
    assert submitted == []
    await form.fill(Reason="fixes")
    assert await form.submit() == {"Reason": "Say more"}
    assert await form.submit() == {}
    await form.closes()
    values = submitted[1]["view"]["state"]["values"]
    assert values["environment"]["environment"]["selected_option"]["value"] == "production"
    assert values["reason"]["reason"] == {"type": "plain_text_input", "value": "fixes"}
    assert submitted[0]["view"]["hash"] == submitted[1]["view"]["hash"]


async def test_closing_a_form_tells_the_app_that_asked(start: Any) -> None:
    acme, app = await start()
    closed = asyncio.Event()

    @app.command("/platform")
    async def command(ack: Any, body: Json, client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.view_closed("deploy")
    async def view_closed(ack: Any, body: Json) -> None:
        await ack()
        assert body["is_cleared"] is False
        closed.set()

    await acme.dana.types("/platform deploy")
    form = await acme.dana.modal(title="Deploy")
    await form.close()
    await asyncio.wait_for(closed.wait(), 5)
    await form.closes()


async def test_click_carries_who_and_where_and_may_replace_the_message(start: Any) -> None:
    acme, app = await start()
    bodies: list[Json] = []

    @app.action("press")
    async def press(ack: Any, body: Json, respond: Any) -> None:
        await ack()
        bodies.append(body)
        await respond(
            text="approved", blocks=[{"type": "section", "text": plain("Approved by Gus")}], replace_original=True
        )

    await app.client.chat_postMessage(channel="platform-requests", text="Deploy", blocks=CARD)
    card = await acme.gus.sees("platform-requests", "Deploy checkout", "[Approve]")
    assert card.buttons == ["Approve", "Reject"]
    await card.click("Approve")
    await card.becomes("Approved by Gus")
    assert card.buttons == []
    (body,) = bodies
    assert body["user"]["team_id"] == "T0PARTNER"
    assert body["team"]["id"] == "T0ACME"
    assert body["container"] == {
        "type": "message",
        "message_ts": card.ts,
        "channel_id": "C0REQUESTS",
        "is_ephemeral": False,
    }
    assert body["actions"][0]["value"] == "7"


async def test_stale_card_can_still_be_clicked(start: Any) -> None:
    acme, app = await start()
    pressed: list[Json] = []

    @app.action("press")
    async def press(ack: Any, body: Json) -> None:
        await ack()
        pressed.append(body)

    await app.client.chat_postMessage(channel="platform-requests", text="Deploy", blocks=CARD)
    card = await acme.lee.sees("platform-requests", "[Approve]")
    await app.client.chat_update(channel="C0REQUESTS", ts=card.ts, text="Done", blocks=[])
    await card.becomes("Done")
    with pytest.raises(AssertionError, match="no button 'Approve'"):
        await card.click("Approve")
    await card.click("Approve", stale=True)
    assert pressed[0]["message"]["text"] == "Done"


async def test_mention_and_thread_reply_reach_an_app_that_joined(start: Any) -> None:
    acme, app = await start()
    events: list[Json] = []

    @app.event("member_joined_channel")
    async def joined(event: Json) -> None:
        events.append({"text": "joined", **event})

    @app.event("app_mention")
    async def mention(event: Json, say: Any) -> None:
        await say("On it", thread_ts=event["ts"])

    @app.event("message")
    async def message(event: Json) -> None:
        events.append(event)

    await acme.dana.types("@platform deploy checkout", "platform-requests")
    await acme.dana.sees("platform-requests", "@platform is not in this channel")
    await app.client.conversations_join(channel="C0REQUESTS")
    asked = await acme.dana.types("@platform deploy checkout", "platform-requests")
    reply = await acme.lee.sees("platform-requests", "On it", thread=asked.ts)
    await acme.lee.types("thanks @dana", thread=reply)
    await acme.dana.sees("platform-requests", "thanks @dana", thread=asked.ts)
    await acme.sandbox.settled()
    assert [event["text"] for event in events if event["user"] == "U0LEE"] == ["thanks <@U0DANA>"]
    assert [event["text"] for event in events if event["user"] == "U0PLATFORM"] == [
        "joined"
    ]  # Bolt drops its own words
    root = (await app.client.conversations_replies(channel="C0REQUESTS", ts=asked.ts))["messages"][0]
    assert root["reply_count"] == 2
    assert root["reply_users"] == ["U0PLATFORM", "U0LEE"]


async def test_home_is_published_when_it_is_opened(start: Any) -> None:
    acme, app = await start()

    @app.event("app_home_opened")
    async def opened(event: Json, client: Any) -> None:
        blocks = [{"type": "section", "text": plain(f"Waiting for {event['user']}")}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    home = await acme.lee.home("Waiting for U0LEE")
    assert "U0DANA" not in home.text


async def test_shortcuts_are_offered_on_the_workspace_and_on_messages(start: Any) -> None:
    shortcuts = (Shortcut("Ask", "ask"), Shortcut("Make it a request", "request", type="message"))
    acme, app = await start(app={"shortcuts": shortcuts})
    got: list[Json] = []

    @app.shortcut("ask")
    async def ask(ack: Any, body: Json) -> None:
        await ack()
        got.append(body)

    @app.shortcut("request")
    async def request(ack: Any, body: Json, respond: Any) -> None:
        await ack()
        got.append(body)
        await respond("noted")

    said = await acme.dana.types("please deploy checkout", "platform-requests")
    await acme.lee.uses_shortcut("ask")
    await acme.lee.uses_shortcut("request", on=said)
    await acme.lee.sees("platform-requests", "noted")
    assert [one["type"] for one in got] == ["shortcut", "message_action"]
    assert got[1]["message"]["text"] == "please deploy checkout"
    assert got[1]["message_ts"] == said.ts
    with pytest.raises(SlackSays, match="unknown_shortcut"):
        await acme.lee.uses_shortcut("request")


async def test_selects_on_a_message_tell_the_app_at_once(start: Any) -> None:
    acme, app = await start()
    got: list[Json] = []

    @app.action("environment")
    async def environment(ack: Any, body: Json) -> None:
        await ack()
        got.append(body)

    select = {
        "type": "static_select",
        "action_id": "environment",
        "placeholder": plain("Environment"),
        "options": [option("Staging"), option("Production")],
    }
    menu = {"type": "overflow", "action_id": "environment2", "options": [option("Full diff"), option("Why")]}
    section = {"type": "section", "text": plain("Where?"), "accessory": menu}
    blocks = [{"type": "actions", "block_id": "where", "elements": [select]}, section]
    await app.client.chat_postMessage(channel="C0DEPLOYS", text="Where?", blocks=blocks)
    seen = await acme.dana.sees("deploys", "Where?", "Full diff")
    await seen.choose(Environment="Production")
    (body,) = got
    assert body["actions"][0]["selected_option"]["value"] == "production"
    assert body["state"]["values"]["where"]["environment"]["selected_option"]["value"] == "production"
    assert seen.buttons == ["Full diff", "Why"]
    with pytest.raises(AssertionError, match="no option 'Mars'"):
        await seen.choose(Environment="Mars")
    with pytest.raises(SlackSays, match="no_such_option"):
        await acme.dana.act(
            "action",
            block_id="where",
            action_id="environment",
            channel=seen.channel,
            message_ts=seen.ts,
            selected_option=option("Mars"),
        )


async def test_without_escaping_names_stay_as_they_were_typed(start: Any) -> None:
    acme, app = await start(app={"commands": (Command("/platform", should_escape=False),)})
    got: list[str] = []

    @app.command("/platform")
    async def command(ack: Any, body: Json) -> None:
        got.append(body["text"])
        await ack()

    await acme.dana.types("/platform page @lee in #deploys about https://a.test <now>")
    assert got == ["page @lee in #deploys about https://a.test &lt;now&gt;"]
    with pytest.raises(SlackSays, match="unknown_command"):
        await acme.dana.types("/plattform help")


async def test_what_was_not_seen_is_said_with_what_was(start: Any) -> None:
    acme, _ = await start()
    await acme.dana.types("something else", "deploys")
    with pytest.raises(AssertionError, match="something else"):
        await acme.dana.sees("deploys", "Deploy", within=0)
    with pytest.raises(AssertionError, match="nobody should have shown"):
        await acme.lee.never_sees("deploys", "something")


async def test_unread_and_mentions_are_counted_per_person(start: Any) -> None:
    acme, app = await start()
    for text in ("one", "two <@U0LEE>", "three <!subteam^S0LEADS>", "four <!here>"):
        await app.client.chat_postMessage(channel="C0DEPLOYS", text=text)
    await acme.lee.sees("deploys", "four")
    await acme.lee.catches_up()
    counts = {name: acme.lee.channels["C0DEPLOYS"][name] for name in ("unread", "mentions")}
    assert counts == {"unread": 4, "mentions": 3}
    await acme.dana.catches_up()
    assert acme.dana.channels["C0DEPLOYS"]["mentions"] == 1
    await acme.lee.reads("deploys")
    await acme.lee.catches_up()
    assert acme.lee.channels["C0DEPLOYS"]["unread"] == 0
