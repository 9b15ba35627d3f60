"""A few lines of slack-bolt that answer the page: a form, a card, App Home. It stands in for the assistant."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from chatops.sandbox.slack import LocalSlack, SlackApp
from chatops.sandbox.slack.seed import Shortcut, Suggestion
from tests.local_slack.conftest import NAME
from tests.support.people import acme_workspace

Json = dict[str, Any]
REQUESTS = "C0REQUESTS"
DEPLOYS = "C0DEPLOYS"
TOUR: tuple[Json, ...] = (
    {
        "id": "ask",
        "title": "Ask for a deploy",
        "text": "You are *Dana*.",
        "as": "dana",
        "do": {"channel": "platform-requests", "type": "/platform deploy checkout 1.4.2 production because carts"},
        "done_when": {"channel": "platform-requests", "text_contains": ["WAITING"], "from_app": True},
    },
    {
        "id": "approve",
        "title": "Approve it",
        "text": "Switch to *Lee*.",
        "as": "lee",
        "do": {"channel": "platform-requests"},
        "done_when": {"channel": "deploys", "text_contains": ["1.4.2"], "from_app": True},
    },
)


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def button(text: str, action_id: str, **more: Any) -> Json:
    return {"type": "button", "text": plain(text), "action_id": action_id, "value": "1042", **more}


def card(state: str, *, open_: bool = True) -> list[Json]:
    """The card of the one request there is; what changes is the section with id `state`."""
    confirm = {"title": plain("Sure?"), "text": mrkdwn("Dana is told."), "confirm": plain("Do it"), "deny": plain("No")}
    buttons = [
        button("Approve", "approve", style="primary"),
        button("Reject", "reject", style="danger", confirm=confirm),
        button("Full diff", "full_diff"),
    ]
    head = {"type": "header", "block_id": "head", "text": plain("Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION")}
    return [
        head,
        {"type": "section", "block_id": "state", "text": mrkdwn(state)},
        {"type": "actions", "block_id": "who", "elements": [{"type": "users_select", "action_id": "ask_also"}]},
        *([{"type": "actions", "block_id": "decide", "elements": buttons}] if open_ else []),
    ]


def form(note: str = "Choose a service.") -> Json:
    environments = [{"text": plain(name), "value": name} for name in ("staging", "production")]
    elements: dict[str, Json] = {
        "Service": {"type": "external_select", "action_id": "service", "min_query_length": 0},
        "Environment": {"type": "static_select", "action_id": "environment", "options": environments},
        "Version": {"type": "plain_text_input", "action_id": "version"},
        "Reason": {"type": "plain_text_input", "action_id": "reason", "multiline": True},
    }
    inputs = [
        {
            "type": "input",
            "block_id": label.lower(),
            "label": plain(label),
            "element": element,
            "dispatch_action": label in ("Service", "Environment"),
            "optional": label == "Reason",
        }
        for label, element in elements.items()
    ]
    return {
        "type": "modal",
        "callback_id": "deploy",
        "title": plain("Deploy"),
        "submit": plain("Plan it"),
        "close": plain("Cancel"),
        "blocks": [*inputs, {"type": "context", "block_id": "note", "elements": [mrkdwn(note)]}],
    }


@dataclass
class Standin:
    """The running server, the app's client, and what the app was told."""

    slack: LocalSlack
    client: AsyncWebClient
    heard: list[Json] = field(default_factory=list)
    silent: bool = False  # acknowledge nothing

    async def post_card(self) -> str:
        """A card in #platform-requests; its ts."""
        posted = await self.client.chat_postMessage(
            channel=REQUESTS, text="Deploy checkout", blocks=card("WAITING: 1 approval from <@U0LEE>")
        )
        return str(posted["ts"])


