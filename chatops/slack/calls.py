"""One call to Slack, and the few ways it can end.

answer          Slack did it
``Limited``     Slack did not do it, and says when to come back
``Refusal``     Slack did not do it, and never will: the arguments are wrong
``Away``        no answer that says so: ``sure`` when nothing can have happened, otherwise it may have
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

Hook = Callable[[str, str, str], object]

log = logging.getLogger(__name__)

# The whole workspace's trouble or ours with it, not this message's: it passes, or somebody mends it.
_AWAY = frozenset(
    {
        "accesslimited",
        "account_inactive",
        "ekm_access_denied",
        "invalid_auth",
        "missing_scope",
        "not_authed",
        "org_login_required",
        "request_timeout",
        "team_access_not_granted",
        "team_added_to_org",
        "token_expired",
        "token_revoked",
    }
)
# "It's possible some aspect of the operation succeeded before the error was raised" (chat.postMessage, errors).
_UNKNOWN = frozenset({"fatal_error", "internal_error", "service_unavailable"})
_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_HOOKS = ("hooks.slack.com", "hooks.slack-gov.com")  # https://docs.slack.dev/interactivity/handling-user-interaction
_READS = frozenset({"conversations.history", "conversations.replies", "conversations.list"})


class Limited(Exception):
    """Slack said 429; ``retry_after`` in seconds."""

    def __init__(self, method: str, retry_after: float) -> None:
        super().__init__(f"{method}: rate limited for {retry_after:g} s")
        self.method = method
        self.retry_after = retry_after


class Refusal(Exception):
    """Slack understood and will not do it; ``code`` is Slack's word."""

    def __init__(self, method: str, code: str, detail: str = "") -> None:
        super().__init__(f"{method}: {code}{f' ({detail})' if detail else ''}")
        self.method = method
        self.code = code
        self.detail = detail


class Away(Exception):
    """Slack cannot be reached or does not make sense; ``sure`` when the call certainly did nothing."""

    def __init__(self, method: str, why: str, *, sure: bool) -> None:
        super().__init__(f"{method}: {why}")
        self.why = why
        self.sure = sure


class Caller:
    """Calls Slack with a time limit (seconds) each.

    ``on_call`` hears ("before" or "after", method, post id) around every call: where tests kill the process.
    Raises ``ValueError`` for a client that repeats calls by itself: it would post twice after a lost connection.
    """

    def __init__(self, client: AsyncWebClient, *, timeout: float, on_call: Hook | None = None) -> None:
        if client.retry_handlers:
            raise ValueError("the messenger needs a client with retry_handlers=[]: repeated posts would stand twice")
        self._client = client
        self._timeout = timeout
        self._on_call: Hook = on_call or (lambda when, method, subject: None)

    async def api(self, method: str, subject: str, **arguments: Any) -> Mapping[str, Any]:
        """A method of the Web API, on behalf of the post ``subject``."""
        self._on_call("before", method, subject)
        try:
            async with asyncio.timeout(self._timeout):
                if method in _READS:
                    answer = await self._client.api_call(method, http_verb="GET", params=arguments)
                else:
                    answer = await self._client.api_call(method, json=arguments)
            data = answer.data
            if not isinstance(data, dict):
                raise Away(method, "an answer that is no JSON", sure=False)
            return data
        except SlackApiError as error:
            raise _understood(method, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(method, error) from error
        finally:
            self._on_call("after", method, subject)

    async def respond(self, url: str, subject: str, body: Mapping[str, Any]) -> None:
        """Hands an answer to a response_url, which has to be Slack's: it may come from a form's hidden data."""
        if not is_slacks(url, self._client.base_url):
            raise Refusal("response_url", "not_slacks")
        self._on_call("before", "response_url", subject)
        try:
            async with asyncio.timeout(self._timeout), self._session() as session:
                got = await session.post(url, json=body, allow_redirects=False)
                async with got:
                    await got.read()
                status, said, headers = got.status, got.reason or "", got.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable("response_url", error) from error
        finally:
            self._on_call("after", "response_url", subject)
        if status == 429:
            raise Limited("response_url", _seconds(headers))
        if status >= 500:
            raise Away("response_url", f"HTTP {status}", sure=False)
        if status >= 300:
            raise Refusal("response_url", f"http_{status}", said)

    def _session(self) -> _Shared:
        return _Shared(self._client)


def is_slacks(url: str, api: str) -> bool:
    """Whether an address is one of Slack's for answers, or of what stands in Slack's place at ``SLACK_API_URL``."""
    try:
        given, ours = urlsplit(url), urlsplit(api)
    except ValueError:
        return False
    place = (given.scheme, given.netloc)
    return place in (*(("https", host) for host in _HOOKS), (ours.scheme, ours.netloc))


class _Shared:
    """The client's own session when it has one, else one for this call."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._shared = client.session
        self._client = client
        self._own: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> aiohttp.ClientSession:
        if self._shared is not None and not self._shared.closed:
            return self._shared
        self._own = aiohttp.ClientSession(trust_env=self._client.trust_env_in_session)
        return self._own

    async def __aexit__(self, *_: object) -> None:
        if self._own is not None:
            await self._own.close()


def _understood(method: str, error: SlackApiError) -> Exception:
    response = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    headers = getattr(response, "headers", None) or {}
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    if status == 429 or code in _LIMITED:
        return Limited(method, _seconds(headers))
    if status >= 500 or code in _UNKNOWN:
        return Away(method, code or f"HTTP {status}", sure=False)
    if not code:
        return Away(method, f"an answer that is no JSON (HTTP {status})", sure=False)
    if code in _AWAY:
        log.error("Slack refuses every call like %s: %s", method, code)
        return Away(method, code, sure=True)
    details = data.get("response_metadata", {}).get("messages", []) if isinstance(data, dict) else []
    return Refusal(method, code, "; ".join(str(one) for one in details[:3])[:500])


def _unreachable(method: str, error: Exception) -> Away:
    """A connection that was never made carried nothing; one that broke may have."""
    sure = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL)
    return Away(method, str(error) or type(error).__name__, sure=sure)


def _seconds(headers: Mapping[str, str]) -> float:
    try:
        return max(1.0, float(headers.get("Retry-After", "1")))
    except ValueError:
        return 1.0
