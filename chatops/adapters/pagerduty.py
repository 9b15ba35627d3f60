"""PagerDuty's REST API, version 2: https://developer.pagerduty.com/api-reference/"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp

from chatops.kernel.errors import Refused, Unavailable

TIMEOUT = 5.0  # seconds a call; what is tried again is said by the caller
LOOKUP_TIMEOUT = 3.0  # seconds: a delivery of PagerDuty's waits for it
LONGEST_ANSWER = 1_000_000  # bytes
LONGEST_WAIT = 900.0  # seconds that PagerDuty may ask us to wait
MOST_USERS = 5000  # e-mails that are remembered
_SENDER = re.compile(r"requester user not found|\bfrom\b.*header|invalid.*(?:requester|from)", re.IGNORECASE)


class PagerDutyApi:
    """Speaks for us to PagerDuty; without a token nobody is asked anything."""

    def __init__(
        self, url: Callable[[], str], token: str, session: Callable[[], aiohttp.ClientSession | None],
        timeout: float = TIMEOUT,
    ) -> None:  # fmt: skip
        self._url = url
        self._token = token
        self._session = session
        self._timeout = timeout
        self._emails: dict[str, str] = {}

    async def set_status(self, incident: str, status: str, email: str) -> None:
        """``pagerduty_changes.Api.set_status``."""
        body = {"incident": {"type": "incident_reference", "status": status}}
        await self._call("PUT", f"/incidents/{quote(incident, safe='')}", body, email)

    async def add_note(self, incident: str, text: str, email: str) -> None:
        """``pagerduty_changes.Api.add_note``."""
        path = f"/incidents/{quote(incident, safe='')}/notes"
        # It may have arrived before a time-out, or before this process was started again
        notes = (await self._call("GET", path)).get("notes")
        if any(isinstance(one, dict) and one.get("content") == text for one in notes or ()):
            return
        await self._call("POST", path, {"note": {"content": text}}, email)

    async def email_of(self, user: str) -> str:
        """``pagerduty.Users.email_of``."""
        if not self._token:
            return ""
        if user not in self._emails:
            path = f"/users/{quote(user, safe='')}"
            found = (await self._call("GET", path, timeout=min(LOOKUP_TIMEOUT, self._timeout))).get("user")
            email = found.get("email") if isinstance(found, dict) else ""
            if len(self._emails) >= MOST_USERS:
                self._emails.clear()
            self._emails[user] = email if isinstance(email, str) else ""
        return self._emails[user]

    async def _call(
        self, method: str, path: str, body: Any = None, email: str = "", timeout: float = 0.0
    ) -> dict[str, Any]:  # fmt: skip
        session = self._session()
        if session is None:
            raise Unavailable("PagerDuty can't be called yet")
        headers = {"Authorization": f"Token token={self._token}", "Accept": "application/vnd.pagerduty+json;version=2"}
        headers |= {"From": email} if email else {}
        try:
            async with session.request(
                method, self._url().rstrip("/") + path, json=body, headers=headers, allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout or self._timeout),
            ) as answer:  # fmt: skip
                text = (await answer.content.read(LONGEST_ANSWER)).decode(errors="replace")
                status, asked = answer.status, answer.headers
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as away:
            raise Unavailable(f"PagerDuty does not answer ({type(away).__name__})") from away
        if status == 429:
            wait = _seconds(asked.get("Retry-After") or asked.get("ratelimit-reset") or "")
            raise Unavailable("PagerDuty asks us to wait (429)", retry_after=wait)
        if status in (401, 403):
            raise Unavailable(f"PagerDuty refuses CHATOPS_PAGERDUTY_TOKEN ({status})")
        if status >= 500 or status < 200:
            raise Unavailable(f"PagerDuty answered {status}")
        if status >= 300:
            return _refused(status, text, email)
        try:
            found = json.loads(text or "{}")
        except (ValueError, RecursionError) as wrong:
            raise Unavailable("PagerDuty's answer is no JSON") from wrong
        return found if isinstance(found, dict) else {}


def _refused(status: int, text: str, email: str) -> dict[str, Any]:
    """What a 4xx means; that an incident is resolved already is what was wanted."""
    try:
        error = json.loads(text)["error"]
        said = " ".join([str(error.get("message", "")), *map(str, error.get("errors") or ())]).strip()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = ""
    if "already resolved" in said.lower():
        return {}
    rule = "sender" if email and _SENDER.search(said) else ""
    raise Refused(f"PagerDuty refuses it ({status}{f', {said[:200]}' if said else ''})", rule=rule)


def _seconds(given: str) -> float:
    """How long PagerDuty asks us to wait; a date, or nothing, is half a minute."""
    return min(LONGEST_WAIT, max(1.0, float(given))) if re.fullmatch(r"\d{1,9}(\.\d+)?", given.strip()) else 30.0
