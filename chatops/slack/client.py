"""The one web client: one shared session, nothing sent twice by itself, every call counted."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from chatops.adapters.metrics import Metrics
from chatops.slack.errors import slack_said

SLACK = "https://slack.com/api/"
TIMEOUT = 10.0  # seconds a call may take altogether

# Reads, and what Slack itself does only once (a trigger, a hash): asked again when a kept-alive connection was
# closed under us. Everything else might be done twice, so the SDK's own repeating is switched off.
_REPEATABLE = frozenset(
    {
        "apps.connections.open",
        "auth.test",
        "conversations.history",
        "conversations.info",
        "conversations.list",
        "conversations.open",
        "conversations.replies",
        "usergroups.list",
        "usergroups.users.list",
        "users.info",
        "users.lookupByEmail",
        "views.open",
        "views.publish",
        "views.update",
    }
)


class NotSlack(aiohttp.ClientError):
    """What answered is something before Slack, a proxy or a gateway: no JSON. Whether the call was done is unknown."""


_CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class SlackClient(AsyncWebClient):
    """slack_sdk's client with counting; ``session`` is closed by who made it."""

    def __init__(self, token: str, base_url: str, session: aiohttp.ClientSession, metrics: Metrics) -> None:
        super().__init__(token=token, base_url=base_url or SLACK, session=session, retry_handlers=[])
        self._metrics = metrics

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """One call, perhaps asked again; raises SlackApiError, aiohttp's errors or TimeoutError."""
        started, result = time.perf_counter(), "away"
        try:
            answer = await self._called(api_method, arguments)
            result = "ok"
            return answer
        except SlackApiError as error:
            result = slack_said(error)
            raise
        finally:
            self._metrics.calls.labels("slack", api_method, result).observe(time.perf_counter() - started)

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        """One exchange; an answer that says nothing of what Slack did is raised, for every caller knows ``AWAY``."""
        try:
            got: dict[str, Any] = await super()._request(http_verb=http_verb, api_url=api_url, req_args=req_args)
        except SlackApiError as error:  # its body claims to be JSON, and is not
            raise NotSlack("an answer that is no JSON") from error
        if isinstance(got["data"], dict) and "ok" in got["data"]:
            return got
        if got["status_code"] != 429:
            raise NotSlack(f"an answer that is no JSON (HTTP {got['status_code']})")
        return {**got, "data": {"ok": False, "error": "ratelimited"}}

    async def _called(self, api_method: str, arguments: dict[str, Any]) -> AsyncSlackResponse:
        try:
            return await super().api_call(api_method, **arguments)
        except _CLOSED:
            if api_method not in _REPEATABLE:
                raise
            return await super().api_call(api_method, **arguments)


def session() -> aiohttp.ClientSession:
    """The session that every call to Slack shares; make it inside the running loop."""
    connector = aiohttp.TCPConnector(limit=100, keepalive_timeout=30)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT))
