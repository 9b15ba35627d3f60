"""Bolt, set up the one way that keeps our promises, with the listeners bound to it.

Slack's requests are dispatched here by Socket Mode (``chatops.slack.socket``) and by HTTP (``chatops.http``), which
checks their signature first; Bolt itself is given nothing but requests that are Slack's.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from chatops.adapters.metrics import Metrics
from chatops.slack import errors, forms, ids, straight
from chatops.slack.directory import Home
from chatops.slack.listeners import Listeners
from chatops.slack.mrkdwn import said
from chatops.slack.payloads import of_interaction

log = logging.getLogger(__name__)

Body = dict[str, Any]
Listener = Callable[[AsyncAck, Body], Awaitable[None]]
ANYTHING = re.compile(".*")

# Bolt reads these by itself: with the first two it becomes an OAuth app, with the third it refuses honest requests.
_SWITCHES = ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_VERIFICATION_TOKEN", "SLACK_BOT_TOKEN")
_DECIDING = frozenset((*ids.VOTES, *ids.CHOICES))


class App(AsyncApp):
    """Bolt's app, with a way past its dispatch for what people wait for: votes, and what a select offers as they type.

    Bolt would spend more time on finding the listener than the listener takes; nothing else of what it does applies to
    a button or a select (whose installation it is, is known; a bot uses neither).
    """

    # The guarded listeners; Bolt knows them too.
    decide: Listener  # votes and choices
    suggest: Listener  # a select's options

    async def take_in(self, payload: Body, headers: dict[str, str | Sequence[str]]) -> BoltResponse:
        """The acknowledgement of one of Slack's deliveries; ``headers`` tell of a repeated one."""
        if payload.get("type") == "block_suggestion":
            listener = self.suggest
        elif decides(payload):
            listener = self.decide
        else:
            return await self.async_dispatch(AsyncBoltRequest(body=payload, headers=headers, mode="socket_mode"))
        ack = AsyncAck()  # type: ignore[no-untyped-call]
        await listener(ack, payload)
        return ack.response or BoltResponse(status=500)


def decides(payload: Body) -> bool:
    """Whether this is a click on a button that decides by itself."""
    if payload.get("type") != "block_actions":
        return False
    actions = payload.get("actions")
    return isinstance(actions, list) and len(actions) == 1 and _deciding(actions[0])


def _deciding(action: Any) -> bool:
    return isinstance(action, dict) and isinstance(name := action.get("action_id"), str) and name in _DECIDING


def build(listeners: Listeners, client: AsyncWebClient, home: Home, metrics: Metrics) -> App:
    """The app with every listener; it never calls Slack to find out who it is (`home` knows)."""
    quiet()

    async def authorize(context: AsyncBoltContext) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=home.team_id,
            bot_user_id=home.bot_user_id,
            bot_id=home.bot_id,
            bot_token=client.token,
        )

    with _without(_SWITCHES):
        app = App(
            name="chatops",
            client=AsyncWebClient(base_url=client.base_url, session=client.session, retry_handlers=[]),
            authorize=authorize,
            # No 10 ms poll for the ack, and no ack of an event before its listener has committed it.
            process_before_response=True,
            # Done once, in chatops.http, where a bad timestamp is a 401 and not a 500.
            request_verification_enabled=False,
            ssl_check_enabled=False,
            attaching_function_token_enabled=False,
        )
    _bind(app, listeners, Guard(listeners, metrics))
    return app