def _workspace() -> Any:
    given = acme_workspace()
    actions = (
        Suggestion("deploy ", "Deploy a version", "service version environment because REASON"),
        Suggestion("/platform incident open", "incident open because TEXT", "Tell of something that is wrong"),
        Suggestion("/platform incident ack", "incident ack INCIDENT", "Say that you have it"),
        Suggestion("status ", "What runs where", "service environment"),
    )
    command = replace(given.app.commands[0], suggestions=actions)
    shortcuts = (Shortcut("Deploy a service", "deploy"), Shortcut("Make it a request", "request", "message"))
    return replace(given, app=replace(given.app, commands=(command,), shortcuts=shortcuts), tour=TOUR)


def _listen(app: AsyncApp, running: Standin) -> None:
    client = running.client

    @app.middleware
    async def hear(body: Json, next_: Any) -> None:
        running.heard.append(body)
        if not running.silent:
            await next_()

    @app.command("/platform")
    async def command(ack: Any, body: Json, respond: Any) -> None:
        await ack()
        if body["text"] == "deploy":
            await client.views_open(trigger_id=body["trigger_id"], view=form())
        elif body["text"].startswith("deploy"):
            await running.post_card()
        else:
            await respond(text="You can deploy, and ask for the status.")

    @app.shortcut("deploy")
    async def shortcut(ack: Any, body: Json) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=form())

    @app.shortcut("request")
    async def message_shortcut(ack: Any) -> None:
        await ack()

    @app.options("service")
    async def services(ack: Any, body: Json) -> None:
        names = [name for name in ("checkout", "cart", "search") if body["value"] in name]
        await ack(options=[{"text": plain(name), "value": name} for name in names])

    @app.action("service")
    @app.action("environment")
    async def chosen(ack: Any, body: Json) -> None:
        await ack()
        values = body["view"]["state"]["values"]
        service = (values["service"]["service"]["selected_option"] or {}).get("value", "…")
        environment = (values["environment"]["environment"]["selected_option"] or {}).get("value", "…")
        await client.views_update(view_id=body["view"]["id"], view=form(f"{service} in {environment}: 1.4.1 healthy"))

    @app.view("deploy")
    async def submitted(ack: Any, body: Json) -> None:
        version = body["view"]["state"]["values"]["version"]["version"]["value"]
        if " " in version:
            await ack(response_action="errors", errors={"version": "A version has no spaces."})
        else:
            await ack()
            await running.post_card()

    @app.action("approve")
    async def approve(ack: Any, body: Json) -> None:
        await ack()
        blocks = card(f"APPROVED by <@{body['user']['id']}>", open_=False)
        await client.chat_update(channel=REQUESTS, ts=body["message"]["ts"], text="Deploy checkout", blocks=blocks)
        await client.chat_postMessage(channel=DEPLOYS, text="checkout 1.4.1 → 1.4.2 in production")

    @app.action("reject")
    @app.action("full_diff")
    @app.action("ask_also")
    async def others(ack: Any) -> None:
        await ack()

    @app.event("app_home_opened")
    async def home(event: Json) -> None:
        blocks = [{"type": "header", "text": plain("Waiting for you")}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    @app.event("message")
    @app.event("app_mention")
    @app.event("member_joined_channel")
    async def seen() -> None:
        """Events that need no answer."""


@asynccontextmanager
async def standin(**options: Any) -> AsyncIterator[Standin]:
    """The local Slack with the stand-in connected over Socket Mode and in its two channels."""
    async with LocalSlack(_workspace(), **{"rate_limits": False, **options}) as slack:
        client = AsyncWebClient(token=SlackApp().bot_token, base_url=slack.api_url)
        running = Standin(slack, client)
        app = AsyncApp(name=NAME, client=client)
        _listen(app, running)
        socket = AsyncWebClient(token=SlackApp().app_token, base_url=slack.api_url)
        handler = AsyncSocketModeHandler(app, SlackApp().app_token, web_client=socket, ping_interval=0.2)
        await handler.connect_async()
        await slack.connected()
        for channel in (REQUESTS, DEPLOYS):
            await client.conversations_join(channel=channel)
        try:
            yield running
        finally:
            await handler.close_async()