def quiet() -> None:
    """Keeps the SDK's loggers at INFO: their DEBUG lines hold payloads, response_urls and tokens.

    The last one is asked for its own level: left to its parent's, it spells out every call and answer to throw it away.
    """
    for name in ("slack_bolt", "slack_sdk", "slack_bolt.AsyncApp", "slack_sdk.web.async_base_client"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


def _bind(app: App, on: Listeners, guard: Guard) -> None:
    """Who hears what, in the order in which Bolt asks."""
    app.decide = guard(on.vote, "vote")
    app.action(re.compile(rf"^({'|'.join(sorted(_DECIDING))})$"))(app.decide)
    app.command(ids.COMMAND)(guard(on.command, "command"))
    app.suggest = guard(on.options, "options")
    app.action(ids.PICKED)(guard(on.picked, "pick"))
    app.action(ids.BACK)(guard(on.back, "pick"))
    app.view(ids.FORM_VIEW)(guard(on.form_submitted, "form"))
    app.view(ids.REASON_VIEW)(guard(on.reason_submitted, "form"))
    app.view(ids.LINE_VIEW)(guard(on.line_submitted, "form"))
    app.action(re.compile(rf"^({'|'.join(ids.REASONED)})$"))(guard(on.ask_why, "button"))
    app.action(ids.FULL_DIFF)(guard(on.full_diff, "button"))
    app.action(ids.LINE)(guard(on.line_button, "button"))
    app.action(ids.FORM)(guard(on.form_button, "button"))
    app.action(ids.ROLL_BACK)(guard(on.form_button, "button"))
    app.action(ids.LINK)(guard(on.nothing, "button"))
    app.shortcut(ids.SHORTCUT)(guard(on.shortcut, "shortcut"))
    app.shortcut(ids.MESSAGE_SHORTCUT)(guard(on.shortcut, "shortcut"))
    app.shortcut(ids.TIMELINE_SHORTCUT)(guard(on.to_timeline, "shortcut"))
    app.shortcut(ids.INCIDENT_SHORTCUT)(guard(on.to_incident, "shortcut"))
    app.shortcut(ids.QUESTION_SHORTCUT)(guard(on.to_team, "shortcut"))
    app.event("app_mention")(guard(on.mention, "event"))
    app.event("message")(guard(on.direct, "event"))
    app.event("app_home_opened")(guard(on.home_opened, "event"))
    # Whatever else: an event without a listener would be sent again and again, a click would show a warning sign.
    app.event(ANYTHING)(guard(on.nothing, "event"))
    app.view_closed(ANYTHING)(guard(on.nothing, "form"))
    app.view_submission(ANYTHING)(guard(on.unknown, "form"))
    app.options(ANYTHING)(app.suggest)
    app.action(ANYTHING)(guard(on.unknown, "button"))
    app.shortcut(ANYTHING)(guard(on.unknown, "shortcut"))
    app.command(ANYTHING)(guard(on.command, "command"))


class Guard:
    """Stands between a listener and Bolt.

    An exception after the ack would take the ack back; one before it would leave the person with Slack's warning
    sign. Only for an event it is let through: Slack sends events again.
    """

    def __init__(self, listeners: Listeners, metrics: Metrics) -> None:
        self._on = listeners
        self._metrics = metrics

    def __call__(self, listener: Listener, kind: str) -> Listener:
        """The listener as Bolt may have it."""
        seconds = self._metrics.acks.labels(kind)

        async def guarded(ack: AsyncAck, body: Body) -> None:
            started = time.perf_counter()
            try:
                await listener(ack, body)
            except Exception as error:
                if ack.response is not None:
                    log.exception("after the ack of a %s", kind)
                elif kind == "event":
                    raise
                else:
                    await self._apologise(ack, body, error, kind)
            finally:
                seconds.observe(time.perf_counter() - started)

        return guarded

    async def _apologise(self, ack: AsyncAck, body: Body, error: Exception, kind: str) -> None:
        """Says what went wrong in the ack itself, for the database may be what is gone."""
        if kind == "options":
            log.warning("options failed", exc_info=error)
            await ack(options=[])
            return
        lines = errors.lines(error, doing=f"taking in a {kind}")
        if kind == "command":
            await ack(response_type="ephemeral", text=said("\n".join(lines)))
        elif body.get("type") == "view_submission":
            await ack(response_action="update", view=forms.said_view(errors.title(error), lines))
        else:
            await ack()
            self._on.background.spawn(straight.say(self._on.asking.client, of_interaction(body), lines))


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """These environment variables are not there meanwhile; nothing else runs, for nothing is awaited."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
